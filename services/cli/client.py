"""A running stack as its clients see it: three APIs over HTTP, spoken to with a token of the local issuer."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import httpx2

from contracts.roles import Role
from deploy.errors import StackError
from deploy.local import issuer, state
from deploy.local.programs import WORKBENCH
from deploy.local.state import State

EVERYTHING: Final = (Role.MANAGER, Role.OPERATIONS, Role.SYSTEM)
"""What the commands of an operator need; acts on cases are for people."""
_BUSY: Final = (429, 503)
_ATTEMPTS: Final = 10
_SECONDS: Final = 30
_SHORT: Final = 2


class RefusedError(StackError):
    """An API refused a request; `kind` is the problem's slug, `faults` says what is wrong with which item."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        """Tell the problem in one sentence, its faults behind it."""
        self.status = status
        self.kind = str(problem.get("type", "")).rpartition(":")[2]
        self.faults: Sequence[Mapping[str, Any]] = problem.get("errors") or ()
        said = f"{problem.get('title', f'HTTP {status}')}. {problem.get('detail', '')}".rstrip()
        super().__init__(" ".join([said, *(str(each["detail"]) for each in self.faults)]))


def running() -> State:
    """Return the stack that runs on this data folder; raise with what to do where none does."""
    data = state.data_folder()
    found = state.read(data)
    if found is None:
        raise StackError(f"nothing runs on {data}. `makegood up` starts a system there; MAKEGOOD_DATA names another folder.")
    if not found.ready:
        raise StackError(f"the system on {data} is still starting; try again in a moment")
    if dead := found.dead():
        raise StackError(f"{', '.join(dead)} has ended. `makegood up` starts it again; the logs are in {data / 'logs'}.")
    return found


def workbench_line(running: State) -> str:
    """Say where people find the pages."""
    return f"  {WORKBENCH:<10} {running.apis[WORKBENCH]}   open it in a browser"


class Client:
    """Somebody who calls the APIs: `with Client(running()) as client`."""

    def __init__(self, stack: State, subject: str = "command-line", roles: Sequence[str] = EVERYTHING, teams: Sequence[str] = ()) -> None:
        """As this subject, with these roles, of these teams."""
        token = issuer.token(Path(stack.keys), subject=subject, name=subject, roles=[str(each) for each in roles], teams=teams)
        self._apis, self._health = stack.apis, stack.health
        self._http = httpx2.Client(headers={"Authorization": f"Bearer {token}"}, timeout=_SECONDS, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, service: str, path: str, **query: Any) -> Any:
        """Read a resource as JSON."""
        return self.call("GET", service, path, params=query).json()

    def pages(self, service: str, path: str, **query: Any) -> Iterator[Any]:
        """Read all items of a list, page by page."""
        cursor: dict[str, str] = {}
        while True:
            page = self.get(service, path, **query, **cursor)
            yield from page["items"]
            if page["next"] is None:
                return
            cursor = {"cursor": page["next"]}

    def post(self, service: str, path: str, **content: Any) -> Any:
        """Send something (`json`, or `content` with `headers`), and return the answer's JSON."""
        return self.call("POST", service, path, **content).json()

    def is_ready(self, process: str) -> bool:
        """Whether a process answers, and says that it works."""
        try:
            return self._http.get(self._health[process] + "/readyz", timeout=_SHORT).is_success
        except httpx2.TransportError:
            return False

    def call(self, method: str, service: str, path: str, **content: Any) -> httpx2.Response:
        """Send a request, again where the service asks for patience; raise `RefusedError` for every other refusal."""
        for attempt in range(_ATTEMPTS):
            with _told(service, self._apis[service]):
                answer = self._http.request(method, self._apis[service] + path, **content)
            if answer.status_code not in _BUSY or attempt == _ATTEMPTS - 1:
                break
            time.sleep(float(answer.headers.get("Retry-After", 1)))
        if answer.is_error:
            raise RefusedError(answer.status_code, _problem(answer))
        return answer


@contextmanager
def _told(service: str, address: str) -> Iterator[None]:
    try:
        yield
    except httpx2.TransportError as error:
        message = f"{service} does not answer at {address} ({type(error).__name__}). `makegood doctor` says what is wrong."
        raise StackError(message) from error


def _problem(answer: httpx2.Response) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
