"""Where a new pipeline begins, found in the logs of real servers."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from pydantic import SecretStr

from fix_own_servers import run_sql
from mysync_lab.sql import SqlServer
from mysync_producer.beginning import Beginning, find_beginning
from mysync_producer.connection import DumpFrom
from mysync_producer.logscan import LogScan, scanner
from mysync_producer.source import Source
from mysync_producer.state import LogEnd
from mysync_runtime.errors import ConfigError
from mysync_runtime.lifecycle import Stop, Stopped
from mysync_runtime.settings import Settings, SourceSettings
from mysync_runtime.startpoint import parse_start, shown_time
from mysync_schemas.gtid import GtidSet, MariadbGtidSet
from mysync_schemas.position import FIRST, BinlogPosition

pytestmark = pytest.mark.xdist_group("own servers")

DB = "begins"


@dataclass
class History:
    """A log of several files, and every place between two of its transactions."""

    server: SqlServer
    settings: Settings
    places: list[LogEnd] = field(default_factory=list)
    times: list[int] = field(default_factory=list)  # before each but the first, by the server, µs

    @property
    def mariadb(self) -> bool:
        return self.server.kind == "mariadb"

    def write(self, *statements: str) -> None:
        """A transaction, and the place behind it."""
        (found,) = run_sql(self.server, "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)")
        self.times.append(int(found[0]))
        run_sql(self.server, *statements, database=DB)
        with closing(self.source()) as source:
            self.places.append(source.end())

    def source(self) -> Source:
        return Source.connect(self.settings.source)

    def find(self, start: str, stop: Stop | None = None) -> Beginning:
        with closing(self.source()) as source:
            return find_beginning(
                source, self.settings, parse_start(start), stop or Stop(), lambda: None
            )

    def refusal(self, start: str) -> str:
        with pytest.raises(ConfigError) as caught:
            self.find(start)
        return str(caught.value)

    def head_of_the_last(self) -> BinlogPosition:
        """Where the last file's first transaction begins."""
        scan = LogScan(self.settings.source, scanner("rig"), self.end, Stop(), lambda: None)
        return next(iter(scan.transactions(self.end.file))).at

    @property
    def end(self) -> BinlogPosition:
        return self.places[-1].position

    def dumped(self, begin: DumpFrom) -> str | None:
        """The GTID that a dump from there begins with."""
        scan = LogScan(self.settings.source, scanner("rig"), self.end, Stop(), lambda: None)
        found = scan.first(begin)
        return None if found is None else found.gtid


def reset(server: SqlServer) -> None:
    mariadb = server.kind == "mariadb"
    run_sql(server, f"DROP DATABASE IF EXISTS {DB}")
    run_sql(server, "RESET MASTER" if mariadb else "RESET BINARY LOGS AND GTIDS")


