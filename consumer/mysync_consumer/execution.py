"""What the control owner does with a statement, with a transfer's begin and end, and with
definitions that became certain."""

from collections.abc import Iterable
from functools import partial

from mysync_consumer import ddllog, ddlonce, drift, telling, transferring
from mysync_consumer.bindings import renamed
from mysync_consumer.checkpoint import Claimed
from mysync_consumer.context import Context
from mysync_consumer.control import Work
from mysync_consumer.ddlfingerprint import Objects
from mysync_consumer.ddlonce import Outcome, Pipeline
from mysync_consumer.ddlsession import StatementSession
from mysync_consumer.errors import StatementFailed, StatementRefused
from mysync_consumer.session import Session
from mysync_consumer.targetstatement import TargetStatement, target_statement
from mysync_consumer.tenure import Tenure
from mysync_runtime.errors import MysyncError
from mysync_runtime.log import get_logger
from mysync_schemas.control import Ddl, Transfer
from mysync_schemas.effects import Effects
from mysync_schemas.statement import Verb
from mysync_schemas.table import TableId, TableSchema

GONE: dict[Verb, frozenset[int]] = {
    Verb.DROP_TABLE: frozenset({1051}),
    Verb.DROP_SEQUENCE: frozenset({1051, 4091}),
    Verb.DROP_VIEW: frozenset({1051, 4092}),
    Verb.DROP_TRIGGER: frozenset({1360}),
    Verb.DROP_DATABASE: frozenset({1008}),
}
"""What the target says when there is nothing to drop: it is as it should be."""


# What a person may have said of a statement that can't be executed, and what it then is.
_ENDED_BY_HAND = {"done": "done", "skip": "skipped", "skipped": "skipped"}
_WORDS = {
    Outcome.EXECUTED: "executed",
    Outcome.DONE_BEFORE: "done before",
    Outcome.SKIPPED: "skipped",
}


def objects_of(effects: Effects) -> Objects:
    """All that tells whether a statement with these effects was executed."""
    return Objects(
        tables=tuple(sorted({*effects.tables, *effects.views})),
        triggers=tuple(TableId(t.db, t.name) for t in effects.triggers),
        routines=tuple(TableId(p.db, p.name) for p in effects.programs if p.kind != "EVENT"),
        events=tuple(TableId(p.db, p.name) for p in effects.programs if p.kind == "EVENT"),
        databases=(effects.database,) if effects.database else (),
        renames=effects.renames,
    )


def _is_gone(statement: TargetStatement, code: int) -> bool:
    """Whether a refused DROP had nothing to do. Of a list the others may be there still."""
    names = len(statement.effects.dropped) + len(statement.effects.views)
    return names <= 1 and code in GONE.get(statement.verb, ())


