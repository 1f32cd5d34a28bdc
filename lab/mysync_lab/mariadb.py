"""MariaDB of the lab."""

from pathlib import Path

from mysync_lab import packages
from mysync_lab.packages import Unpacked
from mysync_lab.sql import ACCOUNT, SqlServer

# What mariadb-install-db feeds to `mariadbd --bootstrap`, in its order.
_SYSTEM_SQL = (
    "mysql_system_tables.sql",
    "mysql_performance_tables.sql",
    "mysql_system_tables_data.sql",
    "fill_help_tables.sql",
    "maria_add_gis_sp_bootstrap.sql",
    "mysql_sys_schema.sql",
)


class MariaDbServer(SqlServer):
    """A MariaDB server that runs from unpacked packages."""

    kind = "mariadb"

    def unpacked(self) -> Unpacked:
        return packages.unpack(packages.MARIADB)

    def _share(self) -> Path:
        return self.unpacked().root / "usr/share/mysql"

    def _program(self) -> list[str]:
        unpacked = self.unpacked()
        return [
            *unpacked.binary("usr/sbin/mariadbd"),
            *self._common_options(),
            f"--basedir={unpacked.root / 'usr'}",
            f"--plugin-dir={unpacked.root / 'usr/lib/mysql/plugin'}",
            f"--lc-messages-dir={self._share()}",
            f"--character-sets-dir={self._share() / 'charsets'}",
            "--innodb-log-file-size=128M",
        ]

    def _initialize(self) -> None:
        self.data_dir.mkdir()
        script = [
            "CREATE DATABASE IF NOT EXISTS mysql;",
            "USE mysql;",
            "SET @auth_root_socket=NULL;",
        ]
        script += [(self._share() / name).read_text() for name in _SYSTEM_SQL]
        # Accounts without password for 127.0.0.1 and for nobody would be taken before ours; and
        # accounts can be made only once the privilege tables are loaded.
        script += [
            "DELETE FROM global_priv WHERE User = '' OR User = 'root' AND Host <> 'localhost';"
        ]
        script += ["FLUSH PRIVILEGES;", ACCOUNT]
        options = ("--bootstrap", "--enforce-storage-engine=", "--max-allowed-packet=64M")
        self._run_once([*self._program(), *options], "\n".join(script))

    def _argv(self) -> list[str]:
        return [
            *self._program(),
            *self._running_options(),
            "--binlog-format=ROW",
            "--binlog-row-image=FULL",
            "--gtid-strict-mode=ON",
            f"--gtid-domain-id={self.server_id}",
            *self.options,
        ]
