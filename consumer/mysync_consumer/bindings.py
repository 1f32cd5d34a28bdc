"""Schemas of the stream bound to tables of the target.

Each claim reads the definitions of the target's tables that it writes, and makes the layout of the
row images from them (`Layouts`: neither is shared by threads). A definition is read again after its
shape check has failed; layouts are made again when the control topic knows more of any table."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from mysync_consumer import foreignkeys, target
from mysync_consumer.coalesce import DELETE, UPDATE
from mysync_consumer.control import Control
from mysync_consumer.presence import Presence
from mysync_consumer.rowerrors import TableDrift, UnwritableTable
from mysync_consumer.rowimage import ImagePlan
from mysync_consumer.rowread import Row, TableReader, column_slices
from mysync_consumer.session import Session
from mysync_consumer.shapes import ShapeCheck
from mysync_consumer.sqlplan import SqlPlan
from mysync_consumer.targettable import TargetTable, identity_in
from mysync_runtime.errors import ConfigError
from mysync_runtime.settings import RenameSettings
from mysync_schemas.charset import Charset
from mysync_schemas.table import ForeignKey, TableId, TableSchema


class Binding:
    """How one claim writes a version of a source table, and the rules for its rows' order.

    `by_sql`: its rows are written by `sql`, not by row events."""

    def __init__(
        self,
        schema: TableSchema,
        definition: target.Definition,
        charsets: Mapping[str, Charset],
        joined: foreignkeys.Component | None,
        *,
        by_sql: bool = False,
    ) -> None:
        self.schema = schema
        self.name = str(schema.table_id)
        self.target = definition.name
        self.check: ShapeCheck = definition.check
        self.by_sql = by_sql or matched_wrongly(schema, definition.table)
        self.plan = ImagePlan(schema, definition.table, charsets, by_sql=self.by_sql)
        self._sql: SqlPlan | None = SqlPlan(self.plan, definition.table) if self.by_sql else None
        self.presence = (
            None if self.plan.keyless else Presence(self.plan, definition.table, definition.check)
        )
        self.cascades = joined is not None and joined.cascades
        self.joined = joined
        referred = joined.cascading_of(schema.table_id) if joined is not None else frozenset()
        self._is_parent = bool(referred)
        self._referred = places(schema, referred)
        self.independent = joined is None
        self.coalesced = (
            schema.routing.mode == "key"
            and schema.state != "inferred"
            and bool(schema.identity)
            and joined is None
            and not secondary_unique(schema)
        )

    @property
    def sql(self) -> SqlPlan:
        """The statements for rows of a table that is written by SQL."""
        assert self._sql is not None
        return self._sql

    def relies_on_cascades(self, flags: int) -> bool:
        return self.cascades and foreignkeys.relies_on_cascades(flags)

    def cascades_at(self, row: Row) -> bool:
        """Whether this event made the source write other rows too, which its log doesn't hold:
        deletions and changes of what cascading keys refer to. Raises CorruptRecord."""
        if not self._is_parent or row.op not in (UPDATE, DELETE):
            return False
        if not foreignkeys.relies_on_cascades(row.flags):
            return False
        if row.op == DELETE or self._referred is None:
            return True
        old = column_slices(row.reader, row.value, row.before_start, row.before_end)
        new = column_slices(row.reader, row.value, row.after_start, row.after_end)
        return any(row.value[slice(*old[i])] != row.value[slice(*new[i])] for i in self._referred)

    def emitted_flags(self, flags: int) -> int:
        return foreignkeys.emitted_flags(flags, cascades=self.cascades)

    def key_before(self, row: Row) -> bytes:
        return self.plan.key_bytes(row.value, row.before_start, row.before_end)

    def key_after(self, row: Row) -> bytes:
        return self.plan.key_bytes(row.value, row.after_start, row.after_end)

    def unchanged(self, first: Row, last: Row) -> bool:
        return (
            first.value[first.before_start : first.before_end]
            == last.value[last.after_start : last.after_end]
        )


def places(schema: TableSchema, names: Iterable[str]) -> list[int] | None:
    """Where columns stand in a row, whatever case their names are in; None if some aren't known."""
    ordered = sorted(schema.columns, key=lambda column: column.ordinal)
    known = {column.name.lower(): i for i, column in enumerate(ordered)}
    found = [known.get(name.lower(), -1) for name in names]
    return None if -1 in found else found


