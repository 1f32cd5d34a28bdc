"""Binary log events, field by field. Formats: `mysync_producer.events` and its neighbours."""

import uuid
import zlib
from typing import Any

import zstandard
from hypothesis import strategies as st

import dumpstream
from mysync_producer import compressed, events, heldevents, payload, queries, xid
from mysync_producer.events import Event, EventType
from mysync_runtime.errors import ConnectionLost, MysyncError
from structures.bend import Bend, Structure

U8, U16, U32, U64 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32, 64))
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
BYTES = st.binary(max_size=40)
UUIDS = st.binary(min_size=16, max_size=16)
NUMBERS = st.integers(1, (1 << 63) - 2)
CLEAN = (MysyncError,)


# -- frames


def frames(model: list[tuple[int, bytes]], bend: Bend) -> bytes:
    """Checksums fit what was to be sent, not what is bent."""
    parts = []
    for number, sound in enumerate(dumpstream.dump(model), 1):
        when, kind, server_id, size, end, flags = dumpstream.HEADER.unpack_from(sound)
        written = b"".join(
            (
                bend.uint(0, 1),
                bend.uint(when, 4),
                bend.uint(kind, 1),
                bend.uint(server_id, 4),
                bend.uint(size, 4),
                bend.uint(end, 4),
                bend.uint(flags, 2),
                bend.raw(sound[19:-4]),
                bend.raw(sound[-4:]),
            )
        )
        parts.append(bend.uint(len(written), 3) + bend.uint(number, 1) + written)
    return b"".join(bend.order(parts))


def read_frames(data: bytes) -> list[Event]:
    found, error = dumpstream.read_all(data)
    if not isinstance(error, ConnectionLost):
        raise error
    return found


def those_sent(model: list[tuple[int, bytes]], found: list[Event]) -> bool:
    """Those of a file are what was sent, unless there are said to be no checksums."""
    denied = any(e.type == EventType.FORMAT_DESCRIPTION and e.body[-5] == 0 for e in found)
    return denied or all((each.type, each.body) in model for each in found[2:])


EVENTS = st.tuples(
    st.sampled_from((EventType.QUERY, EventType.XID, EventType.WRITE_ROWS, EventType.HEARTBEAT)),
    st.binary(max_size=60),
).map(lambda pair: (int(pair[0]), pair[1]))
FRAMES = Structure(st.lists(EVENTS, max_size=4), frames, read_frames, CLEAN, holds=those_sent)


# -- format description, rotate, incident


def format_description(model: tuple[str, bool], bend: Bend) -> bytes:
    version, checksum = model
    return b"".join(
        (
            bend.uint(4, 2),
            bend.raw(version.encode().ljust(50, b"\0")),
            bend.uint(0, 4),
            bend.uint(19, 1),
            bend.raw(bytes(42)),
            bend.uint(checksum, 1),
            bend.raw(bytes(4)),
        )
    )


VERSIONS = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=50)
FORMAT_DESCRIPTION = Structure(
    st.tuples(VERSIONS, st.booleans()),
    format_description,
    events.parse_format_description,
    CLEAN,
    lambda model: events.FormatDescription(*model),
)
ROTATE = Structure(
    st.tuples(NAMES, st.integers(0, (1 << 31) - 1), st.integers(4, (1 << 64) - 1)),
    lambda m, bend: bend.uint(m[2], 8) + bend.raw(f"{m[0]}.{m[1]:06}".encode()),
    events.parse_rotate,
    CLEAN,
    lambda m: (f"{m[0]}.{m[1]:06}", m[2]),
)
INCIDENT = Structure(
    st.tuples(U16, st.text(st.characters(max_codepoint=126), max_size=200)),
    lambda m, bend: bend.uint(m[0], 2) + bend.uint(len(m[1]), 1) + bend.raw(m[1].encode()),
    events.parse_incident,
    CLEAN,
    lambda m: m[1],
)


# -- beginnings of transactions


def gtid(model: tuple[bytes, int, int, int], bend: Bend) -> bytes:
    source, number, commit, original = model
    times = bend.uint(commit | (1 << 55 if original else 0), 7)
    if original:
        times += bend.uint(original, 7)
    return b"".join(
        (
            bend.uint(1, 1),
            bend.raw(source),
            bend.uint(number, 8),
            bend.uint(2, 1),
            bend.uint(5, 8),
            bend.uint(6, 8),
            times,
            bend.raw(b"\xfc\0\1"),
        )
    )


