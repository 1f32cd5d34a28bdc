"""Every `tests/fix_*.py` is a plugin: fixtures live there, by theme."""

from pathlib import Path

pytest_plugins = sorted(path.stem for path in Path(__file__).parent.glob("fix_*.py"))