def secondary_unique(schema: TableSchema) -> bool:
    """Whether a unique key exists beside the identity."""
    unique = [tuple(part.column for part in key.columns) for key in schema.keys if key.unique]
    return len(unique) > 1 or (bool(unique) and unique[0] != schema.identity)


def matched_wrongly(schema: TableSchema, table: TargetTable) -> bool:
    """Whether row events would hit other rows: where the only unique keys are nullable, MariaDB's
    applier finds rows by them without comparing the other columns."""
    return not identity_in(schema, table) and table.flavor == "mariadb" and bool(table.unique_keys)


@dataclass(frozen=True, slots=True)
class Together:
    """`joined`: the component of each table that foreign keys join with others. `sources`: by the
    target's names, the tables that are written there."""

    joined: Mapping[TableId, foreignkeys.Component]
    sources: Mapping[TableId, list[TableId]]


class Bindings:
    """Readers of schemas, shared by the workers of a process, and how they are bound."""

    def __init__(
        self, pipeline: str, control: Control, rename: RenameSettings, *, by_sql: bool = False
    ) -> None:
        """`by_sql`: all tables are written by SQL, not only those that row events would harm."""
        self.control = control
        self._by_sql = by_sql
        self._pipeline = pipeline
        self._rename = rename
        self._readers: dict[int, TableReader] = {}
        self._together: dict[int, Together] = {}

    def together(self, generation: int) -> Together:
        """What a generation's tables have to do with one another."""
        found = self._together.get(generation)
        if found is None:
            tables = self.control.knowledge.tables(generation)
            names: dict[TableId, list[TableId]] = {}
            for table in tables:
                names.setdefault(renamed(table, self._rename), []).append(table)
            found = Together(foreignkeys.components(tables.values()), names)
            # Workers are never far apart.
            self._together = {**dict(list(self._together.items())[-7:]), generation: found}
        return found

    def changed(self, older: int, newer: int) -> set[TableId]:
        """The target's names of the tables that differ between two generations."""
        tables = self.control.knowledge.changed(older, newer)
        return {renamed(table, self._rename) for table in tables}

    def reader(self, schema_id: int, tick: Callable[[], None]) -> TableReader:
        """What reads row events of this schema id; waits for the control topic to know it.

        Raises UnknownYet when it doesn't in time.
        """
        reader = self._readers.get(schema_id)
        if reader is None:
            reader = TableReader(self.control.schema(schema_id, tick))
            self._readers[schema_id] = reader
        return reader

    def known_reader(self, schema_id: int) -> TableReader | None:
        """The reader, if rows of this schema id were read before."""
        return self._readers.get(schema_id)

    def bind(
        self,
        reader: TableReader,
        session: Session,
        known: dict[TableId, target.Definition],
        generation: int,
    ) -> Binding:
        """A new binding of the version that holds, in this generation of the knowledge, of a table
        with the reader's row schema.

        `known` are the definitions that the claim has read. Raises Drift, UnwritableTable,
        TableOwned, ConfigError, and what reading the definition raises.
        """
        schema = self.control.knowledge.version(reader.schema_id, generation) or reader.schema
        together = self.together(generation)
        name = renamed(schema.table_id, self._rename)
        for other in together.sources.get(name, ()):
            if other != schema.table_id:
                raise ConfigError(
                    f"{schema.table_id} and {other} would both be written to {name} on the target",
                    mend="Give one of them another name by `rename.tables`, then start again.",
                )
        definition = known.get(name)
        if definition is None:
            definition = known[name] = target.read(session, name)
            target.own(session, self._pipeline, name)
        binding = Binding(
            schema,
            definition,
            self.control.charsets(schema),
            together.joined.get(schema.table_id),
            by_sql=self._by_sql,
        )
        if binding.by_sql:
            target.require_sql(session, definition)
        return binding

    def compare_foreign_keys(
        self, joined: foreignkeys.Component, session: Session, generation: int
    ) -> None:
        """Demands that the tables' keys cascade on the target as they do on the source, as far as
        the source's are known.

        Raises TableDrift, and UnwritableTable when a parent isn't replicated."""
        tables = self.control.knowledge.tables(generation)
        for member in sorted(joined.members, key=str):
            schema = tables.get(member)
            if schema is None or not foreignkeys.are_known(schema):
                continue
            for key in schema.foreign_keys:
                parent = key.parent
                if key.acts and parent not in tables:
                    raise UnwritableTable(
                        str(member),
                        f"what its foreign key {key.name} does when {parent} changes isn't in the"
                        f" source's log, and {parent} isn't replicated (include it, or exclude"
                        " both)",
                    )
            name = renamed(member, self._rename)
            found = foreignkeys.differences(
                [self._renamed_parent(key) for key in schema.foreign_keys],
                target.foreign_keys(session, name),
            )
            if found:
                raise TableDrift(str(member), str(name), found)

    def _renamed_parent(self, key: ForeignKey) -> ForeignKey:
        parent = renamed(key.parent, self._rename)
        return key.model_copy(update={"referenced_db": parent.db, "referenced_table": parent.table})


