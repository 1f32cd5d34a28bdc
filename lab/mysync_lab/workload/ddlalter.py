"""ALTER TABLE and what else changes a table that stays: columns, keys, options, partitions."""

import re
from collections.abc import Callable

from mysync_lab.tables import quote
from mysync_lab.workload import ddlvalues
from mysync_lab.workload.ddlcreate import actions, is_parent
from mysync_lab.workload.ddlshape import NARROW, WIDE, Column, Shape
from mysync_lab.workload.ddlstep import Drawing, Step, step

Clause = Callable[[Drawing, Shape], str | None]

# A type in a definition, and a wider one.
_WIDER: tuple[tuple[str, str], ...] = (
    (r"^tinyint(\(\d+\))?", "smallint"),
    (r"^smallint(\(\d+\))?", "int"),
    (r"^mediumint(\(\d+\))?", "int"),
    (r"^int(\(\d+\))?", "bigint"),
    (r"^varchar\((\d)\)", r"varchar(1\1)"),
    (r"^char\((\d+)\)", r"varchar(\1)"),
    (r"^decimal\(10,2\)", "decimal(14,4)"),
    (r"^float", "double"),
    (r"^date ", "datetime "),
    (r"^datetime(\(\d\))?", "datetime(6)"),
    (r"^text", "mediumtext"),
    (r"^varbinary\(24\)", "varbinary(60)"),
    (r"^blob", "mediumblob"),
    (r"^enum\((.*?)\)", r"enum(\1,'more')"),
    (r"^set\((.*?)\)", r"set(\1,'more')"),
)
_INDEXABLE = ("date", "datetime", "timestamp", "decimal", "year", "varbinary", "enum", "time")


def clause_step(*clauses: Clause) -> Callable[[Drawing], Step | None]:
    """An ALTER with these clauses, of the first of a few tables for which they all have a word."""

    def make(d: Drawing) -> Step | None:
        for _ in range(4):
            shape = d.shape(lambda s: not s.versioned)
            if shape is None:
                return None
            said = [said for clause in clauses if (said := clause(d, shape))]
            if len(said) == len(clauses):
                return step(f"ALTER TABLE {d.name(shape.name)} {', '.join(said)}")
        return None

    return make


def several(d: Drawing) -> Step | None:
    """Two to four changes of different columns at once."""
    shape = d.shape(lambda s: not s.versioned)
    if shape is None:
        return None
    clauses = d.random.sample((add_column, add_index, comment, add_check, reorder, drop_column), 4)
    said = [clause(d, shape) for clause in clauses[: d.random.randint(2, 4)]]
    names = [re.findall(r"`[^`]*`", s)[:1] for s in said if s]
    text = ", ".join(s for s in said if s)
    gone = re.search(r"DROP (?:COLUMN )?(`[^`]*`)", text)
    if any(names.count(name) > 1 for name in names if name):
        return None
    if not text or (gone and text.count(gone.group(1)) > 1):
        return None
    return step(f"ALTER TABLE {d.name(shape.name)} {text}")


def _place(d: Drawing, shape: Shape, *, but: str = "") -> str:
    others = [column.name for column in shape.columns if column.name != but]
    if not others:
        return ""
    return d.random.choice(("", "", " FIRST", f" AFTER {quote(d.random.choice(others))}"))


def add_column(d: Drawing, shape: Shape) -> str:
    spatial = not shape.partitions
    type_ = ddlvalues.random_type(d.random, mariadb=d.mariadb, spatial=spatial)
    definition = f"{quote(d.fresh('c'))} {type_}{ddlvalues.options(d.random, type_)}"
    word = d.random.choice(("COLUMN ", ""))
    return f"ADD {word}{definition}{_place(d, shape)}"


def add_columns(d: Drawing, shape: Shape) -> str:
    listed, spatial = [], not shape.partitions
    for _ in range(2):
        type_ = ddlvalues.random_type(d.random, mariadb=d.mariadb, spatial=spatial)
        listed.append(f"{quote(d.fresh('c'))} {type_}{ddlvalues.options(d.random, type_)}")
    return f"ADD COLUMN ({', '.join(listed)})"


def add_column_how(d: Drawing, _shape: Shape) -> str:
    """Saying how: at once, in place or by a copy."""
    how = d.random.choice(
        (
            "ALGORITHM=INSTANT",
            "ALGORITHM=INPLACE, LOCK=NONE",
            "ALGORITHM=INPLACE, LOCK=SHARED",
            "ALGORITHM=COPY",
            "ALGORITHM=COPY, LOCK=SHARED",
        )
    )
    return (
        f"ADD {quote(d.fresh('c'))} {d.random.choice(('INT', 'VARCHAR(20)', 'DATE'))} NULL, {how}"
    )


