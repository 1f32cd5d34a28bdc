"""What is known of the tables, and the column plans made from it.

A TABLE_MAP is parsed once per distinct body; a table that isn't replicated is told from its head
and never parsed at all. Knowledge comes from the control topic, not from the server, and changes
only at a line: then `learn` replaces it, and the plans made of it are forgotten. Between a
statement and the definition that it left a table with, TABLE_MAPs themselves say what the table is.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from mysync_producer import metrics
from mysync_producer.errors import UnknownTable
from mysync_producer.filters import Filters
from mysync_producer.rowcodec import TablePlan
from mysync_producer.rowerrors import CorruptTableMap, SchemaMismatch
from mysync_producer.tablemap import TableMap, parse_table_map
from mysync_runtime.errors import UnsupportedEvent
from mysync_schemas.charset import CharsetTable, charsets_of
from mysync_schemas.fold import FoldTable
from mysync_schemas.table import TableId, TableSchema

__all__ = ["NOT_TRANSACTIONAL", "TOUCHED_MOST", "Mode", "PlanSettings", "Table", "Tables"]

# Whoever makes and drops tables all day that aren't replicated must not fill the memory with them.
_LEFT_OUT_MOST = 10_000
TOUCHED_MOST = 500_000
"""Keys that the stream may touch while chunks of a table are under way: more, and they are read
again."""

# Storage engines (SHOW ENGINES, both flavours) whose changes no ROLLBACK takes back.
NOT_TRANSACTIONAL = frozenset(
    {"myisam", "aria", "memory", "csv", "archive", "mrg_myisam", "blackhole"}
)


@dataclass(frozen=True)
class PlanSettings:
    """What all plans of a pipeline have in common."""

    pipeline: str
    version: str
    connector: str  # "mysql" | "mariadb"
    partitions: int
    max_message_bytes: int
    part_schema_id: int


@dataclass(frozen=True)
class Mode:
    """How a table's rows are carried while it is transferred.

    `held`: not at all, only known of. `snapshot`: as those of a table that the target doesn't have
    all rows of yet. `disturbs`: whoever reads tables is told (`Tables.disturb`) of each change of a
    table that is held, and of those of others that may cascade without a trace in the log: deletes,
    and updates, `by_key` only those that give a row another key. `touched` collects the message
    keys of what is carried."""

    held: bool = False
    snapshot: bool = False
    disturbs: bool = False
    by_key: bool = False
    touched: set[bytes | None] | None = field(default=None, compare=False)

    def same(self, other: "Mode") -> bool:
        """Whether nothing has to be compiled again for the other; it collects keys in one place."""
        return self == other and self.touched is other.touched


_STREAMED = Mode()


class Table:
    """A replicated table's plan for one TABLE_MAP, with its counters."""

    def __init__(
        self, plan: TablePlan, table_map: TableMap, transactional: bool, mode: Mode = _STREAMED
    ) -> None:
        """`withheld`: a table that lost its key while it is transferred. Nobody can tell which of
        its rows the target has, so they aren't carried."""
        self.plan = plan
        self.table_map = table_map
        self.transactional = transactional
        self.mode = mode
        self.snapshot = "true" if mode.snapshot else "false"
        self.withheld = mode.snapshot and not mode.held and plan.key is None
        plan.touched = mode.touched
        self.table_id = TableId(table_map.db, table_map.table)
        db, table = table_map.db, table_map.table
        self._counters = {ord(op): metrics.ROWS.labels(db, table, op).inc for op in "cudr"}

    def count(self, operation: int, rows: int) -> None:
        """`rows` more were sent; `operation` is the ord of c, u, d or r."""
        self._counters[operation](rows)


