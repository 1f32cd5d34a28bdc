"""Statements of every kind, with what they are and the objects that they make, change or remove.

Each group says its verb, its objects ("name" in the default database `st`, or "database.name"), and
the statements; a statement that only one server knows stands in a group of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from mysync_schemas.statement import Verb

OTHER = "st_other"

# What stands before each statement. FK: c refers to t. The trigger is w's.
BASE = {
    "t": "CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(20), KEY ka (a))",
    "u": "CREATE TABLE u (id INT PRIMARY KEY, a INT)",
    "c": (
        "CREATE TABLE c (id INT PRIMARY KEY, t INT,"
        " CONSTRAINT fk FOREIGN KEY (t) REFERENCES t (id))"
    ),
    "p": (
        "CREATE TABLE p (id INT PRIMARY KEY, a INT) PARTITION BY RANGE (id)"
        " (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (100))"
    ),
    "q": "CREATE TABLE q (id INT PRIMARY KEY, a INT)",
    "w": "CREATE TABLE w (id INT PRIMARY KEY, a INT)",
    "_u_gho": "CREATE TABLE _u_gho (id INT PRIMARY KEY, a BIGINT)",
    "_u_new": "CREATE TABLE _u_new (id INT PRIMARY KEY, a BIGINT, x INT)",
    "a`b c": "CREATE TABLE `a``b c` (id INT PRIMARY KEY)",
    "select": "CREATE TABLE `select` (id INT PRIMARY KEY)",
    "ünï": "CREATE TABLE `ünï` (id INT PRIMARY KEY)",
    "1x": "CREATE TABLE 1x (id INT PRIMARY KEY)",
    "st_other.t": "CREATE TABLE st_other.t (id INT PRIMARY KEY, a INT)",
    "v": "CREATE VIEW v AS SELECT id FROM t",
    "pr": "CREATE PROCEDURE pr() SELECT 1",
    "fu": "CREATE FUNCTION fu() RETURNS INT DETERMINISTIC RETURN 1",
    "ev": "CREATE EVENT ev ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1",
    "tr": "CREATE TRIGGER tr BEFORE INSERT ON w FOR EACH ROW SET NEW.a = 1",
}
# Into them, by table.
ROWS = {
    "t": "INSERT INTO t VALUES (1, 1, 'one'), (2, 2, 'two')",
    "u": "INSERT INTO u VALUES (1, 1), (2, 2)",
    "p": "INSERT INTO p VALUES (1, 1), (50, 2)",
    "q": "INSERT INTO q VALUES (3, 3)",
    "st_other.t": "INSERT INTO st_other.t VALUES (1, 1), (2, 2)",
}
MARIADB_BASE = {
    "s": "CREATE SEQUENCE s",
    "pq": BASE["p"].replace("TABLE p ", "TABLE pq "),
    "free": BASE["q"].replace("TABLE q ", "TABLE free "),
}

BOTH, MYSQL, MARIADB = "both", "mysql", "mariadb"

# Server, verb, objects, statements.
GROUPS: tuple[tuple[str, Verb, str, str], ...] = (
    (BOTH, Verb.ALTER_TABLE, "t", """
