"""What the target gets in place of statements of tables that miss some."""

import pytest

from mysync_consumer.instead import dropping, gone, may_be_remade, remaking
from mysync_schemas.control import Ddl, DdlContext
from mysync_schemas.effects import effects
from mysync_schemas.sqltokens import Dialect
from mysync_schemas.statement import Verb, read_statement
from mysync_schemas.table import TableId

T = TableId("d", "t")


def issued(number: int, verb: Verb, sql: str, *, server_id: int = 0, table: TableId = T) -> Ddl:
    return Ddl(
        id=number,
        seq=number,
        sql=sql.encode(),
        context=DdlContext(database="d", client_collation=45),
        tables=(str(table),),
        verb=verb.name,
        server_id=server_id,
    )


CREATE = issued(2, Verb.CREATE_TABLE, "CREATE TABLE IF NOT EXISTS `t` (id INT)")
EMPTY = issued(3, Verb.TRUNCATE_TABLE, "TRUNCATE TABLE `t`")


def shown(ddl: Ddl, *before: Ddl) -> tuple[str, str]:
    found = remaking(ddl, T, {each.id: each for each in before})
    assert (found.id, found.seq) == (ddl.id, ddl.seq)
    return found.sql.decode(), found.verb


def test_what_makes_a_table_and_empties_it_drops_it_and_makes_it() -> None:
    assert shown(CREATE) == ("DROP TABLE IF EXISTS `d`.`t`", "DROP_TABLE")
    assert shown(EMPTY, CREATE) == (CREATE.sql.decode(), "CREATE_TABLE")


def test_what_makes_a_table_anew_already_stays_as_it_is() -> None:
    drop = issued(1, Verb.DROP_TABLE, "DROP TABLE IF EXISTS `t`")
    assert shown(CREATE, drop) == (CREATE.sql.decode(), "CREATE_TABLE")
    other = issued(1, Verb.DROP_TABLE, "DROP TABLE IF EXISTS `u`", table=TableId("d", "u"))
    assert shown(CREATE, other)[1] == "DROP_TABLE"
    sequence = issued(2, Verb.CREATE_TABLE, "CREATE SEQUENCE IF NOT EXISTS `t` START WITH 1")
    assert shown(sequence)[0] == sequence.sql.decode()


@pytest.mark.parametrize("verb", [Verb.CREATE_TABLE, Verb.TRUNCATE_TABLE])
def test_a_statement_of_the_source_is_none_of_a_transfer(verb: Verb) -> None:
    assert may_be_remade(issued(1, verb, "…"))
    assert not may_be_remade(issued(1, verb, "…", server_id=7))


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("DROP TABLE t, e.u", {"d.t", "e.u"}),
        ("RENAME TABLE t TO u", {"d.t"}),
        ("RENAME TABLE t TO p, u TO t, p TO u", {"d.p"}),
        ("ALTER TABLE t ADD c INT, RENAME TO u", {"d.t"}),
        ("ALTER TABLE t ADD c INT", set()),
        ("CREATE OR REPLACE TABLE t (id INT)", set()),
        ("TRUNCATE TABLE t", set()),
    ],
)
def test_names_that_have_no_table_afterwards(sql: str, names: set[str]) -> None:
    statement = read_statement(sql.encode(), Dialect(mariadb=True, version=101100))
    assert set(map(str, gone(effects(statement, "d")))) == names


def test_what_is_gone_is_dropped_whatever_refers_to_it() -> None:
    found = dropping(issued(9, Verb.RENAME_TABLE, "…", server_id=1), [TableId("d", "a`b"), T])
    assert found.sql.decode() == "DROP TABLE IF EXISTS `d`.`a``b`, `d`.`t`"
    assert found.context.foreign_key_checks is False
    assert (found.id, found.verb) == (9, "DROP_TABLE")
