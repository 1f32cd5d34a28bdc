"""Statements that make tables, and that take whole tables away."""

from mysync_lab.tables import TableName, quote
from mysync_lab.workload import ddlvalues
from mysync_lab.workload.ddlshape import NARROW, WIDE, Shape
from mysync_lab.workload.ddlstep import AUDIT, Drawing, Step, step

_BAD_TABLE = 1051


def _columns(d: Drawing, count: int, *, spatial: bool = True) -> dict[str, str]:
    """Fresh names with a type and its options."""
    found = {}
    for _ in range(count):
        type_ = ddlvalues.random_type(d.random, mariadb=d.mariadb, spatial=spatial)
        hidden = " INVISIBLE" if d.random.random() < 0.04 and count > 2 else ""
        found[d.fresh("c")] = f"{type_}{ddlvalues.options(d.random, type_)}{hidden}"
    return found


def _options(d: Drawing) -> str:
    collation = d.random.choice((*WIDE, *WIDE, *NARROW))
    said = [
        f"CHARACTER SET {collation.split('_')[0]} COLLATE {collation}",
        "ENGINE=InnoDB",
        f"ROW_FORMAT={d.random.choice(('DYNAMIC', 'COMPACT'))}",
        "COMMENT='it''s a; table'",
        "AUTO_INCREMENT=1000",
        "STATS_PERSISTENT=0",
    ]
    return " ".join([said[0], *(d.random.sample(said[1:], d.random.randint(0, 2)))])


def create(d: Drawing) -> Step:
    """A key of one column or two, of text, of a prefix, or none; secondary keys and a CHECK."""
    r = d.random
    columns = _columns(d, r.randint(1, 7))
    lines, key = _key(d)
    lines += [f"{quote(name)} {definition}" for name, definition in columns.items()]
    number = quote(d.fresh("c"))
    lines.append(f"{number} INT NULL")
    if r.random() < 0.3:
        lines.append(f"{d.fresh('g')} BIGINT AS ({number} * 2) {r.choice(('VIRTUAL', 'STORED'))}")
    if r.random() < 0.3:
        lines.append(f"CONSTRAINT {d.fresh('k')} CHECK ({number} > -3)")
    if r.random() < 0.4:
        lines.append(f"KEY {d.fresh('i')} ({number})")
    if r.random() < 0.25:
        lines.append(
            f"UNIQUE KEY {d.fresh('u')} ({number}{', ' + key if key and r.random() < 0.5 else ''})"
        )
    if not d.mariadb and r.random() < 0.2:
        lines.append(f"KEY {d.fresh('i')} (({number} + 1))")
    exists = r.choice(("", "", "IF NOT EXISTS "))
    table = d.fresh_table()
    return step(f"CREATE TABLE {exists}{d.name(table)} ({', '.join(lines)}) {_options(d)}")


def _key(d: Drawing) -> tuple[list[str], str]:
    """Lines with the key's columns and the key, and the parts of the primary key."""
    a, b = d.fresh("c"), d.fresh("c")
    one, two = quote(a), quote(b)
    return d.random.choices(
        (
            ([f"{one} INT NOT NULL PRIMARY KEY"], one),
            ([f"{one} BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY"], one),
            ([f"{one} INT NOT NULL, {two} VARCHAR(20) NOT NULL, PRIMARY KEY ({one}, {two})"], one),
            ([f"{one} VARCHAR(20) NOT NULL, PRIMARY KEY ({one})"], one),
            ([f"{one} VARCHAR(40) NOT NULL, PRIMARY KEY ({one}(5))"], one),
            ([f"{one} DATETIME(3) NOT NULL", f"{two} SMALLINT NOT NULL",
              f"PRIMARY KEY ({two}, {one})"], two),
            ([f"{one} INT NOT NULL, UNIQUE KEY {d.fresh('u')} ({one})"], one),
            ([f"{one} INT, {two} CHAR(5)"], ""),
        ),
        (30, 20, 12, 8, 5, 5, 8, 12),
    )[0]  # fmt: skip


