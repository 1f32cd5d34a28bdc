"""Several consumer processes on one machine: one parent that only starts, signals and waits.

The processes know nothing of each other; the group and the checkpoint table are all they share.
When one ends in an error, the others are stopped and the parent ends with the exit code of that
one: whoever runs us decides about a restart."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from mysync_runtime.lifecycle import EXIT_CLEAN, EXIT_ERROR, Stop
from mysync_runtime.log import get_logger
from mysync_runtime.settings import Settings

LOOK_SECONDS = 0.2


def run(count: int, settings: Settings, config: Path | None, stop: Stop) -> int:
    """Runs `count` processes until all have ended; returns the exit code."""
    log = get_logger("processes")
    children = [_start(number, settings, config) for number in range(count)]
    log.info("started", pids=[child.pid for child in children])
    code = 0
    signalled = False
    while any(child.poll() is None for child in children):
        ended = [child.returncode for child in children if child.returncode is not None]
        code = code or max(map(_exit_code, ended), default=0)
        if (stop.requested or ended) and not signalled:
            signalled = True
            for child in children:
                if child.poll() is None:
                    child.send_signal(signal.SIGTERM)
        if signalled and stop.requested and stop.remaining() == 0:
            for child in children:
                child.kill()
        if signalled:
            _wait_any(children)
        else:
            stop.wait(LOOK_SECONDS)
    return code or max(_exit_code(child.returncode) for child in children)


def _start(number: int, settings: Settings, config: Path | None) -> "subprocess.Popen[bytes]":
    arguments = [sys.executable, "-m", "mysync_consumer", "run", "--processes", "1"]
    if config is not None:
        arguments += ["--config", str(config)]
    port = settings.http.consumer_port
    environment = os.environ | {"MYSYNC_HTTP__CONSUMER_PORT": str(port + number if port else 0)}
    return subprocess.Popen(arguments, env=environment)


def _wait_any(children: "list[subprocess.Popen[bytes]]") -> None:
    for child in children:
        if child.poll() is None:
            try:
                child.wait(LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                return


def _exit_code(code: int) -> int:
    """A child that a signal ended has failed, unless it was told to end: one that had not come to
    take signals yet just dies of it."""
    if code == -signal.SIGTERM:
        return EXIT_CLEAN
    return EXIT_ERROR if code < 0 else code
