"""Whatever kind of log a server writes: all its rows come, and wherever between two transactions,
or within one, a capture begins, it goes on exactly as one that never ended."""

import random
from itertools import count

import pytest

from binlog_kinds import KINDS, TABLES, Flavor, Kind
from capture_rig import CaptureRig, Place
from mysync_lab.sql import SqlServer
from mysync_producer.transaction import TakenBack

TIMES = 8
_MOST = 12

_numbers = count()


@pytest.fixture
def servers(own_mysql: SqlServer, own_mariadb: SqlServer) -> dict[Flavor, SqlServer]:
    return {"mysql": own_mysql, "mariadb": own_mariadb}


RUNS = [(kind, flavor) for kind in KINDS for flavor in kind.flavors]

pytestmark = pytest.mark.xdist_group("own servers")


@pytest.mark.parametrize(("kind", "flavor"), RUNS, ids=str)
def test_a_capture_from_any_place_is_the_rest_of_the_whole(
    kind: Kind, flavor: Flavor, servers: dict[Flavor, SqlServer]
) -> None:
    server = servers[flavor]
    db = f"kinds_{next(_numbers)}"
    with server.connect() as connection, connection.cursor() as cursor:

        def run(*statements: str) -> None:
            for statement in statements:
                cursor.execute(statement)

        run(f"CREATE DATABASE {db}", f"USE {db}", *TABLES)
        rig = CaptureRig(server, db)
        start = rig.here()
        run(*kind.before)
        for n in range(TIMES):
            run(*kind.of(n))
        run(*kind.after)
        end = rig.end()
        taken_back = TakenBack()
        whole = rig.capture(start, end, taken_back)
        assert kind.types <= whole.types, whole.types
        rig.assert_shown(whole.records, cursor)
        seed = random.randrange(1 << 30)
        print(f"seed {seed}")
        chance = random.Random(seed)
        for place in some(chance, whole.boundaries) + some(chance, whole.parts):
            rest = rig.capture(place, end)
            assert rest.records == whole.records[place.records :], place
        run(f"DROP DATABASE {db}")


def some(chance: random.Random, places: list[Place]) -> list[Place]:
    return chance.sample(places, min(len(places), _MOST))
