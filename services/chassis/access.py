"""Who is asking, and may they: a principal out of a bearer token, and one table of who may do which operation."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import orjson
from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import ECKey

from services.chassis.problems import Kind, Problem

ALGORITHMS = ("ES256",)
TOKEN_TYPES = frozenset({"at+jwt", "application/at+jwt"})
REREAD_SECONDS = 60.0
PUBLIC = "public"
"""The role in the table that needs no token."""

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


ANYBODY = Principal("anybody", "anybody", frozenset({PUBLIC}), frozenset())


class Keys:
    """The issuer's public keys, read from a JWKS file again when it changes."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._read_at = float("-inf")
        self._modified = -1
        self._keys: dict[str, ECKey] = {}

    def find(self, kid: object) -> ECKey:
        """The key of that id; an unknown id makes the file be read again, at most once a minute."""
        if self._path.stat().st_mtime_ns != self._modified:
            self._read()
        if kid not in self._keys and self._clock() - self._read_at >= REREAD_SECONDS:
            self._read()
        if not isinstance(kid, str) or kid not in self._keys:
            raise InvalidKeyIdError
        return self._keys[kid]

    def _read(self) -> None:
        self._modified = self._path.stat().st_mtime_ns
        self._read_at = self._clock()
        documents = orjson.loads(self._path.read_bytes())["keys"]
        self._keys = {each["kid"]: ECKey.import_key(each) for each in documents if each.get("kty") == "EC"}


class Gate:
    """Turns a token into a principal and lets it through where the table has its role."""

    def __init__(self, keys: Keys | None, issuer: str, audience: str, table: Table, refusals: Mapping[str, str]) -> None:
        self._keys = keys
        self._table = table
        self._refusals = refusals
        self._claims = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    def admit(self, token: str | None, operation: str) -> Principal:
        """The principal of the token, if it may do the operation; otherwise the 401 or 403 problem."""
        if token is None and PUBLIC in self._table[operation]:
            return ANYBODY
        principal = self.identify(token)
        if (principal.roles | {PUBLIC}).isdisjoint(self._table[operation]):
            needed = f"{operation} is for: {', '.join(sorted(self._table[operation]))}."
            raise Problem(FORBIDDEN, " ".join(filter(None, [needed, self._refusals.get(operation)])))
        return principal

    def identify(self, token: str | None) -> Principal:
        """The principal of the token. Why a token is refused is not told to whoever sent it."""
        if token is None:
            raise _refusal("Send a bearer token.", 'Bearer realm="makegood"')
        if self._keys is None:
            raise _refusal("This service has no keys to check tokens with.", 'Bearer realm="makegood"')
        keys = self._keys
        try:
            decoded = jwt.decode(token, lambda signed: keys.find(signed.headers().get("kid")), ALGORITHMS)
            self._claims.validate(decoded.claims)
        except (JoseError, ValueError) as error:
            raise _refusal("The token is not valid here.") from error
        if str(decoded.header.get("typ", "")).lower() not in TOKEN_TYPES:
            raise _refusal("The token is not an access token.")
        return _principal(decoded.claims)


def _refusal(detail: str, challenge: str = 'Bearer realm="makegood", error="invalid_token"') -> Problem:
    return Problem(UNAUTHENTICATED, detail, headers={"WWW-Authenticate": challenge})


def _principal(claims: Mapping[str, Any]) -> Principal:
    roles, teams = claims.get("roles", []), claims.get("teams", [])
    for each in (roles, teams):
        if not isinstance(each, list) or not all(isinstance(name, str) for name in each):
            raise _refusal("The token's roles and teams are not lists of names.")
    subject = claims["sub"]
    return Principal(subject, str(claims.get("name", subject)), frozenset(roles), frozenset(teams))


_BEARER = HTTPBearer(auto_error=False, bearerFormat="JWT", scheme_name="token")


async def authorize(request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]) -> Principal:
    """The principal of this request, which the access table lets through."""
    gate: Gate = request.app.state.gate
    principal = gate.admit(credentials.credentials if credentials else None, request.scope["route"].operation_id)
    request.state.principal = principal
    return principal


Who = Annotated[Principal, Depends(authorize)]
