"""Whatever kind of log a server writes: all its rows come, and wherever between two transactions,
or within one, a capture begins, it goes on exactly as one that never ended."""

import random
from itertools import count

import pytest

from binlog_kinds import KINDS, TABLES, Flavor, Kind
from capture_rig import Captured, CaptureRig, Place
from mysync_lab.sql import SqlServer

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
    from_places(kind, servers[flavor], times=3, most=4)


@pytest.mark.soak
@pytest.mark.parametrize(("kind", "flavor"), RUNS, ids=str)
def test_a_capture_from_every_place_is_the_rest_of_the_whole(
    kind: Kind, flavor: Flavor, servers: dict[Flavor, SqlServer]
) -> None:
    from_places(kind, servers[flavor], times=8, most=1000)


def from_places(kind: Kind, server: SqlServer, times: int, most: int) -> None:
    """Runs the kind's statements so many times; begins at no more places of each sort than `most`.
    The seed is printed."""
    db = f"kinds_{next(_numbers)}"
    with server.connect(local_infile=True) as connection, connection.cursor() as cursor:

        def run(*statements: str) -> None:
            for statement in statements:
                cursor.execute(statement)

        run(f"CREATE DATABASE {db}", f"USE {db}", *TABLES, *kind.before)
        try:
            rig = CaptureRig(server, db)
            start = rig.here()
            for n in range(times):
                run(*kind.of(n))
            end = rig.end()
            whole = rig.capture(start, end)
            assert kind.types <= whole.types, whole.types
            rig.assert_shown(whole.records, cursor)
            seed = random.randrange(1 << 30)
            print(f"seed {seed}")
            chance = random.Random(seed)
            for place in some(chance, whole, most):
                rest = rig.capture(place, end)
                assert rest.records == whole.records[place.records :], place
        finally:
            run(*kind.after, f"DROP DATABASE {db}")


def some(chance: random.Random, whole: Captured, most: int) -> list[Place]:
    """Places between transactions and within."""
    return [
        place
        for places in (whole.boundaries, whole.parts)
        for place in chance.sample(places, min(len(places), most))
    ]
