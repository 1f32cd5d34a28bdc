"""Statements with parts left out, added and called otherwise; `test_rewrite_servers` shows that
they then do on a target what they did on the source."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl_generated import Generated, generated
from ddl_statements import cases
from mysync_schemas.effects import Effects, effects
from mysync_schemas.rewrite import (
    Spanning,
    Unrewritable,
    cut,
    disabled,
    plain,
    renamed,
    with_if_exists,
)
from mysync_schemas.sqltokens import Dialect
from mysync_schemas.statement import Verb, read_statement
from mysync_schemas.table import TableId

ANY = Dialect()
LATIN1, SJIS, ASCII = 8, 13, 11


# -- what a statement is wrapped in


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SET STATEMENT a=1, b='FOR' FOR ALTER TABLE t ADD x INT", "ALTER TABLE t ADD x INT"),
        ("/* app */ SET STATEMENT a=1 FOR/**/DROP TABLE t;", "/* app */ DROP TABLE t;"),
        ("/*!40000 SET STATEMENT a=1 FOR DROP TABLE t */", "/*!40000 DROP TABLE t */"),
        ("/*!40000 SET STATEMENT a=1 FOR */ DROP TABLE t", "/*!40000  */ DROP TABLE t"),
        ("SET STATEMENT a=1 /*!40000 FOR DROP */ TABLE t", " /*!40000 DROP */ TABLE t"),
        ("CREATE TABLE t (a INT) START TRANSACTION", "CREATE TABLE t (a INT)"),
        ("CREATE TABLE t (a INT) START TRANSACTION ENGINE=X", "CREATE TABLE t (a INT) ENGINE=X"),
        (
            "CREATE TABLE t (a INT) START TRANSACTION\n/*!50100 PARTITION BY HASH (a) */",
            "CREATE TABLE t (a INT)\n/*!50100 PARTITION BY HASH (a) */",
        ),
        (
            "CREATE TABLE t (a INT)/*!80021 START TRANSACTION */ENGINE=X",
            "CREATE TABLE t (a INT) /*!80021  */ENGINE=X",
        ),
        ("CREATE TABLE t (a INT) COMMENT 'START TRANSACTION'", None),
        ("  /* SET STATEMENT a=1 FOR */ DROP TABLE t ; ", None),
    ],
)
def test_a_statement_without_what_it_is_wrapped_in(sql: str, expected: str | None) -> None:
    found = plain(sql.encode(), read_statement(sql.encode(), ANY)).decode()
    assert found == (sql if expected is None else expected)


# -- events


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM t", "… DAY * DO DELETE FROM t"),
        ("CREATE EVENT e ON SCHEDULE AT NOW() COMMENT 'DO' DO SELECT 1", "… NOW() * COMMENT …"),
        ("CREATE EVENT e ON SCHEDULE EVERY 1 DAY ENABLE DO SELECT 1", "… DAY * DO SELECT 1"),
        ("CREATE EVENT e ON SCHEDULE EVERY 1 DAY /*!50100 ENABLE */ DO SELECT 1", "… * */ DO …"),
        ("CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO ALTER TABLE t ENABLE KEYS", None),
        ("ALTER EVENT e ENABLE", "ALTER EVENT e *"),
        ("ALTER EVENT e DO ALTER TABLE t ENABLE KEYS", None),
        ("ALTER EVENT e RENAME TO f", None),
        ("DROP EVENT e", None),
    ],
)
def test_an_event_is_not_enabled_on_a_replica(sql: str, expected: str | None) -> None:
    found = disabled(sql.encode(), read_statement(sql.encode(), ANY), ANY).decode()
    if expected is None:
        assert found == sql
        return
    for part in expected.replace("*", "DISABLE ON SLAVE", 1).split("…"):
        assert part.strip() in found
    assert found.replace("DISABLE ON SLAVE", "ENABLE") in (
        sql,
        sql.replace(" COMMENT 'DO'", " ENABLE COMMENT 'DO'"),
        sql.replace(" DO ", " ENABLE DO "),
    )


# -- lists


def kept(sql: str, names: str) -> str | None:
    keep = names.split()
    found = cut(
        sql.encode(),
        read_statement(sql.encode(), ANY),
        "d",
        lambda table: str(table).removeprefix("d.") in keep,
    )
    return None if found is None else found.decode()


@pytest.mark.parametrize(
    ("sql", "names", "expected"),
    [
        ("DROP TABLE a, b,c", "a b c", "DROP TABLE a, b,c"),
        ("DROP TABLE a, b,c", "a", "DROP TABLE a"),
        ("DROP TABLE a, b,c", "b", "DROP TABLE b"),
        ("DROP TABLE a, b,c", "c", "DROP TABLE c"),
        ("DROP TABLE a, b,c", "a c", "DROP TABLE a, c"),
        ("DROP TABLE a, b,c", "x.a", None),
        ("DROP TABLE IF EXISTS x.a, `a` RESTRICT", "x.a", "DROP TABLE IF EXISTS x.a RESTRICT"),
        ("DROP TABLE IF EXISTS x.a, `a` RESTRICT", "a", "DROP TABLE IF EXISTS `a` RESTRICT"),
        ("DROP TABLE`a`,b", "b", "DROP TABLE b"),
        ("DROP TABLE a,`b`CASCADE", "a", "DROP TABLE a CASCADE"),
        ("DROP TABLE a /*!50000 , b */", "a", "DROP TABLE a /*!50000  */"),
        ("DROP TABLE /*!50000 a, */ b", "b", "DROP TABLE /*!50000  */ b"),
        ("DROP TABLE /*!50000a,*/1b", "1b", "DROP TABLE /*!50000 */ 1b"),
        ("DROP TABLE /*!50000a,1b*/", "1b", "DROP TABLE /*!50000 1b*/"),
        ("DROP TABLE a /*, c */, b # c", "b", "DROP TABLE b # c"),
        ("DROP VIEW v, w", "w", "DROP VIEW w"),
        ("DROP SEQUENCE r, s", "r", "DROP SEQUENCE r"),
        ("RENAME TABLE a TO b, c TO e, f TO g", "c e", "RENAME TABLE c TO e"),
        ("RENAME TABLE a TO b, c TO e, f TO g", "a b f g", "RENAME TABLE a TO b, f TO g"),
        ("RENAME TABLE a TO b", "", None),
        ("TRUNCATE a", "a", "TRUNCATE a"),
        ("TRUNCATE a", "", None),
        ("CREATE TABLE n LIKE t", "t", None),
        ("CREATE TABLE n LIKE t", "n t", "CREATE TABLE n LIKE t"),
        ("CREATE TABLE n (a INT REFERENCES t (a))", "n", "CREATE TABLE n (a INT REFERENCES t (a))"),
        ("CREATE VIEW v AS SELECT 1", "v", "CREATE VIEW v AS SELECT 1"),
        ("CREATE VIEW v AS SELECT 1", "", None),
        ("CREATE TRIGGER g AFTER INSERT ON a FOR EACH ROW DO 1", "g", None),
        ("DROP TRIGGER g", "", "DROP TRIGGER g"),
        ("DROP DATABASE x", "", "DROP DATABASE x"),
        ("DROP PROCEDURE p", "", "DROP PROCEDURE p"),
    ],
)
def test_what_isnt_replicated_is_cut_out(sql: str, names: str, expected: str | None) -> None:
    found = kept(sql, names)
    assert found == expected
    if found is not None:
        assert read_statement(found.encode(), ANY).verb is read_statement(sql.encode(), ANY).verb


@pytest.mark.parametrize(
    ("sql", "names", "left"),
    [
        ("RENAME TABLE a TO b", "a", "d.b"),
        ("RENAME TABLE c TO e, a TO x.b", "x.b", "d.a"),
        ("ALTER TABLE a ADD x INT, RENAME b", "a", "d.b"),
        ("ALTER TABLE p EXCHANGE PARTITION p0 WITH TABLE x.q", "p", "x.q"),
        ("ALTER TABLE p CONVERT TABLE q TO PARTITION p0 VALUES LESS THAN (1)", "q", "d.p"),
        ("ALTER TABLE p CONVERT PARTITION p0 TO TABLE q", "p", "d.q"),
        ("CREATE TABLE n LIKE x.t", "n", "x.t"),
        ("CREATE TABLE n (a INT DEFAULT NEXTVAL(s))", "n", "d.s"),
        ("CREATE TABLE n (a INT DEFAULT (NEXT VALUE FOR x.s))", "n", "x.s"),
        ("CREATE TABLE n (a INT) ENGINE=MERGE UNION=(a,b)", "n a", "d.b"),
    ],
)
def test_what_spans_replicated_and_other_tables_is_refused(sql: str, names: str, left: str) -> None:
    with pytest.raises(Spanning, match=r"is replicated, .* isn't") as found:
        kept(sql, names)
    assert [str(table) for table in found.value.left] == [left]
    assert {str(table).removeprefix("d.") for table in found.value.kept} <= set(names.split())


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("DROP TABLE a, b", "DROP TABLE IF EXISTS a, b"),
        ("DROP TABLE`a`", "DROP TABLE IF EXISTS `a`"),
        ("DROP TABLE /*!40000 a */ /* x */", "DROP TABLE /*!40000 IF EXISTS a */ /* x */"),
        ("DROP TABLE IF EXISTS a", "DROP TABLE IF EXISTS a"),
        ("DROP TABLE /*!40000 IF EXISTS */ a", "DROP TABLE /*!40000 IF EXISTS */ a"),
        ("DROP VIEW v", "DROP VIEW IF EXISTS v"),
        ("DROP DATABASE x", "DROP DATABASE x"),
        ("TRUNCATE a", "TRUNCATE a"),
    ],
)
def test_a_drop_is_made_not_to_mind_what_is_gone(sql: str, expected: str) -> None:
    found = with_if_exists(sql.encode(), read_statement(sql.encode(), ANY))
    assert found.decode() == expected
    assert read_statement(found, ANY).if_exists or read_statement(found, ANY).verb in (
        Verb.TRUNCATE_TABLE,
        Verb.DROP_DATABASE,
    )


# -- names

Tables = Callable[[TableId], TableId]
Databases = Callable[[str], str]


def database(name: str) -> str:
    return {"d": "e"}.get(name, name)


def table(found: TableId) -> TableId:
    """Database d is called e; its t is t2 there, its m is x.m; y.k is y.`k k`."""
    special = {
        TableId("d", "t"): TableId("e", "t2"),
        TableId("d", "m"): TableId("x", "m"),
        TableId("y", "k"): TableId("y", "k k"),
    }
    return special.get(found, TableId(database(found.db), found.table))


def rewritten(sql: str | bytes, default: str = "d", dialect: Dialect = ANY) -> str:
    raw = sql.encode() if isinstance(sql, str) else sql
    found = renamed(raw, read_statement(raw, dialect), dialect, default, table, database)
    return found.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("ALTER TABLE a ADD t INT", "ALTER TABLE a ADD t INT"),
        ("ALTER TABLE d.a ADD t INT", "ALTER TABLE `e`.`a` ADD t INT"),
        ("ALTER TABLE x.t ADD d INT", "ALTER TABLE x.t ADD d INT"),
        ("ALTER TABLE t ADD t INT", "ALTER TABLE `t2` ADD t INT"),
        ("ALTER TABLE m ADD t INT", "ALTER TABLE `x`.`m` ADD t INT"),
        ("ALTER TABLE `d` . `t` ADD t INT", "ALTER TABLE `e`.`t2` ADD t INT"),
        ("ALTER TABLE .t ADD x INT", "ALTER TABLE `t2` ADD x INT"),
        ("ALTER TABLE .m ADD x INT", "ALTER TABLE `x`.`m` ADD x INT"),
        ("TRUNCATE y.k", "TRUNCATE `y`.`k k`"),
        ("RENAME TABLE t TO m, x.m TO t", "RENAME TABLE `t2` TO `x`.`m`, x.m TO `t2`"),
        ("DROP TABLE a, t, d.a, m", "DROP TABLE a, `t2`, `e`.`a`, `x`.`m`"),
        ("DROP TABLE /*!40000 d. */ t", "DROP TABLE /*!40000 `e`.`t2` */ "),
        ("CREATE TABLE n LIKE t", "CREATE TABLE n LIKE `t2`"),
        (
            "CREATE TABLE n (a INT REFERENCES t, b INT REFERENCES a, c INT REFERENCES m)",
            "CREATE TABLE n (a INT REFERENCES `t2`, b INT REFERENCES a, c INT REFERENCES `x`.`m`)",
        ),
        ("CREATE TABLE x.n (a INT REFERENCES t(a))", "CREATE TABLE x.n (a INT REFERENCES t(a))"),
        (
            "CREATE TABLE m (a INT REFERENCES a(a))",
            "CREATE TABLE `x`.`m` (a INT REFERENCES `e`.`a`(a))",
        ),
        (
            "ALTER TABLE a ADD FOREIGN KEY (a) REFERENCES m (a), RENAME d.m",
            "ALTER TABLE a ADD FOREIGN KEY (a) REFERENCES m (a), RENAME `x`.`m`",
        ),
        (
            "CREATE TABLE n (t INT DEFAULT NEXTVAL(t))",
            "CREATE TABLE n (t INT DEFAULT NEXTVAL(`t2`))",
        ),
        (
            "CREATE TABLE t (t.a INT, b INT AS (t.a + d.t.a), CHECK (f.a > t.b))",
            "CREATE TABLE `t2` (`t2`.a INT, b INT AS (`t2`.a + `e`.`t2`.a), CHECK (f.a > `t2`.b))",
        ),
        ("CREATE INDEX t ON t ((t.a + 1))", "CREATE INDEX t ON `t2` ((`t2`.a + 1))"),
        ("ALTER TABLE a ADD CHECK (d.a.b > a.b)", "ALTER TABLE a ADD CHECK (`e`.`a`.b > a.b)"),
        ("DROP DATABASE d", "DROP DATABASE `e`"),
        (
            "CREATE DATABASE IF NOT EXISTS `d` COLLATE x",
            "CREATE DATABASE IF NOT EXISTS `e` COLLATE x",
        ),
        ("ALTER DATABASE COLLATE x", "ALTER DATABASE COLLATE x"),
        ("DROP TRIGGER t", "DROP TRIGGER t"),
        ("DROP TRIGGER d.t", "DROP TRIGGER `e`.`t`"),
        ("DROP PROCEDURE d.t", "DROP PROCEDURE `e`.`t`"),
        ("ALTER EVENT d.t RENAME TO t3", "ALTER EVENT `e`.`t` RENAME TO t3"),
        ("DROP VIEW d.v, v", "DROP VIEW `e`.`v`, v"),
        ("BEGIN", "BEGIN"),
        ("GRANT SELECT ON x.t TO d", "GRANT SELECT ON x.t TO d"),
        ("GRANT d TO t", "GRANT d TO t"),
        ("CREATE USER d", "CREATE USER d"),
    ],
)
def test_names_are_written_as_on_the_target(sql: str, expected: str) -> None:
    assert rewritten(sql) == expected


@pytest.mark.parametrize(
    ("sql", "default"),
    [
        ("CREATE VIEW v AS SELECT 1", "d"),
        ("CREATE VIEW x.v AS SELECT * FROM d.a", "x"),
        ("CREATE VIEW y.v AS SELECT * FROM k", "y"),
        ("CREATE VIEW d.v AS SELECT 1", "x"),
        ("CREATE TRIGGER g AFTER INSERT ON a FOR EACH ROW INSERT INTO `d`.z VALUES (1)", "x"),
        ("CREATE PROCEDURE p() EXECUTE IMMEDIATE 'DELETE FROM d.a'", "x"),
        ("CREATE EVENT v ON SCHEDULE EVERY 1 DAY DO DELETE FROM y.k", "x"),
        ("ALTER EVENT v DO DELETE FROM y.k", "x"),
        ("CREATE TABLE n AS SELECT * FROM d.a", "x"),
        ("GRANT SELECT ON d.* TO u", "x"),
        ("REVOKE SELECT ON k FROM u", "y"),
        ("GRANT SELECT ON * TO u", "d"),
        ("FROBNICATE d.a", "x"),
        ("ANALYZE TABLE k", "y"),
        ("INSERT INTO k VALUES (1)", "y"),
    ],
)
def test_what_names_something_renamed_unread_is_refused(sql: str, default: str) -> None:
    with pytest.raises(Unrewritable, match="is called otherwise on the target"):
        rewritten(sql, default)


@pytest.mark.parametrize(
    ("sql", "default"),
    [
        ("CREATE VIEW v AS SELECT * FROM t", "x"),
        ("CREATE VIEW v AS SELECT * FROM t", "y"),
        ("CREATE PROCEDURE p() SELECT 'd' FROM t", "y"),
        ("CREATE TABLE n AS SELECT * FROM x.t", "x"),
        ("FROBNICATE a", "x"),
        ("GRANT SELECT ON t TO k", "y"),
        ("GRANT SELECT ON x.* TO k", "d"),
    ],
)
def test_what_names_nothing_renamed_stays(sql: str, default: str) -> None:
    assert rewritten(sql, default) == sql


def test_what_cant_be_read_is_looked_through_for_renamed_names() -> None:
    swe7 = Dialect(collation=10)
    assert rewritten("DROP TABLE a", "x", swe7) == "DROP TABLE a"
    with pytest.raises(Unrewritable):
        rewritten("DROP TABLE d.a", "x", swe7)


def test_names_are_written_in_the_clients_character_set_or_not_at_all() -> None:
    def called(name: str, collation: int) -> bytes:
        sql = b"DROP TABLE a"
        dialect = Dialect(collation=collation)
        statement = read_statement(sql, dialect)
        return renamed(sql, statement, dialect, "d", lambda t: TableId(t.db, name), lambda d: d)

    assert called("é`ü", LATIN1) == "DROP TABLE `é``ü`".encode("latin-1")
    assert called("é", 45) == "DROP TABLE `é`".encode()
    assert called("é", 0) == "DROP TABLE `é`".encode()
    assert called("ok", SJIS) == b"DROP TABLE `ok`"
    for name, collation in (("é", SJIS), ("é", ASCII), ("日", LATIN1)):
        with pytest.raises(Unrewritable, match="character set"):
            called(name, collation)


def mapped(found: Effects, table: Tables, db: Databases) -> Effects:
    return replace(
        found,
        dropped=tuple(map(table, found.dropped)),
        changed=tuple(map(table, found.changed)),
        renames=tuple((table(old), table(new)) for old, new in found.renames),
        made=tuple(map(table, found.made)),
        model=found.model and table(found.model),
        references=tuple(map(table, found.references)),
        views=tuple(map(table, found.views)),
        triggers=tuple(t._replace(db=db(t.db)) for t in found.triggers),
        programs=tuple(p._replace(db=db(p.db)) for p in found.programs),
        database=db(found.database) if found.database else "",
    )


def check(sql: bytes, dialect: Dialect, default: str, table: Tables, db: Databases) -> bool:
    """Whether it could be rewritten; if so, it has the same effects under the other names."""
    statement = read_statement(sql, dialect)
    try:
        other = renamed(sql, statement, dialect, default, table, db)
    except Unrewritable:
        return False
    again = read_statement(other, dialect)
    assert again.verb is statement.verb
    assert again.kind == statement.kind
    assert effects(again, db(default)) == mapped(effects(statement, default), table, db)
    return True


def test_a_statement_rewritten_is_about_what_is_renamed() -> None:
    def st_db(name: str) -> str:
        return {"st": "st2", "st_other": "`"}.get(name, name)

    def st_table(found: TableId) -> TableId:
        moved = {TableId("st", "u"): TableId("`", "ü"), TableId("st", "n"): TableId("st2", "u")}
        return moved.get(found, TableId(st_db(found.db), found.table))

    dialects = {"mariadb": Dialect(mariadb=True, collation=45), "mysql": Dialect(collation=45)}
    for case in cases():
        dialect = dialects.get(case.server, dialects["mysql"])
        statement = read_statement(case.sql.encode(), dialect)
        unread = statement.verb in (Verb.ACCOUNT, Verb.MAINTENANCE)
        done = check(case.sql.encode(), dialect, "st", st_table, st_db)
        assert done or statement.opaque or unread, case.sql


@given(generated())
def test_a_generated_statement_is_read_as_it_was_generated(made: Generated) -> None:
    statement = read_statement(made.sql, made.dialect)
    assert (statement.verb, statement.database) == (made.verb, made.database), statement.why
    assert tuple((n.database, n.name) for n in statement.objects) == made.objects
    assert tuple((n.database, n.name) for n in statement.others) == made.others


@given(generated(), st.sampled_from(["d", "e"]), st.text("`e.-/*'\"é", min_size=1, max_size=4))
def test_a_generated_statement_keeps_what_it_does_when_renamed(
    made: Generated, default: str, suffix: str
) -> None:
    sql, dialect = made.sql, made.dialect
    statement = read_statement(sql, dialect)
    assert plain(sql, statement) == sql
    assert renamed(sql, statement, dialect, default, lambda t: t, lambda d: d) == sql
    assert cut(sql, statement, default, lambda t: True) == sql
    if dialect.collation != 45:
        suffix = suffix.replace("é", "")
    check(sql, dialect, default, lambda t: t._replace(db=t.db + suffix), lambda d: d + suffix)
    check(sql, dialect, default, lambda t: t._replace(table=t.table + suffix), lambda d: d)
    check(sql, dialect, default, lambda t: TableId(t.table, t.db), lambda d: d)


@given(generated(), st.data())
def test_a_generated_list_keeps_what_it_is_cut_to(made: Generated, data: st.DataObject) -> None:
    statement = read_statement(made.sql, made.dialect)
    found = effects(statement, "d")
    tables = sorted({*found.tables, *found.views})
    keep = data.draw(st.sets(st.sampled_from(tables))) if tables else set()
    try:
        left = cut(made.sql, statement, "d", lambda t: t in keep)
    except Spanning:
        return
    if left is None:
        return
    again = effects(read_statement(left, made.dialect), "d")
    assert again.dropped == tuple(t for t in found.dropped if t in keep or left == made.sql)
    assert again.renames == tuple(p for p in found.renames if p[0] in keep)