def create_partitioned(d: Drawing) -> Step:
    r = d.random
    key, other = d.fresh("c"), d.fresh("c")
    bounds = [(d.fresh("p"), bound) for bound in (100, 400, 700)]
    ranges = ", ".join(f"PARTITION {name} VALUES LESS THAN ({bound})" for name, bound in bounds)
    rest = f"PARTITION {d.fresh('p')} VALUES LESS THAN "
    how = r.choice(
        (
            f"RANGE ({quote(key)}) ({ranges}, {rest}MAXVALUE)",
            f"RANGE ({quote(key)}) ({ranges}, {rest}(1200))",
            f"RANGE COLUMNS ({quote(key)}) ({ranges}, {rest}(1200))",
            f"HASH ({quote(key)}) PARTITIONS 3",
            f"KEY ({quote(key)}) PARTITIONS 3",
            (
                f"LIST ({quote(key)} % 3) (PARTITION {d.fresh('p')} VALUES IN (0, 1, -1),"
                f" PARTITION {d.fresh('p')} VALUES IN (2, -2))"
            ),
        )
    )
    columns = ", ".join(
        f"{quote(n)} {c}" for n, c in _columns(d, r.randint(1, 3), spatial=False).items()
    )
    primary = f", PRIMARY KEY ({quote(key)}{r.choice(('', ', ' + quote(other)))})"
    if r.random() < 0.15:
        primary = ""
    return step(
        f"CREATE TABLE {d.name(d.fresh_table())} ({quote(key)} INT NOT NULL,"
        f" {quote(other)} INT NOT NULL, {columns}{primary}) PARTITION BY {how}"
    )


def create_child(d: Drawing) -> Step | None:
    """With a foreign key to a table that has a number as its key."""
    parent = d.shape(is_parent)
    if parent is None:
        return None
    r = d.random
    (key,) = parent.primary
    table = d.fresh_table(parent.name.db)
    own = d.fresh("c")
    link = d.fresh("c")
    columns = "".join(f", {quote(n)} {c}" for n, c in _columns(d, r.randint(1, 3)).items())
    return step(
        f"CREATE TABLE {d.name(table)} ({quote(own)} INT NOT NULL PRIMARY KEY, {quote(link)}"
        f" {parent.column(key).type} NULL{columns}, CONSTRAINT {d.fresh('f')} FOREIGN KEY"
        f" ({quote(link)}) REFERENCES {d.name(parent.name)} ({quote(key)}){actions(d)})"
    )


def is_parent(shape: Shape) -> bool:
    return (
        len(shape.primary) == 1
        and not shape.partitions
        and not shape.versioned
        and shape.column(shape.primary[0]).kind in ("int", "bigint")
        and not shape.column(shape.primary[0]).generated
    )


def actions(d: Drawing) -> str:
    return d.random.choice(
        (
            " ON DELETE CASCADE",
            " ON DELETE CASCADE ON UPDATE CASCADE",
            " ON DELETE SET NULL ON UPDATE CASCADE",
            " ON DELETE SET NULL",
            "",
        )
    )


def create_like(d: Drawing) -> Step | None:
    shape = d.shape(lambda s: not s.versioned)
    if shape is None:
        return None
    return step(f"CREATE TABLE {d.name(d.fresh_table())} LIKE {d.name(shape.name)}")


def create_like_temporary(d: Drawing) -> Step:
    """The temporary table isn't in the log; the server says in its place what it is like."""
    temporary, table = d.fresh("x"), d.fresh_table(d.first)
    return step(
        f"CREATE TEMPORARY TABLE {temporary} (id INT NOT NULL PRIMARY KEY, note VARCHAR(9))",
        f"INSERT INTO {temporary} VALUES (1, 'one')",
        f"CREATE TABLE {d.name(table)} LIKE {temporary}",
        f"INSERT INTO {d.name(table)} SELECT * FROM {temporary}",
        f"DROP TEMPORARY TABLE {temporary}",
    )


def create_select(d: Drawing) -> Step | None:
    shape = d.shape(lambda s: len(s.stored) > 1)
    if shape is None:
        return None
    r = d.random
    columns = r.sample(shape.stored, r.randint(1, len(shape.stored)))
    keyed = len(shape.primary) == 1 and shape.column(shape.primary[0]).is_integer
    own = ""
    if keyed and r.random() < 0.6:
        first = shape.column(shape.primary[0])
        columns = [first, *(column for column in columns if column != first)]
        own = f"(PRIMARY KEY ({quote(first.name)})) "
    elif r.random() < 0.3:
        key = f"KEY {d.fresh('i')} ({quote(columns[0].name)})"
        own = f"({quote(d.fresh('c'))} INT NOT NULL DEFAULT 5, {key}) "
        if not (columns[0].is_integer or columns[0].kind in ("date", "datetime", "decimal")):
            own = ""
    names = ", ".join(quote(column.name) for column in columns)
    limit = r.choice(("", " LIMIT 20", " LIMIT 0"))
    table = d.fresh_table()
    word = r.choice(("", "AS "))
    return step(
        f"CREATE TABLE {d.name(table)} {own}{word}SELECT {names} FROM {d.name(shape.name)}{limit}"
    )


def replace(d: Drawing) -> Step | None:
    """MariaDB's CREATE OR REPLACE: the table of that name goes first."""
    shape = d.shape(lambda s: s.plain and not s.triggers)
    if shape is None:
        return None
    columns = ", ".join(f"{quote(n)} {c}" for n, c in _columns(d, 3).items())
    return step(
        f"CREATE OR REPLACE TABLE {d.name(shape.name)} ({quote(d.fresh('c'))} INT NOT NULL"
        f" PRIMARY KEY, {columns}) {_options(d)}"
    )


