"""What the server lets our user do."""

from typing import NamedTuple

from mysync_runtime.mysql.connection import Connection, rows, scalar


class Grant(NamedTuple):
    """`GRANT privileges ON where TO …`, in capitals and without backslashes. `where` is empty for a
    role."""

    privileges: str
    where: str


def grants(connection: Connection) -> list[Grant]:
    """Our own; what a role grants counts when it is active."""
    found = []
    for row in rows(connection, "SHOW GRANTS"):
        for text in row.values():
            privileges, _, rest = str(text).upper().replace("\\", "").partition(" ON ")
            found.append(Grant(privileges.removeprefix("GRANT "), rest.partition(" TO ")[0]))
    return found


def account(connection: Connection) -> str:
    """The account that the server has taken us for, as a GRANT names it."""
    user, _, host = str(scalar(connection, "SELECT CURRENT_USER()")).rpartition("@")
    return f"'{user}'@'{host}'"
