"""Structured logs on stderr: JSON lines, or coloured text when a person is watching.

Each line carries what was bound to it (pipeline, partition, table, position). What libraries say
through `logging`, librdkafka's own lines among them, takes the same form. stdout is for data.
"""

import logging
import re
import sys
import time
from typing import Literal

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

Format = Literal["auto", "json", "console"]


def configure(
    level: str = "info",
    format: Format = "auto",  # noqa: A002
    *,
    service: str,
    pipeline: str = "",
) -> None:
    """Sets logging up for this process; again whenever the level changes."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    bound = {"service": service} | ({"pipeline": pipeline} if pipeline else {})
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add(bound),
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendering = _rendering(format)
    structlog.configure(
        processors=shared + rendering,
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    # Libraries' chatter interests only who asked for debug.
    logging.basicConfig(
        handlers=[handler],
        level=max(threshold, logging.WARNING) if threshold > 10 else threshold,
        force=True,
    )


def get_logger(component: str = "mysync", **bound: object) -> FilteringBoundLogger:
    """A logger whose lines carry `component` and what is bound here."""
    logger: FilteringBoundLogger = structlog.get_logger(component=component, **bound)
    return logger


class RepeatFilter(logging.Filter):
    """Lets a line through once in `seconds`, whatever numbers it contains.

    librdkafka reports a broker that is down at each of its many attempts.
    """

    def __init__(self, seconds: float = 30.0, remembered: int = 256) -> None:
        super().__init__()
        self._seconds = seconds
        self._remembered = remembered
        self._seen: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        text = re.sub(r"\d+", "0", record.getMessage())
        now = time.monotonic()
        if now - self._seen.get(text, -self._seconds) < self._seconds:
            return False
        if len(self._seen) >= self._remembered:
            self._seen.clear()
        self._seen[text] = now
        return True


def _rendering(format: Format) -> list[Processor]:  # noqa: A002
    terminal = sys.stderr.isatty()
    if format == "console" or (format == "auto" and terminal):
        # Never rich's traceback: it prints local variables, secrets among them.
        return [
            structlog.dev.ConsoleRenderer(
                colors=terminal, exception_formatter=structlog.dev.plain_traceback
            )
        ]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def _add(bound: dict[str, str]) -> Processor:
    # Context variables don't reach threads that are started later, so what is true for the whole
    # process is added here.
    def add(_logger: object, _method: str, event: EventDict) -> EventDict:
        for key, value in bound.items():
            event.setdefault(key, value)
        return event

    return add
