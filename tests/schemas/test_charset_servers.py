"""Character sets' tables against the servers that they were asked from."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from mysync_lab.sql import SqlServer
from mysync_schemas.charset import MAX_BYTES, TABLED, UNICODE, Charset, CharsetTable
from mysync_schemas.charsetbuild import build
from mysync_schemas.collationnames import collation_name
from mysync_schemas.collations import charset_of

# Values that Python's own codecs read as another character than the server, or not at all.
DIFFERENT = {
    "koi8u": (b"\x95", "koi8_u"),
    "cp866": (b"\xfc", "cp866"),
    "greek": (b"\xa1", "iso8859_7"),
    "sjis": (b"\x81\x5f", "shift_jis"),
    "euckr": (b"\x81\x41", "euc_kr"),
}


class Server:
    def __init__(self, server: SqlServer) -> None:
        self.mariadb = server.kind == "mariadb"
        self.connection: Any = server.connect()

    def cell(self, sql: str) -> Any:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()[0]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())


@pytest.fixture(scope="module", params=["mysql_a", "mariadb_a"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    server = Server(request.getfixturevalue(request.param))
    yield server
    server.connection.close()


def charset(server: Server, name: str) -> Charset:
    return UNICODE[name] if name in UNICODE else build(name, server.cell)


@pytest.mark.parametrize("name", sorted(TABLED | UNICODE.keys()))
def test_texts_convert_as_the_server_converts_them(server: Server, name: str) -> None:
    if name == "gb18030" and server.mariadb:
        pytest.skip("MariaDB doesn't have it")
    rng = random.Random(seed := random.randrange(1 << 32))
    print(f"seed {seed}")
    made = charset(server, name)
    points = list(made.codes) if isinstance(made, CharsetTable) else list(range(0xD800))
    if isinstance(made, CharsetTable):
        assert len(points) > 120
        assert len(data := made.to_bytes()) < 200_000
        assert CharsetTable.from_bytes(data).codes == made.codes
    texts = ["".join(map(chr, rng.choices(points, k=rng.randrange(1, 9)))) for _ in range(100)]
    if getattr(made, "supplementary", name in ("utf16", "utf16le", "utf32")):
        texts += [chr(rng.randrange(0x10000, 0x110000)) for _ in range(50)]
    asked = ", ".join(f"HEX(CONVERT(_utf8mb4 x'{t.encode().hex()}' USING {name}))" for t in texts)
    for text, code in zip(texts, server.rows(f"SELECT {asked}")[0], strict=True):
        value = bytes.fromhex(code)
        assert made.encode(text) == value
        assert made.decode(value) == text


@pytest.mark.parametrize("name", DIFFERENT)
def test_pythons_codecs_are_another_bijection(server: Server, name: str) -> None:
    value, codec = DIFFERENT[name]
    made = charset(server, name)
    text = made.decode(value)
    assert text is not None
    assert text != value.decode(codec, "replace")
    read = f"CONVERT(CONVERT(x'{value.hex()}' USING {name}) USING utf8mb4)"
    assert server.cell(f"SELECT HEX({read})") == text.encode().hex().upper()


def test_collation_ids_are_the_servers(server: Server) -> None:
    if server.mariadb:
        view, name = "collation_character_set_applicability", "full_collation_name"
    else:
        view, name = "collations", "collation_name"
    listed = f"SELECT id, character_set_name, {name} FROM information_schema.{view}"
    found = [row for row in server.rows(listed) if row[0] and row[1]]
    assert len(found) > 250
    assert [(n, charset_of(n), collation_name(n, mariadb=server.mariadb)) for n, *_ in found] == [
        tuple(row) for row in found
    ]


def test_a_characters_bytes_are_the_servers(server: Server) -> None:
    found = server.rows("SELECT character_set_name, maxlen FROM information_schema.character_sets")
    assert {name: MAX_BYTES.get(name, 1) for name, _ in found} == dict(found)
