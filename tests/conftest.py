"""Every `tests/fix_*.py` is a plugin: fixtures live there, by theme."""

from pathlib import Path

import pytest

pytest_plugins = sorted(path.stem for path in Path(__file__).parent.glob("fix_*.py"))

_STALE = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """A compiled module older than its source would be tested in its place: it is removed."""
    stale = config.stash[_STALE] = []
    for built in config.rootpath.glob("*/mysync_*/*.so"):
        source = built.with_name(built.name.partition(".")[0] + ".py")
        if not source.exists() or source.stat().st_mtime > built.stat().st_mtime:
            built.unlink(missing_ok=True)
            stale.append(source.stem)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Says so: what was removed is tested uncompiled."""
    stale = config.stash[_STALE]
    return [f"removed stale extensions: {', '.join(stale)}; make build"] if stale else []
