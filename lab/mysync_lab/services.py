"""The two services as real processes: started, killed, frozen and waited for by their pid.

    pipeline = Pipeline(folder, settings("shop", lab["mysql-a"], lab["mysql-b"], lab["kafka"]))
    producer = pipeline.producer()
    producer.start(crash="publisher.before_commit:3")
    producer.wait_exit(30)

Each service is a process group of its own, so a signal for its processes reaches all of them and
Ctrl-C in a terminal reaches none; and the kernel kills it when the process that started it dies,
however that happens. Start services from a thread that lives as long as they shall (the main one).
"""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml

from mysync_lab.errors import LabError, ServerFailed
from mysync_lab.layout import LOOPBACK, free_port, wait_until
from mysync_lab.server import Server

Program = Literal["mysync-producer", "mysync-consumer"]

# prctl(2): the signal that a process gets when its parent dies.
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def settings(
    pipeline: str, source: Server, target: Server, kafka: Server | str, /, **sections: Any
) -> dict[str, Any]:
    """Settings of a pipeline between two servers of the lab, as the YAML file holds them.

    `sections` are merged over them, e.g. `apply={"coalesce": False}`. Sessions time out fast, so
    that whoever takes over from a killed process needn't wait long.
    """
    base: dict[str, Any] = {
        "pipeline": pipeline,
        "kafka": {"bootstrap_servers": [kafka if isinstance(kafka, str) else kafka.bootstrap]},
        "source": {**_login(source), "start": "latest"},
        "target": _login(target),
        "topics": {"partitions": 8},
        "publish": {"leader_session_timeout_ms": 1_500},
        "apply": {"group_session_timeout_ms": 1_500},
        "http": {"producer_port": free_port(), "consumer_port": free_port()},
        "grace_seconds": 10,
    }
    return merged(base, sections)


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Nested dictionaries, the second over the first."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


def _login(server: Server) -> dict[str, Any]:
    return {
        "host": server.host,
        "port": server.port,
        "user": server.user,
        "password": server.password,
        # Nobody listens in on the loopback, and the fault proxy looks at plain bytes.
        "ssl": {"mode": "disabled"},
    }


