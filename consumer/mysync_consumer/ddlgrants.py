"""Which privileges an account of the target lacks for the source's statements.

Rows need less: who has no statements to execute may do without. So this is told at the start, and
is an error only at a statement that is refused."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from mysync_consumer.via import SUPER_ENDS
from mysync_runtime import mysql
from mysync_runtime.errors import Failure
from mysync_runtime.mysql import Flavor, Grant, quote

DEFINITIONS: Final = (
    "SELECT",
    "INSERT",
    "CREATE",
    "ALTER",
    "DROP",
    "INDEX",
    "REFERENCES",
    "CREATE VIEW",
    "SHOW VIEW",
    "TRIGGER",
    "CREATE ROUTINE",
    "ALTER ROUTINE",
    "EVENT",
)
"""On a database. INSERT and SELECT: what RENAME, EXCHANGE PARTITION and CREATE … LIKE ask for."""

MYSQL_FINE_DEFINERS: Final = (8, 2, 0)
"""SET_ANY_DEFINER replaces SET_USER_ID."""


def lacking_for_statements(
    databases: Iterable[str],
    account: str,
    grants: Sequence[Grant],
    what: Flavor,
    variables: Mapping[str, str],
) -> list[Failure]:
    """What the account may not do, each with the GRANT that mends it.

    `databases`: on the target, `*` for all; `variables`: the server's, global."""
    found = []
    for db in dict.fromkeys(databases):
        lacking = mysql.lacking(grants, DEFINITIONS, db)
        if lacking:
            where = "*" if db == "*" else quote(db)
            found.append(
                Failure(
                    f"{account} lacks {', '.join(lacking)} for statements on {where}.*",
                    f"GRANT {', '.join(lacking)} ON {where}.* TO {account}",
                )
            )
    everywhere = {name for grant in grants if grant.where == "*.*" for name in grant.names}
    if "ALL PRIVILEGES" in everywhere:
        return found
    for wanted, why in _of_the_server(what, variables):
        if not everywhere.intersection(wanted):
            found.append(
                Failure(
                    f"{account} lacks {wanted[0]} {why}", f"GRANT {wanted[0]} ON *.* TO {account}"
                )
            )
    return found


def _of_the_server(
    what: Flavor, variables: Mapping[str, str]
) -> Iterable[tuple[tuple[str, ...], str]]:
    """Privileges on *.* that do, the one to grant first, and what for."""
    get = variables.get
    by_gtid = get("gtid_mode", "OFF") in ("ON", "ON_PERMISSIVE") and get("log_bin") == "ON"
    if what.is_mariadb:
        definer = ("SET USER",) if what.version >= SUPER_ENDS else ("SET USER", "SUPER")
        super_does = () if what.version >= SUPER_ENDS else ("SUPER",)
    else:
        fine = "SET_ANY_DEFINER" if what.version >= MYSQL_FINE_DEFINERS else "SET_USER_ID"
        definer = (fine, "SUPER")
        super_does = ("SUPER",)
    if by_gtid:
        yield (
            (
                "REPLICATION_APPLIER",
                "SESSION_VARIABLES_ADMIN",
                "SYSTEM_VARIABLES_ADMIN",
                *super_does,
            ),
            "to give statements their GTID",
        )
    else:
        yield ("PROCESS",), "to tell after a crash which tables were exchanged"
    yield definer, "for views, triggers, routines and events that others define"
    if not what.is_mariadb and _needs_admin(variables):
        yield (
            ("SESSION_VARIABLES_ADMIN", "SYSTEM_VARIABLES_ADMIN", *super_does),
            "to set variables of the session as the source's statements need them",
        )
    if get("log_bin") == "ON" and get("log_bin_trust_function_creators", "OFF") != "ON":
        yield (
            ("SUPER",),
            "for triggers and functions (or SET GLOBAL log_bin_trust_function_creators = ON)",
        )
    read_only = get("read_only", "OFF")
    if read_only not in ("OFF", "0"):
        admin = "READ ONLY ADMIN" if what.is_mariadb else "CONNECTION_ADMIN"
        yield (admin, *super_does), "to write a server that is read_only"


def _needs_admin(variables: Mapping[str, str]) -> bool:
    """Whether a variable that only an administrator may set isn't what statements need."""
    return any(
        variables.get(name, wanted) != wanted
        for name, wanted in (
            ("sql_require_primary_key", "OFF"),
            ("sql_generate_invisible_primary_key", "OFF"),
            ("innodb_strict_mode", "OFF"),
            ("binlog_format", "ROW"),
        )
    )
