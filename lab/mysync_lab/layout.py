"""Where things are on disk, and how they get there whole.

<cache>/mysql, mariadb, kafka, java   unpacked components, shared by every lab of this user
<run dir>/<name>/                     one server: state.json, data/, tmp/, server.log

A component is made in a temporary folder beside its place and renamed into it when complete: a cut
download leaves nothing that looks finished.
"""

import contextlib
import fcntl
import json
import os
import random
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mysync_lab.errors import ServerFailed

LOOPBACK = "127.0.0.1"
# Below Linux's ephemeral ports (32768 and up): no outgoing connection can take a stopped server's
# port, and no client can connect to itself on it.
_PORTS = range(20_000, 32_000)


def cache_dir() -> Path:
    """The folder of the downloads (`MYSYNC_LAB_CACHE`)."""
    if given := os.environ.get("MYSYNC_LAB_CACHE"):
        return Path(given).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).absolute() / "mysync-lab"


def run_dir() -> Path:
    """The folder of the default lab's servers (`MYSYNC_LAB_DIR`)."""
    if given := os.environ.get("MYSYNC_LAB_DIR"):
        return Path(given).absolute()
    return cache_dir() / "run" / "default"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on the file, made if need be; ends with the process at the latest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def published(target: Path) -> Iterator[Path]:
    """A temporary folder that becomes `target` if the block succeeds, and vanishes if not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield work
        work.chmod(0o755)
        work.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replaces the file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as handle:
        json.dump(content, handle, indent=2)
    Path(handle.name).rename(path)


def read_json(path: Path) -> dict[str, Any]:
    """The file's content; empty if there is none."""
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return content


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((LOOPBACK, port))
                return port


def wait_until(condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Waits for the condition; `ServerFailed` naming `what` when the time is over."""
    deadline = time.monotonic() + seconds
    pause = 0.005
    while not condition():
        if time.monotonic() > deadline:
            raise ServerFailed(f"waited {seconds:g} s in vain for {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
