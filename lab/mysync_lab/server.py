"""One server of the lab: a process of ours, or one that already runs elsewhere.

A server outlives the process that started it; whoever comes later finds it by its `state.json`, and
believes the pid there only if that process's command line names the server's own folder.
"""

import abc
import contextlib
import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from mysync_lab.errors import LabError, ServerFailed
from mysync_lab.layout import LOOPBACK, free_port, locked, read_json, wait_until, write_json

Kind = Literal["mysql", "mariadb", "kafka"]

# Some seconds when the machine is idle; this much when tests have it all.
START_SECONDS = 180.0
STOP_SECONDS = 60.0


class Server(abc.ABC):
    """What every server has, ours or not."""

    name: str
    kind: Kind
    host: str
    port: int
    user: str
    password: str

    @property
    def bootstrap(self) -> str:
        """`host:port`, what Kafka's clients call bootstrap servers."""
        return f"{self.host}:{self.port}"

    @property
    @abc.abstractmethod
    def version(self) -> str:
        """The version that the server says it has."""

    @property
    def pid(self) -> int | None:
        """The process, if it is ours and alive."""
        return None

    @property
    def data_dir(self) -> Path:
        """The server's data; `LabError` if it is on another machine."""
        raise LabError(f"{self.name} is not a server of this lab: its files are unknown")

    @property
    def log_file(self) -> Path:
        """What the server wrote to its standard error and log."""
        raise LabError(f"{self.name} is not a server of this lab: its log is unknown")

    @property
    @abc.abstractmethod
    def running(self) -> bool:
        """Whether it answers (or, one of ours, whether its process lives)."""

    @abc.abstractmethod
    def start(self) -> None:
        """Starts it and waits until it answers. Nothing happens if it runs."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Ends it in good order and waits for the end. Nothing happens if it doesn't run."""

    @abc.abstractmethod
    def kill(self) -> None:
        """SIGKILL; `start()` brings it back with the same data on the same port."""

    def status(self) -> dict[str, Any]:
        """What `status --json` shows."""
        return {
            "name": self.name,
            "kind": self.kind,
            "running": self.running,
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "version": self.version,
        }


