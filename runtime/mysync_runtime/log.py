"""Structured logs on stderr: JSON lines, or coloured text when a person is watching.

Each line carries what was bound to it (pipeline, partition, table, position). stdout is for data.
"""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import FilteringBoundLogger, Processor

Format = Literal["auto", "json", "console"]


def configure(
    level: str = "info",
    format: Format = "auto",  # noqa: A002
    *,
    service: str,
    pipeline: str = "",
) -> None:
    """Sets logging up for this process; again whenever the level changes."""
    bound = {"service": service} | ({"pipeline": pipeline} if pipeline else {})
    terminal = format == "console" or (format == "auto" and sys.stderr.isatty())
    processors: list[Processor] = [
        _with_process_wide(bound),
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if terminal:
        processors.append(structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()))
    else:
        processors += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(_level(level)),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=max(_level(level), logging.WARNING), stream=sys.stderr, force=True)


def get_logger(name: str = "mysync", **bound: object) -> FilteringBoundLogger:
    """A logger whose lines carry `logger=name` and what is bound here."""
    logger: FilteringBoundLogger = structlog.get_logger(logger=name, **bound)
    return logger


def _level(name: str) -> int:
    return logging.getLevelNamesMapping()[name.upper()]


def _with_process_wide(bound: dict[str, str]) -> Processor:
    # Context variables don't reach threads that are started later; what is true for the whole
    # process is added here instead.
    def add(
        _logger: object, _method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        for key, value in bound.items():
            event.setdefault(key, value)
        return event

    return add
