"""The lab: named servers in one folder.

    lab = Lab()
    lab.up("mysql-a", "kafka")
    lab["mysql-a"].kill()
    lab["mysql-a"].start()

Servers outlive the process that started them, until `down`.
"""

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args
from urllib.parse import unquote, urlsplit

from mysync_lab.errors import LabError, UnknownServer
from mysync_lab.kafka import KafkaServer
from mysync_lab.layout import read_json, run_dir
from mysync_lab.mariadb import MariaDbServer
from mysync_lab.mysql import MySqlServer
from mysync_lab.server import ExternalServer, Kind, LocalServer, Server
from mysync_lab.sql import SqlServer

NAMES: dict[str, Kind] = {
    "mysql-a": "mysql",
    "mysql-b": "mysql",
    "mariadb-a": "mariadb",
    "mariadb-b": "mariadb",
    "kafka": "kafka",
}
DEFAULT = ("mysql-a", "mysql-b", "kafka")
_KINDS: dict[str, type[LocalServer]] = {
    "mysql": MySqlServer,
    "mariadb": MariaDbServer,
    "kafka": KafkaServer,
}


class Lab:
    """The servers of one folder (`MYSYNC_LAB_DIR`, or below the cache)."""

    def __init__(self, run_dir: Path | None = None) -> None:
        self.folder = run_dir.absolute() if run_dir else _default_dir()
        self._servers: dict[str, Server] = {}

    def __getitem__(self, name: str) -> Server:
        """The server of that name, running or not; `UnknownServer` if there never was one."""
        if name not in self._servers:
            self._servers[name] = self._open(name)
        return self._servers[name]

    def mysql(self, name: str) -> SqlServer:
        """The same, as a local MySQL or MariaDB server."""
        server = self[name]
        if not isinstance(server, SqlServer):
            raise LabError(f"{name} is not a MySQL or MariaDB server of this lab")
        return server

    def kafka(self, name: str = "kafka") -> KafkaServer:
        """The same, as a local Kafka broker."""
        server = self[name]
        if not isinstance(server, KafkaServer):
            raise LabError(f"{name} is not a Kafka broker of this lab")
        return server

    def add(self, name: str, kind: Kind, options: Sequence[str] = ()) -> LocalServer:
        """A further server, not started. `options` come after the lab's own and win.

        For MySQL and MariaDB they are command line options, for Kafka lines of server.properties.
        Given again for a server that exists, they hold from its next start.
        """
        server = _KINDS[kind](self.folder / name, name, options)
        self._servers[name] = server
        return server

    def remove(self, name: str) -> None:
        """Kills the server and deletes all it had."""
        server = self[name]
        if isinstance(server, LocalServer):
            server.remove()
        del self._servers[name]

    def up(self, *names: str) -> None:
        """Starts the named servers (by default mysql-a, mysql-b and kafka) and waits for them."""
        servers = [self[name] for name in names or DEFAULT]
        with ThreadPoolExecutor(len(servers)) as pool:
            starts = [pool.submit(server.start) for server in servers]
        for start in starts:
            start.result()

    def down(self, *names: str) -> None:
        """Stops the named servers, by default all that have been."""
        servers = [self[name] for name in names or self.names()]
        if servers:
            with ThreadPoolExecutor(len(servers)) as pool:
                stops = [pool.submit(server.stop) for server in servers]
            for stop in stops:
                stop.result()

    def names(self) -> list[str]:
        """The servers that this folder has, running or not, and those of the environment."""
        here = {path.parent.name for path in self.folder.glob("[!.]*/state.json")}
        given = {name for name in NAMES if _variable(name) in os.environ}
        return sorted(here | given)

    def status(self) -> list[dict[str, Any]]:
        """One entry a server, as `status --json` prints them."""
        return [self[name].status() for name in self.names()]

    def tool(self, binary: str, name: str) -> list[str]:
        """The argv prefix that runs a client program (`mysqlbinlog`, `mysql`, …) of that server.

        Ours of the server's own version, with the machine's option files switched off; for a
        server of somebody else, what is on PATH.
        """
        server = self[name]
        if isinstance(server, SqlServer):
            return [*server.unpacked().binary(f"usr/bin/{binary}"), "--no-defaults"]
        if found := shutil.which(binary):
            return [found, "--no-defaults"]
        raise LabError(f"{binary} is not on PATH, and {name} is not a server of this lab")

    def _open(self, name: str) -> Server:
        if url := os.environ.get(_variable(name)):
            return _external(name, url)
        kind = read_json(self.folder / name / "state.json").get("kind") or NAMES.get(name)
        if kind is None:
            raise UnknownServer(f"no server {name!r}: the known ones are {', '.join(NAMES)}")
        return _KINDS[kind](self.folder / name, name)


def _default_dir() -> Path:
    return run_dir()


def _variable(name: str) -> str:
    return "MYSYNC_LAB_" + name.upper().replace("-", "_")


def _external(name: str, url: str) -> ExternalServer:
    """`mysql://user:password@host:port`, `mariadb://…`, or `host:port` for Kafka."""
    parts = urlsplit(url if "://" in url else f"kafka://{url}")
    if parts.scheme not in get_args(Kind) or not parts.hostname:
        raise LabError(f"{_variable(name)}: not mysql://user:password@host:port or host:port")
    port = parts.port or (9092 if parts.scheme == "kafka" else 3306)
    kind: Kind = NAMES.get(name, "mysql")
    for known in get_args(Kind):
        if known == parts.scheme:
            kind = known
    return ExternalServer(
        name,
        kind,
        parts.hostname,
        port,
        unquote(parts.username or ""),
        unquote(parts.password or ""),
    )
