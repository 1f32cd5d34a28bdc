"""One claim's obedience to a cut: which one is in force, and how its worker waits.

Each claim reads it with its own session: when it begins, and whenever its compare-and-set found an
instruction that it hadn't read. So a claim that can commit knows every cut that was asked for
before. One that finds out too late, with the place behind it in memory, gives its batch up and
claims again: nothing of it is committed.
"""

import time
from collections.abc import Callable

from mysync_consumer import cut
from mysync_consumer.cut import Cut
from mysync_consumer.errors import ClaimLost
from mysync_consumer.session import Session
from mysync_runtime import crash
from mysync_schemas.markers import Heartbeat

LOOK_SECONDS = 0.1
"""How often a worker that stands looks whether it may go on."""

STANDING = crash.declare("cut.standing", "a partition stands and says so; it will stand again")
RELEASED = crash.declare("cut.released", "the cut is over; the checkpoint still stands at it")


class Hold:
    """Of one claim."""

    def __init__(self, session: Session, pipeline: str) -> None:
        self._session = session
        self._pipeline = pipeline
        self._cut: Cut | None = None
        self._passed = 0
        self.read()

    def read(self) -> None:
        """Which cut is in force. To be called after the control_version was read.

        Row events leave the session with their own time, and a server with sysdate_is_now takes
        that for the clock's: a cut's time would never be over."""
        self._session.connection.query("SET timestamp = DEFAULT")
        self._cut = cut.in_force(self._session.connection, self._pipeline)

    def passed(self, beat: Heartbeat) -> None:
        """The worker has taken it, and goes on to what stands behind."""
        if not beat.in_transaction:
            self._passed = beat.seq

    def require_not_passed(self) -> None:
        """To be called before each attempt to commit. Raises ClaimLost if the place was passed."""
        if self._cut is not None and self._passed > self._cut.m:
            raise ClaimLost("a cut was asked for at a place that was passed in memory")

    def due(self, beat: Heartbeat) -> Cut | None:
        """The cut that stands before this heartbeat, as far as the claim knows."""
        found = self._cut
        return found if found is not None and found.holds_before(beat) else None

    def wait(self, held: Cut, tick: Callable[[], None], sleep: Callable[[float], None]) -> None:
        """Until the cut is over; then `due` knows of another one. `tick` and `sleep` raise to end
        the wait."""
        crash.crash_point(STANDING)
        looked = 0.0
        while self._cut == held:
            tick()
            if time.monotonic() > looked + LOOK_SECONDS:
                self.read()
                looked = time.monotonic()
            sleep(LOOK_SECONDS / 2)
        crash.crash_point(RELEASED)
