"""What a statement changes, by whole names; that it is so on servers shows in
test_statement_servers."""

from dataclasses import replace

import pytest

from ddl_statements import cases
from mysync_schemas.effects import Effects, Program, Trigger, effects
from mysync_schemas.sqltokens import Dialect
from mysync_schemas.statement import Verb, read_statement
from mysync_schemas.table import TableId


def of(sql: str) -> Effects:
    return effects(read_statement(sql.encode(), Dialect()), "d")


def t(name: str) -> TableId:
    return TableId(*(name.split(".") if "." in name else ("d", name)))


def ts(names: str) -> tuple[TableId, ...]:
    return tuple(t(name) for name in names.split())


def pairs(*names: str) -> tuple[tuple[TableId, TableId], ...]:
    return tuple((t(name.split(">")[0]), t(name.split(">")[1])) for name in names)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("CREATE TABLE n (id INT)", Effects(made=ts("n"))),
        ("CREATE TABLE IF NOT EXISTS x.n (id INT)", Effects(made=ts("x.n"), if_missing=True)),
        ("CREATE OR REPLACE TABLE n (id INT)", Effects(dropped=ts("n"), made=ts("n"))),
        ("CREATE TABLE n LIKE x.t", Effects(made=ts("n"), model=t("x.t"))),
        ("CREATE TABLE x.n LIKE t", Effects(made=ts("x.n"), model=t("t"))),
        (
            "CREATE TABLE n (a INT REFERENCES t (id), FOREIGN KEY (b) REFERENCES x.u (id))",
            Effects(made=ts("n"), references=ts("t x.u")),
        ),
        (
            "CREATE TABLE x.n (a INT REFERENCES t (id))",
            Effects(made=ts("x.n"), references=ts("x.t")),
        ),
        (
            "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u (id), RENAME x.n",
            Effects(changed=ts("t"), renames=pairs("t>x.n"), references=ts("x.u")),
        ),
        ("ALTER TABLE x.t RENAME TO n", Effects(changed=ts("x.t"), renames=pairs("x.t>n"))),
        ("ALTER TABLE p EXCHANGE PARTITION p0 WITH TABLE x.q", Effects(changed=ts("p x.q"))),
        (
            "ALTER TABLE p CONVERT TABLE x TO PARTITION p2 VALUES LESS THAN (9)",
            Effects(changed=ts("p"), dropped=ts("x")),
        ),
        (
            "ALTER TABLE IF EXISTS p CONVERT PARTITION p1 TO TABLE x.y",
            Effects(changed=ts("p"), made=ts("x.y")),
        ),
        ("TRUNCATE x.t", Effects(changed=ts("x.t"))),
        ("CREATE INDEX i ON t (a)", Effects(changed=ts("t"))),
        ("DROP INDEX i ON x.t", Effects(changed=ts("x.t"))),
        ("DROP TABLE IF EXISTS a, x.b", Effects(dropped=ts("a x.b"))),
        (
            "RENAME TABLE t TO _t_del, _t_gho TO t",
            Effects(renames=pairs("t>_t_del", "_t_gho>t")),
        ),
        (
            "RENAME TABLE a TO x.c, b TO a, x.c TO b",
            Effects(renames=pairs("a>x.c", "b>a", "x.c>b")),
        ),
        ("CREATE OR REPLACE SEQUENCE s", Effects(dropped=ts("s"), made=ts("s"))),
        ("ALTER SEQUENCE s RESTART", Effects(changed=ts("s"))),
        ("DROP SEQUENCE s, x.s", Effects(dropped=ts("s x.s"))),
        ("CREATE OR REPLACE VIEW v AS SELECT 1", Effects(views=ts("v"))),
        ("ALTER VIEW x.v AS SELECT 1", Effects(views=ts("x.v"))),
        ("DROP VIEW v, x.w", Effects(views=ts("v x.w"))),
        (
            "CREATE TRIGGER x.g BEFORE INSERT ON t FOR EACH ROW SET @a = 1",
            Effects(triggers=(Trigger("x", "g", t("x.t")),)),
        ),
        ("DROP TRIGGER x.g", Effects(triggers=(Trigger("x", "g", None),))),
        ("CREATE PROCEDURE p() SELECT 1", Effects(programs=(Program("PROCEDURE", "d", "p"),))),
        ("DROP FUNCTION x.f", Effects(programs=(Program("FUNCTION", "x", "f"),))),
        (
            "CREATE PACKAGE BODY p AS END",
            Effects(programs=(Program("PACKAGE BODY", "d", "p"),)),
        ),
        (
            "ALTER EVENT e ON SCHEDULE EVERY 1 DAY RENAME TO x.f DO RENAME TABLE a TO b",
            Effects(programs=(Program("EVENT", "d", "e"), Program("EVENT", "x", "f"))),
        ),
        (
            "ALTER EVENT e DO RENAME TABLE a TO b",
            Effects(programs=(Program("EVENT", "d", "e"),)),
        ),
        ("CREATE DATABASE n", Effects(database="n")),
        ("ALTER DATABASE CHARACTER SET latin1", Effects(database="d")),
        ("DROP DATABASE x", Effects(database="x")),
        ("INSERT INTO t VALUES (1)", Effects()),
        ("CREATE TEMPORARY TABLE t (id INT)", Effects()),
        ("GRANT SELECT ON t TO u", Effects()),
        ("FROBNICATE t", Effects()),
    ],
)
def test_what_a_statement_changes(sql: str, expected: Effects) -> None:
    assert of(sql) == expected


def test_every_object_of_a_statement_is_among_its_effects_and_nothing_else() -> None:
    for case in cases():
        statement = read_statement(case.sql.encode(), Dialect(mariadb=case.server == "mariadb"))
        found = effects(statement, "st")
        names = {str(table) for table in (*found.tables, *found.views)}
        names |= {f"{trigger.db}.{trigger.name}" for trigger in found.triggers}
        names |= {f"{program.db}.{program.name}" for program in found.programs}
        names |= {f"{found.database}."} if found.database else set()
        assert names == set(case.objects), case.sql


def test_what_has_no_object_has_no_effects() -> None:
    for verb in Verb:
        statement = replace(read_statement(b"BEGIN", Dialect()), verb=verb)
        found = effects(statement, "")
        assert not found.tables
        assert not found.views