def drop_column(d: Drawing, shape: Shape) -> str | None:
    free = shape.free()
    if not free or len(shape.stored) < 4:
        return None
    return f"DROP {d.random.choice(('COLUMN ', ''))}{quote(d.random.choice(free).name)}"


def add_generated(d: Drawing, shape: Shape) -> str | None:
    column = d.random.choice(shape.stored)
    said = ddlvalues.generated(d.random, column)
    if "auto_increment" in column.definition.lower():
        return None
    if said is None or (shape.foreign_keys and not shape.is_free(column)):
        return None
    return f"ADD COLUMN {d.fresh('g')} {said}"


def _free_stored(shape: Shape) -> list[Column]:
    return [column for column in shape.free() if not column.generated and column.definition]


def reorder(d: Drawing, shape: Shape) -> str | None:
    columns = _free_stored(shape)
    if not columns or len(shape.columns) < 3:
        return None
    column = d.random.choice(columns)
    place = _place(d, shape, but=column.name) or " FIRST"
    return f"MODIFY COLUMN {quote(column.name)} {column.definition}{place}"


def modify(d: Drawing, shape: Shape) -> str | None:
    """A wider type, NULL where it was not."""
    columns = _free_stored(shape)
    d.random.shuffle(columns)
    for column in columns:
        wider = _wider(column)
        if wider:
            return f"MODIFY {quote(column.name)} {wider}{_place(d, shape, but=column.name)}"
    return None


def _wider(column: Column) -> str | None:
    if "'more'" in column.definition or "CURRENT_TIMESTAMP" in column.definition.upper():
        return None
    for pattern, better in _WIDER:
        if re.match(pattern, column.definition):
            return re.sub(pattern, better, column.definition, count=1)
    return None


def temporal(d: Drawing, shape: Shape) -> str | None:
    """TIMESTAMP to DATETIME and back: what is stored depends on the session's time zone."""
    columns = [c for c in _free_stored(shape) if c.kind in ("timestamp", "datetime")]
    if not columns:
        return None
    column = d.random.choice(columns)
    other = {"timestamp": "DATETIME(6)", "datetime": "TIMESTAMP(6)"}[column.kind]
    return f"MODIFY {quote(column.name)} {other} NULL"


def change(d: Drawing, shape: Shape) -> str | None:
    """Another name, and a wider type at times."""
    columns = _free_stored(shape)
    if not columns:
        return None
    column = d.random.choice(columns)
    definition = (d.random.random() < 0.5 and _wider(column)) or column.definition
    return f"CHANGE {quote(column.name)} {quote(d.fresh('c'))} {definition}"


def rename_column(d: Drawing, shape: Shape) -> str | None:
    """In keys as well; two columns exchange their names at times."""
    columns = [column for column in shape.free() if not column.generated]
    if len(columns) > 1 and d.random.random() < 0.25:
        one, other = (quote(column.name) for column in d.random.sample(columns, 2))
        return f"RENAME COLUMN {one} TO {other}, RENAME COLUMN {other} TO {one}"
    keyed = [shape.column(name) for name in shape.primary if not shape.partitions]
    keyed = [column for column in keyed if f"({quote(column.name)} " not in shape.text]
    if not (columns or keyed):
        return None
    chosen = d.random.choice(columns or keyed)
    return f"RENAME COLUMN {quote(chosen.name)} TO {quote(d.fresh('c'))}"


def default(d: Drawing, shape: Shape) -> str | None:
    columns = [c for c in shape.stored if c.is_integer and "AUTO_INCREMENT" not in c.definition]
    columns = [c for c in columns if "auto_increment" not in c.definition.lower()]
    if not columns:
        return None
    column = d.random.choice(columns)
    if column.defaulted and d.random.random() < 0.5:
        return f"ALTER {quote(column.name)} DROP DEFAULT"
    return f"ALTER COLUMN {quote(column.name)} SET DEFAULT {d.random.randrange(100)}"


def _indexable(shape: Shape) -> list[str]:
    """Parts for an index; texts by a prefix."""
    parts = []
    for column in shape.stored:
        if column.is_integer or column.kind in _INDEXABLE:
            parts.append(quote(column.name))
        elif column.kind in ("text", "mediumtext", "blob"):
            parts.append(f"{quote(column.name)}(6)")
        elif column.kind in ("varchar", "char"):
            parts.append(quote(column.name))
    return parts


