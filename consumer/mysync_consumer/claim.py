"""How a worker takes a partition: one way, after an assignment as after any reconnect.

1. The group's coordinator accepts a synchronous commit of the offset that the checkpoint says: the
   partition is in this member's current assignment (a rebalance under way is waited for).
2. The consumer's session that holds the partition's lock on the target, if any, is killed and the
   lock taken.
3. In one transaction: epoch + 1, owner, and what the row says. From here on no other worker can
   commit to this partition, whatever it believes.

A crash after any of these leaves nothing that the next claim doesn't do again. Steps 1 and 2
shorten the overlap of two workers; only step 3 and the compare-and-set keep them apart."""

from collections.abc import Callable

import pymysql
import xxhash
from confluent_kafka import KafkaError, KafkaException

from mysync_consumer import checkpoint
from mysync_consumer.checkpoint import Claimed
from mysync_consumer.errors import ClaimLost, TargetUnavailable
from mysync_consumer.session import Session
from mysync_consumer.sessionsetup import PROGRAM
from mysync_consumer.tenure import Tenure
from mysync_runtime import crash, kafka
from mysync_runtime.errors import StateLost
from mysync_runtime.log import get_logger
from mysync_runtime.mysql import (
    Connection,
    ErrorClass,
    classify,
    code_of,
    message_of,
    rows,
    scalar,
)

BEFORE_CLAIM = crash.declare("consumer.before_claim", "the partition is assigned, nothing is done")
AFTER_OFFSET_COMMIT = crash.declare("claim.after_offset_commit", "the group's offset is committed")
AFTER_LOCK = crash.declare(
    "claim.after_lock", "the predecessor's session is gone, the lock is ours"
)
AFTER_EPOCH = crash.declare("claim.after_epoch", "the epoch is one more, nothing is read yet")

MOVING = frozenset(
    {
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError._ASSIGNMENT_LOST,
    }
)
"""The group is being rebalanced: the commit is tried again while the partition is assigned."""

NO_SUCH_THREAD = 1094


def claim(
    session: Session,
    pipeline: str,
    partition: int,
    owner: str,
    tenure: Tenure,
    commit_offset: Callable[[int, int, Callable[[], None]], None],
) -> Claimed:
    """Claims the partition. Raises Revoked, StateLost, TransientError.

    `commit_offset(partition, offset, tick)` returns when the offset is committed, or raises
    KafkaException.
    """
    crash.crash_point(BEFORE_CLAIM)
    stored = checkpoint.read(session.connection, pipeline, partition)
    if stored is None:
        raise StateLost(
            f"the target has no checkpoint of pipeline {pipeline}, partition {partition}",
            mend="This server isn't the target this process started with, or mysync.checkpoint was"
            " emptied: point `target` at the right one, or rebuild it.",
        )
    while True:
        tenure.check()
        try:
            commit_offset(partition, stored.progress.next_offset, tenure.check)
        except KafkaException as error:
            if kafka.kafka_error(error).code() not in MOVING:
                raise kafka.error_of(error, "commit an offset", f"partition {partition}") from error
            tenure.sleep(0.05)
            session.keep_alive()
        else:
            break
    crash.crash_point(AFTER_OFFSET_COMMIT)
    # Whoever outlived its assignment must not disturb the one who has it now.
    tenure.check()
    take_lock(session, pipeline, partition, tenure)
    crash.crash_point(AFTER_LOCK)
    tenure.check()
    try:
        claimed = checkpoint.take(session.connection, pipeline, partition, owner)
    except (pymysql.err.Error, OSError) as error:
        session.close()
        raise ClaimLost(f"the claim failed: {message_of(error)}") from error
    crash.crash_point(AFTER_EPOCH)
    return claimed


def lock_name(pipeline: str, partition: int) -> str:
    """The name for GET_LOCK. A hash, because MySQL compares these names whatever their case and
    allows 64 characters; the prefix keeps other programs' names apart."""
    return f"mysync:{xxhash.xxh3_128_hexdigest(pipeline)}/{partition}"


def take_lock(session: Session, pipeline: str, partition: int, tenure: Tenure) -> None:
    """Takes the lock, killing a consumer's session that holds it. Raises TargetUnavailable when
    somebody else's does."""
    connection = session.connection
    name = lock_name(pipeline, partition)
    while scalar(connection, "SELECT GET_LOCK(%s, 0)", (name,)) != 1:
        tenure.check()
        holder = scalar(connection, "SELECT IS_USED_LOCK(%s)", (name,))
        if holder is not None:
            if not _is_consumer(connection, holder, pipeline, partition):
                raise TargetUnavailable(
                    f"the lock {name} on the target is held by {_session(connection, holder)},"
                    " which isn't known to be a consumer's: it isn't killed"
                )
            get_logger("claim").info("killing the session of the last owner", lock=name)
            try:
                connection.query(f"KILL {int(holder)}")
            except pymysql.err.Error as error:
                if code_of(error) != NO_SUCH_THREAD:
                    raise
        if scalar(connection, "SELECT GET_LOCK(%s, 1)", (name,)) == 1:
            return


def _is_consumer(connection: Connection, holder: int, pipeline: str, partition: int) -> bool:
    """Whether the session is the last claim's, or says that it is a consumer's; MariaDB mostly
    keeps no such words."""
    last = scalar(
        connection,
        "SELECT connection_id FROM mysync.checkpoint WHERE pipeline = %s AND partition_id = %s",
        (pipeline, partition),
    )
    if last is not None and int(last) == int(holder):
        return True
    try:
        program = scalar(
            connection,
            "SELECT attr_value FROM performance_schema.session_account_connect_attrs"
            " WHERE processlist_id = %s AND attr_name = 'program_name'",
            (holder,),
        )
    except pymysql.err.Error as error:
        if classify(error) is ErrorClass.LOST:
            raise
        return False
    return bool(program == PROGRAM)


def _session(connection: Connection, number: int) -> str:
    found = rows(
        connection,
        "SELECT user AS user, host AS host FROM information_schema.processlist WHERE id = %s",
        (number,),
    )
    whose = f" of {found[0]['user']} from {found[0]['host']}" if found else ""
    return f"session {number}{whose}"