TIMES = st.integers(1, (1 << 55) - 1)
GTID = Structure(
    st.tuples(UUIDS, NUMBERS, TIMES, st.just(0) | TIMES),
    gtid,
    events.parse_gtid,
    CLEAN,
    lambda m: events.GtidEvent(f"{uuid.UUID(bytes=m[0])}:{m[1]}", m[2], original_us=m[3] or m[2]),
)


def tagged_gtid(model: tuple[bytes, int, str, int, int], bend: Bend) -> bytes:
    source, number, tag, commit, original = model
    fields = [
        bend.serialized(0) + bend.serialized(1),
        bend.serialized(1) + b"".join(bend.serialized(byte) for byte in source),
        bend.serialized(2) + bend.serialized(number << 1),
        bend.serialized(3) + bend.serialized(len(tag)) + bend.raw(tag.encode()),
        bend.serialized(4) + bend.serialized(10),
        bend.serialized(5) + bend.serialized(12),
        bend.serialized(6) + bend.serialized(commit),
    ]
    if original:
        fields.append(bend.serialized(7) + bend.serialized(original))
    body = b"".join(bend.order(fields))
    # Version, size of the whole, last field that a reader has to know.
    version, last = bend.serialized(1), bend.serialized(7)
    size = len(version) + len(last) + len(body)
    return version + bend.serialized(size + 1 + (size > 126)) + last + body


TAGS = st.from_regex(r"[a-z_][a-z0-9_]{0,31}", fullmatch=True)
TAGGED_GTID = Structure(
    st.tuples(UUIDS, st.integers(1, (1 << 62) - 1), TAGS, TIMES, st.just(0) | TIMES),
    tagged_gtid,
    events.parse_tagged_gtid,
    CLEAN,
    lambda m: events.GtidEvent(
        f"{uuid.UUID(bytes=m[0])}:{m[2]}:{m[1]}", m[3], original_us=m[4] or m[3]
    ),
)

XIDS = st.tuples(BYTES, BYTES, U32)


def xa_name(model: tuple[bytes, bytes, int]) -> str:
    return f"X'{model[0].hex()}',X'{model[1].hex()}',{model[2]}"


def mariadb_gtid(model: tuple[int, int, int, bool, Any], bend: Bend) -> bytes:
    number, domain, flags, group, name = model
    flags = flags & ~0x42 | 0x02 * group | 0x40 * (name is not None)
    parts = [bend.uint(number, 8), bend.uint(domain, 4), bend.uint(flags, 1)]
    if group:
        parts.append(bend.uint(7, 8))
    if name is not None:
        gtrid, bqual, form = name
        parts += [bend.uint(form, 4), bend.uint(len(gtrid), 1), bend.uint(len(bqual), 1)]
        parts += [bend.raw(gtrid), bend.raw(bqual)]
    else:
        parts.append(bend.raw(bytes(6)))
    return b"".join(parts)


MARIADB_GTID = Structure(
    st.tuples(U64, U32, U8, st.booleans(), st.none() | XIDS),
    mariadb_gtid,
    lambda body: events.parse_mariadb_gtid(body, 3),
    CLEAN,
    lambda m: events.GtidEvent(
        f"{m[1]}-3-{m[0]}", 0, bool(m[2] & 1), None if m[4] is None else xa_name(m[4])
    ),
)
XA_PREPARE = Structure(
    st.tuples(XIDS, st.booleans()),
    lambda m, bend: b"".join(
        (
            bend.uint(m[1], 1),
            bend.uint(m[0][2], 4),
            bend.uint(len(m[0][0]), 4),
            bend.uint(len(m[0][1]), 4),
            bend.raw(m[0][0]),
            bend.raw(m[0][1]),
        )
    ),
    xid.parse_xa_prepare,
    CLEAN,
    lambda m: (m[1], xa_name(m[0])),
)
VERBS = st.sampled_from(["START", "END", "PREPARE", "COMMIT", "ROLLBACK", "COMMIT ONE PHASE"])


