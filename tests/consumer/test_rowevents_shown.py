"""What we write for the target, as `mysqlbinlog` reads it: tables of any columns, rows of any
values, all operations."""

import datetime as dt
import subprocess
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from image_rig import Hot, Records
from image_tables import EVERY_KIND, schema_of, target_of
from mysync_lab.sql import SqlServer
from structures.values import ROWS

NOW = 1_700_000_000
Row = dict[str, Any]
Shown = tuple[str, dict[int, str], dict[int, str]]
"""Operation; the columns of WHERE and of SET by their numbers."""

_VERBS = {"INSERT": "c", "UPDATE": "u", "DELETE": "d"}


def signed(bits: int) -> Callable[[int], int]:
    return lambda value: value - (1 << bits) if value >> (bits - 1) else value


def number(text: str) -> int:
    """Negative ones are followed by what they are without a sign."""
    return int(text.split()[0])


def unscaled(value: bytes) -> int:
    return int.from_bytes(value, "big", signed=True)


# Columns whose texts say all: how to read a text, and what it has to be.
READ: dict[str, tuple[Callable[[str], Any], Callable[[Any], Any]]] = {
    "id": (number, int),
    "big": (number, int),
    "huge": (number, lambda v: signed(64)(unscaled(v) if isinstance(v, bytes) else v)),
    "tiny": (number, signed(8)),
    "money": (lambda text: int(Decimal(text).scaleb(4)), unscaled),
    "day": (
        lambda text: dt.date.fromisoformat(text.strip("'").replace(":", "-")),
        lambda days: dt.date(1970, 1, 1) + dt.timedelta(days),
    ),
    "stamp": (lambda text: int(Decimal(text).scaleb(6)), int),
    "bits": (lambda text: int(text[2:-1], 2), lambda v: int.from_bytes(v, "big")),
    "state": (number, lambda v: ("new", "old").index(v) + 1),
}
STEPS = st.lists(st.tuples(st.sampled_from("cud"), ROWS, ROWS), min_size=1, max_size=8)
TABLES = st.sets(st.integers(1, len(EVERY_KIND) - 1)).map(
    lambda chosen: [EVERY_KIND[i] for i in (0, *sorted(chosen))]
)


def shown_by(program: list[str], file: Path) -> list[Shown]:
    run = subprocess.run(
        [*program, "-v", "--base64-output=DECODE-ROWS", str(file)], capture_output=True, check=True
    )
    assert not run.stderr, run.stderr
    found: list[Shown] = []
    part: dict[int, str] = {}
    for line in run.stdout.decode(errors="replace").split("\n"):
        if not line.startswith("### "):
            continue
        word = line[4:].split()[0]
        if word in _VERBS:
            assert line.endswith("`shop`.`orders`")
            found.append((_VERBS[word], {}, {}))
        elif word in ("WHERE", "SET"):
            part = found[-1][1 if word == "WHERE" else 2]
        else:
            name, _, text = line[4:].strip().partition("=")
            part[int(name.removeprefix("@"))] = text
    return found


def agree(shown: dict[int, str], row: Row | None) -> None:
    """Of a row all columns are shown, of an identity the first."""
    if row is None:
        assert not shown
        return
    assert list(shown) == list(range(1, len(row) + 1))
    for place, name in enumerate(row, 1):
        text, value = shown[place], row[name]
        assert (text == "NULL") == (value is None)
        if value is not None and name in READ:
            read, expected = READ[name]
            assert read(text) == expected(value), (name, text, value)


@pytest.fixture(scope="module")
def program(mysql_b: SqlServer) -> list[str]:
    return list(mysql_b.unpacked().binary("usr/bin/mysqlbinlog"))


@settings(
    max_examples=25,
    deadline=None,
    print_blob=True,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
@given(columns=TABLES, steps=STEPS)
def test_mysqlbinlog_reads_every_row_as_it_was_meant(
    hot: Hot,
    program: list[str],
    tmp_path: Path,
    columns: list[dict[str, Any]],
    steps: list[tuple[str, Row, Row]],
) -> None:
    schema = schema_of(columns)
    records, reader = Records(schema), hot.rowread.TableReader(schema)
    plan = hot.rowimage.ImagePlan(schema, target_of(columns))
    writer = hot.rowevents.GroupWriter(max_event_bytes=300)
    names = [column["name"] for column in columns]
    expected: list[tuple[str, Row | None, Row | None]] = []
    for op, *both in steps:
        before, after = ({name: row[name] for name in names} for row in both)
        value = records.encode(op, before if op != "c" else None, after if op != "d" else None)
        row, images = hot.rowread.read_row(reader, value), bytearray()
        if op != "c":
            plan.identity(value, row.before_start, row.before_end, images)
        if op != "d":
            plan.after(value, row.after_start, row.after_end, images)
        assert writer.add(plan, op, 0, images) == 1
        identity = {"id": before["id"]} if op != "c" else None
        expected.append((op, identity, after if op != "d" else None))
    file = tmp_path / "binlog.000001"
    file.write_bytes(b"\xfebin" + hot.rowevents.FORMAT_DESCRIPTION + writer.events(NOW))
    shown = shown_by(program, file)
    assert [op for op, *_ in shown] == [op for op, *_ in expected]
    for (_, where, becomes), (_, identity, after) in zip(shown, expected, strict=True):
        agree(where, identity)
        agree(becomes, after)
