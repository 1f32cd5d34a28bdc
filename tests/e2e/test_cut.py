"""`mysync-consumer cut`: all partitions at one position of the source, under load."""

import json
import signal
import subprocess
import sys

import pytest

from bank import end_of_log
from cut_rig import PATIENCE, Banked
from fix_own_servers import restarted, run_sql
from fix_pipeline import MakeReplica
from mysync_consumer import cut
from mysync_consumer.cutcommand import Cutting
from mysync_consumer.errors import CutFailed, CutStands
from mysync_lab.lab import Lab
from mysync_lab.layout import wait_until
from mysync_lab.proxy import FaultProxy
from mysync_lab.services import command
from mysync_runtime.lifecycle import Stop
from mysync_runtime.loading import load
from mysync_schemas.gtid import GtidSet

flavours = pytest.mark.parametrize(
    "servers", [("mysql_a", "mysql_b"), ("mariadb_a", "mariadb_b")], ids=["mysql", "mariadb"]
)


@pytest.fixture
def bank(
    servers: tuple[str, str], make_replica: MakeReplica, request: pytest.FixtureRequest
) -> Banked:
    source, target = map(request.getfixturevalue, servers)
    # Small Kafka transactions: those of the source are larger.
    return Banked(make_replica(source, target, publish={"max_bytes": 65_536}))


@flavours
def test_every_cut_under_load_is_the_source_at_the_position_that_it_names(bank: Banked) -> None:
    replica = bank.replica
    cuts = 8 if replica.source.kind == "mysql" else 3
    _, consumer = replica.start()
    replica.pipeline.consumer().start().wait_ready()
    with bank.writers("cuts") as writers:
        found = []
        for _ in range(cuts):
            with bank.cut() as reached:
                found.append(bank.check(reached.place.file, reached.place.pos))
                again = bank.check(reached.place.file, reached.place.pos)
                assert again == found[-1], "the target went on"
            bank.goes_on(consumer)
        assert found == sorted(set(found)), "each is behind the one before"
        assert writers.running
    replica.catch_up()
    # Nobody writes here any more; others may elsewhere on the server.
    with bank.cut() as reached:
        assert bank.check(reached.place.file, reached.place.pos) > found[-1]
        assert (reached.place.file, reached.place.pos) <= end_of_log(replica.source)
        replica.assert_equal()
        assert bank.status()["cut"]["version"] == reached.version
    if replica.source.kind == "mysql":
        executed = run_sql(replica.source, "SELECT @@GLOBAL.gtid_executed")[0][0]
        assert GtidSet.parse(executed).covers(GtidSet.parse(reached.place.gtid_set or ""))
    assert bank.status()["cut"] is None