class Tables:
    """Definitions by table, plans by TABLE_MAP.

    `infer` publishes what a TABLE_MAP tells of a table whose definition isn't known, and returns
    that version. `ahead`: the definitions may be newer than the stream. `disturb` is told of
    changes of tables whose mode says so, `overflow` when one has touched too many keys,
    `withhold` of rows that aren't carried because their table has lost its key."""

    def __init__(self, filters: Filters, settings: PlanSettings) -> None:
        self.infer: Callable[[TableMap], TableSchema] | None = None
        self.disturb: Callable[[TableId], None] = lambda _table: None
        self.overflow: Callable[[TableId], None] = lambda _table: None
        self.withhold: Callable[[TableId], None] = lambda _table: None
        self.ahead = False
        self._modes: dict[TableId, Mode] = {}
        self._mode_of_all: Mode | None = None
        self._filters = filters
        self._settings = settings
        self.schemas: dict[TableId, TableSchema] = {}
        self.folds: dict[str, FoldTable] = {}
        self.charsets: dict[int, CharsetTable] = {}
        self._known: dict[bytes, Table] = {}
        self._left_out: set[bytes] = set()  # heads of tables that aren't replicated

    def learn(
        self,
        schemas: Iterable[TableSchema],
        folds: Mapping[str, FoldTable] | None = None,
        charsets: Mapping[int, CharsetTable] | None = None,
    ) -> None:
        """From here on these versions hold. Call it at a line only, or with inferred ones."""
        changed = {schema.table_id: schema for schema in schemas}
        for table, schema in changed.items():
            if schema.state == "dropped":
                self.schemas.pop(table, None)
            else:
                self.schemas[table] = schema
        self.folds.update(folds or {})
        self.charsets.update(charsets or {})
        self._forget(changed)

    def hold_all(self, held: bool) -> None:
        """Whether no table's rows are carried. Call it between two transactions."""
        self._mode_of_all = Mode(held=True) if held else None
        self._forget({table.table_id for table in self._known.values()})

    def carry(self, modes: Mapping[TableId, Mode]) -> None:
        """From here on these tables' rows are carried in these ways, all others' as they are. Call
        it between two transactions."""
        before = self._modes
        self._modes = {
            table: was if (was := before.get(table)) is not None and was.same(mode) else mode
            for table, mode in modes.items()
        }
        self._forget({t for t in {*before, *modes} if before.get(t) is not self._modes.get(t)})

    def plan_of(self, table_map: TableMap) -> Table:
        """A table of the version that holds, for rows that don't come from the log."""
        table = TableId(table_map.db, table_map.table)
        plan = self._compiled(table_map, self.schemas[table])
        return Table(plan, table_map, transactional=True, mode=self._mode(table))

    def left_behind(self, table: Table) -> None:
        """A rows event of a table whose rows aren't carried at the moment."""
        if table.withheld:
            self.withhold(table.table_id)
        elif table.mode.disturbs:
            self.disturb(table.table_id)

    def _mode(self, table: TableId) -> Mode:
        return self._mode_of_all or self._modes.get(table, _STREAMED)

    def _forget(self, tables: Collection[TableId]) -> None:
        for head in [h for h, table in self._known.items() if table.table_id in tables]:
            del self._known[head]

    def table_of(self, body: bytes, where: str) -> Table | None:
        """The plan for a TABLE_MAP's body; None for a table that isn't replicated.

        Raises what the TABLE_MAP, or its difference from the known definition, raises.
        """
        # The table id (first six bytes) is another one each time the server opens the table.
        head = body[6:]
        try:
            return self._known[head]
        except KeyError:
            if head in self._left_out:
                return None
        try:
            table = self._plan(body, where)
        except (CorruptTableMap, SchemaMismatch) as error:
            error.where = where
            raise
        if table is not None:
            self._known[head] = table
        elif len(self._left_out) < _LEFT_OUT_MOST:
            self._left_out.add(head)
        return table

    def _plan(self, body: bytes, where: str) -> Table | None:
        db, name = _names(body)
        if not self._filters.includes(db, name):
            return None
        table_map = parse_table_map(body, mariadb=self._settings.connector == "mariadb")
        schema = self.schemas.get(TableId(db, name))
        if schema is None and not self.ahead:
            raise UnknownTable(
                f"rows of {db}.{name}, a replicated table whose definition was never recorded",
                where=where,
            )
        if not table_map.names:
            raise UnsupportedEvent(
                f"{db}.{name}: its rows came without column names",
                where=where,
                mend="SET GLOBAL binlog_row_metadata=FULL on the source, in every session, then "
                "begin the pipeline anew.",
            )
        engine = "" if schema is None else schema.engine
        transactional = engine.lower() not in NOT_TRANSACTIONAL
        plan = self._fitting(table_map, schema)
        return Table(plan, table_map, transactional, self._mode(TableId(db, name)))

    def _fitting(self, table_map: TableMap, schema: TableSchema | None) -> TablePlan:
        """The plan for the version that holds; while that is uncertain, for what the map says."""
        if schema is not None and schema.columns:
            try:
                return self._compiled(table_map, schema)
            except SchemaMismatch:
                if schema.state == "defined" and not self.ahead:
                    raise
        assert self.infer is not None
        return self._compiled(table_map, self.infer(table_map))

    def _compiled(self, table_map: TableMap, schema: TableSchema) -> TablePlan:
        settings = self._settings
        return TablePlan(
            table_map,
            schema,
            pipeline=settings.pipeline,
            version=settings.version,
            connector=settings.connector,
            partitions=settings.partitions,
            folds=self.folds,
            charsets=charsets_of(schema, self.charsets),
            max_message_bytes=settings.max_message_bytes,
            part_schema_id=settings.part_schema_id,
        )


def _names(body: bytes) -> tuple[str, str]:
    """Database and table at the head of a TABLE_MAP: both length-prefixed and zero-terminated."""
    try:
        db_end = 9 + body[8]
        name_end = db_end + 2 + body[db_end + 1]
    except IndexError:
        raise CorruptTableMap("a TABLE_MAP that ends within its names") from None
    if name_end >= len(body):
        raise CorruptTableMap("a TABLE_MAP that ends within its names")
    return (
        body[9:db_end].decode("utf-8", "replace"),
        body[db_end + 2 : name_end].decode("utf-8", "replace"),
    )