class Service:
    """One producer or consumer process (with its children), startable again and again."""

    def __init__(
        self, program: Program, config: Path, log: Path, *, port: int, name: str | None = None
    ) -> None:
        self.program = program
        self.name = name or program
        self.config = config
        self.log = log
        self.port = port
        self.kills = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(
        self,
        *,
        crash: str | None = None,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> "Service":
        """Starts the process and doesn't wait; `crash` is a crash point, `name[:nth]`."""
        if self.running:
            raise LabError(f"{self.name} runs already (pid {self.pid})")
        variables = {
            **os.environ,
            "MYSYNC_HTTP__PRODUCER_PORT": str(self.port),
            "MYSYNC_HTTP__CONSUMER_PORT": str(self.port),
            **({"MYSYNC_CRASH": crash} if crash else {}),
            **(environment or {}),
        }
        with self.log.open("ab") as log:
            log.write(f"--- {self.name} {' '.join(arguments)} {crash or ''}\n".encode())
            log.flush()
            self._process = subprocess.Popen(
                [*command(self.program), "run", "--config", str(self.config), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=variables,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        return self

    @property
    def pid(self) -> int:
        """The main process; `LabError` before the first start."""
        if self._process is None:
            raise LabError(f"{self.name} was never started")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Of the last run, negative for a signal; None while it runs or before the first start."""
        return None if self._process is None else self._process.poll()

    def kill(self) -> None:
        """SIGKILL to all processes of the service, and waits for the end."""
        self._signal(signal.SIGKILL)
        self.kills += 1
        self.wait_exit(10)

    def freeze(self) -> None:
        """SIGSTOP: the processes hold everything they have and do nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM to the main process; a second one ends it at once. Doesn't wait."""
        os.kill(self.pid, signal.SIGTERM)

    def stop(self, seconds: float = 30) -> int:
        """SIGTERM and waits: the exit code, or the last one if it doesn't run."""
        if self.running:
            self.terminate()
        return self.wait_exit(seconds)

    def end(self) -> None:
        """Makes sure that nothing of it is left, for cleaning up."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()

    def wait_exit(self, seconds: float) -> int:
        """Waits until the process has ended; `ServerFailed` with its log if it doesn't."""
        if self._process is None:
            raise LabError(f"{self.name} was never started")
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ServerFailed(
                f"{self.name} still runs after {seconds:g} s:\n{self.log_tail()}"
            ) from None

    def wait_ready(self, seconds: float = 120) -> "Service":
        """Waits until `/readyz` says yes; `ServerFailed` with the log if it ends or never does."""

        def ready_or_dead() -> bool:
            return not self.running or self.ready

        try:
            wait_until(ready_or_dead, f"{self.name} to be ready", seconds)
        except ServerFailed as error:
            raise ServerFailed(f"{error}\n{self.log_tail()}") from None
        if not self.running:
            how = f"{self.name} ended with {self.exit_code} instead of becoming ready"
            raise ServerFailed(f"{how}:\n{self.log_tail()}")
        return self

    @property
    def ready(self) -> bool:
        """Whether `/readyz` says yes now."""
        return self._get("/readyz") is not None

    def status(self) -> dict[str, Any] | None:
        """What `/status` says now; None when nobody answers."""
        body = self._get("/status")
        return None if body is None else dict(json.loads(body))

    def metrics(self) -> str:
        """The text of `/metrics`; empty when nobody answers."""
        return (self._get("/metrics") or b"").decode()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def peak_rss(self) -> int:
        """Greatest resident memory so far of the main process, in bytes; 0 when it is gone."""
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return 0

    def log_tail(self, lines: int = 25) -> str:
        """The end of its log."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""

    def _get(self, path: str) -> bytes | None:
        try:
            with urllib.request.urlopen(self.url + path, timeout=2) as answer:
                return bytes(answer.read())
        except (OSError, urllib.error.URLError):
            return None

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


class Pipeline:
    """A configuration file in a folder, and services that use it, each with a log beside it."""

    def __init__(self, folder: Path, configuration: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.configuration = dict(configuration)
        self.config = folder / "mysync.yaml"
        self.services: list[Service] = []
        self.configure()

    def configure(self, **sections: Any) -> None:
        """Other settings, which services have when they start the next time."""
        self.configuration = merged(self.configuration, sections)
        self.config.write_text(yaml.safe_dump(self.configuration, sort_keys=False))

    @property
    def name(self) -> str:
        return str(self.configuration["pipeline"])

    @property
    def partitions(self) -> int:
        return int(self.configuration["topics"]["partitions"])

    @property
    def topics(self) -> list[str]:
        return [f"{self.name}.{kind}" for kind in ("rows", "control", "state", "xa")]

    def producer(self) -> Service:
        """A further producer, not started; all but one of those that run are standbys."""
        return self._service("mysync-producer", int(self.configuration["http"]["producer_port"]))

    def consumer(self) -> Service:
        """A further consumer, not started."""
        return self._service("mysync-consumer", int(self.configuration["http"]["consumer_port"]))

    def run(self, program: Program, *arguments: str, seconds: float = 60) -> tuple[int, str, str]:
        """A command to its end (`check`, `status`, …): exit code, stdout, stderr."""
        done = subprocess.run(
            [*command(program), *arguments, "--config", str(self.config)],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def end(self) -> None:
        """Kills whatever of its services is left."""
        for service in self.services:
            service.end()

    def _service(self, program: Program, first_port: int) -> Service:
        same = sum(service.program == program for service in self.services)
        name = f"{program}-{same + 1}" if same else program
        port = free_port() if same else first_port
        service = Service(program, self.config, self.folder / f"{name}.log", port=port, name=name)
        self.services.append(service)
        return service


def command(program: Program) -> list[str]:
    """The argv prefix of a console script of this environment."""
    script = Path(sys.executable).with_name(program)
    if not script.exists():
        raise LabError(f"{script} is missing: run `make setup`")
    return [str(script)]


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
