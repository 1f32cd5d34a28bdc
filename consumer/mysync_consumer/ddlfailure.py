"""What is said of a statement that can't go on: the statement, the error, its place, what to do."""

from collections.abc import Iterator
from typing import Final

from mysync_consumer.ddlfingerprint import Objects
from mysync_consumer.ddlgrants import lacking_for_statements
from mysync_consumer.ddlsession import StatementSession
from mysync_consumer.errors import DdlUndecided, StatementFailed
from mysync_runtime import mysql
from mysync_schemas.control import Ddl

LONGEST_SHOWN: Final = 1000
"""Characters of a statement in a message."""

PRIVILEGE_CODES: Final = frozenset({1044, 1142, 1143, 1227, 1370, 1419})


class Failures:
    """Makes the errors of one statement."""

    def __init__(self, session: StatementSession, ddl: Ddl, objects: Objects) -> None:
        self._session = session
        self._ddl = ddl
        self._objects = objects

    @property
    def statement(self) -> str:
        text = self._ddl.sql.decode("utf-8", "backslashreplace")
        return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"

    def refused(self, code: int, text: str) -> StatementFailed:
        """Of error `code` (0: none), which `text` says. Asks the server for our grants where it
        lacked one; raises PyMySQL's errors then."""
        hints = [f"{grant};" for grant in self._grants()] if code in PRIVILEGE_CODES else []
        withheld = (f"{name} ({why})" for name, why in self._session.withheld.items())
        if more := ", ".join(withheld):
            hints.append(f"The account may not set what could permit it: {more}.")
        hints.append(
            "Mend that on the target, then start again."
            if not hints
            else "Then start again: it is executed once more."
        )
        return self._failed(code, text, " ".join(hints))

    def blind(self, why: str) -> StatementFailed:
        """Of a statement that nobody could judge after a crash: it wasn't sent."""
        account = mysql.account(self._session.connection)
        return self._failed(
            0,
            f"after a crash nobody could tell whether it took effect ({why})",
            f"GRANT PROCESS ON *.* TO {account} on the target; if it has that, let the target use"
            " GTIDs (gtid_mode). Then start again.",
        )

    def _failed(self, code: int, text: str, mend: str) -> StatementFailed:
        return StatementFailed(
            code,
            text,
            f"a statement of the source can't be executed on the target: {text}; it is:"
            f" {self.statement}",
            where=self._place,
            mend=f"{mend} If you make the change there by hand: {self._word('done')}. To go on"
            f" without it: {self._word('skip')}.",
        )

    def undecided(self, why: str) -> DdlUndecided:
        return DdlUndecided(
            "a statement of the source was begun on the target, and whether it took effect can't be"
            f" told: {why}; it is: {self.statement}",
            where=self._place,
            mend="Compare the target with mysync.ddl_log.fingerprint there, which says what it was"
            f" before. If it took effect: {self._word('done')}; if it didn't:"
            f" {self._word('retry')}. Then start again.",
        )

    def _word(self, word: str) -> str:
        return f"`mysync-consumer ddl {word} {self._ddl.id}`"

    def _grants(self) -> Iterator[str]:
        connection = self._session.connection
        account = mysql.account(connection)
        for failure in lacking_for_statements(
            self._databases(),
            account,
            mysql.grants(connection),
            self._session.flavor,
            mysql.variables(connection),
        ):
            yield failure.mend

    def _databases(self) -> Iterator[str]:
        objects = self._objects
        for names in (objects.tables, objects.triggers, objects.routines, objects.events):
            yield from (name.db for name in names)
        yield from objects.databases

    @property
    def _place(self) -> str:
        place = f"{self._ddl.file}:{self._ddl.pos}"
        return f"{place}, gtid {self._ddl.gtid}" if self._ddl.gtid else place
