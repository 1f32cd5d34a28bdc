"""What the server lets our user do."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from mysync_runtime.mysql.connection import Connection, rows, scalar


class Grant(NamedTuple):
    """`GRANT privileges ON where TO …`, in capitals and without backslashes. `where` is empty for a
    role."""

    privileges: str
    where: str

    @property
    def names(self) -> set[str]:
        """The privileges; of those on columns only, none."""
        if self.privileges.startswith("REVOKE "):
            return set()
        return {name.strip() for name in self.privileges.split(",") if "(" not in name}

    def covers(self, db: str, table: str = "*") -> bool:
        """Whether it is on this table, or on all tables of the database."""
        on_db, _, on_table = self.where.replace("`", "").rpartition(".")
        pattern = re.escape(on_db).replace("%", ".*").replace("_", ".")
        wanted = table.upper()
        return bool(
            on_table in ("*", wanted) and (on_db == "*" or re.fullmatch(pattern, db.upper()))
        )


def grants(connection: Connection) -> list[Grant]:
    """Our own; what a role grants counts when it is active."""
    found = []
    for row in rows(connection, "SHOW GRANTS"):
        for text in row.values():
            privileges, _, rest = str(text).upper().replace("\\", "").partition(" ON ")
            found.append(Grant(privileges.removeprefix("GRANT "), rest.partition(" TO ")[0]))
    return found


def lacking(found: Iterable[Grant], wanted: Iterable[str], db: str, table: str = "*") -> list[str]:
    """Those of the privileges that the grants don't give on a table, or on all of a database."""
    held = {name for grant in found if grant.covers(db, table) for name in grant.names}
    return [name for name in wanted if name not in held and not {"ALL PRIVILEGES", "ALL"} & held]


def account(connection: Connection) -> str:
    """The account that the server has taken us for, as a GRANT names it."""
    user, _, host = str(scalar(connection, "SELECT CURRENT_USER()")).rpartition("@")
    return f"'{user}'@'{host}'"
