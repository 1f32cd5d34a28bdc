"""One connection to the target that applies rows, and one transaction of it.

A transaction is one packet `BEGIN; <compare-and-set>; <notes>; <shape checks>; <rows>`, then
further packets of rows, then COMMIT. Rows are a BINLOG statement, or several SQL statements that
each say how many rows they found. BINLOG stands last in its packet: it drops the flag that says
that more results follow. The compare-and-set is judged first: where it matched no row, the answers
after it mean nothing.

After any error the transaction is rolled back. A crash or a lost connection leaves no transaction
behind, except that the outcome of a COMMIT without an answer is unknown: the next claim reads it.
"""

import contextlib
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pymysql
from pymysql.constants import CLIENT

from mysync_consumer.answers import BUSY_CODES, error_of
from mysync_consumer.checkpoint import Escape
from mysync_consumer.errors import (
    ApplyRefused,
    ClaimLost,
    TargetBusy,
    TargetUnavailable,
    TooLarge,
)
from mysync_consumer.sessionsetup import PROGRAM, Identity, set_up
from mysync_consumer.shapes import SHAPE_CODES, ShapeChanged, ShapeCheck, shape_of
from mysync_consumer.strictmodes import MODES_SELECT, require_strict
from mysync_runtime import crash
from mysync_runtime.errors import MysyncError, PreflightError
from mysync_runtime.mysql import (
    Connection,
    ErrorClass,
    classify,
    code_of,
    connect,
    message_of,
)
from mysync_runtime.settings import ApplySettings, TargetSettings

BEFORE_BEGIN = crash.declare("consumer.before_begin", "nothing of the batch is on the target")
AFTER_BINLOG = crash.declare(
    "consumer.after_binlog", "rows and checkpoint are written, the target rolls both back"
)
BEFORE_COMMIT = crash.declare(
    "consumer.before_commit", "everything of the batch is written, the target rolls it back"
)
AFTER_COMMIT = crash.declare(
    "consumer.after_commit", "the batch is committed; memory and frontiers don't know it yet"
)

ASKED_BYTES = 1 << 20
"""Of the questions in one packet."""

PACKET_RESERVE = 64 * 1024
"""What stands before the first BINLOG in its packet."""

NOT_FOUND = 1032
"""The number that the target's own applier gives when a row isn't there."""


@dataclass(frozen=True, slots=True)
class Packet:
    """Statements that are sent together. `found`: how many rows each must match, change or count;
    None says nothing."""

    text: bytes
    found: tuple[int | None, ...] = (None,)


