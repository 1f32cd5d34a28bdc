"""Global variables that MariaDB's applier of row events obeys, and what they must be: any other
value would hide conflicts or run triggers twice. They hold at once, in sessions that are open too.
"""

from collections.abc import Iterable, Iterator

from mysync_runtime.errors import Failure, PreflightError

__all__ = ["MODES_SELECT", "STRICT_MODES", "lenient", "require_strict"]

STRICT_MODES = {"slave_exec_mode": "STRICT", "slave_run_triggers_for_rbr": "NO"}

MODES_SELECT = b"SELECT " + ", ".join(f"@@GLOBAL.{name}" for name in STRICT_MODES).encode()


def lenient(found: Iterable[object]) -> Iterator[Failure]:
    """What of the variables' values, in the order of MODES_SELECT, isn't as it has to be."""
    for (name, wanted), value in zip(STRICT_MODES.items(), found, strict=True):
        if value != wanted:
            yield Failure(f"{name} is {value}", f"SET GLOBAL {name} = '{wanted}'")


def require_strict(found: Iterable[object]) -> None:
    """Raises PreflightError."""
    failures = list(lenient(found))
    if failures:
        raise PreflightError("the target would not apply row events strictly", failures)
