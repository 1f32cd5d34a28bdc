"""Every kind of log that a server may write, through whole pipelines: the producer begins again at
one transaction boundary after another, and the target ends equal, in strict mode."""

from collections.abc import Mapping, Sequence

import pytest

from binlog_kinds import KINDS, TABLES, Flavor, Kind
from fix_pipeline import MakeReplica, Replica
from mysync_lab.sql import SqlServer

# The end of an XA transaction stops the pipelines that begin meanwhile, and some of it is set for
# the whole server.
pytestmark = pytest.mark.xdist_group("own servers")

# Without GTIDs a pipeline that began with them can't go on.
TOGETHER: Mapping[Flavor, Sequence[Kind]] = {
    flavor: [
        kind
        for kind in KINDS
        if flavor in kind.flavors and not any("gtid_mode" in sql for sql in kind.before)
    ]
    for flavor in ("mysql", "mariadb")
}
RUNS = [(kind, flavor) for kind in KINDS for flavor in kind.flavors]


class Run:
    """A pipeline over the kinds' tables. One session writes."""

    def __init__(self, make: MakeReplica, request: pytest.FixtureRequest, flavor: Flavor) -> None:
        source: SqlServer = request.getfixturevalue(f"own_{flavor}")
        target: SqlServer = request.getfixturevalue(f"{flavor}_b")
        self.replica: Replica = make(
            source,
            target,
            topics={"max_message_bytes": 10_000},
            publish={"max_bytes": 65_536},
        )
        self.connection = source.connect(local_infile=True)

    def sql(self, *statements: str) -> None:
        with self.connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def begin(self) -> None:
        self.replica.create(*TABLES)
        # A target's tables have to be able to roll back.
        self.replica.on(self.replica.target, "ALTER TABLE plain ENGINE=InnoDB")
        self.sql(f"USE {self.replica.db}")
        self.producer, self.consumer = self.replica.start()

    def over(self, kind: Kind, numbers: range, *, restarts: int) -> None:
        """The kind's transactions; the producer begins again after each nth of them, every other
        time with SIGKILL."""
        for n in numbers:
            self.sql(*kind.of(n))
            if n % restarts:
                continue
            if n % (2 * restarts):
                self.producer.kill()
            else:
                self.replica.catch_up()
                self.producer.stop()
            self.producer.start()

    def end(self) -> None:
        self.replica.catch_up(seconds=240)
        for service in self.replica.services:
            service.stop()
        self.replica.on(self.replica.target, "ALTER TABLE plain ENGINE=MyISAM")
        self.replica.assert_equal()

    def close(self, kind: Kind | None = None) -> None:
        self.sql(*(kind.after if kind else ()))
        self.connection.close()


@pytest.mark.parametrize("flavor", ["mysql", "mariadb"])
def test_all_kinds_in_one_log_leave_the_target_equal(
    flavor: Flavor, request: pytest.FixtureRequest, make_replica: MakeReplica
) -> None:
    run = Run(make_replica, request, flavor)
    run.begin()
    for number, kind in enumerate(TOGETHER[flavor]):
        run.sql(*kind.before)
        try:
            run.over(kind, range(number * 4, number * 4 + 3), restarts=8)
        finally:
            run.sql(*kind.after)
    run.end()
    run.close()


@pytest.mark.soak
@pytest.mark.parametrize(("kind", "flavor"), RUNS, ids=str)
def test_twenty_boundaries_of_each_kind(
    kind: Kind, flavor: Flavor, request: pytest.FixtureRequest, make_replica: MakeReplica
) -> None:
    run = Run(make_replica, request, flavor)
    run.sql(*kind.before)
    try:
        run.begin()
        run.over(kind, range(24), restarts=1)
        run.end()
    finally:
        run.close(kind)
