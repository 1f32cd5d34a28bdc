"""What a new pipeline gives a target that has nothing, or something else."""

import pytest

import whole_schema
from fix_own_servers import run_sql
from fix_pipeline import MakeReplica
from mysync_lab.objects import KINDS
from mysync_lab.sql import SqlServer
from rebuild_rig import point_of, wipe
from transfer_rig import FRESH, wait_done

ALL = {"routines": "apply", "events": "apply"}


@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_a_new_target_gets_everything_that_a_database_can_hold(
    kind: str, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    """Events are there, and don't run."""
    source, target = (request.getfixturevalue(f"{kind}_{side}") for side in "ab")
    replica = make_replica(source=source, target=target, source_link=FRESH, ddl=ALL)
    with source.connect() as session:
        whole_schema.create(session, replica.db, kind)
        producer, consumer = replica.start()
        wait_done(replica, producer, 60)
        whole_schema.change(session)
    replica.catch_up()
    replica.assert_equal(KINDS)
    assert _enabled_events(target, replica.db) == []
    assert consumer.running


def _enabled_events(server: SqlServer, db: str) -> list[tuple[object, ...]]:
    return run_sql(
        server,
        "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE STATUS = 'ENABLED'"
        f" AND EVENT_SCHEMA = '{db}'",
    )


def test_what_the_target_has_of_the_tables_is_emptied_first(make_replica: MakeReplica) -> None:
    """A database of other defaults gets the source's, on which later statements rest."""
    replica = make_replica(source_link=FRESH)
    run_sql(replica.source, f"CREATE DATABASE {replica.db} COLLATE latin1_german1_ci")
    run_sql(replica.target, f"CREATE DATABASE {replica.db}")
    tables = (
        "CREATE TABLE parent (id INT PRIMARY KEY) CHARSET latin1",
        (
            "CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id))"
            " CHARSET latin1"
        ),
        "INSERT INTO parent VALUES (1), (2), (3)",
    )
    replica.on(replica.source, *tables, "INSERT INTO child VALUES (1, 1)")
    replica.on(replica.target, *tables, "INSERT INTO child VALUES (2, 2), (3, 3)")
    producer, _ = replica.start()
    wait_done(replica, producer, 60)
    replica.on_source("CREATE TABLE later (id INT PRIMARY KEY, t VARCHAR(10))")
    replica.catch_up()
    replica.assert_equal(["database"])


def test_a_table_of_the_same_name_with_another_definition_is_told(
    make_replica: MakeReplica,
) -> None:
    """And no row of it is written."""
    replica = make_replica(source_link=FRESH)
    for server, letters in ((replica.source, 20), (replica.target, 10)):
        run_sql(server, f"CREATE DATABASE {replica.db}")
        replica.on(server, f"CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR({letters}))")
    replica.on_source("INSERT INTO t VALUES (1, 'a')")
    replica.pipeline.producer().start().wait_ready()
    consumer = replica.pipeline.consumer().start()
    assert consumer.wait_exit(60) == 4
    assert "TableDrift" in consumer.log_tail()
    assert run_sql(replica.target, f"SELECT * FROM {replica.db}.t") == []


def test_a_table_of_another_definition_is_set_aside_where_that_is_wished(
    make_replica: MakeReplica,
) -> None:
    """The others are transferred; dropped on the target, and transferred again, it is there."""
    replica = make_replica(
        source_link=FRESH,
        ddl={"on_failure": "quarantine"},
        apply={"on_divergence": "quarantine", "max_failures": 1},
    )
    for server, letters in ((replica.source, 20), (replica.target, 10)):
        run_sql(server, f"CREATE DATABASE {replica.db}")
        replica.on(server, f"CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR({letters}))")
    replica.on_source(
        "CREATE TABLE other (id INT PRIMARY KEY)",
        "INSERT INTO t VALUES (1, 'a')",
        "INSERT INTO other VALUES (1)",
    )
    producer, _ = replica.start()
    wait_done(replica, producer, 60)
    replica.on_source("INSERT INTO other VALUES (2)", "INSERT INTO t VALUES (2, 'b')")
    replica.catch_up()
    held = replica.pipeline.run("mysync-consumer", "tables")[1]
    assert "differ" in held, held
    assert run_sql(replica.target, f"SELECT COUNT(*) FROM {replica.db}.other") == [(2,)]
    run_sql(replica.target, f"DROP TABLE {replica.db}.t")
    command = ("transfer", "start", f"{replica.db}.t")
    assert replica.pipeline.run("mysync-producer", *command)[0] == 0
    wait_done(replica, producer, 60)
    replica.on_source("INSERT INTO t VALUES (3, 'c')")
    replica.catch_up()
    replica.assert_equal()


def test_only_the_schema_where_that_is_wished(make_replica: MakeReplica) -> None:
    """Of rows those that come later. A rebuild makes the same of it."""
    replica = make_replica(source_link=FRESH, transfer={"initial": "schema"})
    run_sql(replica.source, f"CREATE DATABASE {replica.db}")
    replica.on_source(
        "CREATE TABLE t (id INT PRIMARY KEY)",
        "INSERT INTO t VALUES (1)",
        "CREATE VIEW v AS SELECT id FROM t",
    )
    _, consumer = replica.start()
    replica.catch_up()
    replica.on_source("INSERT INTO t VALUES (2)")
    replica.catch_up()
    assert run_sql(replica.target, f"SELECT * FROM {replica.db}.v") == [(2,)]
    assert consumer.stop() == 0
    wipe(replica.target, replica)
    until = point_of(replica).position
    code, _, said = replica.pipeline.run("mysync-consumer", "rebuild", "--until", until)
    assert code == 0, said
    assert run_sql(replica.target, f"SELECT * FROM {replica.db}.v") == [(2,)]


def test_tables_and_databases_get_their_other_names(make_replica: MakeReplica) -> None:
    """Views and triggers, whose texts can't be changed, are left out, and that is told."""
    replica = make_replica(source_link=FRESH)
    new = replica.elsewhere
    replica.pipeline.configure(
        rename={
            "databases": {replica.db: new},
            "tables": {f"{replica.db}.parent": f"{new}.renamed"},
        }
    )
    run_sql(replica.source, f"CREATE DATABASE {replica.db}")
    replica.on_source(
        "CREATE TABLE parent (id INT PRIMARY KEY)",
        "CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id))",
        "CREATE VIEW v AS SELECT id FROM parent",
        "CREATE TRIGGER g BEFORE INSERT ON child FOR EACH ROW SET NEW.id = NEW.id",
        "INSERT INTO parent VALUES (1), (2)",
        "INSERT INTO child VALUES (1, 1), (2, 2)",
    )
    producer, consumer = replica.start()
    wait_done(replica, producer, 60)
    replica.on_source("DELETE FROM child WHERE id = 1", "DELETE FROM parent WHERE id = 1")
    replica.catch_up()
    assert run_sql(replica.target, f"SELECT * FROM {new}.renamed") == [(2,)]
    assert run_sql(replica.target, f"SELECT * FROM {new}.child") == [(2, 2)]
    log = consumer.log.read_text()
    assert "statement left out" in log
    assert "VIEW" in log


def test_a_view_of_what_is_not_replicated_is_not_copied(make_replica: MakeReplica) -> None:
    """The log says which, and what it lacks; what the settings leave out, too."""
    replica = make_replica(source_link=FRESH, tables=("kept", "v_*"))
    run_sql(replica.source, f"CREATE DATABASE {replica.db}")
    replica.on_source(
        "CREATE TABLE kept (id INT PRIMARY KEY)",
        "CREATE TABLE left_out (id INT PRIMARY KEY)",
        "CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1",
        "CREATE VIEW v_of_both AS SELECT k.id FROM kept k JOIN left_out l ON k.id = l.id",
        "CREATE VIEW v_calls AS SELECT f() AS one",
        "CREATE VIEW v_kept AS SELECT id FROM kept",
        "CREATE VIEW v_system AS SELECT table_name FROM information_schema.tables",
        "INSERT INTO kept VALUES (1)",
    )
    producer, _ = replica.start()
    wait_done(replica, producer, 60)
    replica.catch_up()
    views = run_sql(
        replica.target,
        f"SELECT TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA = '{replica.db}'",
    )
    assert sorted(views) == [("v_kept",), ("v_system",)]
    log = producer.log.read_text()
    for told in ("left_out", f"{replica.db}.f", "ddl.routines"):
        assert told in log


def test_statements_that_come_while_the_tables_join(make_replica: MakeReplica) -> None:
    """Every one of them may make what was read of the schema void."""
    replica = make_replica(source_link=FRESH)
    run_sql(replica.source, f"CREATE DATABASE {replica.db}")
    replica.on_source("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (0)")
    producer = replica.pipeline.producer().start()
    number = 0
    while number < 12 or not (producer.status() or {}).get("seq"):
        number += 1
        replica.on_source(
            f"CREATE TABLE t{number} (id INT PRIMARY KEY)",
            f"INSERT INTO t{number} VALUES ({number})",
            f"ALTER TABLE t ADD c{number} INT DEFAULT {number}",
            f"INSERT INTO t (id) VALUES ({number})",
            f"CREATE OR REPLACE VIEW v AS SELECT c{number} FROM t",
            f"RENAME TABLE t{number} TO u{number}",
            *((f"DROP TABLE u{number - 1}",) if number % 2 == 0 else ()),
        )
    replica.pipeline.consumer().start()
    wait_done(replica, producer, 90)
    replica.on_source("INSERT INTO t (id) VALUES (-1)")
    replica.catch_up()
    replica.assert_equal(["view", "database"])


def test_what_the_account_may_not_see_is_told(make_replica: MakeReplica) -> None:
    """A server shows no trigger to who lacks the privilege: the rows are transferred all the
    same."""
    name = "only_selects"
    replica = make_replica(source_link={**FRESH, "user": name, "password": "x"})
    db, source = replica.db, replica.source
    run_sql(source, f"CREATE DATABASE {db}")
    run_sql(source, f"DROP USER IF EXISTS {name}", f"CREATE USER {name} IDENTIFIED BY 'x'")
    run_sql(source, f"GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO {name}")
    run_sql(source, f"GRANT SELECT ON {db}.* TO {name}")
    replica.on_source(
        "CREATE TABLE t (id INT PRIMARY KEY)",
        "CREATE VIEW v AS SELECT id FROM t",
        "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.id = NEW.id",
        "INSERT INTO t VALUES (1), (2)",
    )
    grant = f"GRANT SHOW VIEW, TRIGGER ON `{db}`.*"
    checked = replica.pipeline.run("mysync-producer", "check")[1]
    assert grant in checked
    producer, _ = replica.start()
    wait_done(replica, producer, 60)
    replica.on_source("INSERT INTO t VALUES (3)")
    replica.catch_up()
    replica.assert_equal()
    assert grant in producer.log.read_text()
    run_sql(source, f"DROP USER {name}")
