"""Who is asking, and may they: a principal out of a bearer token, and one table of who may do which operation."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from services.chassis.apikeys import MARK, ApiKeys
from services.chassis.problems import TOO_OFTEN, Kind, Problem
from services.chassis.tokens import Checker, InvalidTokenError

PUBLIC = "public"
"""The role in the table that needs no token."""
SYSTEM = "system"
"""The role of whoever holds a key."""

UNAUTHENTICATED = Kind(401, "unauthenticated", "A valid token is needed")
FORBIDDEN = Kind(403, "forbidden", "This principal may not do that")

Table = Mapping[str, frozenset[str]]


class OperationWithoutAccessError(Exception):
    """Operations have no row in the access table; add to contracts/access.py who may do them."""

    def __init__(self, operations: list[str]) -> None:
        super().__init__(f"{self.__doc__} Missing: {', '.join(operations)}.")


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody or something that acts, as its token says."""

    subject: str
    name: str
    roles: frozenset[str]
    teams: frozenset[str]
    scopes: frozenset[str] | None = None
    """The only operations that it may do; None: all of its roles."""


ANYBODY = Principal("anybody", "anybody", frozenset({PUBLIC}), frozenset())


class Gate:
    """Turns a token into a principal and lets it through where the table has its role."""

    def __init__(self, checker: Checker | None, table: Table, refusals: Mapping[str, str]) -> None:
        self._checker = checker
        self._table = table
        self._refusals = refusals
        self.api_keys: ApiKeys | None = None
        """The keys of systems, where the service has any."""

    def operations_of(self, role: str) -> frozenset[str]:
        """The operations that the table has for a role."""
        return frozenset(operation for operation, roles in self._table.items() if role in roles)

    async def admit(self, token: str | None, operation: str) -> Principal:
        """The principal of the token, if it may do the operation; otherwise the 401 or 403 problem."""
        if token is None and PUBLIC in self._table[operation]:
            return ANYBODY
        principal = await self.identify(token)
        if (principal.roles | {PUBLIC}).isdisjoint(self._table[operation]):
            needed = f"{operation} is for: {', '.join(sorted(self._table[operation]))}."
            raise Problem(FORBIDDEN, " ".join(filter(None, [needed, self._refusals.get(operation)])))
        if principal.scopes is not None and operation not in principal.scopes and PUBLIC not in self._table[operation]:
            raise Problem(FORBIDDEN, f"This key is not for {operation}. Its scopes: {', '.join(sorted(principal.scopes))}.")
        return principal

    async def identify(self, token: str | None) -> Principal:
        """The principal of the token. Why a token is refused is not told to whoever sent it."""
        if token is None:
            raise _refusal("Send a bearer token.", 'Bearer realm="makegood"')
        if self.api_keys is not None and token.startswith(MARK):
            return await self._holder(token, self.api_keys)
        if self._checker is None:
            raise _refusal("This service has no keys to check tokens with.", 'Bearer realm="makegood"')
        try:
            return _principal(await self._checker.claims(token))
        except InvalidTokenError as error:
            raise _refusal("The token is not valid here.") from error

    @staticmethod
    async def _holder(token: str, keys: ApiKeys) -> Principal:
        try:
            key = await keys.holder(token)
        except InvalidTokenError as error:
            raise _refusal("The key is not valid here.") from error
        return Principal(f"key:{key.prefix}", key.name, frozenset({SYSTEM}), frozenset(), frozenset(key.scopes))


def _refusal(detail: str, challenge: str = 'Bearer realm="makegood", error="invalid_token"') -> Problem:
    return Problem(UNAUTHENTICATED, detail, headers={"WWW-Authenticate": challenge})


def _principal(claims: Mapping[str, Any]) -> Principal:
    subject: str = claims["sub"]
    return Principal(subject, claims.get("name", subject), frozenset(claims.get("roles", ())), frozenset(claims.get("teams", ())))


_BEARER = HTTPBearer(auto_error=False, bearerFormat="JWT", scheme_name="token")


async def authorize(request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]) -> Principal:
    """The principal of this request, which the access table lets through."""
    gate: Gate = request.app.state.gate
    principal = await gate.admit(credentials.credentials if credentials else None, request.scope["route"].operation_id)
    request.state.principal = principal
    who = f"at {request.client.host if request.client else ''}" if principal is ANYBODY else principal.subject
    if wait := request.app.state.rates.take(who):
        raise Problem(TOO_OFTEN, "Send this again a little later.", headers={"Retry-After": str(math.ceil(wait))})
    return principal


Who = Annotated[Principal, Depends(authorize)]
