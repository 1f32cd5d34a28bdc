"""Seeds of the long suites: printed always, given with `--seed` to run one again."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mysync")
    group.addoption("--seed", type=int, default=1, help="first seed of the long suites")
    group.addoption("--runs", type=int, default=None, help="how many seeds from there on")


def seeds(config: pytest.Config, default: int) -> list[int]:
    """The seeds of a long suite that runs `default` of them unless told otherwise."""
    first = int(config.getoption("--seed"))
    return list(range(first, first + int(config.getoption("--runs") or default)))
