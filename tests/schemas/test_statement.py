"""Statements that a server isn't asked about here: in other SQL modes and character sets, of
transactions and rows, and those that can't be told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl_statements import cases
from mysync_schemas.sqltokens import Dialect
from mysync_schemas.statement import Statement, Verb, read_statement

ANSI_QUOTES, NO_BACKSLASH_ESCAPES = 0x4, 0x100000
SJIS, GBK, BIG5, GB18030, LATIN1, SWE7, KOI8R = 13, 28, 1, 248, 8, 10, 7


def read(sql: str | bytes, **dialect: int) -> Statement:
    return read_statement(sql.encode() if isinstance(sql, str) else sql, Dialect(**dialect))


def names(statement: Statement) -> list[str]:
    return [str(named) for named in statement.objects]


@pytest.mark.parametrize(
    ("sql", "verb", "name"),
    [
        ("BEGIN", Verb.BEGIN, ""),
        ("START TRANSACTION", Verb.BEGIN, ""),
        ("START TRANSACTION READ ONLY", Verb.BEGIN, ""),
        ("COMMIT", Verb.COMMIT, ""),
        ("COMMIT AND CHAIN", Verb.COMMIT, ""),
        ("ROLLBACK", Verb.ROLLBACK, ""),
        ("ROLLBACK WORK", Verb.ROLLBACK, ""),
        ("SAVEPOINT `a b`", Verb.SAVEPOINT, "a b"),
        ("ROLLBACK TO a", Verb.ROLLBACK_TO, "a"),
        ("ROLLBACK TO SAVEPOINT a", Verb.ROLLBACK_TO, "a"),
        ("ROLLBACK WORK TO `savepoint`", Verb.ROLLBACK_TO, "savepoint"),
        ("RELEASE SAVEPOINT a", Verb.RELEASE, ""),
        ("XA START X'61',X'',1", Verb.XA, ""),
        ("XA COMMIT 'a' ONE PHASE", Verb.XA, ""),
        ("", Verb.EMPTY, ""),
        ("/* nothing */ -- at all", Verb.EMPTY, ""),
        (";", Verb.EMPTY, ""),
        ("INSERT INTO t VALUES (1)", Verb.ROWS, ""),
        ("/*!50000 REPLACE */ INTO t VALUES (1)", Verb.ROWS, ""),
        ("WITH x AS (SELECT 1) DELETE FROM t", Verb.ROWS, ""),
        ("LOAD DATA INFILE 'x' INTO TABLE t", Verb.ROWS, ""),
        ("SET STATEMENT sql_mode='' FOR UPDATE t SET a = 1", Verb.ROWS, ""),
        ("CREATE TEMPORARY TABLE t (id INT)", Verb.TEMPORARY, ""),
        ("CREATE OR REPLACE TEMPORARY TABLE t (id INT)", Verb.TEMPORARY, ""),
        ("DROP /*!40005 TEMPORARY */ TABLE IF EXISTS `t`", Verb.TEMPORARY, ""),
        ("CREATE TEMPORARY SEQUENCE s", Verb.TEMPORARY, ""),
        ("INSTALL SONAME 'ha_x'", Verb.SERVER, ""),
        ("CREATE FUNCTION metaphon RETURNS STRING SONAME 'udf.so'", Verb.SERVER, ""),
        ("CREATE TABLESPACE ts ADD DATAFILE 'ts.ibd'", Verb.SERVER, ""),
        ("CREATE UNDO TABLESPACE ts ADD DATAFILE 'ts.ibu'", Verb.SERVER, ""),
        ("DROP UNDO TABLESPACE ts", Verb.SERVER, ""),
        ("ALTER INSTANCE ROTATE INNODB MASTER KEY", Verb.SERVER, ""),
        ("CREATE SPATIAL REFERENCE SYSTEM 4120 NAME 'x'", Verb.SERVER, ""),
        ("CREATE RESOURCE GROUP rg TYPE = USER", Verb.SERVER, ""),
        ("SET DEFAULT ROLE NONE TO u", Verb.ACCOUNT, ""),
        ("SET PASSWORD FOR 'u'@'%' = 'x'", Verb.ACCOUNT, ""),
        ("ALTER USER u PASSWORD EXPIRE", Verb.ACCOUNT, ""),
    ],
)
def test_what_a_statement_is(sql: str, verb: Verb, name: str) -> None:
    statement = read(sql)
    assert (statement.verb, statement.name) == (verb, name)


@pytest.mark.parametrize(
    "sql",
    [
        "FROBNICATE TABLE t",
        "ALTER FROB t",
        "CREATE TABLE",
        "CREATE TABLE 'text' (id INT)",
        "DROP TABLE t, ",
        "DROP TABLE t u",
        "RENAME TABLE a",
        "RENAME TABLE a TO b c",
        "TRUNCATE TABLE t u",
        "ALTER TABLE p EXCHANGE PARTITION p0 WITH q",
        "CREATE INDEX i",
        "SET GLOBAL x = 1",
        "SET STATEMENT a=1",
        "DROP TABLE `t",
        "CREATE VIEW",
        "123",
        "'text'",
        "(SELECT 1)",
    ],
)
def test_what_cannot_be_told_is_unknown_and_says_why(sql: str) -> None:
    statement = read(sql)
    assert statement.verb is Verb.UNKNOWN
    assert statement.why


def test_comments_for_other_versions_are_comments() -> None:
    sql = "ALTER TABLE t /*!80000 RENAME TO a */"
    assert names(read(sql, version=90704)) == ["t", "a"]
    assert names(read(sql, version=50744)) == ["t"]
    assert names(read(sql, version=101118, mariadb=True)) == ["t"]
    sql = "DROP TABLE /*M!100000 IF EXISTS */ a /*!999999 , b */"
    assert read(sql, version=101118, mariadb=True).if_exists
    assert not read(sql, version=90704).if_exists
    assert names(read(sql, version=90704)) == ["a"]


def test_quotes_of_the_sql_mode() -> None:
    sql = 'DROP TABLE "a b", `c"d`'
    assert names(read(sql, sql_mode=ANSI_QUOTES)) == ["a b", 'c"d']
    assert read(sql).verb is Verb.UNKNOWN
    sql = r"ALTER TABLE t COMMENT 'x\', RENAME TO u -- '"
    assert names(read(sql, sql_mode=NO_BACKSLASH_ESCAPES)) == ["t", "u"]
    assert names(read(sql)) == ["t"]


@pytest.mark.parametrize("collation", [SJIS, GBK, BIG5, GB18030])
def test_half_a_character_is_neither_a_backslash_nor_a_quote(collation: int) -> None:
    text = {SJIS: b"\x83\x5c", GBK: b"\xd5\x5c", BIG5: b"\xa5\x5c", GB18030: b"\xd5\x5c"}[collation]
    sql = b"ALTER TABLE t COMMENT '" + text + b"', RENAME TO u -- '"
    assert names(read(sql, collation=collation)) == ["t", "u"]
    assert names(read(sql, collation=LATIN1)) == ["t"]


def test_names_are_read_in_the_character_set_of_the_client_or_not_at_all() -> None:
    assert names(read("DROP TABLE é".encode("latin-1"), collation=LATIN1)) == ["é"]
    assert names(read("DROP TABLE é", collation=45)) == ["é"]
    assert read(b"DROP TABLE \xe9", collation=45).verb is Verb.UNKNOWN
    assert read(b"DROP TABLE \xc1", collation=KOI8R).verb is Verb.UNKNOWN
    assert names(read(b"DROP TABLE t /* \xc1 */", collation=KOI8R)) == ["t"]
    assert read(b"DROP TABLE t", collation=SWE7).verb is Verb.UNKNOWN


def test_every_name_stands_where_it_says() -> None:
    """Whoever writes another name there keeps the rest as it is."""
    for case in cases():
        sql = case.sql.encode()
        statement = read_statement(sql, Dialect(mariadb=case.server == "mariadb"))
        for named in (*statement.objects, *statement.others):
            written = sql[named.start : named.end].decode()
            last = sql[named.last : named.end].decode().strip("`").replace("``", "`")
            assert last == named.name
            assert written.startswith((named.database, f"`{named.database}"))


def test_what_a_statement_is_wrapped_in_is_told() -> None:
    sql = b"CREATE TABLE `t` (`id` int DEFAULT NULL) START TRANSACTION ENGINE=InnoDB COMMENT='x'"
    statement = read(sql)
    assert [sql[start:end] for start, end in statement.wrapping] == [b" START TRANSACTION"]
    sql = b"/* a */ SET STATEMENT max_statement_time=1 FOR CREATE TABLE t (id INT)"
    statement = read(sql)
    assert [sql[start:end] for start, end in statement.wrapping] == [
        b"SET STATEMENT max_statement_time=1 FOR "
    ]
    assert read("CREATE TABLE n (start INT, transaction INT) COMMENT 'a'").wrapping == ()


@pytest.mark.parametrize(
    ("sql", "selects"),
    [
        ("CREATE TABLE n AS SELECT 1", True),
        ("CREATE TABLE n (id INT) ENGINE=InnoDB (SELECT 1)", True),
        ("CREATE TABLE n WITH x AS (SELECT 1) SELECT * FROM x", True),
        ("CREATE TABLE n TABLE t", True),
        ("CREATE TABLE n (TABLE t)", True),
        ("CREATE TABLE n (id INT) VALUES ROW(1)", True),
        ("CREATE TABLE n VALUES (1)", True),
        ("CREATE TABLE st.select (id INT)", False),
        ("CREATE TABLE n (`select` INT COMMENT 'SELECT')", False),
        ("CREATE TABLE n LIKE t", False),
        ("CREATE TABLE n (id INT) PARTITION BY LIST (id) (PARTITION p VALUES IN (1))", False),
    ],
)
def test_a_table_made_from_a_query_is_told(sql: str, selects: bool) -> None:
    assert (read(sql).selects, read(sql).opaque) == (selects, selects)


@pytest.mark.parametrize(
    ("sql", "versioning"),
    [
        ("CREATE TABLE n (id INT) WITH SYSTEM VERSIONING", True),
        ("CREATE TABLE n (id INT WITH SYSTEM VERSIONING)", True),
        ("ALTER TABLE t DROP SYSTEM VERSIONING", True),
        ("ALTER TABLE t ADD PERIOD FOR SYSTEM_TIME (s, e)", True),
        ("ALTER TABLE t PARTITION BY SYSTEM_TIME (PARTITION c CURRENT)", True),
        ("ALTER TABLE t COMMENT 'SYSTEM VERSIONING'", False),
        ("ALTER TABLE t ADD `system` INT, ADD `versioning` INT", False),
        ("CREATE TABLE n (id INT) /* WITH SYSTEM VERSIONING */", False),
    ],
)
def test_system_versioning_is_told(sql: str, versioning: bool) -> None:
    assert read(sql).versioning is versioning


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE t ADD x UUID DEFAULT UUID()",
        "ALTER TABLE t ADD COLUMN IF NOT EXISTS x DOUBLE NOT NULL DEFAULT (1 + rand())",
        "ALTER TABLE t DROP a, ADD COLUMN (x INT, y CHAR(36) DEFAULT (UUID()))",
        "ALTER TABLE t ADD (KEY k (a), y BINARY(9) DEFAULT (RANDOM_BYTES(9)))",
        "ALTER TABLE t ADD x INT DEFAULT NEXTVAL(s)",
        "ALTER TABLE t ADD x INT DEFAULT (NEXT VALUE FOR s)",
        "ALTER TABLE t ADD x INT DEFAULT @@server_id",
        "ALTER TABLE t ADD x VARCHAR(99) DEFAULT CURRENT_USER",
        "ALTER TABLE t ADD x DATETIME DEFAULT SYSDATE()",
        "ALTER TABLE t ADD x INT AUTO_INCREMENT UNIQUE",
        "ALTER TABLE t ADD COLUMN x SERIAL",
        "ALTER TABLE t ADD UNIQUE (x), ADD x INT NOT NULL AUTO_INCREMENT FIRST",
        "ALTER IGNORE TABLE t ADD UNIQUE (a)",
        "ALTER TABLE t IMPORT TABLESPACE",
        "ALTER TABLE t IMPORT PARTITION p TABLESPACE",
        "ALTER TABLE t DISCARD TABLESPACE",
        "ALTER TABLE t ADD system INT DEFAULT (RAND())",
    ],
)
def test_an_alter_that_fills_rows_otherwise_on_each_server_says_why(sql: str) -> None:
    statement = read(sql)
    assert statement.verb is Verb.ALTER_TABLE
    assert statement.nondeterministic


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE t ADD x DATETIME DEFAULT NOW()",
        "ALTER TABLE t ADD x TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE NOW(6)",
        "ALTER TABLE t AUTO_INCREMENT=100",
        "ALTER TABLE t MODIFY id INT AUTO_INCREMENT",
        "ALTER TABLE t ALTER a SET DEFAULT (UUID())",
        "ALTER TABLE t ADD uuid CHAR(36), ADD KEY uuid (uuid), ADD rand INT",
        "ALTER TABLE t ADD (uuid CHAR(36), UNIQUE rand (a))",
        "ALTER TABLE t ADD x INT REFERENCES rand (id)",
        "ALTER TABLE t ADD x VARCHAR(9) DEFAULT 'UUID()' COMMENT 'RAND()'",
        "ALTER TABLE t ADD `auto_increment` INT",
        "ALTER TABLE t ADD PARTITION (PARTITION p2 VALUES LESS THAN (1000))",
        "ALTER TABLE t ADD VECTOR INDEX user (a)",
        "CREATE TABLE n (x CHAR(36) DEFAULT (UUID()))",
    ],
)
def test_an_alter_that_fills_rows_alike_on_each_server_is_told(sql: str) -> None:
    assert read(sql).nondeterministic == ""


@given(st.data())
def test_whatever_stands_in_strings_comments_and_names_changes_nothing(data: st.DataObject) -> None:
    text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
    string = "'" + data.draw(text).replace("\\", "\\\\").replace("'", "''") + "'"
    comment = "/* " + data.draw(text).replace("*/", "").replace("!", "") + " */"
    column = "`" + data.draw(text).replace("`", "``") + "`"
    table = "`" + data.draw(text.filter(bool)).replace("`", "``") + "`"
    added = f"{column} INT COMMENT {string}{comment}"
    sql = f"ALTER TABLE {comment} {table} {comment} ADD {added}, RENAME u"
    statement = read(sql, collation=45)
    assert statement.verb is Verb.ALTER_TABLE
    wanted = table[1:-1].replace("``", "`")
    assert [named.name for named in statement.objects] == [wanted, "u"]


@given(st.binary(max_size=40), st.sampled_from([0, SJIS, GBK, LATIN1, 45]), st.sampled_from([0, 4]))
def test_any_bytes_are_read_or_unknown(data: bytes, collation: int, mode: int) -> None:
    for sql in (data, b"ALTER TABLE t " + data, b"DROP " + data, b"CREATE /*!50000 " + data):
        assert read_statement(sql, Dialect(sql_mode=mode, collation=collation)).verb in Verb
