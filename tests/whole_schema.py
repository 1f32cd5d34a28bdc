"""A database that holds whatever a database can hold: tables of every kind that refer to others,
views, triggers, routines and events, with names and texts that are hard to quote."""

from collections.abc import Iterator

from mysync_lab.tables import Session, execute, quote

_HARD = 'it\'s a "test" \\ of `all`\nin 2 lines 🐘'
_TEXT = _HARD.replace("\\", "\\\\").replace("'", "''")

_TABLES = (
    (
        "CREATE TABLE child (id INT PRIMARY KEY, parent INT, FOREIGN KEY (parent) REFERENCES parent"
        " (id) ON DELETE CASCADE)"
    ),
    (
        f"CREATE TABLE parent (id INT PRIMARY KEY COMMENT '{_TEXT}', name VARCHAR(20)"
        f" CHARACTER SET latin1 DEFAULT 'ä''b') COMMENT '{_TEXT}'"
    ),
    "CREATE TABLE `a.b``c'd\"é` (`x.y``'é` INT PRIMARY KEY, v INT DEFAULT 1)",
    (
        "CREATE TABLE parts (id INT, d DATE NOT NULL, PRIMARY KEY (id, d)) PARTITION BY RANGE"
        " (YEAR(d)) (PARTITION old VALUES LESS THAN (2020), PARTITION p VALUES LESS THAN MAXVALUE)"
    ),
    (
        "CREATE TABLE computed (id INT PRIMARY KEY AUTO_INCREMENT, a INT, b INT AS (a * 2) VIRTUAL,"
        " c INT AS (a + 1) STORED, CHECK (a < 100000), KEY (b)) AUTO_INCREMENT = 77"
    ),
    (
        "CREATE TABLE zero_dates (id INT PRIMARY KEY, d DATE NOT NULL DEFAULT '0000-00-00',"
        " e ENUM('a','ß''x') DEFAULT 'ß''x')"
    ),
    "CREATE TABLE watched (id INT PRIMARY KEY, n INT NOT NULL DEFAULT 0, t TEXT)",
    "CREATE TABLE audit (id INT PRIMARY KEY AUTO_INCREMENT, what VARCHAR(200))",
)
_MYSQL = (
    "SET sql_generate_invisible_primary_key = ON",
    "CREATE TABLE gipk (v INT)",
    "SET sql_generate_invisible_primary_key = OFF",
    (
        "CREATE TABLE hidden (id INT PRIMARY KEY, v INT INVISIBLE, w INT DEFAULT (1 + 1),"
        " u VARCHAR(20) COLLATE utf8mb4_ja_0900_as_cs, UNIQUE KEY ((v + w)), KEY k (w) INVISIBLE)"
    ),
)
_MARIADB = (
    "CREATE SEQUENCE zz START 100 INCREMENT 5",
    "CREATE TABLE drawing (id INT PRIMARY KEY DEFAULT (NEXTVAL(zz)), v INT)",
    "CREATE TABLE versioned (id INT PRIMARY KEY, v INT) WITH SYSTEM VERSIONING",
    (
        "CREATE TABLE hidden (id INT PRIMARY KEY, v INT INVISIBLE, w VARCHAR(9) DEFAULT CONCAT('a',"
        " 'b'), u UUID)"
    ),
    "SET sql_mode = 'ORACLE'",
    "CREATE PACKAGE pack AS FUNCTION f RETURN INT; END",
    "CREATE PACKAGE BODY pack AS FUNCTION f RETURN INT AS BEGIN RETURN 42; END; END",
    "SET sql_mode = DEFAULT",
)
_PROGRAMS = (
    "CREATE FUNCTION plus_one(n INT) RETURNS INT DETERMINISTIC COMMENT 'a ''f''' RETURN n + 1",
    f"CREATE PROCEDURE hard() BEGIN /* {_HARD} */ SELECT '{_TEXT}'; END".replace("🐘", "€"),
    "SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES'",
    'CREATE PROCEDURE quoted() SELECT "id" || \'\\\' FROM "parent"',
    "SET sql_mode = DEFAULT",
    "CREATE VIEW z_first AS SELECT id, name, 'é🐘' AS t FROM parent",
    (
        "CREATE DEFINER = 'nobody'@'nowhere' SQL SECURITY INVOKER VIEW on_view AS"
        " SELECT plus_one(id) AS n, t FROM z_first"
    ),
    (
        "CREATE ALGORITHM = MERGE VIEW a_last AS SELECT v.n, p.name FROM on_view v JOIN parent p"
        " ON p.id = v.n WHERE p.id > 0"
    ),
    "CREATE VIEW checked AS SELECT id, n FROM watched WHERE n > 0 WITH CASCADED CHECK OPTION",
    "SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT'",
    'CREATE VIEW piped AS SELECT "name" || \'x\' AS "a.b" FROM "parent"',
    "SET sql_mode = DEFAULT",
    "CREATE TRIGGER zz_third BEFORE INSERT ON watched FOR EACH ROW SET NEW.t = CONCAT(NEW.t, 'é')",
    (
        "CREATE TRIGGER aa_second BEFORE INSERT ON watched FOR EACH ROW PRECEDES zz_third"
        " SET NEW.n = NEW.n + 1"
    ),
    (
        "CREATE TRIGGER mm_first BEFORE INSERT ON watched FOR EACH ROW PRECEDES aa_second"
        " SET NEW.n = NEW.n * 2"
    ),
    "SET sql_mode = 'NO_ENGINE_SUBSTITUTION', time_zone = '+03:00'",
    (
        "CREATE TRIGGER noted AFTER UPDATE ON watched FOR EACH ROW"
        " INSERT INTO audit (what) VALUES (CONCAT('it''s ', OLD.n, ' → ', NEW.n))"
    ),
    (
        "CREATE EVENT tick ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' COMMENT 'a ''t'''"
        " DO INSERT INTO audit (what) VALUES ('ticked')"
    ),
    (
        "CREATE EVENT now_and_then ON SCHEDULE EVERY 1 SECOND ON COMPLETION PRESERVE"
        " DO INSERT INTO audit (what) VALUES ('every second')"
    ),
    "SET NAMES latin1",
    "CREATE EVENT off ON SCHEDULE EVERY 1 HOUR DISABLE DO SELECT 'ä'",
    "CREATE PROCEDURE old_letters() SELECT 'ä'",
    "SET NAMES utf8mb4, sql_mode = DEFAULT, time_zone = DEFAULT",
)
_ROWS = (
    "INSERT INTO parent VALUES (1, 'one'), (2, 'zwölf')",
    "INSERT INTO child VALUES (1, 1), (2, 2), (3, NULL)",
    "INSERT INTO `a.b``c'd\"é` VALUES (1, 1), (2, 2)",
    "INSERT INTO parts VALUES (1, '2019-01-01'), (2, '2026-01-01')",
    "INSERT INTO computed (a) VALUES (1), (2), (3)",
    "INSERT INTO watched VALUES (1, 1, 'a'), (2, 2, 'b')",
    "UPDATE watched SET n = n + 1",
)
_FLAVOR_ROWS = {
    "mysql": ("INSERT INTO gipk VALUES (1), (2)", "INSERT INTO hidden (id, v) VALUES (1, 2)"),
    "mariadb": (
        "INSERT INTO drawing (v) VALUES (1), (2)",
        "INSERT INTO versioned VALUES (1, 1)",
        "UPDATE versioned SET v = 2",
    ),
}


def create(session: Session, db: str, kind: str) -> None:
    """The database with all of it, and rows in most tables."""
    execute(session, f"CREATE DATABASE {quote(db)} CHARACTER SET latin1 COLLATE latin1_german1_ci")
    execute(session, f"USE {quote(db)}", "SET sql_mode = 'ALLOW_INVALID_DATES'")
    execute(session, *_of(kind))


def _of(kind: str) -> Iterator[str]:
    yield "SET foreign_key_checks = OFF"
    yield from _TABLES
    yield from _MYSQL if kind == "mysql" else _MARIADB
    yield "SET foreign_key_checks = ON"
    yield from _PROGRAMS
    yield from _ROWS
    yield from _FLAVOR_ROWS[kind]


def change(session: Session) -> None:
    """A few rows more, through the triggers. Nothing changes by itself any more afterwards."""
    execute(
        session,
        "ALTER EVENT now_and_then DISABLE",
        "INSERT INTO watched VALUES (7, 7, 'seven')",
        "UPDATE watched SET n = 0 WHERE id = 1",
        "DELETE FROM parent WHERE id = 2",
        "INSERT INTO computed (a) VALUES (9)",
    )
