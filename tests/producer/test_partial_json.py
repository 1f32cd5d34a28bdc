"""Partial JSON updates against the server that made them: values and their types, of documents of
any shape."""

import json
import random
from typing import Any

import pytest

from capture_rig import CaptureRig
from mysync_lab.sql import SqlServer
from mysync_producer.partialrows import full_rows
from mysync_producer.tablemap import TableMap
from mysync_runtime.errors import CorruptEvent
from mysync_schemas import jsondiff
from mysync_schemas.errors import JsonError
from mysync_schemas.jsonb import from_text, to_text
from mysync_schemas.jsondiff import apply_diffs

KEYS = ("a", "b c", 'q"r\\', "é\U0001f600", "long" * 20, "", "1st", "$.x", "tab\t", "['", "_under")
SCALARS = (
    "1", "-5", "70000", "'text'", "1.5e0", "true", "CAST('null' AS JSON)",
    "CAST(7 AS UNSIGNED)", "CAST(1.25 AS DECIMAL(5,2))", "CAST('2024-02-29' AS DATE)",
    "CAST('-12:34:56.789' AS TIME(3))", "CAST(CAST('by\\0tes' AS BINARY) AS JSON)",
    "REPEAT('wide', 20000)", "18446744073709551615", "JSON_ARRAY()", "JSON_OBJECT()",
)  # fmt: skip
ROWS, STATEMENTS = 12, 60


class Documents:
    """Random documents and changes of them, in SQL."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def value(self, depth: int = 0) -> str:
        kind = self.chance.random()
        if depth > 3 or kind < 0.5:
            return self.chance.choice(SCALARS)
        values = [self.value(depth + 1) for _ in range(self.chance.randrange(4))]
        if kind < 0.75:
            return f"JSON_ARRAY({', '.join(values)})"
        keys = self.chance.sample(KEYS, len(values))
        pairs = (f"{quoted(key)}, {value}" for key, value in zip(keys, values, strict=True))
        return f"JSON_OBJECT({', '.join(pairs)})"

    def document(self) -> str:
        return f"JSON_EXTRACT(JSON_ARRAY({self.value()}), '$[0]')"

    def path(self) -> str:
        legs = ""
        for _ in range(self.chance.randrange(1, 4)):
            if self.chance.random() < 0.4:
                legs += self.chance.choice(("[0]", "[1]", "[last]", "[last-1]", "[7]"))
            else:
                legs += "." + json.dumps(self.chance.choice(KEYS), ensure_ascii=False)
        return quoted(f"${legs}")

    def changed(self, column: str) -> str:
        expression = column
        for _ in range(self.chance.randrange(1, 4)):
            verb = self.chance.choice(("SET", "SET", "REPLACE", "REMOVE"))
            value = "" if verb == "REMOVE" else f", {self.value(2)}"
            expression = f"JSON_{verb}({expression}, {self.path()}{value})"
        return f"{column} = {expression}"


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def typed(data: bytes) -> Any:
    """A document's values with their types, whatever the layout of its bytes."""

    def of(node: Any) -> Any:
        node = jsondiff._opened(node)
        if isinstance(node, jsondiff._Object):
            return {name: of(member) for name, member in node.members.items()}
        if isinstance(node, jsondiff._Array):
            return [of(cell) for cell in node.cells]
        # int16 or int32 is a matter of layout.
        if node.kind in (5, 7, 9):
            return int.from_bytes(node.body, "little", signed=True)
        if node.kind in (6, 8, 10):
            return "unsigned", int.from_bytes(node.body, "little")
        return node.kind, node.body

    return of(jsondiff._Packed(data[0], data[1:]))


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_documents_after_partial_updates_are_the_servers_own(
    mysql_a: SqlServer, large: bool
) -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    documents = Documents(random.Random(seed))
    db = f"partial_{seed}"
    columns = (
        "id INT PRIMARY KEY, n DECIMAL(20,7), one JSON, t TIME(3), s SET('x'), two JSON, b BIT"
    )
    with mysql_a.connect() as connection, connection.cursor() as cursor:

        def run(*statements: str) -> None:
            for statement in statements:
                cursor.execute(statement)

        try:
            run(f"CREATE DATABASE {db}", f"USE {db}", f"CREATE TABLE d ({columns})")
            rig = CaptureRig(mysql_a, db)
            for row in range(ROWS):
                filling = "'$.\"_under\"', REPEAT('x', 70000)" if large else "'$[7]', 1"
                document = f"JSON_SET({documents.document()}, {filling})"
                other = documents.document() if row % 5 else "NULL"
                run(f"INSERT INTO d VALUES ({row}, 1.5, {document}, '1:2:3', 'x', {other}, 1)")
            start = rig.here()
            run("SET SESSION binlog_row_value_options = 'PARTIAL_JSON'")
            for _ in range(STATEMENTS):
                changes = [documents.changed("one")]
                if documents.chance.random() < 0.5:
                    changes.append(documents.changed("two"))
                run(f"UPDATE d SET {', '.join(changes)}, n = n + 1 WHERE id % 3 <> {row % 3}")
                row += 1
            run("SET SESSION binlog_row_value_options = ''", f"UPDATE d SET id = id + {ROWS}")
            captured = rig.capture(start, rig.end())
        finally:
            run(f"DROP DATABASE {db}")
    assert 39 in captured.types
    last: dict[int, dict[str, Any]] = {}
    differences = 0
    for envelope in rig.decoded(captured.records):
        before = envelope["before"] and envelope["before"][1]
        after = envelope["after"] and envelope["after"][1]
        if before and before["id"] in last:
            for column in ("one", "two"):
                ours, servers = last[before["id"]][column], before[column]
                if isinstance(servers, bytes):
                    assert isinstance(ours, bytes)
                    assert typed(ours) == typed(servers)
                    assert to_text(ours)[0] == to_text(servers)[0]
                else:
                    assert ours == servers
                differences += 1
        if after:
            last[after["id"]] = after
    assert differences > 100


