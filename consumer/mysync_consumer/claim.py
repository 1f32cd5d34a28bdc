"""How a worker takes a partition: one way, after an assignment as after any reconnect.

1. The group's coordinator accepts a synchronous commit of the offset that the checkpoint says: the
   partition is in this member's current assignment (a rebalance under way is waited for).
2. The session that holds the partition's lock on the target, if any, is killed and the lock taken.
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
from mysync_consumer.errors import ClaimLost
from mysync_consumer.session import Session
from mysync_consumer.tenure import Tenure
from mysync_runtime import crash, kafka
from mysync_runtime.errors import StateLost
from mysync_runtime.log import get_logger
from mysync_runtime.mysql import code_of, message_of, scalar

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

LONGEST_LOCK_NAME = 64
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
    take_lock(session, lock_name(pipeline, partition), tenure)
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
    """The name for GET_LOCK; MySQL allows 64 characters, so a long pipeline is hashed."""
    name = f"{pipeline}/{partition}"
    if len(name) > LONGEST_LOCK_NAME:
        name = f"{xxhash.xxh3_64_hexdigest(pipeline)}/{partition}"
    return name


def take_lock(session: Session, name: str, tenure: Tenure) -> None:
    """Takes the lock, killing whoever holds it."""
    connection = session.connection
    while scalar(connection, "SELECT GET_LOCK(%s, 0)", (name,)) != 1:
        tenure.check()
        holder = scalar(connection, "SELECT IS_USED_LOCK(%s)", (name,))
        if holder is not None:
            get_logger("claim").info("killing the session of the last owner", lock=name)
            try:
                connection.query(f"KILL {int(holder)}")
            except pymysql.err.Error as error:
                if code_of(error) != NO_SUCH_THREAD:
                    raise
        if scalar(connection, "SELECT GET_LOCK(%s, 1)", (name,)) == 1:
            return
