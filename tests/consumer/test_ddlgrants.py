"""Privileges that statements need, against what servers say of an account."""

import pytest

from mysync_consumer.ddlgrants import lacking_for_statements
from mysync_lab.sql import SqlServer
from mysync_runtime import mysql
from mysync_runtime.errors import Failure
from statement_rig import Target

pytestmark = pytest.mark.xdist_group("own servers")


@pytest.fixture(params=["own_mysql", "plain_mysql", "own_mariadb"])
def server(request: pytest.FixtureRequest) -> SqlServer:
    found: SqlServer = request.getfixturevalue(request.param)
    return found


def lacking(server: SqlServer, user: str, password: str, *databases: str) -> list[Failure]:
    with server.connect(user=user, password=password) as connection:
        return lacking_for_statements(
            databases,
            mysql.account(connection),
            mysql.grants(connection),
            mysql.flavor(connection),
            mysql.variables(connection),
        )


def test_who_has_everything_lacks_nothing(server: SqlServer) -> None:
    assert lacking(server, server.user, server.password, "*", "shop") == []


def test_each_grant_that_is_named_mends_what_it_says(server: SqlServer) -> None:
    """Executing them all leaves nothing to say."""
    target = Target(server)
    user = f"g_{target.db}"
    target.sql(f"CREATE USER {user} IDENTIFIED BY 'x'", f"GRANT SELECT ON {target.db}.* TO {user}")
    found = lacking(server, user, "x", target.db)
    assert found
    first = found[0]
    assert first.cause.startswith(f"'{user}'@'%' lacks INSERT, CREATE, ALTER, DROP, INDEX")
    assert first.mend.startswith("GRANT INSERT, CREATE,")
    for failure in found:
        target.sql(failure.mend)
    assert lacking(server, user, "x", target.db) == []
    assert [f.cause for f in lacking(server, user, "x", "elsewhere")] != []


def test_what_tells_whether_a_statement_took_effect_depends_on_gtids(server: SqlServer) -> None:
    target = Target(server)
    user = f"g_{target.db}"
    target.sql(f"CREATE USER {user} IDENTIFIED BY 'x'", f"GRANT ALL ON {target.db}.* TO {user}")
    causes = " ".join(f.cause for f in lacking(server, user, "x", target.db))
    with_gtids = server.kind == "mysql" and target.sql("SELECT @@GLOBAL.gtid_mode") == [("ON",)]
    assert ("REPLICATION_APPLIER to give statements their GTID" in causes) is with_gtids
    assert ("PROCESS to tell after a crash" in causes) is not with_gtids