class LocalServer(Server):
    """A server whose process and files are the lab's."""

    user = "root"
    password = "mysync-lab"  # a throw-away: the server listens on the loopback only

    def __init__(self, folder: Path, name: str, options: Sequence[str] | None = None) -> None:
        self.folder = folder
        self.name = name
        self.host = LOOPBACK
        with locked(folder / "lock"):
            state = read_json(self._state_file)
            state.setdefault("name", name)
            state.setdefault("kind", self.kind)
            state.setdefault("ports", {})
            for role in self._port_roles():
                state["ports"].setdefault(role, free_port())
            state.setdefault("options", [])
            if options is not None:
                state["options"] = list(options)
            state.update({k: v for k, v in self._first_state().items() if k not in state})
            write_json(self._state_file, state)
        self.port = int(state["ports"]["port"])

    # What the kinds fill in

    @abc.abstractmethod
    def _initialize(self) -> None:
        """Makes the data folder."""

    @abc.abstractmethod
    def _argv(self) -> list[str]:
        """The command; its text must contain the server's folder."""

    @abc.abstractmethod
    def _answers(self) -> str | None:
        """The server's version if it answers now."""

    def _port_roles(self) -> tuple[str, ...]:
        return ("port",)

    def _first_state(self) -> dict[str, Any]:
        return {}

    # What is the same for all

    @property
    def _state_file(self) -> Path:
        return self.folder / "state.json"

    @property
    def _state(self) -> dict[str, Any]:
        return read_json(self._state_file)

    def _remember(self, **changes: Any) -> None:
        write_json(self._state_file, self._state | changes)

    @property
    def options(self) -> tuple[str, ...]:
        """The extra options; they come last, so they win."""
        return tuple(self._state.get("options", ()))

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def log_file(self) -> Path:
        return self.folder / "server.log"

    @property
    def version(self) -> str:
        return str(self._state.get("version", ""))

    @property
    def pid(self) -> int | None:
        pid = self._state.get("pid")
        return int(pid) if pid is not None and self._is_ours(pid) else None

    @property
    def running(self) -> bool:
        return self.pid is not None

    def start(self) -> None:
        self.launch()
        self._await_answer()

    def launch(self) -> None:
        """Starts it without waiting for it to answer."""
        with locked(self.folder / "lock"):
            if self.pid is None:
                if not self.data_dir.exists():
                    self._make_data()
                self._remember(pid=self._find() or self._spawn())

    def stop(self) -> None:
        with locked(self.folder / "lock"):
            self._end(signal.SIGTERM, STOP_SECONDS)

    def kill(self) -> None:
        with locked(self.folder / "lock"):
            self._end(signal.SIGKILL, STOP_SECONDS)

    def remove(self) -> None:
        """Kills it and deletes everything it had."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def status(self) -> dict[str, Any]:
        return super().status() | {"pid": self.pid, "data_dir": str(self.data_dir)}

    def _make_data(self) -> None:
        try:
            self._initialize()
        except BaseException:
            shutil.rmtree(self.data_dir, ignore_errors=True)
            raise

    def _spawn(self) -> int:
        argv = self._argv()
        log = (os.POSIX_SPAWN_OPEN, 1, str(self.log_file), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        silence = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        pid = os.posix_spawn(
            argv[0],
            argv,
            os.environ,
            file_actions=[silence, (*log, 0o644), (os.POSIX_SPAWN_DUP2, 1, 2)],
            setsid=True,
        )
        # By its command line it is known, which Linux shows a moment after it has returned here.
        wait_until(lambda: self._is_ours(pid) or _ended(pid), f"{self.name} to be", STOP_SECONDS)
        return pid

    def _await_answer(self) -> None:
        def answered() -> bool:
            if version := self._answers():
                self._remember(version=version)
                return True
            if self.pid is None:
                raise ServerFailed(f"{self.name} ended while starting:\n{self._log_tail()}")
            return False

        wait_until(answered, f"{self.name} to answer; see {self.log_file}", START_SECONDS)

    def _end(self, how: signal.Signals, seconds: float) -> None:
        pid = self.pid or self._find()
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)
        try:
            wait_until(lambda: _ended(pid), f"{self.name} to end", seconds)
        except ServerFailed:
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: _ended(pid), f"{self.name} to be killed", seconds)
        self._remember(pid=None)

    def _is_ours(self, pid: int) -> bool:
        """Whether the process lives and is this server."""
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return False
        return os.fsencode(f"{self.folder}/") in command and not _ended(pid)

    def _find(self) -> int | None:
        """A process of this server that nobody recorded: its starter was killed too early."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(PermissionError):
                    if self._is_ours(int(entry.name)):
                        return int(entry.name)
        return None

    def _log_tail(self) -> str:
        try:
            lines = self.log_file.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return "(no log)"
        return "\n".join(lines[-15:])


def _ended(pid: int) -> bool:
    """Whether the process is gone, with all its threads and so its locks, ports and files.

    A killed process loses its command line first and its threads later; if it is ours it is reaped
    here, if it isn't its zombie may stay.
    """
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        # proc(5): the state follows the name, which stands in parentheses and may hold anything
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX" and threads <= 1


class ExternalServer(Server):
    """A server that somebody else runs, named by `MYSYNC_LAB_…`."""

    def __init__(
        self, name: str, kind: Kind, host: str, port: int, user: str, password: str
    ) -> None:
        self.name = name
        self.kind = kind
        self.host = host
        self.port = port
        self.user = user
        self.password = password

    @property
    def version(self) -> str:
        return ""

    @property
    def running(self) -> bool:
        return True

    def start(self) -> None:
        """It runs, or it is its owner's business."""

    def stop(self) -> None:
        """It isn't ours to stop."""

    def kill(self) -> None:
        raise LabError(f"{self.name} is not a server of this lab: it can't be killed from here")