def xa_statement(model: tuple[str, tuple[bytes, bytes, int]], bend: Bend) -> bytes:
    verb, (gtrid, bqual, form) = model
    verb, _, phase = verb.partition(" ")
    text = [b"XA ", bend.raw(verb.encode()), b" X'", bend.raw(gtrid.hex().encode()), b"',X'"]
    text += [bend.raw(bqual.hex().encode()), b"',", bend.raw(b"%d" % form)]
    # A number may have any number of digits.
    text += [bend.raw(b"7" * 100)[100:], b" " + phase.encode() if phase else b""]
    return b"".join(text)


XA_STATEMENT = Structure(
    st.tuples(VERBS, XIDS), xa_statement, xid.parse_xa, (), lambda m: (m[0], xa_name(m[1]))
)


# -- statements

_FIXED = {0: 4, 1: 8, 3: 4, 4: 6, 7: 2, 8: 2, 9: 8, 10: 4, 13: 3, 16: 1, 17: 8, 18: 2, 19: 1,
          20: 1, 128: 3, 129: 8}  # fmt: skip
VARIABLES = st.dictionaries(
    st.sampled_from([*_FIXED, 2, 5, 6, 11, 12, 130]), st.binary(min_size=9, max_size=9), max_size=8
)


def variable(code: int, data: bytes, bend: Bend) -> bytes:
    if code in _FIXED:
        return bend.raw((data * 2)[: _FIXED[code]])
    match code:
        case 2:
            return bend.uint(len(data), 1) + bend.raw(data) + bend.raw(b"\0")
        case 5 | 6:
            return bend.uint(len(data), 1) + bend.raw(data)
        case 11:
            user, host = data[:4], data[4:]
            return b"".join(
                (bend.uint(4, 1), bend.raw(user), bend.uint(len(host), 1), bend.raw(host))
            )
        case 12:
            names = [bend.raw(b"name\0")] * 3
            return bend.uint(len(names), 1) + b"".join(names)
        case _:
            return bend.uint(4, 1) + bend.raw(data[:8])


Query = tuple[dict[int, bytes], str, bytes, int]
QUERIES = st.tuples(VARIABLES, NAMES, BYTES, U16)


def query(model: Query, bend: Bend, more: bytes = b"") -> bytes:
    variables, database, sql, error = model
    listed = [bend.uint(code, 1) + variable(code, v, bend) for code, v in variables.items()]
    status, name = b"".join(bend.order(listed)), database.encode()
    return b"".join(
        (
            bend.uint(1, 4),
            bend.uint(2, 4),
            bend.uint(len(name), 1),
            bend.uint(error, 2),
            bend.uint(len(status), 2),
            bend.raw(more) if more else b"",
            status,
            bend.raw(name),
            bend.raw(b"\0"),
            bend.raw(sql),
        )
    )


Queried = tuple[str, bytes, int, int, int, str | None]


def said(query: queries.QueryEvent) -> Queried:
    mode, collation = query.sql_mode, query.client_collation
    return query.database, query.sql, query.error_code, mode, collation, query.time_zone


def queried(model: Query) -> Queried:
    variables, database, sql, error = model
    mode = int.from_bytes(variables.get(1, b"")[:8], "little")
    collation = int.from_bytes(variables.get(4, b"")[:2], "little")
    zone = variables.get(5)
    shown = None if zone is None else zone.decode("ascii", "replace")
    return database, sql, error, mode, collation, shown


QUERY = Structure(QUERIES, query, lambda body: said(queries.parse_query(body)), CLEAN, queried)
EXECUTE_LOAD = Structure(
    QUERIES,
    lambda m, bend: query(m, bend, bytes(13)),
    lambda body: said(queries.parse_execute_load(body)),
    CLEAN,
    queried,
)


# -- rows


def rows_header(model: tuple[int, int, bytes], bend: Bend) -> bytes:
    table_id, flags, extra = model
    head = bend.uint(table_id, 6) + bend.uint(flags, 2) + bend.uint(len(extra) + 2, 2)
    return head + bend.raw(extra) + bend.raw(b"\3\7rows")


ROWS_HEADER = Structure(
    st.tuples(st.integers(0, (1 << 48) - 1), U16, BYTES),
    rows_header,
    lambda body: (found := events.parse_rows_header(body, 2), body[found.start :]),
    CLEAN,
    lambda m: (events.RowsHeader(m[0], m[1], 10 + len(m[2])), b"\3\7rows"),
)


