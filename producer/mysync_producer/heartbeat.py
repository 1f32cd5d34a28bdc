"""When the next heartbeat is due: about once a second while anything moves, else every 10 s."""

__all__ = ["IDLE_SECONDS", "MOVING_SECONDS", "Pulse"]

MOVING_SECONDS = 1.0
IDLE_SECONDS = 10.0


class Pulse:
    """Remembers the last heartbeat. Times are monotonic seconds."""

    def __init__(self, now: float) -> None:
        self._last = now
        self._place: object = None

    def due(self, now: float, place: object) -> bool:
        """Whether one is due at `now`; `place` is anything that differs when something moved."""
        passed = now - self._last
        return passed >= IDLE_SECONDS or (passed >= MOVING_SECONDS and place != self._place)

    def beat(self, now: float, place: object) -> None:
        self._last = now
        self._place = place

    def patience(self, now: float, place: object) -> float:
        """Seconds until one is due if nothing moves meanwhile."""
        wait = MOVING_SECONDS if place != self._place else IDLE_SECONDS
        return max(0.0, self._last + wait - now)
