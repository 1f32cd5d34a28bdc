"""How far Kafka is behind the source, at whatever moment one asks.

0 while all that the source has sent is committed. Else the age of what was committed last: it grows
while Kafka or the source can't be reached, and while there is more to read than can be sent.
"""

import time

from mysync_producer.metrics import LAG

__all__ = ["Lag", "lag"]


class Lag:
    """Told by the main loop, asked by whoever reads the metrics."""

    def __init__(self) -> None:
        self._since_us: int | None = None

    def waits(self, since_us: int) -> None:
        """Something isn't committed, or can't be known; the oldest such time (µs) is kept."""
        if self._since_us is None:
            self._since_us = since_us

    def committed(self, source_us: int) -> None:
        """What the source committed up to this time (µs) is in Kafka; more may wait."""
        if self._since_us is not None:
            self._since_us = source_us

    def nothing_waits(self) -> None:
        self._since_us = None

    def seconds(self) -> float:
        """The lag now."""
        since_us = self._since_us
        return 0.0 if since_us is None else max(0.0, time.time() - since_us / 1e6)


lag = Lag()
"""This process's."""

LAG.set_function(lag.seconds)