class Execution:
    """Of one owner. `execute` and `compare` raise what keeps the pipeline from going on."""

    def __init__(self, context: Context, tenure: Tenure) -> None:
        self._context = context
        self._tenure = tenure
        self._pipeline = Pipeline(context.settings.pipeline, context.statements_uuid)
        self._statements: StatementSession | None = None
        self._compared = -1
        self._log = get_logger("owner")

    def close(self) -> None:
        """Between two claims: nothing is remembered."""
        self._compared = -1
        session, self._statements = self._statements, None
        if session is not None:
            session.close()

    def abort(self) -> None:
        """Cuts the connection, from another thread: what is under way there is left to the
        server."""
        session = self._statements
        if session is not None:
            session.abort()

    # -- statements

    def execute(self, session: Session, ddl: Ddl) -> str:
        """Executes a statement, once; says in a word what became of it."""
        context = self._context
        statement = target_statement(
            ddl,
            context.info,
            context.settings,
            session.identity.flavor.kind,
            by_sql=context.settings.apply.via == "sql",
        )
        if statement.skip:
            self._log.warning(
                "statement left out", ddl=ddl.id, why=statement.skip, statement=statement.shown
            )
            return "skipped"
        context.quarantine.refresh(session.connection)
        held = frozenset(filter(context.quarantine.holds, statement.source))
        if held:
            return self._left_out(session, statement, held)
        try:
            if statement.refusal is None:
                return self._executed(statement)
            return self._by_hand(session, statement, statement.refusal)
        except (StatementFailed, StatementRefused) as error:
            if isinstance(error, StatementFailed) and _is_gone(statement, error.code):
                self._log.warning("what it drops isn't there", ddl=ddl.id, answer=str(error.code))
                self._skip(statement)
                return "nothing to do"
            if context.settings.ddl.on_failure == "stop" or not statement.source:
                raise
            self._set_aside(statement.source, error)
            self._missed(session, statement)
            return "failed"

    def _by_hand(
        self, session: Session, statement: TargetStatement, refusal: StatementRefused
    ) -> str:
        """A statement that can't be executed here: a person may have said what became of it."""
        word = ddllog.read(session.connection, self._pipeline.name, statement.ddl.id)
        if word is None or word.state not in _ENDED_BY_HAND:
            refusal.where = statement.place
            raise refusal
        state = _ENDED_BY_HAND[word.state]
        ddllog.ended(session.connection, self._pipeline.name, statement.ddl, state)
        return "by hand"

    def _left_out(
        self, session: Session, statement: TargetStatement, held: frozenset[TableId]
    ) -> str:
        """A statement on a table that is set aside. Other tables that it is about miss it too."""
        others = statement.source - held
        if others:
            names = ", ".join(map(str, sorted(held)))
            self._set_aside(
                others,
                StatementRefused(
                    f"a statement is about {names} too, which is set aside: {statement.shown}",
                    where=statement.place,
                ),
            )
        self._missed(session, statement)
        return "skipped"

    def _on_target(self, statement: TargetStatement) -> tuple[StatementSession, Ddl]:
        """A session for statements, and the statement as the target gets it."""
        if self._statements is None:
            settings = self._context.settings
            self._statements = StatementSession.open(settings.target, settings.apply)
        ddl = statement.ddl.model_copy(
            update={
                "sql": statement.sql,
                "context": statement.context,
                "verb": statement.verb.name,
            }
        )
        return self._statements, ddl

    def _executed(self, statement: TargetStatement) -> str:
        session, ddl = self._on_target(statement)
        outcome = ddlonce.execute(
            session, self._pipeline, ddl, objects_of(statement.effects), self._tenure
        )
        return _WORDS[outcome]

    def _skip(self, statement: TargetStatement) -> None:
        """Does without it, for good: nor can an owner that was frozen meanwhile execute it."""
        session, ddl = self._on_target(statement)
        ddlonce.skip(session, self._pipeline, ddl, self._tenure)

    def _missed(self, session: Session, statement: TargetStatement) -> None:
        """Tables that miss a statement can't be brought back by their rows alone."""
        self._skip(statement)
        for table in sorted(statement.source):
            why = f"{statement.place} was not executed: {statement.shown}"
            self._context.quarantine.resync_only(session.connection, table, why)
            self._log.warning("statement left out", table=str(table), statement=statement.place)

    # -- transfers

    def transfer(self, session: Session, mine: Claimed, record: Transfer) -> str:
        """Does what a transfer's begin or end asks for; says in a word what became of it."""
        context = self._context
        connection, partitions = session.connection, context.info.partitions
        quarantine, author = context.quarantine, context.owner
        if record.phase == "begin":
            schemas = context.bindings.control.tables().values()
            return transferring.begin(
                connection, record, mine, quarantine, partitions, schemas, author
            )
        if record.phase == "end":
            return transferring.end(connection, record, mine, partitions)
        return transferring.cancel(connection, record, mine, quarantine, partitions, author)

    # -- definitions

    def compare(self, session: Session, frontier: int, known: int, following: Work | None) -> None:
        """Compares the definitions that became certain behind `frontier`, the seq of the last
        statement or transfer, and before the one that follows, which would change them; up to seq
        `known` if none does. (Who knows a statement knows every version before it.)"""
        context = self._context
        control = context.bindings.control
        upto = known if following is None else following.seq - 1
        after = max(frontier, self._compared)
        versions = {v.table_id: v for v in control.knowledge.between(after, upto)}
        self._compared = max(upto, after)
        due = [
            version
            for table, version in versions.items()
            if version.state == "defined" and control.stated(table, upto)
        ]
        if not due:
            return
        context.quarantine.refresh(session.connection)
        due = [version for version in due if not context.quarantine.holds(version.table_id)]
        found = drift.compare(
            session,
            due,
            partial(renamed, rename=context.settings.rename),
            words=context.info.connector == session.identity.flavor.kind,
        )
        if found and isinstance(following, Ddl) and self._begun(session, following):
            return  # by an owner that died before it could say so: these aren't what is there now
        for version, error in found:
            self._differs(version, error)

    def _begun(self, session: Session, ddl: Ddl) -> bool:
        """Whether a statement was begun before, as far as is known; one that failed wasn't."""
        entry = ddllog.read(session.connection, self._pipeline.name, ddl.id)
        return entry is not None and entry.state != "failed"

    def _differs(self, version: TableSchema, error: MysyncError) -> None:
        if self._context.settings.ddl.on_failure == "stop":
            raise error
        self._set_aside([version.table_id], error)

    def _set_aside(self, tables: Iterable[TableId], error: MysyncError) -> None:
        context = self._context
        detail = {"class": error.label, "error": str(error), "place": error.where, "event": None}
        telling.write(
            context,
            lambda sql: context.quarantine.quarantine(
                sql, context.info.partitions, tables, error.what, detail, context.owner
            ),
        )