ALTER TABLE t ADD x INT
alter table t add column x int default 7
ALTER TABLE t ADD COLUMN (x INT, y INT)
ALTER TABLE t ADD x INT FIRST
ALTER TABLE t ADD x INT AFTER id, ADD y INT AFTER x
ALTER TABLE st.t ADD x INT
ALTER TABLE `st`.`t` ADD x INT
ALTER TABLE `t` ADD `rename` INT
ALTER TABLE t ADD `exchange` INT, ADD `convert` INT
ALTER TABLE t/**/ADD/* rename to x */x INT -- rename to y
ALTER TABLE t ADD x INT COMMENT 'a, RENAME TO zz'
ALTER TABLE t ADD x VARCHAR(30) DEFAULT ') RENAME zz'
ALTER TABLE t ADD x VARCHAR(30) DEFAULT 'it''s \\' RENAME zz'
ALTER TABLE t ADD x INT # RENAME TO zz
ALTER TABLE t DROP b
ALTER TABLE t DROP COLUMN b, DROP KEY ka
ALTER TABLE t MODIFY a BIGINT
ALTER TABLE t MODIFY COLUMN a BIGINT NOT NULL DEFAULT 0
ALTER TABLE t CHANGE a aa BIGINT
ALTER TABLE t CHANGE COLUMN a `a b` BIGINT AFTER b
ALTER TABLE t ALTER a SET DEFAULT 5
ALTER TABLE t ALTER COLUMN a SET DEFAULT 9, ALTER b SET DEFAULT 'x'
ALTER TABLE t RENAME COLUMN a TO aa
ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a
ALTER TABLE t RENAME INDEX ka TO kb
ALTER TABLE t RENAME KEY ka TO kb, ADD x INT
ALTER TABLE t ADD KEY (b)
ALTER TABLE t ADD INDEX kb (b), ADD UNIQUE ku (a)
ALTER TABLE t ADD UNIQUE KEY (a, b)
ALTER TABLE t ADD FULLTEXT (b)
ALTER TABLE t ADD CONSTRAINT k UNIQUE (a)
ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 0)
ALTER TABLE t DROP KEY ka
ALTER TABLE t DROP INDEX ka, ADD INDEX ka (a, b)
ALTER TABLE t COMMENT 'RENAME TO x'
ALTER TABLE t COMMENT = 'x', ENGINE = InnoDB
ALTER TABLE t CHARACTER SET latin1
ALTER TABLE t DEFAULT CHARSET=latin1 COLLATE=latin1_bin
ALTER TABLE t CONVERT TO CHARACTER SET latin1
ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, ADD x INT
ALTER TABLE t ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8
ALTER TABLE t STATS_PERSISTENT=1 STATS_AUTO_RECALC=0
ALTER TABLE t ADD g INT AS (a + 1) VIRTUAL
ALTER TABLE t ADD g INT GENERATED ALWAYS AS (a * 2) STORED
ALTER TABLE t ADD g VARCHAR(40) AS (CONCAT('RENAME TO ', a)) VIRTUAL, ADD KEY (g)
ALTER TABLE t ADD x INT, ALGORITHM=INPLACE, LOCK=NONE
ALTER TABLE t ADD x INT, ALGORITHM=COPY
ALTER TABLE t ADD x INT, ALGORITHM=INSTANT
ALTER TABLE t LOCK=SHARED, ADD KEY kb (b), ALGORITHM=INPLACE
ALTER TABLE t ADD x DATETIME DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP
ALTER TABLE t ADD x ENUM('rename', 'to', ',') DEFAULT ','
ALTER TABLE t ADD x GEOMETRY
ALTER TABLE t ADD x JSON, ADD y TEXT
ALTER TABLE t ADD x INT INVISIBLE
ALTER /*!99999 IGNORE */ TABLE t ADD x INT
ALTER TABLE t /*!50000 ADD x INT */
/* a comment */ ALTER TABLE t ADD x INT;
/*!40000 ALTER TABLE t ADD x INT */
ALTER\tTABLE\tt\tADD\tx\tINT
ALTER TABLE t ADD x VARCHAR(30) DEFAULT "a"" RENAME zz"
ALTER TABLE t ADD CONSTRAINT fk_u FOREIGN KEY (a) REFERENCES u (id)
ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES st_other.t (id) ON DELETE SET NULL
ALTER TABLE t ADD CHECK (t.a > st.t.id - 9)
ALTER TABLE t ADD g INT AS (st.t.a + t.id) STORED
ALTER TABLE st.t ORDER BY t.a, st.t.b
"""),
    (BOTH, Verb.ALTER_TABLE, "st_other.t", """
ALTER TABLE st_other.t ADD FOREIGN KEY (a) REFERENCES t (id)
"""),
    (BOTH, Verb.ALTER_TABLE, "u", "ALTER TABLE u AUTO_INCREMENT=100, MODIFY id INT AUTO_INCREMENT"),
    (BOTH, Verb.ALTER_TABLE, "c", """
ALTER TABLE c DROP FOREIGN KEY fk
ALTER TABLE c DROP FOREIGN KEY fk, DROP KEY fk
"""),
    (BOTH, Verb.ALTER_TABLE, "p", """
ALTER TABLE p ADD PARTITION (PARTITION p2 VALUES LESS THAN (1000))
ALTER TABLE p DROP PARTITION p0
ALTER TABLE p TRUNCATE PARTITION p0
ALTER TABLE p TRUNCATE PARTITION ALL
ALTER TABLE p REORGANIZE PARTITION p0, p1 INTO (PARTITION a VALUES LESS THAN (500))
ALTER TABLE p REMOVE PARTITIONING
ALTER TABLE p PARTITION BY HASH (id) PARTITIONS 4
ALTER TABLE p PARTITION BY HASH (p.id) PARTITIONS 2
ALTER TABLE p PARTITION BY KEY () PARTITIONS 2
ALTER TABLE p PARTITION BY LIST (id) (PARTITION x VALUES IN (1, 50))
ALTER TABLE p ADD x INT PARTITION BY HASH (id) PARTITIONS 3
"""),
    (BOTH, Verb.ALTER_TABLE, "p q", """
