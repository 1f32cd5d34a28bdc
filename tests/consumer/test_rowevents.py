"""The emitter without a server: no input makes it write an event that a server could misread."""

import dataclasses
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from image_rig import Hot, Records
from image_tables import EVERY_KIND, ROW, schema_of, target_of
from mysync_consumer.rowerrors import CorruptRecord, UnwritableValue
from mysync_lab.sql import SqlServer
from mysync_schemas import jsonb

SCHEMA = schema_of()
RECORDS = Records(SCHEMA)
NOW = 1_700_000_000
HEADER = 19


class Event(NamedTuple):
    kind: int
    timestamp: int
    body: bytes

    @property
    def table_id(self) -> bytes:
        return self.body[:6]

    @property
    def flags(self) -> int:
        return int.from_bytes(self.body[6:8], "little")


def events(data: bytes) -> Iterator[Event]:
    """Splits what the emitter wrote by the sizes in the headers, which must fit exactly."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at + 9 : at + 13], "little")
        assert HEADER < size <= len(data) - at
        timestamp = int.from_bytes(data[at : at + 4], "little")
        yield Event(data[at + 4], timestamp, data[at + HEADER : at + size])
        at += size


def images_of(hot: Hot, plan: Any, kind: str, row: dict[str, Any]) -> bytearray:
    value = RECORDS.encode("c", None, row)
    found = hot.rowread.read_row(hot.rowread.TableReader(SCHEMA), value)
    images = bytearray()
    if kind != "c":
        plan.identity(value, found.after_start, found.after_end, images)
    if kind != "d":
        plan.after(value, found.after_start, found.after_end, images)
    return images


def groups_of(data: bytes) -> Iterator[tuple[list[Event], list[Event]]]:
    """The maps and the rows events of each group; anything else is a broken statement."""
    maps: list[Event] = []
    rows: list[Event] = []
    for event in events(data):
        if event.kind == 19:
            assert not rows, "a map after rows: the group before it wasn't finished"
            maps.append(event)
        else:
            assert event.kind in (30, 31, 32)
            assert event.table_id in [m.table_id for m in maps], "rows without a map"
            rows.append(event)
            if event.flags & 0x1:
                assert {r.table_id for r in rows} == {m.table_id for m in maps}
                assert len({m.table_id for m in maps}) == len(maps)
                yield maps, rows
                maps, rows = [], []
    assert not maps
    assert not rows


def tables(hot: Hot) -> list[Any]:
    """Plans of three tables, and a second one of the last."""
    named = [dataclasses.replace(target_of(), table=name) for name in ("one", "two", "three")]
    return [hot.rowimage.ImagePlan(SCHEMA, target) for target in [*named, named[-1]]]


def test_every_group_is_its_maps_and_finished_rows_events(
    hot: Hot, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    plans = tables(hot)
    names = {plan.target.table.encode(): plan for plan in plans}
    for _ in range(60):
        monkeypatch.setattr(hot.rowevents, "MAX_GROUP_BYTES", rng.choice([1, 1000, 1 << 23]))
        monkeypatch.setattr(hot.rowevents, "MAX_GROUP_TABLES", rng.choice([1, 2, 64]))
        writer = hot.rowevents.GroupWriter(max_event_bytes=rng.choice([1, 300, 1 << 20]))
        added = []
        for _ in range(rng.randrange(1, 30)):
            plan, kind = rng.choice(plans), rng.choice("cud")
            flags = rng.choice([0, 0x10, 0x2, rng.randrange(1 << 16)])
            rows = rng.randrange(4)
            images = bytearray(b"".join(images_of(hot, plan, kind, ROW) for _ in range(rows)))
            assert writer.add(plan, kind, flags, images) == rows
            if rows:
                added.append((plan.target.table, kind, flags & 2, bytes(images)))
        if not added:
            continue
        data = writer.events(NOW)
        assert len(writer.statement(NOW)) == writer.size
        written = []
        for maps, rows_events in groups_of(data):
            assert {e.timestamp for e in maps + rows_events} == {NOW}
            assert len({e.flags & 2 for e in rows_events}) == 1
            by_id = {m.table_id: m.body[6:] for m in maps}
            assert len(set(by_id.values())) == len(maps), "a table is mapped twice"
            for rows_event in rows_events:
                assert not rows_event.flags & ~0x3
                body = by_id[rows_event.table_id]
                (name,) = (n for n in names if b"\0" + bytes((len(n),)) + n + b"\0" in body)
                plan = names[name]
                assert body == plan.table_map[6:]
                assert rows_event.body[8:11] == bytes((2, 0, len(EVERY_KIND)))
                kind = "cud"[rows_event.kind - 30]
                columns = (b"" if kind == "c" else plan.before_columns) + (
                    b"" if kind == "d" else plan.after_columns
                )
                assert rows_event.body[11 : 11 + len(columns)] == columns
                images = rows_event.body[11 + len(columns) :]
                written.append((name.decode(), kind, rows_event.flags & 2, images))
        assert b"".join(w[-1] for w in written) == b"".join(a[-1] for a in added)
        assert merged([w[:3] for w in written]) == merged([a[:3] for a in added])


def merged(items: list[Any]) -> list[Any]:
    return [item for i, item in enumerate(items) if not i or items[i - 1] != item]


def test_adjacent_rows_share_an_event_up_to_its_size(hot: Hot) -> None:
    plan = hot.rowimage.ImagePlan(SCHEMA, target_of())
    images = images_of(hot, plan, "c", ROW)
    writer = hot.rowevents.GroupWriter(max_event_bytes=3 * len(images))
    for _ in range(7):
        writer.add(plan, "c", 0, images)
    sizes = [len(event.body) for event in events(writer.events(NOW)) if event.kind == 30]
    assert [(size - sizes[-1]) // len(images) for size in sizes] == [2, 2, 0]
    assert writer.rows == {"c": 7}


def test_kinds_share_a_group_and_flags_do_not(hot: Hot) -> None:
    plan = hot.rowimage.ImagePlan(SCHEMA, target_of())
    writer = hot.rowevents.GroupWriter()
    for kind, flags in (("d", 0), ("d", 2), ("u", 2), ("c", 2), ("c", 0x16), ("c", 0x14)):
        writer.add(plan, kind, flags, images_of(hot, plan, kind, ROW))
    found = [[(e.kind, e.flags) for e in rows] for _, rows in groups_of(writer.events(NOW))]
    assert found == [[(32, 1)], [(32, 2), (31, 2), (30, 3)], [(30, 1)]]


def test_alternating_tables_share_a_group_in_their_order(hot: Hot) -> None:
    one, two, *_ = tables(hot)
    writer = hot.rowevents.GroupWriter()
    for plan in (one, two, one, two):
        writer.add(plan, "c", 0, images_of(hot, plan, "c", ROW))
    ((maps, rows),) = groups_of(writer.events(NOW))
    assert [m.table_id[0] for m in maps] == [1, 2]
    assert [r.table_id[0] for r in rows] == [1, 2, 1, 2]


def test_two_versions_of_a_table_do_not_share_a_group(hot: Hot) -> None:
    *_, three, again = tables(hot)
    writer = hot.rowevents.GroupWriter()
    for plan in (three, again, three):
        writer.add(plan, "c", 0, images_of(hot, plan, "c", ROW))
    assert len(list(groups_of(writer.events(NOW)))) == 3


def test_images_that_do_not_end_with_a_row_are_refused(hot: Hot) -> None:
    plan = hot.rowimage.ImagePlan(SCHEMA, target_of())
    for kind in "cud":
        images = images_of(hot, plan, kind, ROW)
        writer = hot.rowevents.GroupWriter()
        wrong = [images[:n] for n in range(1, len(images))]
        wrong += [images + tail for tail in (b"\0", b"\xff", b"\0" * 3)]
        for garbage in wrong:
            with pytest.raises(ValueError, match=r"image|NULL"):
                writer.add(plan, kind, 0, garbage)
        assert not writer.groups


def test_an_unknown_kind_and_an_empty_statement_are_refused(hot: Hot) -> None:
    plan = hot.rowimage.ImagePlan(SCHEMA, target_of())
    writer = hot.rowevents.GroupWriter()
    with pytest.raises(ValueError, match="kind"):
        writer.add(plan, "r", 0, bytearray(b"x"))
    with pytest.raises(ValueError, match="no rows"):
        writer.statement(NOW)
    assert writer.add(plan, "c", 0, bytearray()) == 0
    with pytest.raises(ValueError, match="no rows"):
        writer.statement(NOW)


def test_a_plan_that_is_used_by_two_at_once_says_so(hot: Hot) -> None:
    columns = [c for c in EVERY_KIND if c["name"] in ("id", "doc")]
    schema = schema_of(columns)
    plan = hot.rowimage.ImagePlan(schema, target_of(columns))
    value = Records(schema).encode("c", None, {"id": 1, "doc": "{}"})
    row = hot.rowread.read_row(hot.rowread.TableReader(schema), value)
    found: list[str] = []

    real = jsonb.from_text

    def from_text(text: str) -> bytes:
        try:
            plan.after(value, row.after_start, row.after_end, bytearray())
        except RuntimeError as error:
            found.append(str(error))
        return real(text)

    jsonb.from_text = from_text
    try:
        plan.after(value, row.after_start, row.after_end, bytearray())
    finally:
        jsonb.from_text = real
    assert found == ["shop.orders: an ImagePlan belongs to one thread"]
    # And it is usable afterwards.
    plan.after(value, row.after_start, row.after_end, bytearray())


REFUSED: list[tuple[str, Any]] = [
    ("tiny", -1),
    ("tiny", 256),
    ("huge", -1),
    ("huge", (1 << 63).to_bytes(8, "big")),
    ("huge", b"\0" + ((1 << 63) - 1).to_bytes(8, "big")),
    ("money", (10**20).to_bytes(9, "big")),
    ("money", b"\x7f" + b"\xff" * 30),
    ("money", b""),
    ("day", -719163),
    ("day", 2932897),
    ("day", "2020-13-01"),
    ("day", "2020-01-32"),
    ("day", "2020-1-1"),
    ("day", "2020-01-01 00:00:00"),
    ("moment", (2932896 + 1) * 86_400_000_000),
    ("moment", -719162 * 86_400_000_000 - 1),
    ("moment", "0000-00-00 00:00:00"),
    ("moment", "0000-00-00 24:00:00.000000"),
    ("stamp", 0),
    ("stamp", -1000),
    ("stamp", 1),
    ("stamp", (1 << 31) * 1_000_000),
    ("stamp", "0000-00-00 00:00:00.001"),
    ("span", 839 * 3600 * 1_000_000),
    ("span", -839 * 3600 * 1_000_000),
    ("span", 1),
    ("name", "x" * 31),
    ("name", b"x" * 121),
    ("west", "Ж"),
    ("west", "😀"),
    ("raw", b"x" * 21),
    ("bits", b"\x04\x00"),
    ("bits", b"\x01"),
    ("bits", b"\x00\x00\x00"),
    ("state", "NEW"),
    ("state", ""),
    ("state", 3),
    ("state", -1),
    ("tags", "a,d"),
    ("tags", "a,,b"),
    ("tags", 8),
    ("tags", -1),
    ("doc", "{"),
    ("doc", "[" * 101 + "]" * 101),
    ("doc", b"\x02\x01\x00"),
    ("doc", b"\x0d"),
    ("year", 1900),
    ("year", 2156),
    ("year", -1),
]


@pytest.mark.parametrize(("name", "bad"), REFUSED)
def test_a_value_that_would_have_to_be_altered_is_refused(hot: Hot, name: str, bad: Any) -> None:
    plan = hot.rowimage.ImagePlan(SCHEMA, target_of())
    value = RECORDS.encode("c", None, {**ROW, name: bad})
    row = hot.rowread.read_row(hot.rowread.TableReader(SCHEMA), value)
    out = bytearray(b"before")
    with pytest.raises(UnwritableValue, match=f"shop.orders: column {name}: "):
        plan.after(value, row.after_start, row.after_end, out)
    assert out == b"before"


@pytest.mark.parametrize("size", [*range(5), 8, 9])
def test_every_byte_string_is_valid_utf8_or_refused(hot: Hot, size: int) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    columns = [EVERY_KIND[0], next(c for c in EVERY_KIND if c["name"] == "name")]
    schema = schema_of(columns)
    plan = hot.rowimage.ImagePlan(schema, target_of(columns))
    edges = b"\x00\x41\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xed\xef\xf0\xf4\xf5\xff"
    for _ in range(1500):
        text = bytes(rng.choice(edges) for _ in range(size))
        image = b"\x02" + b"\x02" + bytes((2 * size,)) + text
        out = bytearray()
        try:
            text.decode()
        except UnicodeDecodeError:
            with pytest.raises(UnwritableValue, match="UTF-8"):
                plan.after(image, 0, len(image), out)
        else:
            plan.after(image, 0, len(image), out)
            assert out == b"\0\1\0\0\0" + bytes((size,)) + text


def test_mutated_images_are_refused_or_make_exactly_one_row(hot: Hot) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    plan = hot.rowimage.ImagePlan(SCHEMA, target_of())
    valid = RECORDS.encode("c", None, ROW)
    row = hot.rowread.read_row(hot.rowread.TableReader(SCHEMA), valid)
    image = valid[row.after_start :]
    for _ in range(4000):
        data = bytearray(image)
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.choice([0, 1, 2, 4, 0x7F, 0x80, 0xFF])
        out, key = bytearray(), bytearray()
        try:
            plan.after(bytes(data), 0, len(data), out)
            plan.identity(bytes(data), 0, len(data), key)
        except (CorruptRecord, UnwritableValue):
            continue
        assert plan.measure(out, False, True) == 1
        assert plan.measure(key, True, False) == 1


def test_mysqlbinlog_reads_the_events_back(hot: Hot, mysql_b: SqlServer, tmp_path: Path) -> None:
    plan = hot.rowimage.ImagePlan(SCHEMA, target_of())
    writer = hot.rowevents.GroupWriter()
    for kind in "cud":
        writer.add(plan, kind, 2, images_of(hot, plan, kind, ROW) * 2)
    file = tmp_path / "binlog.000001"
    magic = b"\xfebin"
    file.write_bytes(magic + hot.rowevents.FORMAT_DESCRIPTION + writer.events(NOW))
    program = mysql_b.unpacked().binary("usr/bin/mysqlbinlog")
    run = subprocess.run(
        [*program, "-vv", "--base64-output=DECODE-ROWS", str(file)],
        capture_output=True,
        check=True,
    )
    shown = run.stdout.decode(errors="replace")  # latin1 is shown as it is
    assert shown.count("### INSERT INTO `shop`.`orders`") == 2
    assert shown.count("### UPDATE `shop`.`orders`") == 2
    assert shown.count("### DELETE FROM `shop`.`orders`") == 2
    assert shown.count("flags: NO_FOREIGN_KEY_CHECKS_F") == 2
    assert shown.count("flags: STMT_END_F NO_FOREIGN_KEY_CHECKS_F") == 1
    for value in ("@1=7 ", "@4=-1.2345 ", "@3=-1 (18446744073709551615)", "@11='Jürgen 😀'"):
        assert value in shown
    assert "@15=2 /* ENUM(1 byte)" in shown
    assert "@17='{\"a\": [1, 2.5, null]}'" in shown
