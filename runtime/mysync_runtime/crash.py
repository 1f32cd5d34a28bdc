"""Named points at which a test kills the process, as SIGKILL would at the worst moment.

`MYSYNC_CRASH=name` kills at the first pass of that point, `name:7` at the seventh. Each module
declares its points when it is imported, so that a test can enumerate them; a name that nobody
declared is refused, or a kill test would silently test nothing.
"""

import os
import signal

from mysync_runtime.errors import ConfigError

VARIABLE = "MYSYNC_CRASH"

_points: dict[str, str] = {}
_armed, _, _count = os.environ.get(VARIABLE, "").partition(":")
_left = int(_count) if _count.isdecimal() else 1


def declare(name: str, doc: str) -> str:
    """Registers a crash point and says what a crash there leaves behind. Returns the name."""
    if _points.setdefault(name, doc) != doc:
        raise ValueError(f"crash point {name!r} is declared twice")
    return name


def list_points() -> dict[str, str]:
    """Every declared point with its description, in order of declaration."""
    return dict(_points)


def check_armed() -> None:
    """Raises ConfigError when `MYSYNC_CRASH` is malformed or names a point that doesn't exist."""
    text = os.environ.get(VARIABLE, "")
    if not text:
        return
    name, colon, count = text.partition(":")
    if colon and not (count.isdecimal() and int(count)):
        raise ConfigError(f"{VARIABLE}={text!r} doesn't end in a count from 1")
    if name not in _points:
        raise ConfigError(
            f"{VARIABLE} names no crash point: {name!r}",
            mend=f"Known here: {', '.join(_points) or 'none'}.",
        )


def crash_point(name: str) -> None:
    """Kills this process when `name` is armed and its turn has come; else costs one compare."""
    if _armed and name == _armed:
        _pass()


def _pass() -> None:
    global _left
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
