"""`python -m mysync_lab.demo`: exits with 0 for `equal`, 1 for `DIFFERENT` or when it can't run."""

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from mysync_lab.__main__ import bring
from mysync_lab.demo.scenario import Story, play
from mysync_lab.demo.view import choose
from mysync_lab.errors import LabError
from mysync_lab.lab import Lab

SOURCES = ("mysql", "mariadb")


def demo(
    source: Annotated[
        str, typer.Option(envvar="SOURCE", help="mysql, or mariadb: both servers are of that kind")
    ] = "mysql",
    seconds: Annotated[
        float, typer.Option(envvar="DEMO_SECONDS", min=5, help="how long there is traffic")
    ] = 60,
    seed: Annotated[int, typer.Option(envvar="DEMO_SEED", help="of the traffic")] = 1,
    logs: Annotated[
        Path | None,
        typer.Option(envvar="DEMO_LOGS", help="folder that keeps the settings and the logs"),
    ] = None,
) -> None:
    """A shop's rows from one server through Kafka to another, while both services are killed."""
    if source not in SOURCES:
        raise typer.BadParameter(
            f"{source!r} is not one of {', '.join(SOURCES)}", param_hint="SOURCE"
        )
    for number in (signal.SIGINT, signal.SIGTERM):  # a background shell ignores the first
        signal.signal(number, _interrupt)
    lab, story = Lab(), Story(source, seconds, seed, logs)
    try:
        bring({lab[name].kind for name in story.servers})
        equal = play(story, choose(), lab)
    except LabError as error:
        Console(stderr=True, highlight=False).print(f"error: {error}", markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        Console(stderr=True).print("interrupted; everything that the demo started has ended")
        sys.exit(130)
    sys.exit(0 if equal else 1)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    typer.run(demo)
