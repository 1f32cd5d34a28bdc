"""A million damaged inputs to each decoder: a clean error or a value, never anything else.

The corpus is what real servers wrote. `make soak ARGS="-k fuzz"`; a seed is printed with each run.
"""

import random
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import dumpstream
from binlog_rows import Decoder, Source
from image_rig import Records
from image_tables import EVERY_KIND, ROW, schema_of, target_of
from mutator import mutations
from mysync_consumer.rowerrors import CorruptRecord, UnwritableValue
from mysync_consumer.rowimage import ImagePlan
from mysync_consumer.rowread import BadBytes, TableReader, read_row
from mysync_lab.sql import SqlServer
from mysync_producer import events, queries, rowcodec, stream
from mysync_producer.events import Event, EventType
from mysync_producer.payload import inner_events
from mysync_producer.rowerrors import CorruptRow, CorruptTableMap
from mysync_producer.tablemap import parse_table_map
from mysync_runtime.errors import MysyncError
from mysync_schemas import control, jsonb, markers
from mysync_schemas.charset import CharsetTable
from mysync_schemas.errors import SchemaError
from mysync_schemas.foldtable import FoldTable
from producer.test_rowcodec_fuzz import captured, rows_of
from producer.test_stream import assert_clean
from schemas.test_control import DDL, FOLD, INFO, TRANSFER

pytestmark = pytest.mark.soak


MILLION = 1_000_000
_HEADER = struct.Struct("<IBIIIH")


def fuzz(
    corpus: Sequence[bytes], decode: Callable[[bytes], object], clean: tuple[type[Exception], ...]
) -> None:
    """Any other exception than these fails the test, with the input that raised it."""
    seed = random.randrange(1 << 32)
    began, values = time.monotonic(), 0
    for number, data in enumerate(mutations(corpus, seed, MILLION)):
        try:
            decode(data)
        except clean:
            continue
        except Exception as error:
            raise AssertionError(f"seed {seed}, number {number}: {data.hex()}") from error
        values += 1
    seconds = time.monotonic() - began
    print(f"\nseed {seed}: {MILLION} mutations, {values} of them values, {seconds:.0f} s")
    assert 0 < values < MILLION


def logged(server: SqlServer) -> Iterator[Event]:
    """Every event of the server's own logs, up to some megabytes of each."""
    for path in sorted(Path(server.data_dir).glob("*bin*.0*"))[-4:]:
        with path.open("rb") as file:
            yield from cut(file.read(8 << 20), 4)


def cut(data: bytes, start: int) -> Iterator[Event]:
    checksum = 4
    while start + 19 <= len(data):
        when, kind, server_id, size, end, flags = _HEADER.unpack_from(data, start)
        if start + size > len(data) or size < 19:
            break
        body = data[start + 19 : start + size]
        if kind == EventType.FORMAT_DESCRIPTION:
            checksum = 4 if body[-5] == 1 else 0
            yield Event(kind, when, server_id, end, flags, body)
        else:
            yield Event(kind, when, server_id, end, flags, body[: len(body) - checksum])
        start += size


def bodies(servers: Sequence[SqlServer], *kinds: int, most: int = 400) -> list[bytes]:
    found = {e.body for server in servers for e in logged(server) if e.type in kinds}
    return sorted((b for b in found if len(b) < 4000), key=len)[:most]


class Damaged(Exception):
    """Fewer events came than were sent."""


@pytest.mark.parametrize(
    ("largest", "checksum"),
    [(dumpstream.LARGEST, True), (97, True), (dumpstream.LARGEST, False)],
    ids=["with checksums", "in several packets each", "without checksums"],
)
def test_fuzz_frames_of_the_stream(
    largest: int,
    checksum: bool,
    mysql_a: SqlServer,
    mariadb_a: SqlServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream, "_LARGEST", largest)
    boundaries = (EventType.ROTATE, EventType.FORMAT_DESCRIPTION)
    shortest: dict[int, bytes] = {}
    for server in (mysql_a, mariadb_a):
        for each in logged(server):
            if each.type not in boundaries and len(each.body) < len(
                shortest.get(each.type, "x" * 400)
            ):
                shortest[each.type] = each.body
    sent = dumpstream.dump(sorted(shortest.items()), checksum=checksum)
    data = dumpstream.packets(sent, largest=largest)
    whole, _ = dumpstream.read_all(data)
    assert len(whole) == len(sent) > 5

    def read(damaged: bytes) -> None:
        if checksum:
            count = assert_clean(damaged, whole)
        else:
            count = len(dumpstream.read_all(damaged)[0])
        if count < len(whole):
            raise Damaged

    fuzz([data], read, (Damaged,))


PARSERS: dict[str, tuple[tuple[int, ...], Callable[[bytes], object]]] = {
    "format description": ((EventType.FORMAT_DESCRIPTION,), events.parse_format_description),
    "gtid": ((EventType.GTID,), events.parse_gtid),
    "MariaDB's gtid": (
        (EventType.MARIADB_GTID,),
        lambda body: events.parse_mariadb_gtid(body, 1),
    ),
    "query": ((EventType.QUERY,), queries.parse_query),
    "rows header": (
        (EventType.WRITE_ROWS, EventType.UPDATE_ROWS),
        lambda body: events.parse_rows_header(body, 2),
    ),
}


@pytest.mark.parametrize("name", PARSERS)
def test_fuzz_events(name: str, mysql_a: SqlServer, mariadb_a: SqlServer) -> None:
    kinds, parse = PARSERS[name]
    corpus = bodies((mysql_a, mariadb_a), *kinds)
    assert corpus
    fuzz(corpus, parse, (MysyncError,))