ALTER TABLE p EXCHANGE PARTITION p0 WITH TABLE q
ALTER TABLE st.p EXCHANGE PARTITION `p0` WITH TABLE `st`.`q`
alter table p exchange partition p0 with table st . q
"""),
    (MYSQL, Verb.ALTER_TABLE, "p q", """
ALTER TABLE p EXCHANGE PARTITION p0 WITH TABLE q WITHOUT VALIDATION
"""),
    (BOTH, Verb.ALTER_TABLE, "u st_other.moved", """
ALTER TABLE u RENAME TO st_other.moved
ALTER TABLE u RENAME AS st_other.moved
ALTER TABLE u RENAME st_other.moved
ALTER TABLE u RENAME `st_other` . `moved`
ALTER TABLE u ADD x INT, RENAME TO st_other.moved
ALTER TABLE u RENAME COLUMN a TO aa, RENAME TO st_other.moved
"""),
    (BOTH, Verb.ALTER_TABLE, "u moved", """
ALTER TABLE u RENAME moved
ALTER TABLE u RENAME = moved
ALTER TABLE u RENAME TO `moved`, ADD x INT
ALTER TABLE u RENAME moved, COMMENT 'x'
"""),
    (BOTH, Verb.ALTER_TABLE, "a`b c", """
ALTER TABLE `a``b c` ADD x INT
ALTER TABLE `st`.`a``b c` ADD x INT
"""),
    (BOTH, Verb.ALTER_TABLE, "select", """
ALTER TABLE `select` ADD x INT
ALTER TABLE st.select ADD x INT
"""),
    (BOTH, Verb.ALTER_TABLE, "ünï", "ALTER TABLE ünï ADD x INT\nALTER TABLE `ünï` ADD `ö` INT"),
    (BOTH, Verb.ALTER_TABLE, "1x", "ALTER TABLE 1x ADD x INT\nALTER TABLE st.1x ADD x INT"),
    (BOTH, Verb.ALTER_TABLE, "st_other.t", """
ALTER TABLE st_other.t ADD x INT
ALTER TABLE st_other . t ADD x INT
"""),
    (MYSQL, Verb.ALTER_TABLE, "t", """
ALTER TABLE t ALTER INDEX ka INVISIBLE
ALTER TABLE t ALTER COLUMN a SET INVISIBLE
ALTER TABLE t ADD KEY kf ((a + 1))
ALTER TABLE t ADD KEY kd (a DESC)
ALTER TABLE t ADD x VECTOR(4)
ALTER TABLE t ADD CHECK (a < 5) NOT ENFORCED
ALTER TABLE t ADD x GEOMETRY SRID 4326
ALTER TABLE t ADD x INT /*!80023 INVISIBLE */
ALTER TABLE t ADD UNIQUE KEY ((UPPER(b)))
"""),
    (MARIADB, Verb.ALTER_TABLE, "t", """
ALTER ONLINE TABLE t ADD x INT
ALTER IGNORE TABLE t ADD UNIQUE (a)
ALTER TABLE IF EXISTS t ADD x INT
ALTER TABLE t WAIT 10 ADD x INT
ALTER TABLE t NOWAIT ADD x INT
ALTER TABLE t ADD COLUMN IF NOT EXISTS x INT
ALTER TABLE t DROP COLUMN IF EXISTS b
ALTER TABLE t MODIFY IF EXISTS a BIGINT
ALTER TABLE t ADD INDEX IF NOT EXISTS kb (b)
ALTER TABLE t DROP INDEX IF EXISTS ka
ALTER TABLE t ADD SYSTEM VERSIONING
ALTER TABLE t ADD x UUID DEFAULT UUID()
ALTER TABLE t ADD x VARCHAR(100) COMPRESSED
ALTER TABLE t ADD x INT /*M!100300 INVISIBLE */
ALTER TABLE t /*M! ADD x INT */
SET STATEMENT max_statement_time=100 FOR ALTER TABLE t ADD x INT
SET STATEMENT lock_wait_timeout=5, sql_mode='' FOR ALTER TABLE t ADD x INT
ALTER TABLE t RENAME INDEX IF EXISTS ka TO kb
"""),
    (MARIADB, Verb.ALTER_TABLE, "pq st_other.cut", """
ALTER TABLE pq CONVERT PARTITION p1 TO TABLE st_other.cut
"""),
    (MARIADB, Verb.ALTER_TABLE, "w", """