class Session:
    """A session set up to apply rows. Not shared by threads."""

    def __init__(
        self,
        connection: Connection,
        identity: Identity,
        wait_timeout: int,
        *,
        row_events: bool,
    ) -> None:
        self.connection = connection
        self.identity = identity
        # Asked in front of each packet of rows: the variables hold at once, here too.
        self._asks_modes = row_events and identity.flavor.is_mariadb
        self.escape = Escape(connection)
        self._keep_alive_after = wait_timeout / 3
        self._used = time.monotonic()

    @classmethod
    def open(cls, target: TargetSettings, apply: ApplySettings) -> "Session":
        """Connects and sets up. Raises TransientError, CredentialsError or PreflightError."""
        connection = connect(
            target,
            client_flag=CLIENT.MULTI_STATEMENTS | CLIENT.FOUND_ROWS,
            program_name=PROGRAM,
        )
        try:
            identity = set_up(connection, apply)
        except MysyncError:
            _close(connection)
            raise
        except (pymysql.err.Error, OSError) as error:
            _close(connection)
            raise error_of(error, "set up the session") from error
        row_events = apply.via != "sql"
        return cls(connection, identity, apply.session_wait_timeout, row_events=row_events)

    def close(self) -> None:
        """Closes at once, whatever is under way; the server rolls it back."""
        _close(self.connection)

    def abort(self) -> None:
        """Cuts the connection from another thread: what is under way there fails."""
        with contextlib.suppress(OSError, AttributeError):
            raw: Any = self.connection
            raw._sock.shutdown(socket.SHUT_RDWR)

    def keep_alive(self) -> None:
        """Pings the server when the session was idle for a third of its wait_timeout."""
        if time.monotonic() - self._used > self._keep_alive_after:
            try:
                self.connection.ping(reconnect=False)
            except (pymysql.err.Error, OSError) as error:
                raise error_of(error, "keep the session alive") from error
            self._used = time.monotonic()

    def transact(
        self,
        compare_and_set: str,
        checks: Sequence[ShapeCheck],
        packets: Iterable[Packet],
        notes: Sequence[str] = (),
    ) -> None:
        """Runs one apply transaction; returns after COMMIT was confirmed. `notes` are statements
        that commit with the checkpoint.

        Raises ClaimLost when the compare-and-set matched nothing, ShapeChanged, ApplyRefused (a
        permanent error, a warning or a row that isn't there), TargetBusy (same again),
        PreflightError (MariaDB's applier isn't strict any more) and TargetUnavailable (claim
        again). In every case the transaction is rolled back or, at
        TargetUnavailable, its outcome is unknown."""
        crash.crash_point(BEFORE_BEGIN)
        rest = iter(packets)
        parts = [b"BEGIN", compare_and_set.encode(), *(note.encode() for note in notes)]
        parts += [query for check in checks for query in check.queries()]
        first = next(rest, None)
        if first is not None:
            parts.append(self._with_modes(first.text))
        of_rows = False
        try:
            if first is not None:
                self.fits(first)
            self._run_checkpoint(b";".join(parts), len(notes))
            of_rows = True
            self._run_first(checks, first.found if first is not None else ())
            for packet in rest:
                self.fits(packet)
                self._run(packet)
            crash.crash_point(AFTER_BINLOG)
        except ApplyRefused as error:
            self.roll_back()
            error.of_rows = of_rows
            raise
        except (MysyncError, ShapeChanged):
            self.roll_back()
            raise
        except (pymysql.err.Error, OSError) as error:
            found = self._refused(error)
            if isinstance(found, ApplyRefused):
                found.of_rows = of_rows
            raise found from error
        self._commit()

    def ask(self, selects: Iterable[bytes], check: ShapeCheck) -> list[Sequence[Sequence[object]]]:
        """The rows that each SELECT finds now, sent together; all are about the check's table.

        Outside of an apply transaction, whose BEGIN ends what this begins. Raises ShapeChanged when
        the table isn't there or has other columns, ApplyRefused (warnings count), TargetBusy,
        TargetUnavailable."""
        connection: Any = self.connection
        found: list[Sequence[Sequence[object]]] = []
        try:
            for packet in self._packets(selects):
                connection.query(packet)
                self._no_warnings()
                found.append(connection._result.rows)
                while connection._result.has_next:
                    connection.next_result()
                    self._no_warnings()
                    found.append(connection._result.rows)
        except ApplyRefused:
            self.roll_back()
            raise
        except pymysql.err.Error as error:
            if code_of(error) in SHAPE_CODES:
                self.roll_back()
                raise ShapeChanged(check, message_of(error)) from error
            raise self._refused(error) from error
        except OSError as error:
            raise self._refused(error) from error
        self._used = time.monotonic()
        return found

    def _packets(self, statements: Iterable[bytes]) -> Iterator[bytes]:
        """As many of the statements in one packet as it holds."""
        waiting: list[bytes] = []
        size = 0
        for statement in statements:
            if waiting and size + len(statement) > min(self.room, ASKED_BYTES):
                yield b";".join(waiting)
                waiting, size = [], 0
            waiting.append(statement)
            size += len(statement) + 1
        if waiting:
            yield b";".join(waiting)

    @property
    def room(self) -> int:
        """Bytes of statements that a packet may hold."""
        return self.identity.max_allowed_packet - PACKET_RESERVE

    def fits(self, packet: Packet) -> None:
        """Raises TooLarge: the server would close the connection on a larger packet, and we would
        try for ever."""
        if len(packet.text) > self.room:
            raise TooLarge(len(packet.text) + PACKET_RESERVE, self.identity.max_allowed_packet)

    def _run_checkpoint(self, packet: bytes, notes: int) -> None:
        """Sends the first packet, and judges what it says up to the notes."""
        connection: Any = self.connection
        connection.query(packet)  # BEGIN
        self._next_result()
        matched = connection._result.affected_rows
        if matched != 1:
            self._drain()
            raise ClaimLost("the checkpoint row was claimed or instructed since")
        self._no_warnings()
        for _ in range(notes):
            self._next_result()
            self._no_warnings()

    def _run_first(self, checks: Sequence[ShapeCheck], found: Sequence[int | None]) -> None:
        """Judges the rest of the first packet: the shape checks, and the first rows."""
        connection: Any = self.connection
        for check in checks:
            try:
                self._next_result()
            except pymysql.err.Error as error:
                if code_of(error) in SHAPE_CODES:
                    raise ShapeChanged(check, message_of(error)) from error
                raise
            changed = shape_of(connection._result.fields) != check.shape
            if check.labels_select is not None:
                self._next_result()
                changed = changed or connection._result.rows != check.labels
            if changed:
                self._drain()
                raise ShapeChanged(check)
        if found and self._asks_modes:
            self._next_result()
            self._judge_modes()
        for wanted in found:
            self._next_result()
            self._judge(wanted)
        self._used = time.monotonic()

    def _run(self, packet: Packet) -> None:
        connection: Any = self.connection
        connection.query(self._with_modes(packet.text))
        if self._asks_modes:
            self._judge_modes()
            self._next_result()
        self._judge(packet.found[0])
        for wanted in packet.found[1:]:
            self._next_result()
            self._judge(wanted)

    def _with_modes(self, text: bytes) -> bytes:
        return b";".join((MODES_SELECT, text)) if self._asks_modes else text

    def _judge_modes(self) -> None:
        connection: Any = self.connection
        try:
            require_strict(connection._result.rows[0])
        except PreflightError:
            self._drain()
            raise

    def _judge(self, wanted: int | None) -> None:
        """No warning, and as many rows as there must be (FOUND_ROWS: unchanged ones count)."""
        self._no_warnings()
        result: Any = self.connection._result  # type: ignore[attr-defined]
        if wanted is None:
            return
        found = result.rows[0][0] if result.rows else result.affected_rows
        if found != wanted:
            self._drain()
            raise ApplyRefused(NOT_FOUND, f"{found} of {wanted} rows were found")

    def _next_result(self) -> None:
        connection: Any = self.connection
        if not connection._result.has_next:
            raise pymysql.err.InterfaceError(0, "the server sent fewer results than statements")
        connection.next_result()

    def _drain(self) -> None:
        """Reads the results that are still to come, whatever they are."""
        connection: Any = self.connection
        with contextlib.suppress(pymysql.err.Error):
            while connection._result.has_next:
                connection.next_result()

    def _no_warnings(self) -> None:
        connection: Any = self.connection
        if connection._result.warning_count:
            if connection._result.has_next:
                self._drain()
                raise ApplyRefused(0, "a statement gave a warning, which counts as an error")
            warnings = self._show_warnings()
            code = warnings[0][1] if warnings else 0
            raise ApplyRefused(
                code,
                "a warning, which counts as an error",
                warnings=tuple(m for _, _, m in warnings),
            )

    def _show_warnings(self) -> list[tuple[str, int, str]]:
        with self.connection.cursor() as cursor:
            cursor.execute("SHOW WARNINGS")
            return [(str(level), int(code), str(text)) for level, code, text in cursor.fetchall()]

    def roll_back(self) -> None:
        """ROLLBACK; a connection that can't is closed, which has the same effect."""
        try:
            self.connection.rollback()
        except (pymysql.err.Error, OSError):
            self.close()

    def _refused(self, error: BaseException) -> MysyncError:
        """Rolls back and says what an error in the transaction means."""
        if classify(error) is ErrorClass.LOST:
            self.close()
            return error_of(error, "apply")
        warnings: tuple[str, ...] = ()
        with contextlib.suppress(pymysql.err.Error, OSError):
            warnings = tuple(
                text for _, code, text in self._show_warnings() if code != code_of(error)
            )
        self.roll_back()
        if code_of(error) in BUSY_CODES:
            return TargetBusy(f"the target is busy: {message_of(error)}")
        if classify(error) in (ErrorClass.TRANSIENT, ErrorClass.CREDENTIALS):
            return error_of(error, "apply")
        return ApplyRefused(code_of(error) or 0, str(error.args[-1]), warnings=warnings)

    def _commit(self) -> None:
        crash.crash_point(BEFORE_COMMIT)
        try:
            connection: Any = self.connection
            connection.query(b"COMMIT")
        except (pymysql.err.Error, OSError) as error:
            if code_of(error) in BUSY_CODES:
                self.roll_back()
                raise TargetBusy(f"the target refused the commit: {message_of(error)}") from error
            self.close()
            raise TargetUnavailable(
                f"the outcome of a COMMIT is unknown: {message_of(error)}"
            ) from error
        crash.crash_point(AFTER_COMMIT)


def _close(connection: Connection) -> None:
    with contextlib.suppress(pymysql.err.Error, OSError, AttributeError):
        connection._force_close()  # type: ignore[attr-defined]
