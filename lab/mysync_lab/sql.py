"""What MySQL and MariaDB servers of the lab have in common."""

import abc
import contextlib
import hashlib
import os
import random
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pymysql

from mysync_lab.errors import ServerFailed
from mysync_lab.packages import Unpacked, upstream_version
from mysync_lab.server import LocalServer

# The named servers have ids (and MariaDB's domains) that one can recognize in a GTID.
_SERVER_IDS = {"mysql-a": 101, "mysql-b": 102, "mariadb-a": 201, "mariadb-b": 202}
# sockaddr_un holds 108 bytes with the closing zero, and the server adds `.lock`.
_SOCKET_PATH_LIMIT = 100

ACCOUNT = f"""
CREATE USER 'root'@'%' IDENTIFIED BY '{LocalServer.password}';
GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION;
ALTER USER 'root'@'localhost' IDENTIFIED BY '{LocalServer.password}';
"""


class SqlServer(LocalServer):
    """A mysqld or mariadbd."""

    @abc.abstractmethod
    def unpacked(self) -> Unpacked:
        """The server's programs."""

    def _first_state(self) -> dict[str, Any]:
        return {"server_id": _SERVER_IDS.get(self.name) or random.randrange(10_000, 2**31)}

    @property
    def server_id(self) -> int:
        """The server's `server_id`."""
        return int(self._state["server_id"])

    @property
    def socket(self) -> Path:
        """The Unix socket: in the server's folder if the path is short enough."""
        near = self.folder / "server.sock"
        if len(os.fsencode(near)) < _SOCKET_PATH_LIMIT:
            return near
        digest = hashlib.sha256(os.fsencode(near)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"mysync-lab-{os.getuid()}-{digest}.sock"

    @property
    def login(self) -> list[str]:
        """The options with which client programs reach the server."""
        return [
            f"--host={self.host}",
            f"--port={self.port}",
            f"--user={self.user}",
            f"--password={self.password}",
            "--protocol=TCP",
        ]

    def connect(self, **options: Any) -> "pymysql.Connection[Any]":
        """A new PyMySQL connection as root, autocommit on unless asked otherwise."""
        settings: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "charset": "utf8mb4",
            "autocommit": True,
            "connect_timeout": 5,
            "ssl_disabled": True,  # the loopback only; what the services do is their own affair
        }
        return pymysql.connect(**(settings | options))

    def _common_options(self) -> list[str]:
        (self.folder / "tmp").mkdir(exist_ok=True)
        own_user = ["--user=root"] if os.geteuid() == 0 else []
        return [
            "--no-defaults",
            f"--datadir={self.data_dir}",
            f"--tmpdir={self.folder / 'tmp'}",
            f"--socket={self.socket}",
            f"--pid-file={self.folder / 'server.pid'}",
            "--secure-file-priv=",
            *own_user,
        ]

    def _running_options(self) -> list[str]:
        # A killed server leaves these, and believes them if their pid exists, a zombie's too.
        for leftover in (self.socket, self.socket.with_name(self.socket.name + ".lock")):
            leftover.unlink(missing_ok=True)
        return [
            f"--log-error={self.log_file}",
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            f"--server-id={self.server_id}",
            "--log-bin=binlog",
            "--binlog-row-metadata=FULL",
            # What is acknowledged survives SIGKILL and more; crash tests rely on it.
            "--innodb-flush-log-at-trx-commit=1",
            "--sync-binlog=1",
            "--innodb-buffer-pool-size=256M",
            "--performance-schema=OFF",
            "--max-allowed-packet=256M",
            "--max-connections=300",
            "--skip-name-resolve",
        ]

    def _answers(self) -> str | None:
        with contextlib.suppress(pymysql.err.OperationalError), self.connect() as connection:
            with connection.cursor() as cursor:
                cursor.execute("SELECT VERSION(), @@datadir")
                row = cursor.fetchone()
            if row and Path(row[1]) == self.data_dir:
                return upstream_version(row[0])
            raise ServerFailed(f"{self.name}: another server answers on port {self.port}")
        return None

    def _run_once(self, argv: list[str], sql: str = "") -> None:
        """Runs the server program for its initialization."""
        done = subprocess.run(argv, input=sql, capture_output=True, text=True, check=False)
        with self.log_file.open("a") as log:
            log.write(done.stdout + done.stderr)
        if done.returncode != 0:
            raise ServerFailed(f"{self.name}: initialization failed:\n{self._log_tail()}")