def create_versioned(d: Drawing) -> Step:
    columns = ", ".join(f"{quote(n)} {c}" for n, c in _columns(d, 2).items())
    return step(
        f"CREATE TABLE {d.name(d.fresh_table())} ({quote(d.fresh('c'))} INT NOT NULL PRIMARY KEY,"
        f" {columns}) WITH SYSTEM VERSIONING"
    )


def drop(d: Drawing) -> Step | None:
    """One or two; with IF EXISTS and one that is missing; from any database."""
    r = d.random
    shapes = [d.shape(lambda s: not s.referenced) for _ in range(r.choice((1, 1, 2, 3)))]
    listed = list(dict.fromkeys(shape.name for shape in shapes if shape))
    if not listed:
        return None
    names = [d.name(name) for name in listed]
    if r.random() < 0.3:
        names.insert(r.randint(0, len(names)), d.name(TableName(d.first, d.fresh("missing"))))
        return step(f"DROP TABLE IF EXISTS {', '.join(names)}")
    tail = r.choice(("", "", " CASCADE", " RESTRICT"))
    return step(f"DROP TABLE {', '.join(names)}{tail}")


def drop_family(d: Drawing) -> Step | None:
    """A parent with all its children, in one statement."""
    parent = d.shape(lambda s: s.referenced)
    if parent is None:
        return None
    with d.session.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT constraint_schema, table_name FROM"
            " information_schema.referential_constraints WHERE unique_constraint_schema = %s"
            " AND referenced_table_name = %s",
            (parent.name.db, parent.name.table),
        )
        children = [TableName(str(db), str(table)) for db, table in cursor.fetchall()]
        cursor.execute(
            "SELECT referenced_table_name FROM information_schema.referential_constraints"
            " WHERE constraint_schema = %s",
            (parent.name.db,),
        )
        parents = {str(name) for (name,) in cursor.fetchall()}
    if any(child.table in parents and child != parent.name for child in children):
        return None
    listed = [child for child in children if child != parent.name] + [parent.name]
    return step(f"DROP TABLE {', '.join(map(d.name, listed))}")


def drop_in_part(d: Drawing) -> Step | None:
    """An error on purpose: MySQL drops nothing, MariaDB what exists, and logs it."""
    shape = d.shape(lambda s: not s.referenced)
    if shape is None:
        return None
    missing = TableName(d.first, d.fresh("missing"))
    return step(f"DROP TABLE {d.name(shape.name)}, {d.name(missing)}", fails=[_BAD_TABLE])


def truncate(d: Drawing) -> Step | None:
    shape = d.shape(lambda s: not s.referenced and not s.versioned)
    if shape is None:
        return None
    word = d.random.choice(("TABLE ", "TABLE ", ""))
    return step(f"TRUNCATE {word}{d.name(shape.name)}")


def rename(d: Drawing) -> Step | None:
    """To a new name, by RENAME TABLE or by ALTER."""
    shape = d.shape()
    if shape is None:
        return None
    new = d.fresh_table(shape.name.db)
    if d.random.random() < 0.4:
        word = d.random.choice(("TO ", "AS ", ""))
        return step(f"ALTER TABLE {d.name(shape.name)} RENAME {word}{d.name(new)}")
    return step(f"RENAME TABLE {d.name(shape.name)} TO {d.name(new)}")


def rename_across(d: Drawing) -> Step | None:
    """Into the other database."""
    if not d.has_second:
        return None
    shape = d.shape(lambda s: not (s.triggers or s.foreign_keys or s.referenced))
    if shape is None:
        return None
    other = d.second if shape.name.db == d.first else d.first
    return step(f"RENAME TABLE {d.name(shape.name)} TO {d.name(d.fresh_table(other))}")


def rename_swap(d: Drawing) -> Step | None:
    """Two tables change places, or three in a ring."""
    found = [d.shape(lambda s: s.name.db == d.first and not s.referenced) for _ in range(3)]
    names = list(dict.fromkeys(shape.name for shape in found if shape))
    if len(names) < 2:
        return None
    names = names[: d.random.choice((2, 3))]
    spare = TableName(d.first, d.fresh("t"))
    ring = [spare, *names, spare]
    moves = [(names[0], spare)]
    moves += [(ring[at + 1], ring[at]) for at in range(1, len(names))]
    moves += [(spare, names[-1])]
    return step("RENAME TABLE " + ", ".join(f"{d.name(a)} TO {d.name(b)}" for a, b in moves))


def audit_table(db: str) -> str:
    return (
        f"CREATE TABLE {quote(db)}.{AUDIT} (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,"
        " what VARCHAR(80) NOT NULL, n BIGINT NULL)"
    )