@pytest.fixture(scope="module", params=["own_mysql", "own_mariadb", "plain_mysql"])
def history(request: pytest.FixtureRequest) -> Iterator[History]:
    server: SqlServer = request.getfixturevalue(request.param)
    settings = Settings(
        pipeline="rig",
        source=SourceSettings(
            port=server.port,
            user=server.user,
            password=SecretStr(server.password),
            heartbeat_seconds=0.2,
        ),
    )
    reset(server)
    run_sql(server, f"CREATE DATABASE {DB}")
    made = History(server, settings)
    with closing(made.source()) as source:
        made.places.append(source.end())
        gtids = source.uses_gtids()
    made.times.append(0)
    made.write("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    for number in range(3):
        for row in range(4):
            made.write("BEGIN", f"INSERT INTO t VALUES ({10 * number + row}, 0)", "COMMIT")
        if gtids and not made.mariadb:
            made.write("SET gtid_next='AUTOMATIC:blue'", f"UPDATE t SET v = v + 1 WHERE id = {row}")
        time.sleep(1.1)  # times in a log may be whole seconds
        run_sql(server, "FLUSH BINARY LOGS")
    made.write(f"INSERT INTO t VALUES (100, {number})")
    yield made
    reset(server)


def test_latest_is_the_end_of_the_log(history: History) -> None:
    found = history.find("latest")
    assert (found.place, found.past) == (history.places[-1], False)


def test_a_position_is_found_with_the_gtids_that_were_executed_there(history: History) -> None:
    for place in history.places:
        found = history.find(str(place.position))
        assert found.past
        assert found.place.gtids == place.gtids, place
        assert history.dumped(DumpFrom(found.place.position, None)) == history.dumped(
            DumpFrom(place.position, place.gtids)
        )


def test_the_beginning_and_the_end_of_a_file_are_places(history: History) -> None:
    with closing(history.source()) as source:
        files = source.files()
    assert files is not None
    names = list(files)
    for file, after in pairwise(names):
        end, begin = history.find(f"{file}:{files[file]}"), history.find(f"{after}:{FIRST}")
        assert end.place == begin.place
        assert end.place.position == BinlogPosition(after, FIRST)


def test_a_position_within_a_transaction_or_an_event_names_the_places_around_it(
    history: History,
) -> None:
    for before, after in zip(history.places[2:4], history.places[3:5], strict=True):
        assert before.position.file == after.position.file
        for pos in (before.position.pos + 1, (before.position.pos + after.position.pos) // 2):
            said = history.refusal(f"{before.position.file}:{pos}")
            assert "isn't between two transactions" in said
            assert str(before.position) in said
            assert str(after.position) in said
    events = run_sql(history.server, f"SHOW BINLOG EVENTS IN '{before.position.file}'")
    inside = [int(row[4]) for row in events if before.position.pos < row[4] < after.position.pos]
    assert inside
    for pos in inside:
        assert "isn't between" in history.refusal(f"{before.position.file}:{pos}")


def test_a_position_that_the_log_does_not_have_is_refused(history: History) -> None:
    end = history.places[-1].position
    first = history.places[0].position.file
    said = history.refusal(f"{end.base}.000999:4")
    assert f"no binary log {end.base}.000999" in said
    assert f"Its logs are {first} to {end.file}" in said
    assert "behind the end of its file" in history.refusal(f"{end.file}:{end.pos + 1}")


def test_a_gtid_set_is_found_where_a_dump_of_it_begins(history: History) -> None:
    if history.places[0].gtids is None:
        said = history.refusal("3e11fa47-71ca-11e1-9e33-c80aa9429562:1")
        assert "no GTIDs as" in said
        return
    for place in history.places:
        if not str(place.gtids):
            continue
        found = history.find(str(place.gtids))
        assert found.place.gtids == place.gtids
        again = history.find(str(found.place.position))
        assert again.place.gtids == place.gtids, "the place is one with these GTIDs"


def test_a_gtid_set_with_a_gap_begins_before_the_gap(history: History) -> None:
    end, before = history.places[-1], history.places[4]
    if not isinstance(end.gtids, GtidSet) or not isinstance(before.gtids, GtidSet):
        pytest.skip("only MySQL's sets have gaps")
    missing = before.gtids.subtract(history.places[3].gtids)  # type: ignore[arg-type]
    found = history.find(str(end.gtids.subtract(missing)))
    assert found.place.position == history.places[3].position
    assert found.place.gtids == end.gtids.subtract(missing)
    assert history.dumped(DumpFrom(found.place.position, found.place.gtids)) == str(missing)


def test_gtids_that_the_source_never_had_are_named(history: History) -> None:
    end = history.places[-1].gtids
    stranger = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"
    if isinstance(end, MariadbGtidSet):
        ((domain, (server, number)),) = end.domains.items()
        ahead = f"{domain}-{server}-{number + 1}"
        assert f"before {ahead}" in history.refusal(ahead)
        assert "no GTIDs as" in history.refusal(stranger)
        assert "can't go on behind" in history.refusal(f"{domain}-{server + 7}-{number - 1}")
    elif end is not None:
        said = history.refusal(f"{end},{stranger}")
        assert f"never executed {stranger}" in said
        assert "no GTIDs as" in history.refusal("0-1-5")


def test_a_time_is_found_before_the_first_transaction_of_its_file(history: History) -> None:
    """The times are those before transactions: with whole seconds, of the first of each file."""
    firsts = [
        index
        for index in range(2, len(history.places))
        if history.places[index].position.file != history.places[index - 1].position.file
    ]
    assert len(firsts) == 3
    for index in firsts if history.mariadb else range(2, len(history.places)):
        found = history.find(shown_time(history.times[index]))
        assert found.place.gtids == history.places[index - 1].gtids, index
        assert history.dumped(DumpFrom(found.place.position, None)) == history.dumped(
            DumpFrom(history.places[index - 1].position, None)
        )
        if found.place.position.file == history.places[index - 1].position.file:
            assert found.place.position == history.places[index - 1].position


def test_an_age_is_a_time_by_the_source_s_clock(history: History) -> None:
    (found,) = run_sql(history.server, "SELECT UNIX_TIMESTAMP(NOW(6))")
    age = float(found[0]) - history.times[-1] / 1e6
    begun = history.find(f"{age + 0.5:.6f} seconds ago").place.position
    if history.mariadb:  # the second may have begun before
        assert begun < history.places[-1].position
    else:
        assert begun in (history.places[-2].position, history.head_of_the_last())


def test_a_time_after_the_end_is_the_end_and_one_before_the_beginning_is_refused(
    history: History,
) -> None:
    assert history.find("2100-01-01T00:00:00Z").place == history.places[-1]
    said = history.refusal("90 days ago")
    assert "the source's logs begin at 20" in said
    assert "+00:00" in said


def test_a_stop_ends_the_search(history: History) -> None:
    stop = Stop()
    stop.request("enough")
    with pytest.raises(Stopped):
        history.find(str(history.places[5].position), stop)


def test_what_was_purged_is_said(history: History) -> None:
    """Last: the history is shorter afterwards."""
    middle = history.places[7]
    run_sql(history.server, f"PURGE BINARY LOGS TO '{middle.position.file}'")
    gone = history.places[2]
    assert f"no binary log {gone.position.file}" in history.refusal(str(gone.position))
    if gone.gtids is not None:
        assert "purged transactions" in history.refusal(str(gone.gtids))
    assert "logs begin at" in history.refusal(shown_time(history.times[2]))
    for place in history.places[7:]:
        assert history.find(str(place.position)).place.gtids == place.gtids
        if place.gtids is not None:
            assert history.find(str(place.gtids)).place.gtids == place.gtids
