"""Events that are known and not carried: why, and what to do about it."""

from collections.abc import Mapping
from typing import Final

from mysync_producer.events import EventType

__all__ = ["UNSUPPORTED"]

_ANEW: Final = "in every session, then begin the pipeline anew under another name."

UNSUPPORTED: Final[Mapping[int, tuple[str, str]]] = {
    EventType.XA_PREPARE: (
        "an XA transaction",
        f"Don't use XA transactions on the source {_ANEW}",
    ),
}
"""(what it is, how to go on) by event type."""
