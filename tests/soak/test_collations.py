"""Keys that are equal and not the same, under every collation that the servers list. `make soak`.

The server says which pairs of texts it holds equal. Each pair is one key with two spellings:
inserted, deleted and inserted again in the other one, and changed back; 8 partitions, coalescing
off, so that whatever overtakes is a duplicate or missing row. Which tables are parallel is printed.
"""

import itertools
import json
import re
from collections.abc import Iterator

import pytest

from fix_pipeline import MakeReplica, Replica
from mysync_lab.tables import rows
from mysync_lab.workload.schemas import collations

pytestmark = pytest.mark.soak

MOST = 6  # pairs of a collation
SPELLINGS = (
    "a A á À ä å ª ａ Ａ ⓐ", "o O ø ö Ö œ oe OE", "ss ß ẞ SS", "i I ı İ í", "ae æ Æ AE", "th þ Þ",
    "e é É ê е", "д Д", "σ ς Σ", "あ ア ｱ ぁ ァ", "か が カ ガ", "ー あー ああ", "1 ① １ ¹",
    "k K K", "ll Ll LL",
    "ch Ch CH", "dz dž Dž ǆ", "n ñ Ñ nʼ", "z ž Ž", "c ç Ç č", "가 가", "😀 🙂", "𐐀 𐐨", "中 国", "x",
)  # fmt: skip
ODD = ("x", "x ", "x  ", "x\u0301", "\u0000x", "x\u00ad", "\u200dx", "x\ufeff", "x\t", "X")


def pairs() -> list[tuple[str, str]]:
    found = [pair for line in SPELLINGS for pair in itertools.combinations(line.split(" "), 2)]
    return [*found, *itertools.combinations(ODD, 2)]


def literal(text: str, charset: str, collation: str) -> str:
    return f"CONVERT(_utf8mb4 X'{text.encode().hex()}' USING {charset}) COLLATE {collation}"


def equal_pairs(replica: Replica, collation: str, charset: str) -> Iterator[tuple[str, str]]:
    """Pairs of literals that the source holds equal though their bytes differ."""
    written = [
        (literal(one, charset, collation), literal(two, charset, collation)) for one, two in pairs()
    ]
    terms = ",".join(f"({one} = {two} AND HEX({one}) <> HEX({two}))" for one, two in written)
    with replica.source.connect() as connection:
        (found,) = rows(connection, f"SELECT {terms}")
    return (pair for pair, same in zip(written, found, strict=True) if same)


def whole_tables(log: str) -> set[str]:
    """Of the producer's log: the collations that it can't fold."""
    said = (json.loads(line) for line in log.splitlines() if '"collation"' in line)
    return {line["collation"] for line in said if "one partition" in line["event"]}


@pytest.mark.parametrize("servers", [("mysql_a", "mysql_b"), ("mariadb_a", "mariadb_b")])
def test_equal_keys_are_one_key_in_every_collation(
    servers: tuple[str, str], make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    source, target = (request.getfixturevalue(name) for name in servers)
    replica = make_replica(source, target, apply={"coalesce": False})
    with source.connect() as connection:
        listed = [(each.name, each.charset) for each in collations(connection)]
    assert len(listed) > 250
    replica.create(
        *(
            f"CREATE TABLE `{name}` (k VARCHAR(8) CHARACTER SET {charset} COLLATE {name}"
            " PRIMARY KEY, v INT)"
            for name, charset in listed
        )
    )
    # Of each collation every character's weight is asked for.
    producer = replica.pipeline.producer().start().wait_ready(1200)
    consumer = replica.pipeline.consumer().start().wait_ready(300)
    replica.on_source(f"INSERT INTO `{listed[0][0]}` VALUES ('begin', 0)")
    replica.catch_up()  # the adoption line is behind everything that follows
    tested = changes = 0
    steps: dict[str, list[list[str]]] = {}
    for name, charset in listed:
        for one, two in itertools.islice(equal_pairs(replica, name, charset), MOST):
            tested += 1
            steps.setdefault(name, []).append(
                [
                    f"INSERT INTO `{name}` VALUES ({one}, 1)",
                    f"DELETE FROM `{name}` WHERE k = {one}",
                    f"INSERT INTO `{name}` VALUES ({two}, 2)",
                    f"UPDATE `{name}` SET k = {one}, v = 3 WHERE k = {two}",
                    f"DELETE FROM `{name}` WHERE k = {two}",
                    f"INSERT INTO `{name}` VALUES ({two}, 4)",
                    f"DELETE FROM `{name}`",
                    f"INSERT INTO `{name}` VALUES ({one}, 5)",
                ]
            )
    with source.connect(database=replica.db) as connection, connection.cursor() as cursor:
        cursor.execute("SET sql_mode = ''")
        for histories in steps.values():
            for history in histories:
                for statement in history:
                    changes += cursor.execute(statement)
                cursor.execute(re.sub(r"^INSERT INTO (\S+) .*", r"DELETE FROM \1", history[-1]))
    replica.catch_up(300, [producer, consumer])
    replica.assert_equal()
    with target.connect() as connection:
        used = rows(
            connection,
            "SELECT COUNT(*) FROM mysync.checkpoint WHERE pipeline = %s AND last_seq > 2",
            [replica.pipeline.name],
        )
    whole = whole_tables(producer.log.read_text())
    parallel = [name for name, _ in listed if name not in whole]
    print(f"\n{tested} pairs, {changes} changes, {used[0][0]} partitions: equal")
    print(f"one partition ({len(whole)}): {', '.join(sorted(whole))}")
    print(f"parallel ({len(parallel)}): {', '.join(parallel)}")
    assert tested > 1000
    for usual in ("utf8mb4_0900_ai_ci", "utf8mb4_general_ci", "utf8mb3_general_ci"):
        assert usual in parallel or usual not in dict(listed)