ALTER TABLE w ADD s DATE, ADD e DATE, ADD PERIOD FOR validity (s, e)
"""),
    (MARIADB, Verb.ALTER_TABLE, "pq free", """
ALTER TABLE pq CONVERT TABLE free TO PARTITION p2 VALUES LESS THAN (1000)
"""),
    (BOTH, Verb.CREATE_TABLE, "n", """
CREATE TABLE n (id INT PRIMARY KEY)
create table n (id int)
CREATE TABLE IF NOT EXISTS n (id INT)
CREATE TABLE `n` (`id` INT)
CREATE TABLE st.n (id INT)
CREATE TABLE n LIKE t
CREATE TABLE n (LIKE t)
CREATE TABLE IF NOT EXISTS n LIKE st_other.t
CREATE TABLE n (id INT) PARTITION BY HASH (id) PARTITIONS 3
CREATE TABLE n (id INT) /*!50100 PARTITION BY HASH (id) PARTITIONS 3 */
CREATE TABLE n (id INT, t INT, FOREIGN KEY (t) REFERENCES t (id))
CREATE TABLE n (id INT REFERENCES st_other.t (id))
CREATE TABLE n (id INT, b INT AS (n.id + st.n.id), CHECK (n.id > st.n.b))
CREATE TABLE n AS SELECT * FROM t
CREATE TABLE n SELECT id FROM t UNION SELECT 7
CREATE TABLE n (id INT PRIMARY KEY) AS SELECT id FROM t
CREATE TABLE n (id INT) CHARACTER SET latin1
CREATE TABLE n (a VARCHAR(20) DEFAULT 'LIKE t', CHECK (a <> 'REFERENCES u'))
CREATE TABLE n (`references` INT, `like` INT)
CREATE TABLE n(id INT)
CREATE TABLE/**/n/**/(id INT)
CREATE TABLE n (j JSON, e ENUM('a', 'b'), s SET('x', 'y'))
CREATE TABLE n (id INT, g INT AS (id + 1) STORED, KEY (g)) COMMENT 'START TRANSACTION'
CREATE TABLE n (id INT) ENGINE=MyISAM
CREATE TABLE n (id INT AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT=100
"""),
    (BOTH, Verb.CREATE_TABLE, "st_other.n", """
CREATE TABLE st_other.n (id INT)
CREATE TABLE st_other.n LIKE t
CREATE TABLE st_other.n (t INT, FOREIGN KEY (t) REFERENCES t (id))
CREATE TABLE `st_other`.`n` AS SELECT * FROM st.t
"""),
    (BOTH, Verb.CREATE_TABLE, "n`x", "CREATE TABLE `n``x` (id INT)"),
    (BOTH, Verb.CREATE_TABLE, "日本", """
CREATE TABLE 日本 (名 INT)
CREATE TABLE `日本` (`名` VARCHAR(9) DEFAULT '語')
"""),
    (BOTH, Verb.CREATE_TABLE, "n.m", "CREATE TABLE `n.m` (id INT)"),
    (BOTH, Verb.CREATE_TABLE, "2n", "CREATE TABLE 2n (id INT)"),
    (BOTH, Verb.CREATE_TABLE, "$n", "CREATE TABLE `$n` (id INT)"),
    (MYSQL, Verb.CREATE_TABLE, "n", """
CREATE TABLE n (id INT, KEY ((id + 1)))
CREATE TABLE n (v VECTOR(3), id INT PRIMARY KEY)
CREATE TABLE n (id INT, doc JSON, KEY ((CAST(doc->'$.a' AS UNSIGNED ARRAY))))
CREATE TABLE n TABLE t
CREATE TABLE n VALUES ROW(1, 2)
"""),
    (MARIADB, Verb.CREATE_TABLE, "n", """
CREATE OR REPLACE TABLE n (id INT)
CREATE TABLE n (id INT) WITH SYSTEM VERSIONING
CREATE TABLE n (id INT, s DATE, e DATE, PERIOD FOR v (s, e), UNIQUE (id, v WITHOUT OVERLAPS))
CREATE TABLE n (u UUID PRIMARY KEY, i INET6)
CREATE OR REPLACE TABLE n LIKE t
CREATE TABLE n (n.id INT, st.n.a INT)
CREATE TABLE n (id INT DEFAULT NEXTVAL(s), a INT DEFAULT (NEXT VALUE FOR st.s))
SET STATEMENT sql_mode='' FOR CREATE TABLE n (id INT)
"""),
    (MARIADB, Verb.CREATE_TABLE, "u", """
CREATE OR REPLACE TABLE u (id BIGINT)
CREATE OR REPLACE TABLE st.u LIKE t
CREATE OR REPLACE TABLE u AS SELECT 1 AS one
"""),
    (BOTH, Verb.DROP_TABLE, "u", """
DROP TABLE u
drop table `u`
DROP TABLE st.u
DROP TABLE IF EXISTS u
DROP TABLE u RESTRICT
DROP TABLE u CASCADE
DROP TABLES u
DROP TABLE/* x */u
"""),
    (BOTH, Verb.DROP_TABLE, "u q", "DROP TABLE u, q\nDROP TABLE IF EXISTS `u` , `st`.`q`"),
    (BOTH, Verb.DROP_TABLE, "u st_other.t", """
DROP TABLE u, st_other.t
DROP TABLE IF EXISTS u, st_other . t
"""),
    (BOTH, Verb.DROP_TABLE, "a`b c", "DROP TABLE `a``b c`"),
    (BOTH, Verb.DROP_TABLE, "select", "DROP TABLE `select`"),
    (BOTH, Verb.DROP_TABLE, "1x", "DROP TABLE 1x"),
    (MARIADB, Verb.DROP_TABLE, "u", "DROP TABLE u WAIT 5\nDROP TABLE u NOWAIT"),
    (BOTH, Verb.TRUNCATE_TABLE, "u", """
TRUNCATE u
TRUNCATE TABLE u
TRUNCATE TABLE `st`.`u`
truncate st.u
"""),
    (BOTH, Verb.TRUNCATE_TABLE, "st_other.t", "TRUNCATE st_other.t"),
    (MARIADB, Verb.TRUNCATE_TABLE, "u", "TRUNCATE TABLE u WAIT 5\nTRUNCATE u NOWAIT"),
    (BOTH, Verb.RENAME_TABLE, "u n", """
RENAME TABLE u TO n
RENAME TABLE `u` TO `n`
rename table st.u to st.n
RENAME TABLES u TO n
"""),
    (BOTH, Verb.RENAME_TABLE, "u st_other.n", "RENAME TABLE u TO st_other.n"),
    (BOTH, Verb.RENAME_TABLE, "u q n", "RENAME TABLE u TO n, q TO u, n TO q"),
    (BOTH, Verb.RENAME_TABLE, "u q n m", "RENAME TABLE u TO n, q TO m"),
    (BOTH, Verb.RENAME_TABLE, "v n", "RENAME TABLE v TO n"),
    (MARIADB, Verb.RENAME_TABLE, "u n", """
RENAME TABLE IF EXISTS u TO n
RENAME TABLE u WAIT 5 TO n
RENAME TABLE u NOWAIT TO n
"""),
    (BOTH, Verb.CREATE_INDEX, "t", """
CREATE INDEX i ON t (b)
CREATE UNIQUE INDEX i ON t (a)
CREATE INDEX i USING BTREE ON st.t (a)
CREATE FULLTEXT INDEX i ON t (b)
CREATE INDEX `on` ON t (b)
CREATE INDEX i ON t (b(3), a) COMMENT 'ON u'
CREATE INDEX i ON t (a) ALGORITHM=INPLACE LOCK=NONE
"""),
    (MARIADB, Verb.CREATE_INDEX, "t", """
CREATE OR REPLACE INDEX ka ON t (b)
CREATE INDEX IF NOT EXISTS i ON t (b)
CREATE INDEX i ON t (b) WAIT 5
"""),
    (BOTH, Verb.DROP_INDEX, "t", """
DROP INDEX ka ON t
DROP INDEX `ka` ON `st`.`t`
"""),
    (BOTH, Verb.DROP_INDEX, "w", "DROP INDEX `PRIMARY` ON w"),
    (MYSQL, Verb.DROP_INDEX, "t", "DROP INDEX ka ON t ALGORITHM=INPLACE LOCK=NONE"),
    (MARIADB, Verb.DROP_INDEX, "t", "DROP INDEX IF EXISTS ka ON t"),
    (BOTH, Verb.CREATE_VIEW, "n", """
CREATE VIEW n AS SELECT 1 AS one
CREATE OR REPLACE VIEW n AS SELECT * FROM st_other.t
CREATE ALGORITHM=MERGE DEFINER=CURRENT_USER SQL SECURITY INVOKER VIEW n (x) AS SELECT id FROM t
CREATE DEFINER='root'@'localhost' VIEW st.n AS SELECT 1 AS one
CREATE ALGORITHM = UNDEFINED DEFINER = `root`@`%` SQL SECURITY DEFINER VIEW `st`.`n` AS SELECT 1 a
CREATE SQL SECURITY DEFINER VIEW n AS SELECT a FROM t WITH CASCADED CHECK OPTION
"""),
    (BOTH, Verb.CREATE_VIEW, "v", """
ALTER VIEW v AS SELECT 2 AS two
ALTER ALGORITHM=TEMPTABLE VIEW v AS SELECT a FROM t
CREATE OR REPLACE VIEW v AS SELECT a FROM t
"""),
    (MARIADB, Verb.CREATE_VIEW, "n", "CREATE VIEW IF NOT EXISTS n AS SELECT 1 AS one"),
    (BOTH, Verb.DROP_VIEW, "v", "DROP VIEW v\nDROP VIEW IF EXISTS st.v\nDROP VIEW v RESTRICT"),
    (BOTH, Verb.CREATE_TRIGGER, "n", """
CREATE TRIGGER n AFTER INSERT ON t FOR EACH ROW SET @a = 1
CREATE TRIGGER st.n BEFORE UPDATE ON st.t FOR EACH ROW BEGIN SET NEW.a = 1; SET @b = 2; END
CREATE DEFINER=`root`@`%` TRIGGER n AFTER DELETE ON t FOR EACH ROW DELETE FROM u WHERE id = OLD.id
CREATE TRIGGER n BEFORE INSERT ON w FOR EACH ROW FOLLOWS tr SET NEW.a = 2
"""),
    # gh-ost, in its order
    (BOTH, Verb.DROP_TABLE, "_u_ghc", "drop /* gh-ost */ table if exists `st`.`_u_ghc`"),
    (BOTH, Verb.DROP_TABLE, "_u_gho", "drop /* gh-ost */ table if exists `st`.`_u_gho`"),
    (BOTH, Verb.CREATE_TABLE, "_u_ghc", """
create /* gh-ost */ table `st`.`_u_ghc` (id bigint unsigned auto_increment, last_update timestamp\
 not null DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, hint varchar(64) charset ascii not\
 null, value varchar(4096) charset ascii not null, primary key(id), unique key hint_uidx(hint))\
 auto_increment=256 comment='ghost-change-log'
"""),
    (BOTH, Verb.CREATE_TABLE, "_q_gho", "create /* gh-ost */ table `st`.`_q_gho` like `st`.`q`"),
    (BOTH, Verb.ALTER_TABLE, "_u_gho", """
alter /* gh-ost */ table `st`.`_u_gho` add column rename_to int, drop column a
ALTER TABLE _u_gho ADD x INT
alter /* gh-ost */ table `st`.`_u_gho` AUTO_INCREMENT=7
"""),
    (BOTH, Verb.CREATE_TABLE, "_u_del", """
create /* gh-ost */ table `st`.`_u_del` (id int auto_increment primary key) engine=InnoDB\
 comment='ghost-cut-over-sentry'
"""),
    (BOTH, Verb.RENAME_TABLE, "u _u_del _u_gho", """
rename /* gh-ost */ table `st`.`u` to `st`.`_u_del`, `st`.`_u_gho` to `st`.`u`
RENAME TABLE u TO _u_del, _u_gho TO u
"""),
    (BOTH, Verb.RENAME_TABLE, "u _u_del", "rename /* gh-ost */ table `st`.`u` to `st`.`_u_del`"),
    (BOTH, Verb.DROP_TABLE, "_u_del", "DROP TABLE IF EXISTS _u_del"),
    # pt-online-schema-change, in its order
    (BOTH, Verb.CREATE_TABLE, "_q_new", """
CREATE TABLE `st`.`_q_new` (   `id` int NOT NULL,   `a` int DEFAULT NULL,   PRIMARY KEY (`id`) )\
 ENGINE=InnoDB
"""),
    (BOTH, Verb.ALTER_TABLE, "_u_new", "ALTER TABLE `st`.`_u_new` ADD COLUMN y INT"),
    (BOTH, Verb.CREATE_TRIGGER, "pt_osc_st_u_del", """
CREATE TRIGGER `pt_osc_st_u_del` AFTER DELETE ON `st`.`u` FOR EACH ROW BEGIN DECLARE CONTINUE\
 HANDLER FOR 1146 begin end; DELETE IGNORE FROM `st`.`_u_new` WHERE `st`.`_u_new`.`id` <=> OLD.\
`id`; END
"""),
    (BOTH, Verb.CREATE_TRIGGER, "pt_osc_st_u_upd", """
CREATE TRIGGER `pt_osc_st_u_upd` AFTER UPDATE ON `st`.`u` FOR EACH ROW BEGIN DECLARE CONTINUE\
 HANDLER FOR 1146 begin end; DELETE IGNORE FROM `st`.`_u_new` WHERE !(OLD.`id` <=> NEW.`id`) AND\
 `st`.`_u_new`.`id` <=> OLD.`id`; REPLACE INTO `st`.`_u_new` (`id`, `a`) VALUES (NEW.`id`,\
 NEW.`a`); END
"""),
    (BOTH, Verb.CREATE_TRIGGER, "pt_osc_st_u_ins", """
CREATE TRIGGER `pt_osc_st_u_ins` AFTER INSERT ON `st`.`u` FOR EACH ROW BEGIN DECLARE CONTINUE\
 HANDLER FOR 1146 begin end; REPLACE INTO `st`.`_u_new` (`id`, `a`) VALUES (NEW.`id`, NEW.`a`); END
"""),
    (BOTH, Verb.MAINTENANCE, "", "ANALYZE TABLE `st`.`_u_new` /* pt-online-schema-change */"),
    (BOTH, Verb.RENAME_TABLE, "u _u_old _u_new", """
RENAME TABLE `st`.`u` TO `st`.`_u_old`, `st`.`_u_new` TO `st`.`u`
"""),
    (BOTH, Verb.DROP_TABLE, "_u_old", "DROP TABLE IF EXISTS `st`.`_u_old`"),
    (BOTH, Verb.DROP_TRIGGER, "pt_osc_st_u_ins", """
DROP TRIGGER IF EXISTS `st`.`pt_osc_st_u_ins`
"""),
    (MARIADB, Verb.CREATE_TRIGGER, "tr", """
CREATE OR REPLACE TRIGGER tr AFTER INSERT ON w FOR EACH ROW SET @a = 1
"""),
    (BOTH, Verb.DROP_TRIGGER, "tr", "DROP TRIGGER tr\nDROP TRIGGER IF EXISTS st.tr"),
    (BOTH, Verb.ROUTINE, "n", """
CREATE PROCEDURE n() SELECT 1
CREATE DEFINER=root@localhost PROCEDURE st.n(IN x INT) BEGIN DROP TABLE IF EXISTS zz; END
CREATE FUNCTION n() RETURNS INT DETERMINISTIC RETURN 2
CREATE FUNCTION n(x INT) RETURNS VARCHAR(9) CHARSET utf8mb4 NO SQL RETURN 'RENAME'
"""),
    (MARIADB, Verb.ROUTINE, "n", """
CREATE OR REPLACE PROCEDURE n() SELECT 1
CREATE AGGREGATE FUNCTION n(x INT) RETURNS INT NO SQL BEGIN FETCH GROUP NEXT ROW; RETURN 1; END
"""),
    (BOTH, Verb.ROUTINE, "pr", """
DROP PROCEDURE pr
DROP PROCEDURE IF EXISTS st.pr
ALTER PROCEDURE pr COMMENT 'x'
"""),
    (BOTH, Verb.ROUTINE, "fu", "DROP FUNCTION fu\nALTER FUNCTION st.fu SQL SECURITY INVOKER"),
    (BOTH, Verb.EVENT, "n", """
CREATE EVENT n ON SCHEDULE EVERY 1 HOUR DISABLE DO DELETE FROM u
CREATE DEFINER=CURRENT_USER EVENT IF NOT EXISTS st.n ON SCHEDULE AT '2037-01-01' DO SELECT 1
"""),
    (BOTH, Verb.EVENT, "ev", """
ALTER EVENT ev COMMENT 'x'
ALTER EVENT ev DO SELECT 2
ALTER DEFINER=root@localhost EVENT st.ev ON SCHEDULE EVERY 2 DAY
DROP EVENT ev
DROP EVENT IF EXISTS ev
"""),
    (BOTH, Verb.EVENT, "ev st_other.ev", """
ALTER EVENT ev ON SCHEDULE EVERY 2 DAY RENAME TO st_other.ev
"""),
    (BOTH, Verb.CREATE_DATABASE, "st_new.", """
CREATE DATABASE st_new
CREATE SCHEMA IF NOT EXISTS `st_new`
CREATE DATABASE st_new CHARACTER SET latin1 COLLATE latin1_bin
create database st_new default charset utf8mb4
"""),
    (BOTH, Verb.ALTER_DATABASE, "st.", """
ALTER DATABASE CHARACTER SET latin1
ALTER DATABASE st CHARACTER SET latin1
ALTER SCHEMA `st` COLLATE latin1_bin
ALTER DATABASE DEFAULT CHARACTER SET = latin1
ALTER DATABASE COLLATE latin1_bin
"""),
    (MARIADB, Verb.CREATE_DATABASE, "st_new.", "CREATE DATABASE st_new COMMENT 'x'"),
    (BOTH, Verb.DROP_DATABASE, "st_other.", """
DROP DATABASE st_other
DROP SCHEMA IF EXISTS `st_other`
drop database if exists st_other
"""),
    (MARIADB, Verb.CREATE_SEQUENCE, "n", """
CREATE SEQUENCE n
CREATE OR REPLACE SEQUENCE n START WITH 5 INCREMENT BY 2
CREATE SEQUENCE IF NOT EXISTS st.n MAXVALUE 10 CYCLE
"""),
    (MARIADB, Verb.ALTER_SEQUENCE, "s", """
ALTER SEQUENCE s RESTART 50
ALTER SEQUENCE IF EXISTS st.s INCREMENT BY 7
"""),
    (MARIADB, Verb.DROP_SEQUENCE, "s", "DROP SEQUENCE s\nDROP SEQUENCE IF EXISTS st.s"),
    (MARIADB, Verb.RENAME_TABLE, "s n", "RENAME TABLE s TO n"),
    # Logged, but nothing of a replicated table
    (BOTH, Verb.MAINTENANCE, "", """
ANALYZE TABLE t
OPTIMIZE TABLE u
REPAIR TABLE t
FLUSH TABLES
FLUSH PRIVILEGES
FLUSH LOCAL STATUS
"""),
    (BOTH, Verb.ACCOUNT, "", """
CREATE USER st_somebody IDENTIFIED BY 'x'
ALTER USER st_one IDENTIFIED BY 'yy'
RENAME USER st_one TO st_two
DROP USER IF EXISTS st_one
GRANT SELECT ON st.* TO st_one
REVOKE ALL PRIVILEGES, GRANT OPTION FROM st_one
CREATE ROLE st_somebody
"""),
    (BOTH, Verb.SERVER, "", """
CREATE SERVER st_server FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'x', DATABASE 'y')
"""),
    (BOTH, Verb.ALTER_TABLE, "t", """
