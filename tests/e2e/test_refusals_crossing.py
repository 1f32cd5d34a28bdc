"""From MySQL to MariaDB and back: what can't be exact is refused at the start, by name, before any
row is written; everything else arrives exactly."""

import random

import pytest

from fix_pipeline import Replica
from mysync_lab.exact import columns_of
from mysync_lab.kafka import KafkaServer
from mysync_lab.sql import SqlServer
from mysync_lab.tables import TableName
from mysync_lab.tables import rows as rows_of
from mysync_lab.workload import values
from provoked import SECONDS
from refusals import Refusal, rows

TABLES = {
    "mysql": (
        "CREATE TABLE documents (id INT PRIMARY KEY, doc JSON)",
        "CREATE TABLE vectors (id INT PRIMARY KEY, v VECTOR(3))",
        "CREATE TABLE names (name VARCHAR(9) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY)",
        "CREATE TABLE lowered (id INT PRIMARY KEY, n INT, UNIQUE KEY k ((n + 1)))",
        "CREATE TABLE computed (id INT PRIMARY KEY, c INT AS (id + 1))",
    ),
    "mariadb": (
        "CREATE TABLE uuids (id INT PRIMARY KEY, u UUID)",
        "CREATE TABLE nets (id INT PRIMARY KEY, n INET6)",
        "CREATE TABLE precise (id INT PRIMARY KEY, d DECIMAL(65,31))",
        "CREATE TABLE packed (id INT PRIMARY KEY, v VARCHAR(9) COMPRESSED)",
        "SET GLOBAL mysql56_temporal_format = OFF",
        "CREATE TABLE old (id INT PRIMARY KEY, d DATETIME)",
        "SET GLOBAL mysql56_temporal_format = ON",
        "CREATE SEQUENCE numbers",
        "CREATE TABLE versions (id INT PRIMARY KEY) WITH SYSTEM VERSIONING",
        "CREATE TABLE ordered (v VARCHAR(9) COLLATE utf8mb4_uca1400_ai_ci PRIMARY KEY)",
    ),
}
pytestmark = pytest.mark.xdist_group("own servers")

# A global variable is set on the second pair's source.
SERVERS = {"mysql": ("mysql_a", "mariadb_b"), "mariadb": ("own_mariadb", "mysql_b")}
OF_MARIADB = ("on MySQL", "that MySQL")

Ended = tuple[int | None, str]


@pytest.fixture(scope="module")
def ended(
    request: pytest.FixtureRequest, kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Ended]:
    """How the consumer ended, by the source's kind; what it wrote is nothing."""
    found = {}
    for kind, names in SERVERS.items():
        source, target = (request.getfixturevalue(name) for name in names)
        replica = Replica(tmp_path_factory.mktemp(kind), source, target, kafka)
        try:
            with source.connect() as connection, connection.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {replica.db}")
            replica.on_source(*TABLES[kind])
            replica.pipeline.producer().start().wait_ready(SECONDS)
            consumer = replica.pipeline.consumer().start()
            found[kind] = consumer.wait_exit(SECONDS), consumer.log.read_text()
            with target.connect() as connection:
                assert not rows_of(connection, f"SHOW DATABASES LIKE '{replica.db}'")
        finally:
            replica.end(kafka)
    return found


@pytest.mark.parametrize("row", rows("crossing"), ids=str)
def test_what_the_other_server_cant_hold_is_refused(row: Refusal, ended: dict[str, Ended]) -> None:
    kind = "mariadb" if any(words in row.cause for words in OF_MARIADB) else "mysql"
    row.check(*ended[kind])


@pytest.mark.parametrize("kind", SERVERS)
def test_everything_else_is_equal_afterwards(
    kind: str,
    request: pytest.FixtureRequest,
    kafka: KafkaServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    r = random.Random(seed)
    servers: list[SqlServer] = [request.getfixturevalue(name) for name in SERVERS[kind]]
    source, target = servers
    replica = Replica(tmp_path_factory.mktemp(kind), source, target, kafka)
    # MySQL's JSON is refused, MariaDB's another type there.
    columns = [
        column
        for column in values.columns(mariadb=source.kind == "mariadb")
        if column.name != "doc"
    ]
    listed = ", ".join(f"{column.name} {column.definition}" for column in columns)
    utf8 = "CHARACTER SET utf8mb4"
    listed = listed.replace(utf8, f"{utf8} COLLATE utf8mb4_general_ci")
    options = f"{utf8} COLLATE utf8mb4_general_ci ROW_FORMAT=DYNAMIC"
    mode = f"SET sql_mode='{values.SQL_MODE}', time_zone='+00:00'"
    keys = ("id INT PRIMARY KEY", "id INT", "id VARCHAR(9) COLLATE utf8mb4_unicode_ci PRIMARY KEY")
    tables = [f"t{number}" for number in range(len(keys))]
    try:
        for server in servers:
            with server.connect() as connection, connection.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {replica.db}")
            replica.on(
                server,
                mode,
                *(
                    f"CREATE TABLE {table} ({key}, {listed}) {options}"
                    for table, key in zip(tables, keys, strict=True)
                ),
            )
        replica.start()

        def literals() -> str:
            return ", ".join(values.nullable(column.literal)(r) for column in columns)

        with source.connect(database=replica.db) as connection, connection.cursor() as cursor:
            cursor.execute(mode)
            for table in tables:
                for number in range(40):
                    cursor.execute(f"INSERT IGNORE INTO {table} VALUES ({number}, {literals()})")
                    if number % 4 == 0:
                        sets = ", ".join(f"{c.name} = {c.literal(r)}" for c in columns)
                        cursor.execute(f"UPDATE IGNORE {table} SET {sets} WHERE id = {number // 2}")
                cursor.execute(f"DELETE FROM {table} WHERE id = 7")
        replica.catch_up()
        for table in tables:
            assert shown(source, replica.db, table) == shown(target, replica.db, table), table
    finally:
        replica.end(kafka)


def shown(server: SqlServer, db: str, table: str) -> list[tuple[object, ...]]:
    with server.connect() as connection:
        rows_of(connection, "SET time_zone = '+00:00'")
        name = TableName(db, table)
        texts = ", ".join(columns_of(connection, name).texts)
        return sorted(rows_of(connection, f"SELECT {texts} FROM {name.quoted}"), key=str)
