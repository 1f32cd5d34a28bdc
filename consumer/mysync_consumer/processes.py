"""Several consumer processes on one machine: one parent that only starts, signals and waits.

The processes know nothing of each other; the group and the checkpoint table are all they share.
When one ends in an error, the others are stopped and the parent ends with the exit code of that
one: whoever runs us decides about a restart.

A terminal's Ctrl-C reaches all of them. They leave it to the parent, which passes it on as SIGTERM:
two signals would end them at once."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mysync_runtime.lifecycle import EXIT_CLEAN, EXIT_ERROR, Stop
from mysync_runtime.log import get_logger
from mysync_runtime.settings import Settings

LOOK_SECONDS = 0.2

Child = subprocess.Popen[bytes]


def run(
    count: int, settings: Settings, config: Path | None, stop: Stop, arguments: Sequence[str] = ()
) -> int:
    """Runs `count` processes, with these further arguments, until all have ended; returns the exit
    code."""
    log = get_logger("processes")
    children: list[Child] = []
    stop.before_abort = lambda: _signal(children, signal.SIGKILL)
    children.extend(_start(number, settings, config, arguments) for number in range(count))
    log.info("started", pids=[child.pid for child in children])
    code = EXIT_CLEAN
    told = False
    while None in (codes := [child.poll() for child in children]):
        ended = [_exit_code(each) for each in codes if each is not None]
        code = code or max(ended, default=EXIT_CLEAN)
        if (stop.requested or ended) and not told:
            told = True
            _signal(children, signal.SIGTERM)
        if told and stop.requested and stop.remaining() == 0:
            _signal(children, signal.SIGKILL)
        if told:
            _wait_for_one(children)
        else:
            stop.wait(LOOK_SECONDS)
    return code or max(_exit_code(each) for each in codes if each is not None)


def _start(number: int, settings: Settings, config: Path | None, arguments: Sequence[str]) -> Child:
    command = [sys.executable, "-m", "mysync_consumer", "run", "--processes", "1", "--child"]
    command += arguments
    if config is not None:
        command += ["--config", str(config)]
    port = settings.http.consumer_port
    environment = os.environ | {"MYSYNC_HTTP__CONSUMER_PORT": str(port + number if port else 0)}
    return subprocess.Popen(command, env=environment)


def _signal(children: Sequence[Child], number: signal.Signals) -> None:
    for child in children:
        child.send_signal(number)  # does nothing to one that has ended


def _wait_for_one(children: Sequence[Child]) -> None:
    """Waits a moment for the first that lives."""
    living = next((child for child in children if child.returncode is None), None)
    if living is not None:
        try:
            living.wait(LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            return


def _exit_code(code: int) -> int:
    """A child that a signal ended has failed, unless it was told to end: one that had not come to
    take signals yet just dies of it."""
    if code == -signal.SIGTERM:
        return EXIT_CLEAN
    return EXIT_ERROR if code < 0 else code