def test_fuzz_table_maps(mysql_a: SqlServer, mariadb_a: SqlServer) -> None:
    corpus = bodies((mysql_a, mariadb_a), EventType.TABLE_MAP)

    def parse(body: bytes) -> None:
        parse_table_map(body, mariadb=len(body) % 2 == 1)

    fuzz(corpus, parse, (CorruptTableMap,))


def test_fuzz_compressed_transactions(mysql_a: SqlServer) -> None:
    source = Source(mysql_a, "fuzz_payload")
    try:
        source.sql("CREATE TABLE t (id INT PRIMARY KEY, v TEXT)")
        source.sql("SET SESSION binlog_transaction_compression = ON")
        ((name, start, *_),) = source.sql("SHOW BINARY LOG STATUS")
        source.sql(*(f"INSERT INTO t VALUES ({i}, REPEAT('{i} ', {i * 20}))" for i in range(20)))
        with (Path(mysql_a.data_dir) / name).open("rb") as file:
            file.seek(start)
            found = list(cut(file.read(), 0))
        corpus = [each.body for each in found if each.type == EventType.TRANSACTION_PAYLOAD]
    finally:
        source.close()
    assert corpus

    def parse(body: bytes) -> None:
        for _ in inner_events(Event(EventType.TRANSACTION_PAYLOAD, 0, 1, 100, 0, body)):
            pass

    fuzz(corpus, parse, (MysyncError,))


@pytest.mark.parametrize("kind", ["mysql_a", "mariadb_a"])
def test_fuzz_row_images(kind: str, request: pytest.FixtureRequest) -> None:
    source = Source(request.getfixturevalue(kind), "fuzz_rows")
    try:
        schema, found = captured(source)
    finally:
        source.close()
    (event,) = [each for each in found if each.op == "u"][:1]
    plan = rowcodec.TablePlan(
        event.table_map, schema, pipeline="transcode", version="1", connector="mysql",
        partitions=2, folds={},
    )  # fmt: skip
    decoder = Decoder(schema)
    whole = rows_of(event)
    heads = [each[: 1 + 2 * 3] for each in (whole,)]
    sent = 0

    def encode(rows: bytes) -> None:
        nonlocal sent
        buf = heads[0] + rows
        context = rowcodec.EventContext()
        out: list[list[tuple[bytes | None, bytes]]] = [[], []]
        rowcodec.encode_rows(
            plan, context, rowcodec.Sequencer(0, [0, 0]), ord("u"), buf, len(heads[0]), len(buf),
            0, 0, 1 << 40, out,
        )  # fmt: skip
        for messages in out:
            for _, value in messages:
                sent += 1
                if sent % 50 == 0:
                    decoder.read(value)

    fuzz([whole[len(heads[0]) :]], encode, (CorruptRow,))


DOCUMENTS = (
    "null", "true", "[]", "{}", '""', "0", "-1", "1.5", "18446744073709551615",
    '"' + "x" * 300 + '"', '{"a": [1, {"b": null}], "": "x", "ä": "🙂"}', "[[[[1, 2.5]]]]",
)  # fmt: skip


def test_fuzz_binary_json() -> None:
    fuzz([jsonb.from_text(text) for text in DOCUMENTS], jsonb.to_text, (jsonb.JsonError,))


def test_fuzz_json_texts() -> None:
    def parse(data: bytes) -> None:
        document = jsonb.from_text(data.decode("utf-8", "surrogateescape"))
        jsonb.validate(document)

    fuzz([text.encode() for text in DOCUMENTS], parse, (jsonb.JsonError,))


def test_fuzz_rows_of_the_topic() -> None:
    schema = schema_of(EVERY_KIND)
    records = Records(schema)
    changed = ROW | {"name": "other", "big": None}
    corpus = [
        records.encode("c", None, ROW),
        records.encode("u", ROW, changed),
        records.encode("d", changed, None),
        records.encode("c", None, ROW, deps=[{"partition": 3, "seq": 9}]),
    ]
    reader = TableReader(schema)
    plan = ImagePlan(schema, target_of(EVERY_KIND))

    def read(value: bytes) -> None:
        row = read_row(reader, value)
        image = bytearray()
        if row.before_start >= 0:
            plan.identity(value, row.before_start, row.before_end, image)
        if row.after_start >= 0:
            plan.after(value, row.after_start, row.after_end, image)

    fuzz(corpus, read, (CorruptRecord, UnwritableValue, BadBytes, SchemaError))


def test_fuzz_markers() -> None:
    order = (7, 5, 6)
    made = {
        markers.Line: markers.Line(*order, 1, markers.Line.ADOPT),
        markers.Heartbeat: markers.Heartbeat(*order, 1, "binlog.000001", 4, "0-1-2", True),
    }

    for kind, marker in made.items():
        fuzz([b"\0\0\0\0\1" + marker.encode()], kind.decode, (SchemaError,))


def test_fuzz_control_records() -> None:
    schemas = INFO.schemas_by_id()
    ids = INFO.ids()
    records = (INFO, DDL, TRANSFER, FOLD, schema_of(EVERY_KIND))
    corpus = [control.encode(record, ids) for record in records]
    fuzz(corpus, lambda value: control.decode(value, schemas), (SchemaError,))


def test_fuzz_tables_of_collations_and_character_sets() -> None:
    ascii_ = {code: bytes((code,)) for code in range(128)}
    table = CharsetTable("wide", {**ascii_, 0x4E00: b"\x81\x40"})
    fuzz([table.to_bytes()], CharsetTable.from_bytes, (SchemaError,))
    fold = FoldTable("any_ci", pad_space=True, single={c: b"%c" % c for c in range(128)})
    fuzz([fold.to_bytes()], FoldTable.from_bytes, (SchemaError,))
