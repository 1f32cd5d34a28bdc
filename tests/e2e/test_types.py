"""Kinds of tables and columns that need more than their values: many tables in one pipeline, a
MySQL one and a MariaDB one, compared by the servers' own SELECT."""

from fix_pipeline import MakeReplica
from mysync_lab.sql import SqlServer
from mysync_lab.tables import rows
from table_kinds import VIA, Kind, replicated

# Of every kind: inserts of several rows, updates of some, of keys too, deletes.
BOTH = {
    "computed": Kind(
        "(id INT PRIMARY KEY, a INT, v INT AS (a * 2) VIRTUAL, s VARCHAR(20) AS (CONCAT(a, 'x'))"
        " STORED, z INT DEFAULT (id + 7), KEY (v), UNIQUE (s))",
        (
            "INSERT INTO computed (id, a) VALUES (1, 10), (2, 20), (3, NULL), (4, 40)",
            "UPDATE computed SET a = 21, z = 1 WHERE id = 2",
            "UPDATE computed SET id = id + 100 WHERE id = 3",
            "DELETE FROM computed WHERE id = 1",
            "INSERT INTO computed (id, a) VALUES (1, 10)",
        ),
    ),
    "computed_keyless": Kind(
        "(a INT, v INT AS (a * 2) VIRTUAL, s INT AS (a + 1) STORED, b INT, KEY (v))",
        (
            "INSERT INTO computed_keyless (a, b) VALUES (1, 1), (1, 1), (2, 2), (NULL, 3), (4, 4)",
            "UPDATE computed_keyless SET a = 9 WHERE b = 1 LIMIT 1",
            "UPDATE computed_keyless SET b = 30 WHERE a IS NULL",
            "DELETE FROM computed_keyless WHERE a = 4",
        ),
    ),
    "invisible": Kind(
        "(id INT PRIMARY KEY, a INT INVISIBLE DEFAULT (id * 3), u CHAR(36) DEFAULT (UUID()),"
        " t TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, CHECK (a < 1000))",
        (
            "INSERT INTO invisible (id) VALUES (1), (2), (3)",
            "UPDATE invisible SET a = 999 WHERE id = 2",
            "UPDATE invisible SET u = UUID() WHERE id = 3",
            "DELETE FROM invisible WHERE id = 1",
        ),
    ),
    "partitioned": Kind(
        "(id INT, y INT, n VARCHAR(9), PRIMARY KEY (id, y)) PARTITION BY RANGE (y)"
        " (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE)",
        (
            "INSERT INTO partitioned VALUES (1, 1, 'a'), (2, 11, 'b'), (3, 2, 'c'), (4, 12, 'd')",
            "UPDATE partitioned SET y = 20 WHERE id = 1",
            "UPDATE partitioned SET n = 'new'",
            "DELETE FROM partitioned WHERE y < 10",
        ),
    ),
    "by_hash": Kind(
        "(id INT PRIMARY KEY, n INT) PARTITION BY HASH (id) PARTITIONS 3",
        (
            "INSERT INTO by_hash VALUES (1, 1), (2, 2), (3, 3), (4, 4)",
            "UPDATE by_hash SET id = id + 10 WHERE id = 2",
            "DELETE FROM by_hash WHERE id = 3",
        ),
    ),
}
MYSQL = {
    "generated_key": Kind(
        "(a INT, b INT AS (a + 1) STORED, n INT, PRIMARY KEY (b))",
        (
            "INSERT INTO generated_key (a, n) VALUES (1, 1), (2, 2), (3, 3)",
            "UPDATE generated_key SET n = 20 WHERE a = 2",
            "UPDATE generated_key SET a = 30 WHERE a = 3",
            "DELETE FROM generated_key WHERE a = 1",
        ),
    ),
    "virtual_key": Kind(
        "(a INT, b INT AS (a + 1) VIRTUAL NOT NULL, n INT, UNIQUE KEY (b))",
        (
            "INSERT INTO virtual_key (a, n) VALUES (1, 1), (2, 1), (3, 1)",
            "UPDATE virtual_key SET n = 20 WHERE a = 2",
            "UPDATE virtual_key SET a = 30 WHERE a = 3",
            "DELETE FROM virtual_key WHERE a = 1",
        ),
    ),
    "functional": Kind(
        "(id INT PRIMARY KEY, a INT, j JSON, KEY f ((a + id)), UNIQUE u ((a * 3)),"
        " KEY m ((CAST(j->'$[*]' AS UNSIGNED ARRAY))))",
        (
            "INSERT INTO functional VALUES (1, 1, '[1, 2]'), (2, 2, '[]'), (3, 3, NULL)",
            "UPDATE functional SET a = 7, j = '[5, 6, 7]' WHERE id = 2",
            "DELETE FROM functional WHERE id = 1",
            "INSERT INTO functional VALUES (4, 1, '[1]')",
        ),
    ),
    "virtual_of_the_zone": Kind(
        "(t TIMESTAMP NULL, v INT AS (HOUR(t)) VIRTUAL, n INT)",
        (
            "SET time_zone = '+07:00'",
            "INSERT INTO virtual_of_the_zone (t, n) VALUES (NOW(), 1), (NOW(), 2), (NULL, 3)",
            "UPDATE virtual_of_the_zone SET n = 10 WHERE n = 1",
            "DELETE FROM virtual_of_the_zone WHERE n = 2",
            "SET time_zone = DEFAULT",
        ),
    ),
    "functional_only": Kind(
        "(a INT, b INT, UNIQUE u ((a * 3)))",
        (
            "INSERT INTO functional_only VALUES (1, 1), (2, 2), (NULL, 3), (NULL, 3)",
            "UPDATE functional_only SET b = 7 WHERE a = 2",
            "DELETE FROM functional_only WHERE a = 1",
        ),
    ),
    "generated_invisibly": Kind(
        "(a INT, b VARCHAR(9))",
        (
            "INSERT INTO generated_invisibly (a, b) VALUES (1, 'x'), (1, 'x'), (2, 'y')",
            "UPDATE generated_invisibly SET b = 'z' ORDER BY my_row_id LIMIT 1",
            "DELETE FROM generated_invisibly WHERE a = 2",
        ),
        variable="sql_generate_invisible_primary_key",
    ),
}
MARIADB = {
    "compressed": Kind(
        "(id INT PRIMARY KEY, v VARCHAR(300) CHARACTER SET utf8mb4 COMPRESSED, b MEDIUMBLOB"
        " COMPRESSED, x LONGTEXT CHARACTER SET latin1 COMPRESSED NOT NULL DEFAULT '')",
        (
            "INSERT INTO compressed VALUES (1, 'a', 'b', 'c'), (2, '', NULL, ''), (4, '', '', '')",
            "INSERT INTO compressed VALUES (3, REPEAT('€', 300), REPEAT('ab', 40000), 'ü')",
            "UPDATE compressed SET x = REPEAT('ü', 5000) WHERE id = 2",
            "UPDATE compressed SET b = REPEAT('x', 1000000), v = NULL WHERE id < 3",
            "DELETE FROM compressed WHERE id = 4",
        ),
    ),
    # The server counts the bytes of such a column, not its characters.
    "compressed_short": Kind(
        "(id INT PRIMARY KEY, v VARCHAR(1) CHARACTER SET utf8mb4 COMPRESSED)",
        ("INSERT INTO compressed_short VALUES (1, 'ab'), (2, '€'), (3, 'abcd')",),
    ),
    "compressed_keyless": Kind(
        "(id INT, v VARCHAR(300) CHARACTER SET utf8mb4 COMPRESSED)",
        (
            "INSERT INTO compressed_keyless VALUES (1, REPEAT('€', 300)), (2, 'b'), (2, 'b')",
            "UPDATE compressed_keyless SET v = REPEAT('x', 99) WHERE id = 1",
            "DELETE FROM compressed_keyless WHERE id = 2 LIMIT 1",
        ),
    ),
    "without_overlaps": Kind(
        "(id INT, f DATE, t DATE, n INT, PERIOD FOR app (f, t),"
        " PRIMARY KEY (id, app WITHOUT OVERLAPS))",
        (
            "INSERT INTO without_overlaps VALUES (1, '2020-01-01', '2021-01-01', 0)",
            "DELETE FROM without_overlaps FOR PORTION OF app FROM '2020-03-01' TO '2020-04-01'",
            "UPDATE without_overlaps FOR PORTION OF app FROM '2020-6-1' TO '2020-8-1' SET n = 9",
            "UPDATE without_overlaps SET f = '2019-06-01' WHERE f = '2020-01-01'",
            "INSERT INTO without_overlaps VALUES (1, '2021-01-01', '2022-01-01', 0)",
        ),
    ),
    "long_unique": Kind(
        "(id INT PRIMARY KEY, t TEXT NOT NULL, n INT, b BLOB, UNIQUE zz (t), UNIQUE aa (b, n))",
        (
            "INSERT INTO long_unique VALUES (1, 'a', 1, 'a'), (2, 'b', 1, NULL), (3, 'c', 3, 'a')",
            "UPDATE long_unique SET t = 'd', b = REPEAT('x', 9000) WHERE id = 2",
            "UPDATE long_unique SET n = NULL WHERE id = 3",
            "DELETE FROM long_unique WHERE id = 1",
            "INSERT INTO long_unique VALUES (4, 'a', 1, 'a')",
        ),
    ),
    "long_unique_only": Kind(
        "(t TEXT NOT NULL, n INT, UNIQUE (t))",
        (
            "INSERT INTO long_unique_only VALUES ('a', 1), ('b', 1), ('c', 3)",
            "UPDATE long_unique_only SET t = 'd' WHERE n = 3",
            "UPDATE long_unique_only SET n = 5 WHERE t = 'a'",
            "DELETE FROM long_unique_only WHERE t = 'b'",
        ),
    ),
}
# SQL can't write them.
ROW_EVENTS_ONLY = {
    "versioned": Kind(
        "(id INT PRIMARY KEY, a INT, n VARCHAR(9), v INT AS (a * 2) VIRTUAL, KEY (n), KEY (v))"
        " WITH SYSTEM VERSIONING",
        (
            "INSERT INTO versioned (id, a, n) VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c')",
            "UPDATE versioned SET a = a + 10",
            "UPDATE versioned SET id = 20 WHERE id = 2",
            "DELETE FROM versioned WHERE id = 1",
            "INSERT INTO versioned (id, a) VALUES (1, 100)",
            "REPLACE INTO versioned (id, a) VALUES (3, 300)",
            "INSERT INTO versioned (id, a) VALUES (3, 1) ON DUPLICATE KEY UPDATE a = 301",
            "BEGIN",
            "UPDATE versioned SET n = 'x' WHERE id = 20",
            "UPDATE versioned SET n = 'y' WHERE id = 20",
            "DELETE FROM versioned WHERE id = 20",
            "INSERT INTO versioned (id, a) VALUES (20, 7)",
            "COMMIT",
        ),
    ),
    "versioned_period": Kind(
        "(id INT, u INT NOT NULL, a INT, b INT WITHOUT SYSTEM VERSIONING, UNIQUE (u),"
        " f TIMESTAMP(6) GENERATED ALWAYS AS ROW START,"
        " t TIMESTAMP(6) GENERATED ALWAYS AS ROW END INVISIBLE, PERIOD FOR SYSTEM_TIME (f, t))"
        " WITH SYSTEM VERSIONING",
        (
            "INSERT INTO versioned_period (id, u, a, b) VALUES (1, 1, 1, 1), (1, 2, 1, 1)",
            "UPDATE versioned_period SET a = 5 WHERE u = 1",
            "UPDATE versioned_period SET b = 6 WHERE u = 2",
            "DELETE FROM versioned_period WHERE u = 2",
        ),
    ),
    "versioned_keyless": Kind(
        "(a INT, b INT) WITH SYSTEM VERSIONING",
        (
            "INSERT INTO versioned_keyless VALUES (1, 1), (1, 1), (2, NULL)",
            "UPDATE versioned_keyless SET b = 7 WHERE a = 1 LIMIT 1",
            "DELETE FROM versioned_keyless WHERE a = 2",
            "DELETE HISTORY FROM versioned_keyless BEFORE SYSTEM_TIME '2000-01-01'",
        ),
    ),
    "versioned_long_unique": Kind(
        "(id INT PRIMARY KEY, b BLOB UNIQUE) WITH SYSTEM VERSIONING",
        (
            "INSERT INTO versioned_long_unique VALUES (1, 'a'), (2, 'b')",
            "UPDATE versioned_long_unique SET b = 'c' WHERE id = 1",
            "DELETE FROM versioned_long_unique WHERE id = 2",
        ),
    ),
    "versioned_by_parts": Kind(
        "(id INT PRIMARY KEY, a INT) WITH SYSTEM VERSIONING PARTITION BY SYSTEM_TIME LIMIT 2"
        " (PARTITION p0 HISTORY, PARTITION p1 HISTORY, PARTITION pc CURRENT)",
        (
            "INSERT INTO versioned_by_parts VALUES (1, 1), (2, 2), (3, 3)",
            "UPDATE versioned_by_parts SET a = a + 10",
            "DELETE FROM versioned_by_parts WHERE id = 2",
        ),
    ),
    "history_deleted": Kind(
        "(id INT PRIMARY KEY, a INT) WITH SYSTEM VERSIONING",
        (
            "INSERT INTO history_deleted VALUES (1, 1), (2, 2)",
            "UPDATE history_deleted SET a = 10",
            "DELETE FROM history_deleted WHERE id = 1",
            "DELETE HISTORY FROM history_deleted",
            "UPDATE history_deleted SET a = 20",
        ),
    ),
    "numbers": Kind(
        "START WITH 10 INCREMENT BY 5 NOCACHE",
        ("SELECT NEXTVAL(numbers)", "SELECT NEXTVAL(numbers), NEXTVAL(numbers)"),
        what="SEQUENCE",
    ),
    "cached_numbers": Kind(
        "MINVALUE 1 MAXVALUE 20 CACHE 4 CYCLE",
        (*["SELECT NEXTVAL(cached_numbers)"] * 23, "SELECT SETVAL(cached_numbers, 15, 1, 1)"),
        what="SEQUENCE",
    ),
    "numbered": Kind(
        "(id INT PRIMARY KEY DEFAULT NEXTVAL(numbers), a INT)",
        (
            "INSERT INTO numbered (a) VALUES (1), (2)",
            "INSERT INTO numbered (a) SELECT a FROM numbered",
            "DELETE FROM numbered WHERE a = 1",
        ),
    ),
}


@VIA
def test_every_kind_of_mysqls_tables_is_equal_afterwards(
    make_replica: MakeReplica, via: str
) -> None:
    replicated(make_replica(apply={"via": via}), BOTH | MYSQL)


@VIA
def test_every_kind_of_mariadbs_tables_is_equal_afterwards(
    make_replica: MakeReplica, mariadb_a: SqlServer, mariadb_b: SqlServer, via: str
) -> None:
    kinds = BOTH | MARIADB | (ROW_EVENTS_ONLY if via == "row_events" else {})
    replica = make_replica(mariadb_a, mariadb_b, apply={"via": via})
    replicated(replica, kinds)
    for name, kind in kinds.items():
        if kind.what == "SEQUENCE":
            values = []
            # The target first: what the source says is a change that arrives there.
            for server in (mariadb_b, mariadb_a):
                with server.connect(database=replica.db) as connection:
                    values.append(rows(connection, f"SELECT NEXTVAL({name})"))
            assert values[0] == values[1], name