ALTER TABLE t FORCE
ALTER TABLE t ENGINE=InnoDB
ALTER TABLE t ORDER BY a
"""),
    (BOTH, Verb.ALTER_TABLE, "p", """
ALTER TABLE p REBUILD PARTITION p0
ALTER TABLE p OPTIMIZE PARTITION ALL
"""),
    (BOTH, Verb.DROP_TABLE, "nothing", "DROP TABLE IF EXISTS nothing"),
    (BOTH, Verb.DROP_TABLE, "nothing u", "DROP TABLE IF EXISTS nothing, u"),
    (BOTH, Verb.CREATE_TABLE, "t", "CREATE TABLE IF NOT EXISTS t (x INT)"),
    (BOTH, Verb.DROP_VIEW, "nothing", "DROP VIEW IF EXISTS nothing"),
    (BOTH, Verb.DROP_TRIGGER, "nothing", "DROP TRIGGER IF EXISTS nothing"),
    (BOTH, Verb.ROUTINE, "nothing", """
DROP PROCEDURE IF EXISTS nothing
DROP FUNCTION IF EXISTS nothing
"""),
    (BOTH, Verb.EVENT, "nothing", "DROP EVENT IF EXISTS nothing"),
)  # fmt: skip

# What changes nothing that a snapshot shows.
UNSEEN = (
    "FORCE", "t ENGINE=InnoDB", "ORDER BY", "REBUILD", "OPTIMIZE PARTITION", "nothing",
    "IF NOT EXISTS t ", "n TO q", "exists `st`.`_u_ghc`", "EXISTS _u_del",
    "EXISTS `st`.`_u_old`", "EXISTS `st`.`pt_osc", "AUTO_INCREMENT=7",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    sql: str
    verb: Verb
    objects: tuple[str, ...]  # "database.name", "database." for the database itself
    server: str

    @property
    def unseen(self) -> bool:
        return any(part in self.sql for part in UNSEEN)


def cases() -> Iterator[Case]:
    for server, verb, objects, statements in GROUPS:
        names = tuple(
            name if "." in name and name != "n.m" else f"st.{name}" for name in _split(objects)
        )
        for sql in statements.strip("\n").split("\n"):
            yield Case(sql, verb, names, server)


def _split(objects: str) -> list[str]:
    return [objects] if objects == "a`b c" else objects.split()
