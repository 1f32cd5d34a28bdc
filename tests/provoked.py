"""Brings many pipelines to their refusals side by side, so that what is waited for is waited once.

A script brings one pipeline to one refusal and checks what became of it: a generator that yields
wherever a process needs a while. All scripts of a group take a step in turn, in their order.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import pytest

from mysync_lab.services import Service

Script = Iterator[None]
T = TypeVar("T")

SECONDS = 90.0
"""How long a process may take to become ready or to end, on a machine that has much else to do."""

_AT_ONCE = 8


class Outcomes(dict[str, Exception | None]):
    """How the scripts ended, by cause: a failure is raised by the test of its own row."""

    def play(self, scripts: Mapping[str, Script]) -> None:
        """Runs them to their ends, a few at once."""
        for group in _groups(list(scripts.items()), _AT_ONCE):
            running = dict(group)
            while running:
                running = {cause: s for cause, s in running.items() if self._step(cause, s)}

    def _step(self, cause: str, script: Script) -> bool:
        """Whether the script goes on."""
        try:
            next(script)
        except StopIteration:
            self[cause] = None
            return False
        except Exception as error:  # noqa: BLE001 -- raised by `verify`
            self[cause] = error
            return False
        return True

    def verify(self, cause: str) -> None:
        """Raises what the script of this cause failed with."""
        if (error := self[cause]) is not None:
            raise error


def selected_causes(request: pytest.FixtureRequest) -> set[str]:
    """Those of the module that the run has selected: nobody waits for the others."""
    return {
        item.callspec.params["row"].cause
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.path == request.path
        and "row" in getattr(getattr(item, "callspec", None), "params", ())
    }


def _groups(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def ended(service: Service, seconds: float = SECONDS) -> tuple[int, str]:
    """Waits for the end of the service: its exit code and all that its last run said."""
    code = service.wait_exit(seconds)
    _, _, said = service.log.read_text(errors="replace").rpartition(f"--- {service.name} ")
    return code, said.partition("\n")[2]