DOCUMENT = from_text('{"a": [1, 2], "b": {"c": "x"}}')


def diff(operation: int, path: str, value: str | None = None) -> bytes:
    data = bytes([operation, 0xFC]) + len(path).to_bytes(2, "little") + path.encode()
    if value is not None:
        document = from_text(value)
        data += bytes([len(document)]) + document
    return data


@pytest.mark.parametrize(
    "diffs",
    [
        diff(0, "$.z", "1"),
        diff(1, "$.a", "1"),
        diff(2, "$.a[2]"),
        diff(2, "$"),
        diff(0, "$", "1"),
        diff(0, "$.a.x", "1"),
        diff(0, "$.b[0]", "1"),
        diff(1, "$.b.c.d", "1"),
        diff(2, "$.*"),
        diff(2, "$**.a"),
        diff(2, "a"),
        diff(3, "$.a"),
        diff(2, "$.a")[:-1],
        diff(0, "$.a", "1")[:-1],
        b"\x02\xff",
        b"\x02\x03$.\xff",
    ],
)
def test_a_difference_that_does_not_fit_is_said_to_be_wrong(diffs: bytes) -> None:
    with pytest.raises(JsonError):
        apply_diffs(DOCUMENT, diffs)


@pytest.mark.parametrize(
    "path", [f"$.a[{'9' * 30}]", f"$.a[{'9' * 5000}]", f"$.a[last-{'9' * 5000}]", "$.a[0]" * 9]
)
def test_a_cell_of_any_number_is_there_or_not(path: str) -> None:
    for operation in (0, 1, 2):
        with pytest.raises(JsonError):
            apply_diffs(DOCUMENT, diff(operation, path, None if operation == 2 else "1"))


def test_a_cell_far_behind_the_last_one_is_put_there() -> None:
    assert to_text(apply_diffs(DOCUMENT, diff(1, "$.a[4294967295]", "3")))[0] == (
        '{"a": [1, 2, 3], "b": {"c": "x"}}'
    )


def test_a_path_deeper_than_any_document_is_refused() -> None:
    """One whose only cell is itself has no end."""
    itself = b"\x02\x01\x00\x07\x00\x02\x00\x00"
    with pytest.raises(JsonError, match="legs"):
        apply_diffs(itself, diff(0, "$" + "[0]" * 3000, "1"))


def test_a_decimal_with_more_digits_behind_the_point_than_it_has_is_refused() -> None:
    """Its values would have less than no bytes, and a row no end."""
    found = TableMap(1, 0, "d", "t", bytes([246]), (1 | 200 << 8,), (True,))
    with pytest.raises(CorruptEvent, match="DECIMAL"):
        full_rows(bytes(200), 0, found)


def test_fuzzed_documents_and_differences_give_a_clean_error() -> None:
    chance = random.Random(5)
    diffs = diff(0, "$.a[1]", '"y"') + diff(1, "$.b.d", "[]") + diff(2, '$."b".c')
    for _ in range(3_000):
        garbled = [bytearray(DOCUMENT), bytearray(diffs)]
        target = chance.choice(garbled)
        target[chance.randrange(len(target))] = chance.randrange(256)
        try:
            to_text(apply_diffs(bytes(garbled[0]), bytes(garbled[1])))
        except JsonError:
            continue
