"""Statements arrive at their place between the rows, once: each kind, from server to server."""

from collections.abc import Sequence

import pytest

from fix_pipeline import MakeReplica, Replica
from mysync_lab.sql import SqlServer

TABLE = "CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(20))"
ROWS = "INSERT INTO t VALUES (1, 1, 'one'), (2, 2, 'two'), (3, 3, NULL)"

# What the source does after the pipeline has begun with table `t`, which has three rows.
SCRIPTS: dict[str, Sequence[str]] = {
    "columns": (
        "ALTER TABLE t ADD COLUMN c VARCHAR(30) DEFAULT 'x' AFTER id",
        "INSERT INTO t VALUES (4, 'new', 4, 'four')",
        "UPDATE t SET c = CONCAT(c, id)",
        "ALTER TABLE t DROP COLUMN a, MODIFY b TEXT, ADD d DATETIME DEFAULT CURRENT_TIMESTAMP",
        "DELETE FROM t WHERE id = 2",
        "INSERT INTO t (id, c) VALUES (5, 'five')",
        "ALTER TABLE t CHANGE c cc VARCHAR(40), ADD e INT FIRST",
        "UPDATE t SET e = id",
    ),
    "tables made and dropped": (
        "CREATE TABLE u (id BIGINT UNSIGNED PRIMARY KEY, v VARBINARY(30), UNIQUE KEY (v))",
        "INSERT INTO u VALUES (1, 'a'), (18446744073709551615, 'b')",
        "CREATE TABLE v LIKE u",
        "INSERT INTO v SELECT * FROM u",
        "CREATE TABLE w AS SELECT id, b AS name FROM t",
        "UPDATE w SET name = 'nobody' WHERE id = 3",
        "CREATE TABLE IF NOT EXISTS u (x INT)",
        "DROP TABLE u, v",
        "CREATE TABLE u (id INT PRIMARY KEY, other TEXT)",
        "INSERT INTO u VALUES (7, 'again')",
    ),
    "emptied": (
        "TRUNCATE TABLE t",
        "INSERT INTO t VALUES (1, 10, 'again')",
        "TRUNCATE t",
        "INSERT INTO t VALUES (1, 11, 'and again'), (9, 9, 'nine')",
    ),
    "renamed": (
        "CREATE TABLE u (id INT PRIMARY KEY, a INT, b VARCHAR(20), z INT)",
        "INSERT INTO u VALUES (1, 100, 'u', 0)",
        "RENAME TABLE t TO x, u TO t, x TO u",
        "INSERT INTO t VALUES (2, 200, 't that was u', 1)",
        "INSERT INTO u VALUES (22, 200, 'u that was t')",
        "ALTER TABLE u RENAME TO y",
        "UPDATE y SET b = 'y'",
        "RENAME TABLE y TO u",
        "DELETE FROM u WHERE id = 1",
    ),
    "keys": (
        "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (a, id)",
        "UPDATE t SET a = a + 100",
        "CREATE UNIQUE INDEX ub ON t (b)",
        "UPDATE t SET b = 'three' WHERE id = 3",
        "ALTER TABLE t DROP PRIMARY KEY",
        "INSERT INTO t VALUES (3, 103, 'four'), (3, 103, NULL), (3, 103, NULL)",
        "DROP INDEX ub ON t",
        "DELETE FROM t WHERE b IS NULL LIMIT 1",
    ),
    "foreign keys": (
        (
            "CREATE TABLE child (id INT PRIMARY KEY, t INT, CONSTRAINT of_t FOREIGN KEY (t)"
            " REFERENCES t (id) ON DELETE CASCADE ON UPDATE CASCADE)"
        ),
        "INSERT INTO child VALUES (1, 1), (2, 1), (3, 2)",
        "DELETE FROM t WHERE id = 1",
        "UPDATE t SET id = 20 WHERE id = 2",
        "ALTER TABLE child DROP FOREIGN KEY of_t",
        "DELETE FROM t WHERE id = 20",
        "DELETE FROM child",
        "ALTER TABLE child ADD FOREIGN KEY (t) REFERENCES t (id) ON DELETE SET NULL",
        "INSERT INTO child VALUES (7, 3)",
        "DELETE FROM t WHERE id = 3",
    ),
    "partitions": (
        (
            "CREATE TABLE p (id INT PRIMARY KEY, a INT) PARTITION BY RANGE (id)"
            " (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20))"
        ),
        "INSERT INTO p VALUES (1, 1), (11, 11)",
        "ALTER TABLE p ADD PARTITION (PARTITION p2 VALUES LESS THAN (30))",
        "INSERT INTO p VALUES (21, 21)",
        "CREATE TABLE q (id INT PRIMARY KEY, a INT)",
        "INSERT INTO q VALUES (2, 2)",
        "ALTER TABLE p EXCHANGE PARTITION p0 WITH TABLE q",
        "UPDATE p SET a = 5",
        "UPDATE q SET a = 6",
        "ALTER TABLE p TRUNCATE PARTITION p1",
        "ALTER TABLE p DROP PARTITION p2",
        "INSERT INTO p VALUES (12, 12)",
    ),
    "other objects": (
        "CREATE VIEW shown AS SELECT id, a FROM t WHERE a > 1",
        "CREATE TABLE audit (id INT PRIMARY KEY AUTO_INCREMENT, what VARCHAR(30))",
        (
            "CREATE TRIGGER told AFTER INSERT ON t FOR EACH ROW"
            " INSERT INTO audit (what) VALUES (CONCAT('row ', NEW.id))"
        ),
        "INSERT INTO t VALUES (4, 4, 'four'), (5, 5, 'five')",
        "ALTER VIEW shown AS SELECT id FROM t",
        "DROP TRIGGER told",
        "INSERT INTO t VALUES (6, 6, 'six')",
        "DROP VIEW shown",
    ),
    "characters": (
        "ALTER TABLE t CONVERT TO CHARACTER SET latin1",
        "INSERT INTO t VALUES (4, 4, 'äöü')",
        "UPDATE t SET b = 'none' WHERE b IS NULL",
        (
            "ALTER TABLE t MODIFY b VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL"
            " DEFAULT 'ß', ADD KEY (b(3))"
        ),
        "INSERT INTO t (id) VALUES (5)",
        "CREATE TABLE `naïve ``table``` (`ключ` INT PRIMARY KEY, `select` ENUM('ä', 'б'))",
        "INSERT INTO `naïve ``table``` VALUES (1, 'ä'), (2, 'б')",
    ),
}


def plays(replica: Replica, script: Sequence[str]) -> None:
    replica.create(TABLE)
    replica.start()
    replica.on_source(ROWS, *script)
    replica.catch_up()
    replica.assert_equal()


@pytest.mark.parametrize("script", SCRIPTS)
def test_statements_among_rows_end_equal(script: str, make_replica: MakeReplica) -> None:
    plays(make_replica(), SCRIPTS[script])


@pytest.mark.parametrize("script", SCRIPTS)
def test_statements_of_mariadb_among_rows_end_equal(
    script: str, make_replica: MakeReplica, mariadb_a: SqlServer, mariadb_b: SqlServer
) -> None:
    plays(make_replica(mariadb_a, mariadb_b), SCRIPTS[script])
