"""Whose statements a MySQL target remembers.

A statement is named by a GTID `<uuid>:<its number>` (`ddlgtid.py`), which the server skips when it
has it. A target that is made anew on a server that was this pipeline's target before would so skip
the statements of its new life, silently. So each life has a uuid of its own: the pipeline's, or, if
the server has GTIDs of that, the next one that is made of it. It is chosen before the first
checkpoint row is written and kept in `mysync.meta`.
"""

import uuid

from pymysql.cursors import Cursor

from mysync_runtime.mysql import Connection, flavor, scalar

NAME = "statements_uuid"


def begin(cursor: Cursor, pipeline: str, uuid_: str) -> None:
    """Keeps this life's uuid, in the transaction that writes its first checkpoint rows."""
    cursor.execute(
        "REPLACE INTO mysync.meta (pipeline, name, value) VALUES (%s, %s, %s)",
        (pipeline, NAME, uuid_),
    )


def statements_uuid(connection: Connection, pipeline: str, pipeline_uuid: str) -> str:
    """The uuid of this life's statements: the pipeline's where none was chosen, as on targets that
    an earlier release began."""
    found = scalar(
        connection,
        "SELECT value FROM mysync.meta WHERE pipeline = %s AND name = %s",
        (pipeline, NAME),
    )
    return str(found) if found is not None else pipeline_uuid


def unused(connection: Connection, pipeline_uuid: str) -> str:
    """A uuid for a new life's statements, which the server has no GTIDs of."""
    if flavor(connection).is_mariadb:
        return pipeline_uuid  # its GTIDs have no such names
    executed = str(scalar(connection, "SELECT @@GLOBAL.gtid_executed") or "").lower()
    found, life = pipeline_uuid.lower(), 1
    while f"{found}:" in executed:
        life += 1
        found = str(uuid.uuid5(uuid.UUID(pipeline_uuid), str(life)))
    return found
