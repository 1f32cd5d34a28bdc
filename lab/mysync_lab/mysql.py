"""MySQL of the lab."""

from mysync_lab import packages
from mysync_lab.packages import Unpacked
from mysync_lab.sql import ACCOUNT, SqlServer


class MySqlServer(SqlServer):
    """A MySQL server that runs from unpacked packages."""

    kind = "mysql"

    def unpacked(self) -> Unpacked:
        return packages.unpack(packages.MYSQL)

    def _program(self) -> list[str]:
        unpacked = self.unpacked()
        usr = unpacked.root / "usr"
        return [
            *unpacked.binary("usr/sbin/mysqld"),
            *self._common_options(),
            f"--basedir={usr}",
            f"--plugin-dir={usr / 'lib/mysql/plugin'}",
            f"--lc-messages-dir={usr / 'share/mysql'}",
            f"--character-sets-dir={usr / 'share/mysql/charsets'}",
            "--mysqlx=OFF",
            "--innodb-redo-log-capacity=256M",
        ]

    def _initialize(self) -> None:
        account = self.folder / "account.sql"
        # One statement a line is what init_file takes.
        account.write_text(ACCOUNT.strip() + "\n")
        self._run_once([*self._program(), "--initialize-insecure", f"--init-file={account}"])

    def _argv(self) -> list[str]:
        return [
            *self._program(),
            *self._running_options(),
            "--gtid-mode=ON",
            "--enforce-gtid-consistency=ON",
            *self.options,
        ]