@pytest.mark.parametrize("servers", [("mysql_a", "mysql_b")], ids=["mysql"])
def test_the_command_runs_another_one_at_the_cut_and_passes_its_words_and_code_on(
    bank: Banked,
) -> None:
    replica = bank.replica
    replica.start()
    with bank.writers("command"):
        told = "os.environ['MYSYNC_CUT_FILE'], os.environ['MYSYNC_CUT_POSITION']"
        script = "--", sys.executable, "-c", f"import os; print({told}); exit(7)"
        done = subprocess.run(
            [*command("mysync-consumer"), "cut", "-c", str(replica.pipeline.config), *script],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 7, done.stderr
        file, pos = done.stdout.split()
        assert bank.log.transactions(file, int(pos)) >= 0
        assert bank.status()["cut"] is None


@pytest.mark.parametrize("servers", [("mysql_a", "mysql_b")], ids=["mysql"])
def test_a_cut_is_held_over_kills_and_rebalances_until_it_is_released(bank: Banked) -> None:
    replica = bank.replica
    _, consumer = replica.start()
    with bank.writers("held", rate=60):
        code, out, err = replica.pipeline.run("mysync-consumer", "cut", "--json")
        assert code == 0, err
        place = json.loads(out)
        at = bank.check(place["file"], place["position"])
        code, _, err = replica.pipeline.run("mysync-consumer", "cut")
        assert code == 2
        assert "CutStands" in err
        second = replica.pipeline.consumer().start().wait_ready()
        consumer.kill()
        consumer.start().wait_ready()
        second.stop()
        wait_until(
            lambda: all(
                (p.get("waiting") or {}).get("reason") == "cut"
                for p in (consumer.status() or {"partitions": {"0": {}}})["partitions"].values()
            ),
            "all partitions to stand again",
            PATIENCE,
        )
        assert bank.applied() == at
        assert bank.status()["cut"]["standing"] == list(range(8))
        code, out, err = replica.pipeline.run("mysync-consumer", "cut", "--release")
        assert code == 0, err
        bank.goes_on(consumer)
    replica.catch_up()
    replica.assert_equal()
    code, _, err = replica.pipeline.run("mysync-consumer", "cut", "--release")
    assert code == 2
    assert "NoCut" in err


@pytest.mark.parametrize("servers", [("mysql_a", "mysql_b")], ids=["mysql"])
def test_a_cut_whose_time_runs_out_ends_by_itself_and_its_asker_is_told(bank: Banked) -> None:
    replica = bank.replica
    _, consumer = replica.start()
    with bank.writers("lease", rate=60):
        code, _, err = replica.pipeline.run("mysync-consumer", "cut", "--hold", "1")
        assert code == 0, err
        bank.goes_on(consumer)
        with Cutting(load(replica.pipeline.config, role="consumer"), Stop()) as cutting:
            cutting.ask()
            reached = cutting.reach(PATIENCE)
            # As if this process had been frozen for longer than its lease.
            with replica.target.connect() as sql:
                assert cut.renew(sql, replica.pipeline.name, reached.version, 0.1)
            bank.goes_on(consumer)
            with pytest.raises(CutFailed, match="is over"):
                cutting.release()
        with Cutting(load(replica.pipeline.config, role="consumer"), Stop()) as cutting:
            consumer.stop()
            cutting.ask()
            with pytest.raises(CutFailed, match=r"partitions \[0, 1, 2, 3, 4, 5, 6, 7\]"):
                cutting.reach(0.5)
        consumer.start()
        assert bank.status()["cut"] is None
    replica.catch_up()
    replica.assert_equal()


@pytest.mark.parametrize("servers", [("mysql_a", "mysql_b")], ids=["mysql"])
@pytest.mark.parametrize("point", ["cut.standing", "cut.released"])
def test_a_consumer_killed_at_this_point_of_a_cut_stands_again_or_goes_on(
    bank: Banked, point: str
) -> None:
    replica = bank.replica
    replica.pipeline.producer().start().wait_ready()
    victim = replica.pipeline.consumer().start(crash=f"{point}:3").wait_ready()
    with bank.writers(point, rate=60):
        with bank.cut_or_kill(victim, point) as reached:
            bank.check(reached.place.file, reached.place.pos)
        if point == "cut.released":
            assert victim.wait_exit(PATIENCE) == -signal.SIGKILL
            victim.start()
        bank.goes_on(victim)
    replica.catch_up()
    replica.assert_equal()


@pytest.mark.parametrize("servers", [("mysql_a", "mysql_b")], ids=["mysql"])
@pytest.mark.parametrize("point", ["cut.asked", "cut.committed"])
def test_an_asker_killed_at_this_point_leaves_nothing_or_a_cut_that_ends(
    bank: Banked, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = bank.replica
    _, consumer = replica.start()
    with bank.writers(point, rate=60):
        monkeypatch.setenv("MYSYNC_CRASH", point)
        code, _, _ = replica.pipeline.run("mysync-consumer", "cut")
        monkeypatch.delenv("MYSYNC_CRASH")
        assert code == -signal.SIGKILL
        if point == "cut.committed":
            wait_until(lambda: bank.standing() == 8, "all to stand", PATIENCE)
            code, _, err = replica.pipeline.run("mysync-consumer", "cut", "--release")
            assert code == 0, err
        else:
            assert bank.standing() == -1
        bank.goes_on(consumer)
    replica.catch_up()
    replica.assert_equal()


@flavours
def test_answers_that_are_lost_make_no_second_cut_and_spoil_none(bank: Banked) -> None:
    """The server did what it was asked, and the asker never hears of it and asks again."""
    replica = bank.replica
    replica.start()
    found = load(replica.pipeline.config, role="consumer")
    with FaultProxy(found.target.host, found.target.port) as proxy:
        target = found.target.model_copy(update={"host": proxy.host, "port": proxy.port})
        behind = found.model_copy(update={"target": target})

        def lose_the_answer_to(request: bytes) -> None:
            proxy.dropped.clear()
            proxy.drop_answer(request)

        with Cutting(behind, Stop()) as cutting:
            lose_the_answer_to(b"\x03COMMIT")
            cutting.ask()
            assert proxy.dropped.is_set()
            reached = cutting.reach(PATIENCE)
            assert bank.status()["cut"]["version"] == reached.version
            lose_the_answer_to(b"SET released_at")
            cutting.release()
            assert proxy.dropped.is_set()
        with Cutting(behind, Stop()) as cutting:
            cutting.ask()
            second = cutting.reach(PATIENCE)
            assert second.version == reached.version + 1, "the first was asked for once"
            with Cutting(behind, Stop()) as another:
                with pytest.raises(CutStands):
                    another.ask()
                lose_the_answer_to(b"SET released_at")
                assert another.release_any() == second.version
                assert proxy.dropped.is_set()
            with pytest.raises(CutFailed, match="is over"):
                cutting.release()
    assert bank.status()["cut"] is None


@pytest.mark.xdist_group("own servers")
@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_a_cuts_time_runs_out_where_sysdate_is_the_sessions_time(
    kind: str, make_replica: MakeReplica, own_lab: Lab, request: pytest.FixtureRequest
) -> None:
    """Row events give their session the time at which the source made them."""
    target = request.getfixturevalue(f"own_{kind}")
    with restarted(own_lab, target, "--sysdate-is-now") as target:
        bank = Banked(make_replica(request.getfixturevalue(f"{kind}_a"), target))
        replica = bank.replica
        _, consumer = replica.start()
        with bank.writers("sysdate", rate=60):
            bank.goes_on(consumer)
            code, _, err = replica.pipeline.run("mysync-consumer", "cut", "--hold", "1")
            assert code == 0, err
            wait_until(lambda: bank.status()["cut"] is None, "the cut's end", PATIENCE)
            bank.goes_on(consumer)
        replica.catch_up()
        replica.assert_equal()
        replica.end(None)
