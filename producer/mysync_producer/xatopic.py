"""The topic of prepared XA transactions: read at a start, and when a large one is committed."""

from collections.abc import Callable, Iterator

from mysync_producer.publisher import Publisher
from mysync_producer.xa import Prepared, XaRecord, known
from mysync_runtime import kafka
from mysync_runtime.lifecycle import Stop
from mysync_runtime.settings import Settings

__all__ = ["XaTopic", "read_prepared"]


class XaTopic:
    """`xa.XaLog` on Kafka."""

    def __init__(
        self, settings: Settings, publisher: Publisher, stop: Stop, tick: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._publisher = publisher
        self._stop = stop
        self._tick = tick
        self.write = publisher.xa

    @property
    def commits(self) -> int:
        return self._publisher.commits

    def read(self, offset: int) -> Iterator[XaRecord]:
        return _records(self._settings, offset, self._stop, self._tick)


def read_prepared(
    settings: Settings, stop: Stop, tick: Callable[[], None] = lambda: None
) -> dict[str, Prepared]:
    """The XA transactions that are prepared and neither committed nor rolled back, by name."""
    return known(_records(settings, -1, stop, tick), f"{settings.xa_topic}/0")


def _records(
    settings: Settings, offset: int, stop: Stop, tick: Callable[[], None]
) -> Iterator[XaRecord]:
    for message in kafka.read_ends(settings, {(settings.xa_topic, 0): offset}, stop, tick):
        yield message.offset() or 0, message.key() or b"", message.value()
