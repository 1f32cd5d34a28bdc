"""What the control owner does with a statement, and with a transfer's begin and end."""

from collections.abc import Collection

from mysync_consumer import checkpoint, ddllog, ddlonce, instead, transferring
from mysync_consumer.checkpoint import Claimed
from mysync_consumer.context import Context
from mysync_consumer.ddlfingerprint import Objects
from mysync_consumer.ddlonce import Outcome, Pipeline
from mysync_consumer.ddlsession import StatementSession
from mysync_consumer.errors import StatementFailed, StatementRefused
from mysync_consumer.session import Session
from mysync_consumer.targetstatement import TargetStatement, target_statement
from mysync_consumer.telling import set_aside
from mysync_consumer.tenure import Tenure
from mysync_runtime.log import get_logger
from mysync_schemas.control import Ddl, Transfer
from mysync_schemas.effects import Effects
from mysync_schemas.statement import Verb
from mysync_schemas.table import TableId

GONE: dict[Verb, frozenset[int]] = {
    Verb.DROP_TABLE: frozenset({1051}),
    Verb.DROP_SEQUENCE: frozenset({1051, 4091}),
    Verb.DROP_VIEW: frozenset({1051, 4092}),
    Verb.DROP_TRIGGER: frozenset({1360}),
    Verb.DROP_DATABASE: frozenset({1008}),
}
"""What the target says when there is nothing to drop: it is as it should be."""


NONE: frozenset[TableId] = frozenset()

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
    """Of one owner. Raises what keeps the pipeline from going on."""

    def __init__(self, context: Context, tenure: Tenure) -> None:
        self._context = context
        self._tenure = tenure
        self._pipeline = Pipeline(context.settings.pipeline, context.statements_uuid)
        self._statements: StatementSession | None = None
        self._log = get_logger("owner")

    def close(self) -> None:
        """Between two claims: nothing is remembered."""
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

    def execute(self, session: Session, mine: Claimed, ddl: Ddl) -> str:
        """Executes a statement, once; says in a word what became of it."""
        context = self._context
        statement = self._statement(session, ddl)
        if instead.may_be_remade(ddl) and len(statement.source) == 1:
            (table,) = statement.source
            if context.quarantine.missed_statements(session.connection, table):
                ddl = instead.remaking(ddl, table, context.bindings.control.statements)
                statement = self._statement(session, ddl)
        if statement.skip:
            self._log.warning(
                "statement left out", ddl=ddl.id, why=statement.skip, statement=statement.shown
            )
            return "skipped"
        context.quarantine.refresh(session.connection)
        held = frozenset(filter(context.quarantine.holds, statement.source))
        if held:
            return self._of_held(session, mine, statement, held)
        try:
            if statement.refusal is not None:
                return self._by_hand(session, statement, statement.refusal)
            outcome = self._executed(statement)
            self._forget(session, mine, statement, self._below(statement))
            return _WORDS[outcome]
        except (StatementFailed, StatementRefused) as error:
            if isinstance(error, StatementFailed) and _is_gone(statement, error.code):
                self._log.warning("what it drops isn't there", ddl=ddl.id, answer=str(error.code))
                self._skip(statement)
                self._forget(session, mine, statement, self._below(statement))
                return "nothing to do"
            if context.settings.ddl.on_failure == "stop" or not statement.source:
                raise
            set_aside(context, statement.source, error)
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

    def _statement(self, session: Session, ddl: Ddl) -> TargetStatement:
        settings = self._context.settings
        return target_statement(
            ddl,
            self._context.info,
            settings,
            session.identity.flavor.kind,
            by_sql=settings.apply.via == "sql",
        )

    def _of_held(
        self,
        session: Session,
        mine: Claimed,
        statement: TargetStatement,
        held: frozenset[TableId],
    ) -> str:
        """A statement on a table that is set aside. What the source has no more under its
        name isn't kept here; all else that the statement is about misses it."""
        gone = instead.gone(statement.there) if statement.refusal is None else NONE
        if gone:
            substitute = self._statement(session, instead.dropping(statement.ddl, gone))
            try:
                outcome = self._executed(substitute)
            except StatementFailed as error:
                self._log.warning(
                    "what the source dropped stays", ddl=statement.ddl.id, reason=str(error)
                )
                return self._left_out(session, statement, held)
            if outcome is not Outcome.SKIPPED:
                if statement.source - gone:
                    self._left_out(session, statement, held, gone)
                self._forget(session, mine, statement, gone)
                return _WORDS[outcome]
        return self._left_out(session, statement, held)

    def _below(self, statement: TargetStatement) -> list[TableId]:
        """The tables of a dropped database that are set aside."""
        if statement.verb is not Verb.DROP_DATABASE:
            return []
        database = statement.there.database
        return [table for table in self._context.quarantine.tables() if table.db == database]

    def _forget(
        self,
        session: Session,
        mine: Claimed,
        statement: TargetStatement,
        tables: Collection[TableId],
    ) -> None:
        """These are gone on both sides. Before the owner's frontier moves: whoever finds the
        statement done does this again."""
        if not tables:
            return
        context = self._context
        context.quarantine.forget(
            session.connection,
            context.info.partitions,
            tables,
            f"gone since {statement.place}: {statement.shown}",
            context.owner,
            guard=lambda cursor: checkpoint.hold(cursor, mine),
        )

    def _left_out(
        self,
        session: Session,
        statement: TargetStatement,
        held: frozenset[TableId],
        gone: frozenset[TableId] = NONE,
    ) -> str:
        """A statement on a table that is set aside. Other tables that it is about miss it too."""
        others = statement.source - held - gone
        if others:
            names = ", ".join(map(str, sorted(held)))
            set_aside(
                self._context,
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

    def _executed(self, statement: TargetStatement) -> Outcome:
        session, ddl = self._on_target(statement)
        return ddlonce.execute(
            session, self._pipeline, ddl, objects_of(statement.effects), self._tenure
        )

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