class Layouts:
    """The bindings of one claim, as they are at its place in the rows."""

    def __init__(self, bindings: Bindings, session: Session) -> None:
        self._bindings = bindings
        self._session = session
        self._generation = 0
        self._definitions: dict[TableId, target.Definition] = {}
        self._made: dict[int, Binding] = {}
        self._compared: set[foreignkeys.Component] = set()

    def binding(self, reader: TableReader) -> Binding:
        """How rows of this schema are written. Raises as `Bindings.bind` does."""
        binding = self._made.get(reader.schema_id)
        if binding is None:
            binding = self._made[reader.schema_id] = self._bindings.bind(
                reader, self._session, self._definitions, self._generation
            )
        return binding

    def compare_foreign_keys(self, joined: foreignkeys.Component) -> None:
        """As `Bindings.compare_foreign_keys`, once for these tables."""
        if joined not in self._compared:
            self._bindings.compare_foreign_keys(joined, self._session, self._generation)
            self._compared.add(joined)

    def forget(self, check: ShapeCheck) -> None:
        """Lets the definition be read again whose shape check failed."""
        self._definitions = {n: d for n, d in self._definitions.items() if d.check is not check}
        self._made.clear()

    def move(self, seq: int) -> None:
        """Forgets what doesn't hold any more at a row's seq; to be called between batches, none of
        which goes across a line."""
        generation = self._bindings.control.knowledge.generation(seq)
        if self._generation == generation:
            return
        bindings = self._bindings
        changed = bindings.changed(self._generation, generation)
        before, now = (bindings.together(g).joined for g in (self._generation, generation))
        self._generation = generation
        self._compared.clear()
        self._definitions = {n: d for n, d in self._definitions.items() if n not in changed}
        self._made = {
            schema_id: binding
            for schema_id, binding in self._made.items()
            if binding.target not in changed
            and before.get(binding.schema.table_id) == now.get(binding.schema.table_id)
        }


def renamed(table: TableId, rename: RenameSettings) -> TableId:
    """The table's name on the target."""
    if (new := rename.tables.get(str(table))) is not None:
        db, _, name = new.partition(".")
        return TableId(db, name)
    return TableId(rename.databases.get(table.db, table.db), table.table)