def add_index(d: Drawing, shape: Shape) -> str | None:
    parts = _indexable(shape)
    if not parts or len(shape.indexes) > 6:
        return None
    chosen = d.random.sample(parts, min(len(parts), d.random.choice((1, 1, 2))))
    down = d.random.choice(("", "", " DESC"))
    return f"ADD {d.random.choice(('INDEX', 'KEY'))} {d.fresh('i')} ({', '.join(chosen)}{down})"


def add_index_how(d: Drawing, shape: Shape) -> str | None:
    said = add_index(d, shape)
    how = d.random.choice(("ALGORITHM=INPLACE, LOCK=NONE", "ALGORITHM=COPY", "LOCK=SHARED"))
    return said and f"{said}, {how}"


def add_functional(d: Drawing, shape: Shape) -> str | None:
    columns = [c for c in shape.stored if c.is_integer]
    if d.mariadb or not columns:
        return None
    return f"ADD KEY {d.fresh('i')} (({quote(d.random.choice(columns).name)} % 10))"


def add_unique(d: Drawing, shape: Shape) -> str | None:
    """Over the primary key and another column, so that no rows are in its way."""
    parts = [part for part in _indexable(shape) if "(" not in part]
    others = [part for part in parts if part.strip("`") not in shape.primary]
    if not shape.primary or not others or _has_prefix(shape):
        return None
    key = ", ".join(map(quote, shape.primary))
    return f"ADD UNIQUE KEY {d.fresh('u')} ({d.random.choice(others)}, {key})"


def _has_prefix(shape: Shape) -> bool:
    line = re.search(r"PRIMARY KEY \(.*", shape.text)
    return bool(line and re.search(r"`\(\d+\)", line.group()))


def drop_index(d: Drawing, shape: Shape) -> str | None:
    name = _spare_index(d, shape)
    return name and f"DROP {d.random.choice(('INDEX', 'KEY'))} {quote(name)}"


def _spare_index(d: Drawing, shape: Shape) -> str | None:
    """One that isn't the primary key, and that no foreign key needs."""
    if shape.foreign_keys or shape.referenced:
        return None
    names = [index.name for index in shape.indexes if index.name != "PRIMARY"]
    return d.random.choice(names) if names else None


def rename_index(d: Drawing, shape: Shape) -> str | None:
    name = _spare_index(d, shape)
    return name and f"RENAME INDEX {quote(name)} TO {d.fresh('i')}"


def hide_index(d: Drawing, shape: Shape) -> str | None:
    names = [index.name for index in shape.indexes if index.name[0] == "i"]
    if not names:
        return None
    word = "IGNORED" if d.mariadb else "INVISIBLE"
    return f"ALTER INDEX {quote(d.random.choice(names))} {word}"


def _key_may_go(shape: Shape) -> bool:
    return shape.plain and not shape.triggers and "auto_increment" not in shape.text.lower()


def drop_key(_d: Drawing, shape: Shape) -> str | None:
    if not shape.primary or not _key_may_go(shape):
        return None
    return "DROP PRIMARY KEY"


def add_key(_d: Drawing, shape: Shape) -> str | None:
    """To a keyless table; rows of it would all have the new column's default."""
    if shape.primary or not shape.plain:
        return None
    columns = _unique_columns(shape)
    return f"ADD PRIMARY KEY ({', '.join(map(quote, columns))})" if columns else None


def _unique_columns(shape: Shape) -> tuple[str, ...]:
    for index in shape.indexes:
        if index.unique and all(n and not shape.column(n).nullable for n in index.columns):
            return index.columns
    return ()


def change_key(d: Drawing, shape: Shape) -> str | None:
    """One more column in it, or the same ones in another order."""
    if not shape.primary or not _key_may_go(shape) or _has_prefix(shape):
        return None
    others = [c.name for c in shape.stored if not c.nullable and c.is_integer]
    others = [name for name in others if name not in shape.primary]
    columns = [*shape.primary, *others[:1]]
    if len(columns) > 3 or len(columns) == 1:
        return None
    d.random.shuffle(columns)
    return f"DROP PRIMARY KEY, ADD PRIMARY KEY ({', '.join(map(quote, columns))})"


def add_check(d: Drawing, shape: Shape) -> str | None:
    columns = [c for c in shape.stored if c.is_integer and shape.is_free(c)]
    if not columns:
        return None
    return f"ADD CONSTRAINT {d.fresh('k')} CHECK ({quote(d.random.choice(columns).name)} > -9)"


def drop_check(d: Drawing, shape: Shape) -> str | None:
    names = re.findall(r"CONSTRAINT `([^`]+)` CHECK", shape.text)
    return f"DROP CONSTRAINT {quote(d.random.choice(names))}" if names else None


