"""What isn't a table: databases, views, triggers, sequences; and maintenance."""

from mysync_lab.tables import quote
from mysync_lab.workload.ddlshape import NARROW, WIDE, Shape
from mysync_lab.workload.ddlstep import AUDIT, Drawing, Step, step

_CHARSETS = ("utf8mb4 COLLATE utf8mb4_bin", "latin1", "utf8mb3 COLLATE utf8mb3_general_ci")


def create_database(d: Drawing) -> Step | None:
    if d.has_second:
        return None
    said = d.random.choice(("", *(f" CHARACTER SET {charset}" for charset in _CHARSETS)))
    word = d.random.choice(("DATABASE", "SCHEMA"))
    exists = d.random.choice(("", " IF NOT EXISTS"))
    return step(f"CREATE {word}{exists} {quote(d.second)}{said}")


def alter_database(d: Drawing) -> Step:
    db = d.database()
    return step(f"ALTER DATABASE {quote(db)} CHARACTER SET {d.random.choice(_CHARSETS)}")


def drop_database(d: Drawing) -> Step | None:
    if not d.has_second:
        return step(f"DROP DATABASE IF EXISTS {quote(d.second)}")
    return step(f"DROP {d.random.choice(('DATABASE', 'SCHEMA'))} {quote(d.second)}")


def _select(d: Drawing, shape: Shape) -> str:
    columns = d.random.sample(shape.columns, d.random.randint(1, min(3, len(shape.columns))))
    names = ", ".join(quote(column.name) for column in columns)
    where = d.random.choice(("", f" WHERE {quote(columns[0].name)} IS NOT NULL"))
    return f"SELECT {names} FROM {d.name(shape.name)}{where}"


def create_view(d: Drawing) -> Step | None:
    shape = d.shape(lambda s: not s.versioned)
    if shape is None:
        return None
    r = d.random
    how = r.choice(("", "", "OR REPLACE ", "ALGORITHM=MERGE ", "ALGORITHM=TEMPTABLE "))
    how += r.choice(("", "", "DEFINER='root'@'%' SQL SECURITY INVOKER "))
    return step(f"CREATE {how}VIEW {d.name(d.fresh_table())} AS {_select(d, shape)}")


def alter_view(d: Drawing) -> Step | None:
    """Another SELECT, in place or by replacing it."""
    shape, views = d.shape(lambda s: not s.versioned), d.names("view")
    if shape is None or not views:
        return None
    db, view = d.random.choice(views)
    word = d.random.choice(("ALTER", "CREATE OR REPLACE"))
    return step(f"{word} VIEW {quote(db)}.{quote(view)} AS {_select(d, shape)}")


def rename_view(d: Drawing) -> Step | None:
    views = d.names("view")
    if not views:
        return None
    db, view = d.random.choice(views)
    new = d.fresh_table(db)
    return step(f"RENAME TABLE {quote(db)}.{quote(view)} TO {new.quoted}")


def drop_view(d: Drawing) -> Step | None:
    views = d.names("view")
    if not views:
        return None
    names = [f"{quote(db)}.{quote(view)}" for db, view in d.random.sample(views, 1)]
    if d.random.random() < 0.3:
        return step(f"DROP VIEW IF EXISTS {', '.join([*names, d.fresh('missing')])}")
    return step(f"DROP VIEW {', '.join(names)}")


def create_trigger(d: Drawing) -> Step | None:
    """It writes another table's rows, or changes the row on its way."""
    shape = d.shape(lambda s: bool(s.primary) and not s.versioned and len(s.triggers) < 3)
    if shape is None:
        return None
    r = d.random
    name = f"{quote(shape.name.db)}.{d.fresh('tr')}"
    numbers = [c for c in shape.stored if c.kind in ("int", "bigint") and shape.is_free(c)]
    if numbers and r.random() < 0.4:
        column = f"NEW.{quote(r.choice(numbers).name)}"
        return step(
            f"CREATE TRIGGER {name} BEFORE {r.choice(('INSERT', 'UPDATE'))} ON"
            f" {d.name(shape.name)} FOR EACH ROW SET {column} = COALESCE({column}, 0) % 500 + 1"
        )
    event = r.choice(("INSERT", "UPDATE", "DELETE"))
    row = "OLD" if event == "DELETE" else "NEW"
    key = shape.column(shape.primary[0])
    value = f"{row}.{quote(key.name)}" if key.is_integer else "NULL"
    insert = (
        f"INSERT INTO {quote(d.first)}.{AUDIT} (what, n) VALUES ('{event.lower()}; it''s', {value})"
    )
    body = r.choice((insert, f"BEGIN {insert}; SET @seen = {value}; END"))
    definer = r.choice(("", "DEFINER='root'@'%' "))
    return step(
        f"CREATE {definer}TRIGGER {name} AFTER {event} ON {d.name(shape.name)} FOR EACH ROW {body}"
    )


def drop_trigger(d: Drawing) -> Step | None:
    triggers = d.names("trigger")
    if not triggers:
        return None
    db, name = d.random.choice(triggers)
    exists = d.random.choice(("", "IF EXISTS "))
    return step(f"DROP TRIGGER {exists}{quote(db)}.{quote(name)}")


def create_sequence(d: Drawing) -> Step:
    name = f"{quote(d.first)}.{d.fresh('s')}"
    return step(
        f"CREATE SEQUENCE {name} START WITH 10 INCREMENT BY 3 CACHE {d.random.choice((2, 20))}",
        f"DO NEXTVAL({name})",
    )


def alter_sequence(d: Drawing) -> Step | None:
    sequences = d.names("sequence")
    if not sequences:
        return None
    name = ".".join(map(quote, d.random.choice(sequences)))
    return step(
        f"DO NEXTVAL({name})", f"ALTER SEQUENCE {name} RESTART {d.random.randrange(100, 200)}"
    )


def drop_sequence(d: Drawing) -> Step | None:
    sequences = d.names("sequence")
    if not sequences:
        return None
    return step(f"DROP SEQUENCE {'.'.join(map(quote, d.random.choice(sequences)))}")


def maintain(d: Drawing) -> Step | None:
    """Logged, and of no table's concern."""
    shape = d.shape(lambda s: not s.versioned)
    if shape is None:
        return None
    name = d.name(shape.name)
    return step(
        d.random.choice((f"ANALYZE TABLE {name}", f"OPTIMIZE TABLE {name}", f"FLUSH TABLES {name}"))
    )


def in_open_work(d: Drawing) -> Step | None:
    """DDL in a session with a transaction open: it is committed by the statement."""
    shape = d.shape(lambda s: s.plain)
    if shape is None:
        return None
    new = f"{quote(d.fresh('c'))} VARCHAR(9) COLLATE {d.random.choice((*WIDE, *NARROW))}"
    return step(
        "BEGIN",
        f"INSERT INTO {quote(d.first)}.{AUDIT} (what, n) VALUES ('open', 1)",
        "SAVEPOINT s",
        f"UPDATE {quote(d.first)}.{AUDIT} SET n = n + 1 ORDER BY id DESC LIMIT 2",
        f"ALTER TABLE {d.name(shape.name)} ADD {new}",
        f"INSERT INTO {quote(d.first)}.{AUDIT} (what, n) VALUES ('after', 2)",
        "COMMIT",
    )
