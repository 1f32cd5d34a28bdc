"""What a statement changes, each table and object by its whole name.

For a producer, who keeps which tables there are, which definitions have become uncertain and which
tables foreign keys may join; for a consumer, who must know whatever may tell whether a statement
has taken effect. Names are as the statement writes them: on a server that folds their case they may
stand in another one in its dictionary.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from mysync_schemas.sqlwords import Named, Role
from mysync_schemas.statement import Statement, Verb
from mysync_schemas.table import TableId

__all__ = ["Effects", "Program", "Trigger", "effects", "home", "identified"]


class Trigger(NamedTuple):
    """`table` is None where the statement doesn't say (DROP TRIGGER)."""

    db: str
    name: str
    table: TableId | None


class Program(NamedTuple):
    """A routine or an event. `kind`: "PROCEDURE", "FUNCTION", "PACKAGE", "PACKAGE BODY", "LIBRARY"
    or "EVENT"."""

    kind: str
    db: str
    name: str


@dataclass(frozen=True)
class Effects:
    """Tables are dropped, then changed, then renamed, then made: CREATE OR REPLACE says both that
    its table is dropped and that it is made, ALTER TABLE t … RENAME TO u that t is changed and that
    it is then u. Sequences count as tables. What is dropped or changed may not have been there (IF
    EXISTS, OR REPLACE, a DROP that MariaDB logs although it failed halfway); its triggers go with
    it. RENAME TABLE may be about views as well; what it renames may have other constraint names
    afterwards, and whatever refers to it by a foreign key another definition."""

    dropped: tuple[TableId, ...] = ()
    changed: tuple[TableId, ...] = ()
    renames: tuple[tuple[TableId, TableId], ...] = ()  # in their order
    made: tuple[TableId, ...] = ()
    if_missing: bool = False  # made only if it isn't there
    model: TableId | None = None  # of CREATE TABLE … LIKE
    references: tuple[TableId, ...] = ()  # tables that foreign keys of it refer to
    views: tuple[TableId, ...] = ()  # made, changed or dropped
    triggers: tuple[Trigger, ...] = ()
    programs: tuple[Program, ...] = ()
    database: str = ""  # made, changed, or dropped with all that it holds

    @property
    def tables(self) -> frozenset[TableId]:
        """All whose existence, definition or rows it may change; views that it may rename."""
        renamed = (table for pair in self.renames for table in pair)
        return frozenset((*self.dropped, *self.changed, *renamed, *self.made))

    def mapped(self, name: Callable[[TableId], TableId]) -> "Effects":
        """With other names of tables and of the database."""

        def all_of(tables: tuple[TableId, ...]) -> tuple[TableId, ...]:
            return tuple(map(name, tables))

        return replace(
            self,
            dropped=all_of(self.dropped),
            changed=all_of(self.changed),
            renames=tuple((name(old), name(new)) for old, new in self.renames),
            made=all_of(self.made),
            model=None if self.model is None else name(self.model),
            references=all_of(self.references),
            views=all_of(self.views),
            triggers=tuple(
                t if t.table is None else t._replace(table=name(t.table)) for t in self.triggers
            ),
            database=name(TableId(self.database, "")).db,
        )


_DATABASES: Final = frozenset({Verb.CREATE_DATABASE, Verb.ALTER_DATABASE, Verb.DROP_DATABASE})
_MAKING: Final = frozenset({Verb.CREATE_TABLE, Verb.CREATE_SEQUENCE})
_VIEWS: Final = frozenset({Verb.CREATE_VIEW, Verb.DROP_VIEW})
_TRIGGERS: Final = frozenset({Verb.CREATE_TRIGGER, Verb.DROP_TRIGGER})
_PROGRAMS: Final = frozenset({Verb.ROUTINE, Verb.EVENT})


def effects(statement: Statement, database: str) -> Effects:
    """`database`: the default one. Nothing of what can't be told (UNKNOWN), of rows and of what
    isn't replicated."""
    verb = statement.verb
    if verb in _DATABASES:
        return Effects(database=statement.database or database)
    objects = tuple(identified(statement, named, database) for named in statement.objects)
    others = tuple(identified(statement, named, database) for named in statement.others)
    if verb in _VIEWS:
        return Effects(views=objects)
    if verb in _TRIGGERS:
        table = others[0] if others else None
        return Effects(triggers=tuple(Trigger(*trigger, table) for trigger in objects))
    if verb in _PROGRAMS:
        return Effects(programs=tuple(Program(statement.kind, *program) for program in objects))

    def having(role: Role) -> tuple[TableId, ...]:
        names = zip((*statement.objects, *statement.others), (*objects, *others), strict=True)
        return tuple(table for named, table in names if named.role is role)

    dropped, made = having(Role.DROPPED), having(Role.MADE)
    sources = having(Role.FROM) or having(Role.CHANGED)[:1]
    return Effects(
        dropped=made if statement.or_replace else dropped,
        changed=having(Role.CHANGED),
        renames=tuple(zip(sources, having(Role.TO), strict=False)),
        made=made,
        if_missing=statement.if_exists and verb in _MAKING,
        model=next(iter(having(Role.MODEL)), None),
        references=having(Role.REFERENCED),
    )


def identified(statement: Statement, named: Named, database: str) -> TableId:
    """A name of the statement with its database; `database` is the default one."""
    return TableId(named.database or home(statement, named, database), named.name)


def home(statement: Statement, named: Named, database: str) -> str:
    """The database that the name means if it says none: mostly the default one. A foreign key
    means that of its table, after a rename, and a trigger its own (observed, both servers)."""
    if named.role is Role.REFERENCED:
        own = next((n for n in statement.objects if n.role is Role.TO), statement.objects[0])
    elif named.role is Role.WATCHED:
        own = statement.objects[0]
    else:
        return database
    return own.database or database
