"""The rig of the row-event tests, with rows written by SQL instead: both pass the same tests."""

from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pymysql

from image_rig import Hot, Target
from mysync_consumer import sqlstatements
from mysync_consumer.coalesce import Step
from mysync_consumer.errors import ApplyRefused
from mysync_consumer.session import Session
from mysync_consumer.sqlplan import SqlPlan
from mysync_lab.sql import SqlServer
from mysync_runtime.settings import ApplySettings, TargetSettings

UNCHECKED = 0x2
NUMBERS = {ord(op): op for op in "cud"}


class SqlWriter:
    """Collects steps. `rows` counts them by kind."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    @property
    def rows(self) -> Counter[str]:
        return Counter(NUMBERS[step.op] for step in self.steps)

    def clear(self) -> None:
        self.steps.clear()


class SqlTarget(Target):
    """A database of the test's own, and a session that applies rows by SQL, as a worker's does."""

    row_events = False

    def __init__(self, server: SqlServer, db: str, hot: Hot) -> None:
        super().__init__(server, db, hot)
        self.sql("CREATE TABLE checkpoint (n INT)", "INSERT INTO checkpoint VALUES (1)")
        self.applier = self.open(server.user, server.password)
        self._plans: dict[int, tuple[Any, Any]] = {}

    def open(self, user: str, password: str) -> Session:
        address = {"host": self.server.host, "port": self.server.port}
        login = {"user": user, "password": password, "ssl": {"mode": "disabled"}}
        settings = TargetSettings.model_validate(address | login)
        session = Session.open(settings, ApplySettings(via="sql"))
        with session.connection.cursor() as cursor:
            cursor.execute(f"USE `{self.db}`")
        return session

    def close(self) -> None:
        self.applier.close()
        super().close()

    def writer(self, **options: Any) -> SqlWriter:
        assert not options
        return SqlWriter()

    def add(
        self, writer: Any, plan: Any, records: Sequence[bytes], flags: int | None = None
    ) -> None:
        """Without flags rows are written with foreign keys unchecked, and so many at once."""
        flags = UNCHECKED if flags is None else flags
        known = self._plans.get(id(plan))
        if known is None:
            table = SimpleNamespace(by_sql=True, sql=SqlPlan(plan, plan.target))
            known = self._plans[id(plan)] = (table, plan)
        reader = self.hot.rowread.TableReader(plan.schema)
        for record in records:
            row = self.hot.rowread.read_row(reader, record)
            writer.steps.append(Step(known[0], row.op, flags, row, row))

    def apply(self, writer: Any) -> None:
        """Applies the steps in a transaction of the applier's; its errors as the server's."""
        packets = sqlstatements.encode(writer.steps, self.applier.room)
        try:
            self.applier.transact("UPDATE checkpoint SET n = 1", [], packets)
        except ApplyRefused as error:
            raise pymysql.err.IntegrityError(error.code, error.message) from error
