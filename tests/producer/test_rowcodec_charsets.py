"""Text of every character set that the servers have, and what is no text in it."""

import random
from types import ModuleType

import pytest

from binlog_rows import Decoder, Source
from mysync_producer.rowtext import latin1_text
from mysync_schemas.charset import COMMON, TABLED, UNICODE, CharsetTable
from producer.test_rowcodec_types import images

ROWS = 60
CHARSETS = sorted((TABLED | UNICODE.keys() | COMMON) - {"utf8mb4", "utf8mb3", "ascii"})


def codes_of(source: Source, name: str) -> list[str]:
    source.sql(f"CREATE TABLE IF NOT EXISTS only_{name} (v CHAR(1) CHARACTER SET {name})")
    table = source.charsets(source.describe(f"only_{name}")).get(name)
    if name == "latin1":
        return list(latin1_text(bytes(range(1, 256))))
    points = table.codes if isinstance(table, CharsetTable) else range(1, 0xD800)
    return [chr(point) for point in points if point]


@pytest.mark.parametrize("name", CHARSETS)
def test_texts_are_what_the_server_shows_and_the_rest_its_bytes(
    source: Source, rowcodec: ModuleType, name: str
) -> None:
    if name == "gb18030" and source.mariadb:
        pytest.skip("the other server's")
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    source.sql("SET sql_mode = ''")
    chars = codes_of(source, name)
    labels = rng.sample([char for char in chars if char > "\x7f" and char != ","], 3)
    listed = ",".join(f"'{label}'" for label in labels)
    source.sql(
        f"DROP TABLE IF EXISTS of_{name}",
        f"CREATE TABLE of_{name} (id INT PRIMARY KEY, v VARCHAR(20) NOT NULL, c CHAR(20), t TEXT,"
        f" odd VARCHAR(30), e ENUM({listed}), s SET({listed})) CHARACTER SET {name}",
    )
    rows = []
    for i in range(ROWS):
        texts = ["".join(rng.choices(chars, k=rng.randrange(20))) for _ in range(3)]
        values = [f"CONVERT(_utf8mb4 x'{text.encode().hex()}' USING {name})" for text in texts]
        junk = rng.randbytes(rng.randrange(8)).hex()
        numbers = f"{rng.randrange(1, 4)}, {rng.randrange(8)}"
        rows.append(f"({i}, {', '.join(values)}, CONVERT(x'{junk}' USING {name}), {numbers})")
    events = source.capture(f"INSERT IGNORE INTO of_{name} VALUES {', '.join(rows)}")
    schema = source.describe(f"of_{name}")
    shown = source.shown(schema, "id")
    found = images(rowcodec, schema, events, source.charsets(schema))
    assert len(found) == len(shown) == ROWS
    decoder = Decoder(schema)
    for image, expected in zip(found, shown, strict=True):
        decoder.assert_shows(image["after"], expected)
        # What came from the set's own characters is text, labels too.
        assert all(isinstance(image["after"][column], str) for column in ("v", "c", "t", "e"))
