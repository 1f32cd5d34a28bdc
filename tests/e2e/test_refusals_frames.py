"""What no sound server sends: a man in the middle makes it of what a real one does. The producer
stops, has published everything before it, and once the link is sound goes on with nothing lost."""

from collections.abc import Callable, Mapping

import pytest

from dumpproxy import Alter, DumpProxy, Last, Packet
from fix_capture import MakeOwnPublished, Published
from mysync_lab.sql import SqlServer
from provoked import Outcomes, Script, ended, selected_causes
from published import assert_in_order
from refusals import Refusal, row, rows

pytestmark = pytest.mark.xdist_group("frames")

TABLE = "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(60))"
FIRST = "INSERT INTO t VALUES (1, 'first')"
MARK = b"altered"
SECOND = f"INSERT INTO t VALUES (2, '{MARK.decode()}')"
# Of more than one Kafka transaction, with `publish.max_bytes` as small as it may be.
ROWS = 1_000
LONG = (
    "INSERT INTO t WITH RECURSIVE n AS (SELECT 2 id UNION ALL SELECT id + 1 FROM n"
    f" WHERE id <= {ROWS}) SELECT id, REPEAT('{MARK.decode()}', 8) FROM n"
)

QUERY, XID, TABLE_MAP, INCIDENT, WRITE_ROWS, UNKNOWN = 2, 16, 19, 26, 30, 120
ROLLBACK = bytes(13) + b"\0ROLLBACK"  # a QUERY event's body: no database, no variables
LOST_CHANGES = b"\x01\x00\x0clost changes"


def rows_event(make: Callable[[Packet], bytes]) -> Alter:
    """Alters the marked rows event only."""
    return lambda packet: make(packet) if packet.kind == WRITE_ROWS and MARK in packet else packet


def its_table_map(db: str) -> Alter:
    """Leaves of the TABLE_MAP not much more than its names."""

    def alter(packet: Packet) -> bytes:
        if packet.kind != TABLE_MAP or db.encode() not in packet:
            return packet
        return packet.event(TABLE_MAP, packet.body[: 8 + 1 + len(db) + 1 + 3 + 2])

    return alter


def its_end(make: Callable[[Packet], bytes]) -> Alter:
    """Alters the XID of the transaction that has marked rows."""
    marked = False

    def alter(packet: Packet) -> bytes:
        nonlocal marked
        marked = marked or MARK in packet
        if packet.kind != XID or not marked:
            return packet
        marked = False
        return make(packet)

    return alter


# By the name of the database.
CASES: Mapping[str, Callable[[str], Alter]] = {
    "an event of unknown type": lambda _: rows_event(lambda p: p.event(UNKNOWN, p.body)),
    "a wrong checksum": lambda _: rows_event(lambda p: p[:-1] + bytes([p[-1] ^ 1])),
    "an event shorter than it says": lambda _: rows_event(lambda p: p.of(p[4:-3])),
    "a packet out of turn": lambda _: rows_event(
        lambda p: p[:3] + bytes([p[3] + 5 & 0xFF]) + p[4:]
    ),
    "a packet that is no event": lambda _: rows_event(lambda p: p.of(b"\x37" + p[5:])),
    # What is left is: table id, flags, no more of the header, two columns, both present.
    "garbage instead of a row": lambda _: rows_event(
        lambda p: p.event(WRITE_ROWS, p.body[:12] + b"\0" + b"\xff" * 20)
    ),
    "a garbled TABLE_MAP": its_table_map,
    "an INCIDENT": lambda _: rows_event(lambda p: p.event(INCIDENT, LOST_CHANGES)),
    "a half-published transaction is rolled back": lambda _: its_end(
        lambda p: p.event(QUERY, ROLLBACK)
    ),
}
CUT = "a stream that ends within an event"


def begins(published: Published) -> Script:
    published.on_source(TABLE)
    published.producer.start()
    yield
    published.producer.wait_ready()
    yield
    published.on_source(FIRST)
    yield
    published.catch_up()


def has_everything(published: Published, count: int) -> None:
    topics = published.caught_up_topics()
    assert_in_order(topics)
    ids = [found.value["after"]["id"] for found in topics.rows()]
    assert ids == list(range(1, count + 1))


def stops(published: Published, proxy: DumpProxy, refusal: Refusal) -> Script:
    producer, half = published.producer, refusal.error == "TransactionTorn"
    yield from begins(published)
    proxy.alter = CASES[refusal.cause](published.db)
    published.on_source(LONG if half else SECOND)
    yield
    refusal.check(*ended(producer))
    published_rows = published.topics().rows()
    assert len(published_rows) > 1 if half else len(published_rows) == 1
    proxy.alter = bytes
    producer.start()
    yield
    producer.wait_ready()
    has_everything(published, ROWS + 1 if half else 2)


def goes_on(published: Published, proxy: DumpProxy) -> Script:
    yield from begins(published)
    cuts = iter([True])
    proxy.alter = rows_event(lambda p: Last(p[: len(p) // 2]) if next(cuts, False) else p)
    published.on_source(SECOND)
    yield
    has_everything(published, 2)
    assert next(cuts, None) is None
    assert published.producer.running


def _script(cause: str, source: SqlServer, make: MakeOwnPublished) -> Script:
    with (
        DumpProxy(source.host, source.port) as proxy,
        make(source, source_link={"port": proxy.port}, publish={"max_bytes": 65_536}) as published,
    ):
        if cause == CUT:
            yield from goes_on(published, proxy)
        else:
            yield from stops(published, proxy, row(cause))


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, mysql_a: SqlServer, make_own_published: MakeOwnPublished
) -> Outcomes:
    found = Outcomes()
    causes = [CUT, *(cause for cause in CASES if cause in selected_causes(request))]
    found.play({cause: _script(cause, mysql_a, make_own_published) for cause in causes})
    return found


@pytest.mark.parametrize("row", rows("frames"), ids=str)
def test_what_no_sound_server_sends_stops_the_producer(row: Refusal, outcomes: Outcomes) -> None:
    outcomes.verify(row.cause)


def test_a_stream_that_ends_within_an_event_is_read_again(outcomes: Outcomes) -> None:
    outcomes.verify(CUT)
