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
_armed: str | None = None
_left = 0


def declare(name: str, doc: str) -> str:
    """Registers a crash point and says what a crash there leaves behind. Returns the name."""
    if _points.setdefault(name, doc) != doc:
        raise ValueError(f"crash point {name!r} is declared twice")
    return name


def list_points() -> dict[str, str]:
    """Every declared point with its description, in order of declaration."""
    return dict(_points)


def arm(value: str | None = None) -> None:
    """Reads `MYSYNC_CRASH` (or `value`) again. Raises ConfigError on a malformed count."""
    global _armed, _left
    text = os.environ.get(VARIABLE, "") if value is None else value
    name, _, count = text.partition(":")
    if count and not (count.isdecimal() and int(count)):
        raise ConfigError(f"{VARIABLE}={text!r} doesn't end in a count from 1")
    _armed, _left = name or None, int(count or 1)


def check_armed() -> None:
    """Raises ConfigError when `MYSYNC_CRASH` names a point that doesn't exist."""
    if _armed is not None and _armed not in _points:
        raise ConfigError(
            f"{VARIABLE} names no crash point: {_armed!r}",
            mend=f"Known here: {', '.join(_points) or 'none'}.",
        )


def crash_point(name: str) -> None:
    """Kills this process when `name` is armed and its turn has come; else costs one compare."""
    if name == _armed:
        _pass()


def _pass() -> None:
    global _left
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)


arm()
