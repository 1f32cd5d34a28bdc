"""A statement of the source takes effect on the target exactly once, whatever is killed.

Two ways, whichever the target allows:

- **gtid** (MySQL with GTIDs): the statement runs as a transaction that is named by its number. The
  server commits statement and name as one, and skips a repeat.
- **lock** (all others): the session that executes holds the pipeline's lock. `mysync.ddl_log` says,
  before it runs, what the statement may change; who finds it begun and not done compares.

What a crash leaves: at BEFORE_EXECUTION nothing; at STARTED the row; at EXECUTED the effect, which
its GTID or the fingerprint tells; at DONE everything, and the line still to open. A connection that
is lost is like a crash: the next `execute` finds out.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

import pymysql

from mysync_consumer import ddlfingerprint, ddlgtid, ddllock, ddllog
from mysync_consumer.answers import error_of
from mysync_consumer.ddlfailure import Failures
from mysync_consumer.ddlfingerprint import Fingerprint, Objects, Things
from mysync_consumer.ddlsession import ContextRefused, StatementSession
from mysync_consumer.ddlverdict import Effect, Form, blind, decide, form_of
from mysync_consumer.tenure import Tenure
from mysync_runtime import crash
from mysync_runtime.log import get_logger
from mysync_runtime.mysql import ErrorClass, classify, code_of, message_of
from mysync_schemas.control import Ddl
from mysync_schemas.sqltokens import Dialect, Unreadable, tokens_of
from mysync_schemas.statement import Verb

BEFORE_EXECUTION = crash.declare(
    "ddl.before_execution", "the statement is due, nothing of it is on the target"
)
STARTED = crash.declare("ddl.started", "mysync.ddl_log says that it begins; it isn't sent yet")
EXECUTED = crash.declare("ddl.executed", "it took effect; mysync.ddl_log doesn't say so yet")
DONE = crash.declare("ddl.done", "mysync.ddl_log says that it is done; its line isn't open yet")

UNKNOWN_TABLE_CODES: Final = frozenset({1051, 4091, 4092})
"""Of DROP: unknown table; unknown sequence and view (MariaDB)."""


class Outcome(Enum):
    EXECUTED = auto()
    DONE_BEFORE = auto()
    SKIPPED = auto()
    """By hand: `mysync.ddl_log` said so."""


@dataclass(frozen=True)
class Pipeline:
    name: str
    uuid: str


def execute(
    session: StatementSession, pipeline: Pipeline, ddl: Ddl, objects: Objects, tenure: Tenure
) -> Outcome:
    """Executes the statement once. `ddl`: as it is for this target, renamed where that is asked;
    `objects`: what it may change there.

    Raises StatementFailed (it had no effect, or, of a list to drop, not all), DdlUndecided,
    TransientError (the same again), CredentialsError, and Revoked while waiting."""
    tenure.check()
    session.begin(ddl.context.database)
    crash.crash_point(BEFORE_EXECUTION)
    try:
        return _Execution(session, pipeline, ddl, objects, tenure).run()
    except (pymysql.err.Error, OSError) as error:
        raise error_of(error, "tell whether a statement is done") from error


def skip(session: StatementSession, pipeline: Pipeline, ddl: Ddl, tenure: Tenure) -> Outcome:
    """Does without the statement, for good: no owner that was stopped meanwhile can still execute
    it. DONE_BEFORE when it took effect already, as far as `mysync.ddl_log` or its GTID says.

    Raises as `execute`."""
    tenure.check()
    session.begin(None)
    execution = _Execution(session, pipeline, ddl, Objects(), tenure)
    try:
        entry = ddllog.read(session.connection, pipeline.name, ddl.id)
        if entry is None or entry.state not in _ENDED:
            ddllog.ended(session.connection, pipeline.name, ddl, "skip")
        return execution.run()
    except (pymysql.err.Error, OSError) as error:
        raise error_of(error, "mark a statement as skipped") from error


class _Execution:
    """One attempt at one statement."""

    def __init__(
        self,
        session: StatementSession,
        pipeline: Pipeline,
        ddl: Ddl,
        objects: Objects,
        tenure: Tenure,
    ) -> None:
        self.session = session
        self.connection = session.connection
        self.name = pipeline.name
        self.ddl = ddl
        self.objects = objects
        self.tenure = tenure
        self.verb = Verb[ddl.verb] if ddl.verb else Verb.UNKNOWN
        self.first_word = first_word(ddl, mariadb=session.flavor.is_mariadb)
        self.gtid = f"{pipeline.uuid}:{ddl.id}"
        self.failures = Failures(session, ddl, objects)
        self.log = get_logger("ddl").bind(id=ddl.id, seq=ddl.seq)

    def run(self) -> Outcome:
        entry = ddllog.read(self.connection, self.name, self.ddl.id)
        # One that was begun by lock and fingerprint is told by them, whatever the server has now.
        if not (entry and entry.is_begun("lock")) and ddlgtid.are_used(
            self.connection, self.session.flavor
        ):
            return self._by_gtid(entry)
        ddllock.take(self.connection, self.name, self.tenure)
        try:
            return self._by_lock()
        finally:
            self._give_lock()

    def _end(self, state: str = "done") -> None:
        ddllog.ended(self.connection, self.name, self.ddl, state)
        crash.crash_point(DONE)

    # -- by GTID

    def _by_gtid(self, entry: ddllog.Entry | None) -> Outcome:
        if entry is not None and entry.state in _ENDED:
            return _ENDED[entry.state]
        ddlgtid.wait_until_free(self.connection, self.gtid, self.tenure)
        done = ddlgtid.is_executed(self.connection, self.gtid)
        if done:
            self._end()
            return Outcome.DONE_BEFORE
        if entry is not None and entry.state == "skip":
            ddlgtid.consume(self.connection, self.gtid)
            self._end("skipped")
            return Outcome.SKIPPED
        ddllog.started(self.connection, self.name, self.ddl, "gtid", None)
        crash.crash_point(STARTED)
        error = self._send(self.gtid)
        if error is not None and not self._was_refused_there(error):
            raise self._refused(error)
        if not ddlgtid.is_executed(self.connection, self.gtid):
            ddlgtid.consume(self.connection, self.gtid)
        crash.crash_point(EXECUTED)
        self._end()
        return Outcome.EXECUTED

    # -- by lock and fingerprint

    def _by_lock(self) -> Outcome:
        entry = ddllog.read(self.connection, self.name, self.ddl.id)
        if entry is not None and entry.state in _ENDED:
            return _ENDED[entry.state]
        if entry is not None and entry.state == "skip":
            self._end("skipped")
            return Outcome.SKIPPED
        now = self._fingerprint()
        if entry is not None and self._is_done(entry, now):
            self.log.info("it took effect before", statement=self.failures.statement)
            self._end()
            return Outcome.DONE_BEFORE
        if entry is not None and entry.is_begun("lock"):
            orphans = ddlfingerprint.drop_orphans(
                self.connection, self.session.flavor, self.objects, now
            )
            if orphans:
                self.log.warning("dropped what the target's crash left", files=orphans)
        unseen = blind(self.verb, self.first_word, now, self.objects.renames)
        if unseen:
            raise self.failures.blind(unseen)
        ddllog.started(self.connection, self.name, self.ddl, "lock", now)
        crash.crash_point(STARTED)
        error = self._send(None)
        if error is not None and not (self._did_it(error, now) or self._was_refused_there(error)):
            raise self._refused(error)
        crash.crash_point(EXECUTED)
        self._end()
        return Outcome.EXECUTED

    def _is_done(self, entry: ddllog.Entry, now: Fingerprint) -> bool:
        if entry.is_begun("gtid"):  # and the server's GTIDs were switched off since
            return ddlgtid.is_executed(self.connection, self.gtid)
        if not entry.is_begun("lock") or entry.fingerprint is None:
            return False
        verdict = decide(self.verb, self.first_word, entry.fingerprint, now, self.objects.renames)
        if verdict.effect is Effect.UNDECIDED:
            raise self.failures.undecided(verdict.why)
        return verdict.effect is Effect.DONE

    def _did_it(self, error: BaseException, before: Fingerprint) -> bool:
        """Whether a refused statement did what it should all the same. MariaDB logs a DROP of a
        list as a success though one of it didn't exist; and one that was killed halfway finds only
        the rest.

        Raises DdlUndecided for another one that changed something."""
        now = self._fingerprint()
        if now == before:
            return False
        kind, form = form_of(self.verb, self.first_word)
        things: Things = getattr(now, kind)
        if form is Form.DROP:
            unknown = code_of(error) in UNKNOWN_TABLE_CODES
            return unknown and self.session.flavor.is_mariadb and not any(things.values())
        verdict = decide(self.verb, self.first_word, before, now, self.objects.renames)
        if verdict.effect is not Effect.NONE:
            raise self.failures.undecided(
                f"the target refused it with error {message_of(error)}, and what it changes isn't"
                " as before"
            )
        return False

    def _fingerprint(self) -> Fingerprint:
        return ddlfingerprint.read(self.connection, self.session.flavor, self.objects)

    def _give_lock(self) -> None:
        """A session that can't is closed, which has the same effect."""
        try:
            ddllock.give(self.connection, self.name)
        except (pymysql.err.Error, OSError):
            self.session.close()

    # -- both

    def _send(self, gtid: str | None) -> BaseException | None:
        """Runs the statement in its context; the error with which it was refused.

        Raises StatementFailed for its context, TransientError for a lost connection."""
        try:
            self.session.enter(self.ddl.context)
        except ContextRefused as error:
            self.session.leave()
            text = f"its context can't be set: {error}"
            ddllog.failed(self.connection, self.name, self.ddl, text)
            raise self.failures.refused(error.code, text) from error
        refused: BaseException | None = None
        named = False
        try:
            if gtid is not None:
                ddlgtid.name_next(self.connection, gtid)
                named = True
            self.session.run(self.ddl.sql)
        except (pymysql.err.Error, OSError) as error:
            if classify(error) is ErrorClass.LOST:
                self.session.close()
                raise error_of(error, "execute a statement") from error
            refused = error
        if named:
            ddlgtid.release(self.connection)
        self.session.leave()
        return refused

    def _was_refused_there(self, error: BaseException) -> bool:
        """Whether the source logged the statement with this very error."""
        code = self.ddl.context.error_code
        return code != 0 and code_of(error) == code

    def _refused(self, error: BaseException) -> Exception:
        text = message_of(error)
        ddllog.failed(self.connection, self.name, self.ddl, text)
        if classify(error) is ErrorClass.TRANSIENT:
            return error_of(error, f"execute {self.failures.statement}")
        return self.failures.refused(code_of(error) or 0, text)


_ENDED: Final = {"done": Outcome.DONE_BEFORE, "skipped": Outcome.SKIPPED}


def first_word(ddl: Ddl, *, mariadb: bool) -> str:
    """The first word of the statement in capitals, empty where it can't be read."""
    context = ddl.context
    dialect = Dialect(
        mariadb, ddl.server_version, context.sql_mode or 0, context.client_collation or 0
    )
    try:
        tokens = tokens_of(ddl.sql, dialect)
    except Unreadable:
        return ""
    return tokens[0].word if tokens else ""
