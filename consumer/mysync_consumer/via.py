"""Which way rows are written: by row events where the target lets us, else by SQL.

`apply.via: auto` asks the account's privileges. MySQL's BINLOG statement needs REPLICATION_APPLIER,
MariaDB's BINLOG REPLAY; SUPER has both where it still can (MySQL; MariaDB before 11.0.1).
"""

from dataclasses import dataclass
from typing import Literal

from mysync_runtime import mysql
from mysync_runtime.mysql import Flavor
from mysync_runtime.settings import Settings

SUPER_ENDS = (11, 0, 1)
"""MariaDB's SUPER has no BINLOG REPLAY from here on ("GRANT", MariaDB's documentation)."""


@dataclass(frozen=True, slots=True)
class Way:
    """The way that rows are written, and why that one."""

    via: Literal["row_events", "sql"]
    why: str

    @property
    def words(self) -> str:
        return "row events" if self.via == "row_events" else "SQL"

    def __str__(self) -> str:
        return f"{self.words}: {self.why}"


def privilege(what: Flavor) -> str:
    """What the server calls the privilege to apply row events."""
    return "BINLOG REPLAY" if what.is_mariadb else "REPLICATION_APPLIER"


def choose(settings: Settings, what: Flavor, account: str, grants: list[mysql.Grant]) -> Way:
    """As the settings say, or as the account's privileges allow."""
    if settings.apply.via != "auto":
        return Way(settings.apply.via, "apply.via says so")
    held = may_apply(grants, what)
    if held:
        return Way("row_events", f"{account} has {held}")
    return Way("sql", f"{account} doesn't have {privilege(what)}")


def may_apply(grants: list[mysql.Grant], what: Flavor) -> str | None:
    """The privilege by which row events may be applied, if there is one."""
    wanted = [privilege(what), "ALL PRIVILEGES"]
    if not (what.is_mariadb and what.version >= SUPER_ENDS):
        wanted.append("SUPER")
    everywhere = {p for grant in grants if grant.where == "*.*" for p in grant.names}
    return next((name for name in wanted if name in everywhere), None)


def resolved(settings: Settings, way: Way) -> Settings:
    """The settings with the way that was chosen: nothing asks again while the process runs."""
    apply = settings.apply.model_copy(update={"via": way.via})
    return settings.model_copy(update={"apply": apply})
