"""Every `tests/fix_*.py` is a plugin: fixtures live there, by theme."""

from pathlib import Path

import pytest

pytest_plugins = sorted(path.stem for path in Path(__file__).parent.glob("fix_*.py"))


def pytest_configure(config: pytest.Config) -> None:
    """Refuses to test a compiled module whose source has changed since: it would be the old one."""
    for built in config.rootpath.glob("*/mysync_*/*.so"):
        source = built.with_name(built.name.partition(".")[0] + ".py")
        if not source.exists() or source.stat().st_mtime > built.stat().st_mtime:
            raise pytest.UsageError(f"{built.name} is older than its source: run `make build`")
