"""Before a pipeline goes on from another server: is its last transaction there the same one?

That the other server has all GTIDs that were replicated (`source.verify_source`) isn't enough: a
primary that lost the end of its log in a crash gives the same GTIDs to other transactions, and its
replicas have those. So the last replicated transaction is read there once more, up to its GTID
event, and must have been committed at the same moment: MySQL's `original_commit_timestamp`, which
all replicas keep, in microseconds; on MariaDB the event's time, in seconds.
"""

from dataclasses import replace

from mysync_producer.connection import DumpFrom, Identity, open_dump
from mysync_producer.events import EventType, GtidEvent, gtid_of
from mysync_producer.state import LastTransaction
from mysync_producer.stream import BinlogStream
from mysync_runtime.errors import PositionLost, SourceDiverged
from mysync_runtime.lifecycle import Stop
from mysync_runtime.log import get_logger
from mysync_runtime.settings import SourceSettings
from mysync_schemas.gtid import GtidSet, MariadbGtidSet

__all__ = ["verify_last"]

log = get_logger("failover")

_GTIDS = frozenset({EventType.GTID, EventType.GTID_TAGGED, EventType.MARIADB_GTID})


def verify_last(
    settings: SourceSettings,
    begin: DumpFrom,
    last: LastTransaction | None,
    identity: Identity,
    stop: Stop,
) -> None:
    """Reads the GTID event of `last`, which `begin.gtids` holds, on this server.

    Raises SourceDiverged when it is another transaction. Only warns where it can't be known: the
    server has purged it, or no time was recorded.
    """
    if last is None or begin.gtids is None:
        return
    if not last.committed_us:
        log.warning("the last transaction has no time to be known by", gtid=last.gtid)
        return
    stream = open_dump(settings, replace(begin, gtids=before(begin.gtids, last)), identity)
    try:
        found = first_gtid(stream, last.gtid, stop)
    except PositionLost as error:
        log.warning(
            "the last transaction can't be compared: it isn't in this server's log any more",
            gtid=last.gtid,
            error=str(error),
        )
        return
    finally:
        stream.close()
    if found is not None and found.original_us != last.committed_us:
        raise SourceDiverged(
            f"{last.gtid} is another transaction here: committed at {found.original_us} µs since "
            f"1970, and at {last.committed_us} where it was replicated from. That server lost the "
            "end of its log and gave its GTIDs again",
            where=settings.address,
        )
    if found is not None:
        log.info("another server goes on where the last one was", gtid=last.gtid)


def before(gtids: GtidSet | MariadbGtidSet, last: LastTransaction) -> GtidSet | MariadbGtidSet:
    """What has to be asked for so that the dump begins with `last`."""
    if isinstance(gtids, GtidSet):
        return gtids.subtract(GtidSet.parse(last.gtid))
    return gtids.replaced(last.gtid, last.before)


def first_gtid(stream: BinlogStream, wanted: str, stop: Stop) -> GtidEvent | None:
    """The GTID event of the transaction `wanted`, which the dump begins with, or nearly: MariaDB
    doesn't order its domains. None when a stop is requested."""
    while not stop.requested:
        if not stream.wait(0.2):
            continue
        event = stream.read()
        if event.type in _GTIDS and (found := gtid_of(event)).gtid == wanted:
            return found
    return None
