"""Hundreds of SIGKILLs of a target in the middle of statements, of which each takes effect once.
`make chaos`.

Each seed kills every server within every kind of statement, at a random moment of it, and twice
within a long ALTER whose client is gone. A seed can be run alone: `make chaos ARGS="-k ddl_once
--seed 5 --runs 1"`.
"""

from collections import Counter

import pytest

from ddl_kills import Kills
from fix_own_servers import WITHOUT_GTIDS
from fix_seed import seeds
from mysync_lab.lab import Lab
from statement_rig import Target

pytestmark = pytest.mark.chaos

SEEDS = 3
LEAST = {"mysql": 60, "plain": 40, "mariadb": 60}
LONG = "add column by copy"

ran: Counter[str] = Counter()
kills: Counter[str] = Counter()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "run" in metafunc.fixturenames:
        metafunc.parametrize("run", seeds(metafunc.config, SEEDS))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", LEAST)
def test_every_statement_takes_effect_once(kind: str, run: int, private_lab: Lab) -> None:
    options = WITHOUT_GTIDS if kind == "plain" else ()
    private_lab.add("victim", "mariadb" if kind == "mariadb" else "mysql", options)
    server = private_lab.mysql("victim")
    server.start()
    victim = Kills(Target(server), run)
    print(f"\nseed {run}, {kind} {server.version}")
    for name in victim.kinds():
        victim.kill(name)
    for kill in (False, True, True):
        victim.lose_the_client(LONG, kill=kill)
    for what, count in sorted(victim.seen.items()):
        print(f"  {what}: {count}")
    print(f"  kills: {victim.kills}")
    ran[kind] += 1
    kills[kind] += victim.kills


def test_enough_were_killed() -> None:
    for kind, least in LEAST.items():
        print(f"\n{kind}: {kills[kind]} kills of the target within statements")
        if ran[kind] >= SEEDS:
            assert kills[kind] >= least
