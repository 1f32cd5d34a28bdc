"""The pipeline's lock for statements, held by the session that executes them.

A session ends after its statement and its lock with it, so whoever has the lock knows that no
predecessor's statement runs. A lock without its session doesn't exist: a crash leaves none."""

import time
from collections.abc import Callable
from typing import Final

import pymysql
import xxhash

from mysync_consumer.errors import TargetUnavailable
from mysync_consumer.tenure import Tenure
from mysync_runtime.log import get_logger
from mysync_runtime.mysql import Connection, code_of, rows, scalar

NO_SUCH_THREAD: Final = 1094
SAY_SECONDS: Final = 30.0


def lock_name(pipeline: str) -> str:
    """For GET_LOCK; see `claim.lock_name`."""
    return f"mysync:{xxhash.xxh3_128_hexdigest(pipeline)}/ddl"


def take(connection: Connection, pipeline: str, tenure: Tenure) -> None:
    """Takes the lock. Who holds it is waited for while it runs a statement, and ended when it
    doesn't: a session that is idle changes nothing, and nothing any more.

    Raises PyMySQL's errors, Revoked, and TargetUnavailable when another user's session has it."""
    name = lock_name(pipeline)
    say = announcer()
    while scalar(connection, "SELECT GET_LOCK(%s, 1)", (name,)) != 1:
        tenure.check()
        found = rows(
            connection,
            "SELECT id AS id, command AS command, user AS user, USER() AS ours"
            " FROM information_schema.processlist WHERE id = IS_USED_LOCK(%s)",
            (name,),
        )
        if not found:
            continue
        holder = found[0]
        if holder["user"] != str(holder["ours"]).rpartition("@")[0]:
            raise TargetUnavailable(
                f"the lock {name} on the target is held by session {holder['id']} of user"
                f" {holder['user']}, which isn't the consumer's: it isn't killed"
            )
        if holder["command"] == "Sleep":
            get_logger("ddl").info("killing the idle session of the last owner", lock=name)
            _kill(connection, int(holder["id"]))
        else:
            say(f"session {holder['id']} of the last owner executes a statement")


def give(connection: Connection, pipeline: str) -> None:
    """Gives it back. Raises PyMySQL's errors."""
    scalar(connection, "SELECT RELEASE_LOCK(%s)", (lock_name(pipeline),))


def _kill(connection: Connection, session: int) -> None:
    try:
        connection.query(f"KILL {session}")
    except pymysql.err.Error as error:
        if code_of(error) != NO_SUCH_THREAD:
            raise


def announcer() -> Callable[[str], None]:
    """Logs what is waited for, once in a while."""
    next_at = 0.0

    def say(reason: str) -> None:
        nonlocal next_at
        if time.monotonic() >= next_at:
            next_at = time.monotonic() + SAY_SECONDS
            get_logger("ddl").info("waiting", reason=reason)

    return say