def convert(d: Drawing, shape: Shape) -> str | None:
    """To another character set that has all characters which the texts may hold."""
    collations = {c.collation for c in shape.columns if c.collation and c.kind != "enum"}
    if shape.foreign_keys or shape.referenced or shape.partitions:
        return None
    if d.mariadb and re.search(r"`\(\d+\)", shape.text):
        return None  # it leaves an index over a prefix in the old collation's order (docs)
    known = [c for c in collations if c in WIDE or c in NARROW]
    if len(known) < len(collations) or "COMPRESSED" in shape.text or "json_valid" in shape.text:
        return None
    collation = d.random.choice(NARROW if all(c in NARROW for c in collations) else WIDE)
    return f"CONVERT TO CHARACTER SET {collation.split('_')[0]} COLLATE {collation}"


def default_charset(d: Drawing, _shape: Shape) -> str:
    collation = d.random.choice((*WIDE, *NARROW))
    return f"DEFAULT CHARACTER SET {collation.split('_')[0]} COLLATE {collation}"


def comment(d: Drawing, _shape: Shape) -> str:
    text = d.random.choice(("it''s; new", "ALTER TABLE x RENAME TO y", "ä 乗 é", "-- /* none */"))
    if any(ord(c) > 127 for c in text) and d.random.random() < 0.5:
        text = "é"
    return f"COMMENT {d.random.choice(('= ', ''))}'{text}'"


def options(d: Drawing, _shape: Shape) -> str:
    return d.random.choice(
        (
            f"ROW_FORMAT={d.random.choice(('COMPACT', 'DYNAMIC', 'REDUNDANT'))}",
            "ENGINE=InnoDB",
            "FORCE",
            "STATS_PERSISTENT=1, STATS_AUTO_RECALC=0",
            f"AUTO_INCREMENT={d.random.randrange(2_000, 9_000)}",
        )
    )


def visibility(d: Drawing, shape: Shape) -> str | None:
    columns = [c for c in _free_stored(shape) if c.nullable]
    visible = [c for c in shape.columns if not c.invisible]
    if d.mariadb or not columns or len(visible) < 3:
        return None
    column = d.random.choice(columns)
    return f"ALTER COLUMN {quote(column.name)} SET {'VISIBLE' if column.invisible else 'INVISIBLE'}"


def add_foreign_key(d: Drawing, shape: Shape) -> str | None:
    """On a column that is new, so that no row is in its way."""
    parent = d.shape(lambda s: is_parent(s) and s.name.db == shape.name.db)
    if parent is None or shape.partitions or not shape.primary or parent.name == shape.name:
        return None
    link = d.fresh("c")
    (key,) = parent.primary
    return (
        f"ADD COLUMN {quote(link)} {parent.column(key).type} NULL, ADD CONSTRAINT {d.fresh('f')}"
        f" FOREIGN KEY ({quote(link)}) REFERENCES {d.name(parent.name)} ({quote(key)}){actions(d)}"
    )


def drop_foreign_key(d: Drawing) -> Step | None:
    shape = d.shape(lambda s: bool(s.foreign_keys))
    if shape is None:
        return None
    key = d.random.choice(shape.foreign_keys)
    return step(f"ALTER TABLE {d.name(shape.name)} DROP FOREIGN KEY {quote(key)}")


def alter_versioned(d: Drawing) -> Step | None:
    """MariaDB: the rows of the past get the column as well."""
    shape = d.shape(lambda s: s.versioned)
    if shape is None:
        return None
    name = d.name(shape.name)
    if d.random.random() < 0.2:
        return step(f"ALTER TABLE {name} DROP SYSTEM VERSIONING")
    return step(
        "SET SESSION system_versioning_alter_history = KEEP",
        f"ALTER TABLE {name} ADD COLUMN {quote(d.fresh('c'))} INT NULL",
    )


def create_index(d: Drawing) -> Step | None:
    shape = d.shape(lambda s: not s.versioned and bool(_indexable(s)) and len(s.indexes) < 6)
    if shape is None:
        return None
    part = d.random.choice(_indexable(shape))
    how = d.random.choice(("", "", " ALGORITHM=INPLACE LOCK=NONE", " COMMENT 'on t; x'"))
    return step(f"CREATE INDEX {d.fresh('i')} ON {d.name(shape.name)} ({part}){how}")


def drop_index_alone(d: Drawing) -> Step | None:
    shape = d.shape(lambda s: not s.versioned and _spare_index(d, s) is not None)
    name = None if shape is None else _spare_index(d, shape)
    if shape is None or name is None:
        return None
    return step(f"DROP INDEX {quote(name)} ON {d.name(shape.name)}")
