"""What a service's own role may do with each of its tables; everything else PostgreSQL refuses it (docs/decisions/0027).

A service writes its rights down in `store/rights.py`, in the words of GRANT; whoever migrates its schema owns it, and grants them.
"""

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection

Rights = Mapping[str, tuple[str, ...]]
"""By table."""
READ: Final = ("SELECT",)
ADD: Final = (*READ, "INSERT")
"""Rows that come stay as they are."""
CHANGE: Final = (*ADD, "UPDATE")
ALL: Final = (*CHANGE, "DELETE")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def changing(*columns: str) -> tuple[str, ...]:
    """Rows that come stay, but for these columns."""
    return (*ADD, f"UPDATE ({', '.join(map(_quoted, columns))})")


LANES: Final[Rights] = {
    "progress": CHANGE,
    "topology": ADD,
    "api_keys": changing("hash", "former", "former_until", "rotated_at", "last_used", "revoked_by", "revoked_at"),
}
"""The tables that every service has which reads topics."""


class OwnRoleError(Exception):
    """A service's own role must not own its schema: migrate as another one, which owns it, such as NAME_owner (deploy/roles.sh)."""


def grant(connection: Connection, service: str, rights: Rights) -> None:
    """Give the service's role, which has its name, these rights in the schema of that name, and take all others from it."""
    if connection.scalar(sa.text("SELECT current_user")) == service:
        raise OwnRoleError(OwnRoleError.__doc__)
    role = schema = _quoted(service)
    connection.exec_driver_sql(f"REVOKE ALL ON SCHEMA {schema} FROM {role}")
    connection.exec_driver_sql(f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}")
    connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    for table, words in rights.items():
        connection.exec_driver_sql(f"GRANT {', '.join(words)} ON {schema}.{_quoted(table)} TO {role}")
