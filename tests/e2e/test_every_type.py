"""Every column type with the values at its edges, by both appliers, compared by the servers' own
SELECT. With generated values, in keys and across flavours: `tests/soak/test_every_type.py`."""

from collections.abc import Sequence

import pytest

from every_type import Type, types
from fix_pipeline import MakeReplica
from table_kinds import VIA
from type_tables import MODE, by_sql

COLUMNS = 25  # of a table


def creation(name: str, found: Sequence[Type]) -> str:
    columns = ", ".join(f"c{number} {each.sql} NULL" for number, each in enumerate(found))
    return f"CREATE TABLE {name} (id INT PRIMARY KEY, {columns})"


def row(found: Sequence[Type], number: int, *, turned: int = 0) -> list[str]:
    """Each column's edge of that number, NULL where a type has fewer."""
    listed = (each.edges[turned:] + each.edges[:turned] for each in found)
    return [edges[number] if number < len(edges) else "NULL" for edges in listed]


@VIA
@pytest.mark.parametrize("pair", [("mysql_a", "mysql_b"), ("mariadb_a", "mariadb_b")])
def test_the_edges_of_every_type_are_equal_afterwards(
    pair: tuple[str, str], via: str, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    source, target = (request.getfixturevalue(name) for name in pair)
    mariadb = source.kind == "mariadb"
    every = [each for each in types(mariadb=mariadb) if "longest" not in each.definition]
    if via == "sql":
        every = [by_sql(each, mariadb=mariadb) for each in every]
    tables = {f"t{at}": every[at : at + COLUMNS] for at in range(0, len(every), COLUMNS)}
    replica = make_replica(source, target, apply={"via": via})
    replica.create(MODE, *(creation(name, found) for name, found in tables.items()))
    replica.start()
    with source.connect(database=replica.db) as connection, connection.cursor() as cursor:
        cursor.execute(MODE)
        for name, found in tables.items():
            count = max(len(each.edges) for each in found) + 1
            for number in range(count):
                values = ", ".join(row(found, number))
                cursor.execute(f"INSERT IGNORE INTO {name} VALUES ({number}, {values})")
            for number in range(0, count, 3):
                values = row(found, number, turned=1)
                sets = ", ".join(f"c{column} = {value}" for column, value in enumerate(values))
                cursor.execute(f"UPDATE IGNORE {name} SET {sets} WHERE id = {number}")
            cursor.execute(f"DELETE FROM {name} WHERE id % 5 = 2")
    replica.catch_up()
    replica.assert_equal()