def zipped(plain: bytes, bend: Bend) -> bytes:
    """MariaDB's compressed part: algorithm and width, length, a zlib stream."""
    width = max(1, (len(plain).bit_length() + 7) // 8)
    return b"".join(
        (
            bend.uint(0x80 | width, 1),
            bend.uint(len(plain), width, "big"),
            bend.raw(zlib.compress(plain)),
        )
    )


def compressed_rows(model: tuple[int, bytes], bend: Bend) -> bytes:
    columns, rows = model
    head = bend.uint(7, 6) + bend.uint(1, 2) + bend.lenenc(columns)
    return head + bend.raw(b"\xff" * ((columns + 7) // 8) * 2) + zipped(rows, bend)


def uncompressed(kind: int, body: bytes) -> bytes:
    return compressed.uncompressed(Event(kind, 0, 1, 100, 0, body)).body


COMPRESSED_ROWS = Structure(
    st.tuples(st.integers(1, 4096), st.binary(max_size=400)),
    compressed_rows,
    lambda body: uncompressed(EventType.MARIADB_UPDATE_ROWS_COMPRESSED_V1, body)[-400:],
    CLEAN,
    lambda m: compressed_rows(m, Bend())[: -len(zipped(m[1], Bend()))][-400:].__add__(m[1])[-400:],
)
COMPRESSED_QUERY = Structure(
    QUERIES,
    lambda m, bend: query((*m[:2], b"", m[3]), bend) + zipped(m[2], bend),
    lambda body: said(queries.parse_query(uncompressed(EventType.MARIADB_QUERY_COMPRESSED, body))),
    CLEAN,
    queried,
)


# -- compressed transactions, events that are kept


def inner(model: tuple[int, bytes], bend: Bend) -> bytes:
    kind, body = model
    body = bend.raw(body)
    head = (bend.uint(7, 4), bend.uint(kind, 1), bend.uint(3, 4), bend.uint(19 + len(body), 4))
    return b"".join((*head, bend.uint(0, 4), bend.uint(0, 2), body))


def transaction(model: tuple[list[tuple[int, bytes]], bool], bend: Bend) -> bytes:
    contents, plain = model
    whole = b"".join(bend.order([inner(each, bend) for each in contents]))
    packed = bend.raw(whole if plain else zstandard.compress(whole))
    fields = []
    for kind, value in ((2, 255 if plain else 0), (3, len(whole)), (1, len(packed))):
        written = bend.lenenc(value)
        fields.append(bend.lenenc(kind) + bend.lenenc(len(written)) + written)
    return b"".join(bend.order(fields)) + bend.lenenc(0) + packed


TRANSACTION = Structure(
    st.tuples(st.lists(EVENTS.filter(lambda e: e[0] != EventType.HEARTBEAT), max_size=5),
              st.booleans()),
    transaction,
    lambda body: [
        (each.type, each.body)
        for each in payload.inner_events(Event(EventType.TRANSACTION_PAYLOAD, 0, 1, 9, 0, body))
    ],
    CLEAN,
    lambda m: m[0],
)  # fmt: skip


def held(model: list[tuple[int, bytes]], bend: Bend) -> bytes:
    parts = []
    for kind, body in model:
        head = bend.uint(kind, 1) + bend.uint(1, 4) + bend.uint(0, 2) + bend.uint(len(body), 4)
        parts.append(head + bend.raw(body))
    return b"".join(bend.order(parts))


def read_held(data: bytes) -> list[tuple[int, bytes]]:
    pieces = [data[at : at + 7] for at in range(0, len(data), 7)]
    return [(each.type, each.body) for each in heldevents.unpack(pieces)]


HELD = Structure(st.lists(EVENTS, max_size=5), held, read_held, CLEAN, lambda m: m)

STRUCTURES = {
    "frames of the stream": FRAMES,
    "format description": FORMAT_DESCRIPTION,
    "rotate": ROTATE,
    "incident": INCIDENT,
    "gtid": GTID,
    "tagged gtid": TAGGED_GTID,
    "MariaDB's gtid": MARIADB_GTID,
    "XA prepare": XA_PREPARE,
    "XA statement": XA_STATEMENT,
    "query": QUERY,
    "execute load": EXECUTE_LOAD,
    "rows header": ROWS_HEADER,
    "compressed rows of MariaDB": COMPRESSED_ROWS,
    "compressed query of MariaDB": COMPRESSED_QUERY,
    "compressed transaction": TRANSACTION,
    "kept events": HELD,
}
