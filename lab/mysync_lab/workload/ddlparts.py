"""The management of partitions: of tables by RANGE, HASH, KEY and LIST."""

from mysync_lab.tables import quote
from mysync_lab.workload.ddlshape import Shape
from mysync_lab.workload.ddlstep import Drawing, Step, step


def _by_range(shape: Shape) -> bool:
    return shape.method.startswith("RANGE")


def _by_hash(shape: Shape) -> bool:
    return shape.method in ("HASH", "KEY")


def add(d: Drawing) -> Step | None:
    shape = d.shape(lambda s: _by_hash(s) or (_by_range(s) and s.partitions[-1].bound.isdigit()))
    if shape is None or len(shape.partitions) > 9:
        return None
    what = "PARTITIONS 2"
    if _by_range(shape):
        bound = int(shape.partitions[-1].bound) + 500
        what = f"(PARTITION {d.fresh('p')} VALUES LESS THAN ({bound}))"
    return step(f"ALTER TABLE {d.name(shape.name)} ADD PARTITION {what}")


def drop(d: Drawing) -> Step | None:
    shape = d.shape(lambda s: len(s.partitions) > 2)
    if shape is None:
        return None
    what = "COALESCE PARTITION 1"
    if not _by_hash(shape):
        what = f"DROP PARTITION {quote(d.random.choice(shape.partitions).name)}"
    return step(f"ALTER TABLE {d.name(shape.name)} {what}")


def truncate(d: Drawing) -> Step | None:
    shape = d.shape(lambda s: bool(s.partitions))
    if shape is None:
        return None
    chosen = d.random.sample(shape.partitions, d.random.randint(1, len(shape.partitions)))
    names = ", ".join(quote(partition.name) for partition in chosen)
    said = names if len(chosen) < len(shape.partitions) else "ALL"
    return step(f"ALTER TABLE {d.name(shape.name)} TRUNCATE PARTITION {said}")


def reorganize(d: Drawing) -> Step | None:
    """Two neighbours into one, or the last one into two."""
    shape = d.shape(lambda s: _by_range(s) and len(s.partitions) > 1)
    if shape is None:
        return None
    name = d.name(shape.name)
    last = shape.partitions[-1]
    before = int(shape.partitions[-2].bound)
    if not last.bound.isdigit() and d.random.random() < 0.6:
        return step(
            f"ALTER TABLE {name} REORGANIZE PARTITION {quote(last.name)} INTO (PARTITION"
            f" {d.fresh('p')} VALUES LESS THAN ({before + 300}), PARTITION {d.fresh('p')}"
            f" VALUES LESS THAN ({'MAXVALUE'}))"
        )
    at = d.random.randrange(len(shape.partitions) - 1)
    one, other = shape.partitions[at : at + 2]
    return step(
        f"ALTER TABLE {name} REORGANIZE PARTITION {quote(one.name)}, {quote(other.name)} INTO"
        f" (PARTITION {d.fresh('p')} VALUES LESS THAN ({other.bound}))"
    )


def exchange(d: Drawing) -> Step | None:
    """With a table made for it, which holds the partition's rows afterwards."""
    shape = d.shape(
        lambda s: bool(s.partitions) and "AUTO_INCREMENT" not in s.text and not s.triggers
    )
    if shape is None:
        return None
    table = d.fresh_table(shape.name.db)
    name, other = d.name(shape.name), d.name(table)
    partition = quote(d.random.choice(shape.partitions).name)
    how = d.random.choice(("", " WITH VALIDATION", " WITHOUT VALIDATION"))
    if d.mariadb:
        how = ""
    return step(
        f"CREATE TABLE {other} LIKE {name}",
        f"ALTER TABLE {other} REMOVE PARTITIONING",
        f"ALTER TABLE {name} EXCHANGE PARTITION {partition} WITH TABLE {other}{how}",
    )


def remove(d: Drawing) -> Step | None:
    shape = d.shape(lambda s: bool(s.partitions))
    if shape is None:
        return None
    return step(f"ALTER TABLE {d.name(shape.name)} REMOVE PARTITIONING")


def partition(d: Drawing) -> Step | None:
    """A table that had none; its keys must all hold the column."""

    def fits(s: Shape) -> bool:
        unique = [index for index in s.indexes if index.unique]
        return (
            s.plain
            and len(unique) == 1
            and len(s.primary) >= 1
            and s.column(s.primary[0]).is_integer
            and "POINT" not in s.text.upper()
        )

    shape = d.shape(fits)
    if shape is None:
        return None
    return step(
        f"ALTER TABLE {d.name(shape.name)} PARTITION BY HASH ({quote(shape.primary[0])})"
        f" PARTITIONS {d.random.randint(2, 4)}"
    )
