"""Before a pipeline goes on with the same server: is its log still the one that was read?

After a RESET a server begins its files and its GTIDs anew, under the same names and numbers, and
one that was restored from a backup gives names and numbers again that it gave before. Once the new
log is longer than the position, neither sizes nor GTID sets tell. But each file says when it was
begun, the same whenever it is read: the state holds that of the position's file.
"""

from collections.abc import Callable

from mysync_producer.connection import Identity
from mysync_producer.logscan import LogScan
from mysync_producer.state import State
from mysync_runtime.errors import PositionLost, SourceDiverged
from mysync_runtime.lifecycle import Stop
from mysync_runtime.log import get_logger
from mysync_runtime.settings import SourceSettings
from mysync_runtime.startpoint import shown_time
from mysync_schemas.gtid import GtidSet

__all__ = ["verify_file"]

log = get_logger("history")

_SECOND = 1_000_000  # µs


def verify_file(
    settings: SourceSettings,
    state: State,
    identity: Identity,
    stop: Stop,
    tick: Callable[[], None],
) -> None:
    """Reads how the position's file begins.

    Raises SourceDiverged when it is another file of that name, PositionLost when it is gone and
    nothing else says that it isn't needed (MySQL's GTIDs do).
    """
    if not state.log_created:
        return
    scan = LogScan(settings, identity, state.position, stop, tick)
    try:
        found = scan.head(state.file).created
    except PositionLost as error:
        if not isinstance(state.gtid_set(), GtidSet):
            raise
        log.info("the position's file isn't there any more", file=state.file, error=str(error))
        return
    if found != state.log_created:
        raise SourceDiverged(
            f"{state.file} was begun at {shown_time(found * _SECOND)}, and the file of that name "
            f"that was replicated up to {state.pos} at {shown_time(state.log_created * _SECOND)}: "
            "the source began its log anew (RESET), or was restored from a backup. What it changed "
            "between the two isn't in this log",
            where=settings.address,
        )
