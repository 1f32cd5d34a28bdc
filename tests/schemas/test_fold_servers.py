"""Folding against the servers: what they hold equal must fold equal, under every collation."""

import random
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from mysync_lab.sql import SqlServer
from mysync_schemas.charset import TABLED, UNICODE, CharsetTable
from mysync_schemas.charsetbuild import build as build_charset
from mysync_schemas.fold import (
    Ask,
    FoldTable,
    NotFoldable,
    asker,
    asker_of_codes,
    build,
    fold_collation,
    pads_space,
    primary,
)

CHARSETS = ("utf8mb4", "utf8mb3", "latin1", "ascii")
# The others' collations, all with the long suite: some have many.
QUICK = ("ucs2", "sjis", "greek", "swe7", "dec8")
OTHERS = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.soak)
    for name in sorted(TABLED | UNICODE.keys())
]
PAIRS = 250  # random pairs that are compared under each collation
SEED = random.randrange(2**32)

# Hold a contraction or several levels on the server that has them, by the end of their name.
TAILORED = (
    "danish_ci", "czech_ci", "slovak_ci", "croatian_ci", "spanish2_ci",
    "da_0900_ai_ci", "cs_0900_as_cs", "hr_0900_ai_ci", "hu_0900_as_cs", "es_trad_0900_ai_ci",
    "thai_520_w2", "ja_0900_as_cs", "ja_0900_as_cs_ks", "uca1400_danish_as_ci",
)  # fmt: skip
PLAIN = (
    "general_ci", "unicode_ci", "unicode_520_ci", "utf8mb4_0900_ai_ci", "utf8mb4_0900_as_cs",
    "utf8mb4_zh_0900_as_cs", "utf8mb4_de_pb_0900_ai_ci",
    "general_nopad_ci", "unicode_nopad_ci", "german2_ci", "swedish_ci", "_bin",
)  # fmt: skip


class Asked:
    """A server's answers, its fold tables by the collation that they are made from."""

    def __init__(self, server: SqlServer) -> None:
        self.connection: Any = server.connect()
        self.ask: Ask = asker(self.cell)
        self.built: dict[str, FoldTable | NotFoldable] = {}
        self.charsets: dict[str, CharsetTable] = {}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def cell(self, sql: str) -> Any:
        return self.rows(sql)[0][0]

    def collations(self, charset: str) -> list[str]:
        column = "collation_name" if self.is_mysql else "full_collation_name"
        return [
            row[0]
            for row in self.rows(
                f"SELECT {column} FROM information_schema.collation_character_set_applicability "
                f"WHERE character_set_name = '{charset}' ORDER BY 1"
            )
        ]

    @property
    def is_mysql(self) -> bool:
        return "MariaDB" not in self.cell("SELECT VERSION()")

    def table(self, collation: str) -> FoldTable | NotFoldable:
        """As `build` makes it; collations that fold with the same one are asked about once."""
        base = collation if collation.endswith("_bin") else fold_collation(collation)
        if base not in self.built:
            charset = self.charset(base.partition("_")[0])
            self.built[base] = build(base, self.ask, charset, asker_of_codes(self.cell))
        made = self.built[base]
        if base == collation or isinstance(made, NotFoldable):
            return made
        return FoldTable(
            collation,
            pad_space=pads_space(collation),
            unit=made.unit,
            space=made.space,
            runs=made.runs,
            single=made.single,
        )

    def charset(self, name: str) -> CharsetTable | None:
        if name in TABLED and name not in self.charsets:
            self.charsets[name] = build_charset(name, self.cell)
        return self.charsets.get(name)

    def equal(self, collation: str, pairs: Sequence[tuple[str, str]]) -> list[bool]:
        """Of each pair whether the server says `=`."""
        charset = collation.partition("_")[0]

        def literal(text: str) -> str:
            return f"CONVERT(_utf8mb4 x'{text.encode().hex()}' USING {charset}) COLLATE {collation}"

        terms = ",".join(f"({literal(one)} = {literal(other)})" for one, other in pairs)
        return [bool(int(digit)) for digit in self.cell(f"SELECT CONCAT({terms})")]


# One worker of pytest-xdist a server, so that no table is made twice.
@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.xdist_group(f"fold-{name}"))
        for name in ("mysql_a", "mariadb_a")
    ],
)
def asked(request: pytest.FixtureRequest) -> Iterator[Asked]:
    server = Asked(request.getfixturevalue(request.param))
    print("seed", SEED)
    yield server
    server.connection.close()


def interesting(charset: str, rng: random.Random) -> list[str]:
    """Characters with relatives: cases, compositions, digits; and some that are just there."""
    if charset in ("latin1", "ascii"):
        size = 256 if charset == "latin1" else 128
        return [*bytes(range(size)).decode("cp1252", "ignore"), "ss", "ae", "oe", "th", "ue"]
    limit = 0x10000 if charset in ("utf8mb3", "ucs2") else 0x110000
    chars = [chr(code) for code in range(0x250)]
    for code in range(0x250, min(limit, 0x1F700)):
        char = chr(code)
        if 0xAC00 <= code <= 0xD7FF or unicodedata.category(char) in ("Cn", "Cs", "Co"):
            continue
        related = unicodedata.decomposition(char) or char.lower() != char
        if (related and rng.random() < 0.3) or rng.random() < 0.02:
            chars.append(char)
    chars += [chr(rng.randrange(0xE000, limit)) for _ in range(200)]
    chars += [chr(rng.randrange(0xAC00, 0xD7A4)) for _ in range(50)]
    return [*chars, "ss", "ae", "oe", "th", "e\u0301", "a\u030a", "ﬁ", "fi", "１", "㌀", "가", "你"]


def classes(texts: Sequence[str], weights: Sequence[bytes]) -> dict[bytes, list[str]]:
    found: dict[bytes, list[str]] = defaultdict(list)
    for text, weight in zip(texts, weights, strict=True):
        found[weight].append(text)
    return found


def variants(relatives: dict[bytes, list[str]], rng: random.Random) -> Iterator[tuple[str, str]]:
    """Pairs of texts, mostly equal: character by character of one class, then spaces."""
    groups = list(relatives.values())
    shared = [group for group in groups if len(group) > 1] or groups
    ignored = relatives.get(b"", [""])
    for _ in range(PAIRS):
        one = other = ""
        for _ in range(rng.randrange(1, 6)):
            group = rng.choice(shared if rng.random() < 0.8 else groups)
            one += rng.choice(group)
            other += rng.choice(group if rng.random() < 0.9 else rng.choice(groups))
            if rng.random() < 0.2:
                other += rng.choice(ignored)
        yield one + " " * rng.choice((0, 0, 1, 2)), other + " " * rng.choice((0, 0, 1))


@pytest.mark.parametrize("charset", [*CHARSETS, *OTHERS])
def test_what_the_server_holds_equal_folds_equal(asked: Asked, charset: str) -> None:
    rng = random.Random(SEED)
    collations = asked.collations(charset)
    if not collations:
        pytest.skip("the other server's")
    texts = interesting(charset, rng)
    table = asked.charset(charset)
    if table is not None:
        texts = [text for text in texts if table.encode(text) is not None]
        texts += rng.sample([chr(point) for point in table.codes], k=120)
    foldable = compared = equal_pairs = 0
    for collation in collations:
        fold = asked.table(collation)
        if isinstance(fold, NotFoldable):
            print(f"one partition: {collation} ({fold.reason})")
            continue
        print(f"parallel: {collation}")
        foldable += 1
        weights = asked.ask(collation, texts)
        relatives = classes(texts, weights)
        for weight, group in relatives.items():
            assert len({fold.fold(text) for text in group}) == 1, (collation, weight, group)
        pairs = list(variants(relatives, rng))
        exact = not re.search("_as_|_cs|_ks", collation) or collation == "latin1_general_cs"
        for (one, other), equal in zip(pairs, asked.equal(collation, pairs), strict=True):
            folded = fold.fold(one) == fold.fold(other)
            # A collation's own table is as fine as the collation, not only safe.
            assert folded == equal if exact else folded >= equal, (collation, one, other)
            compared += 1
            equal_pairs += equal
    print(charset, foldable, "foldable collations,", equal_pairs, "of", compared, "pairs equal")
    assert foldable
    assert compared // 10 < equal_pairs < compared


@pytest.mark.parametrize("charset", CHARSETS)
def test_a_text_weighs_what_its_characters_weigh_wherever_tables_say_so(
    asked: Asked, charset: str
) -> None:
    rng = random.Random(SEED + 1)
    chars = [text for text in interesting(charset, rng) if len(text) == 1]
    strings = ["".join(rng.choices(chars, k=rng.randrange(2, 9))) for _ in range(1000)]
    # Neighbours by code are of one script: that is where sequences mean something.
    near = sorted(chars)
    for _ in range(2000):
        at = rng.randrange(len(near))
        strings.append("".join(rng.choices(near[max(0, at - 40) : at + 40], k=2)))
    for collation in asked.collations(charset):
        if fold_collation(collation) != collation or collation.endswith("_bin"):
            continue
        table = asked.table(collation)
        if isinstance(table, FoldTable):
            weights = [primary(collation, weight) for weight in asked.ask(collation, strings)]
            for text, weight in zip(strings, weights, strict=True):
                assert weight == b"".join(table.weight(ord(char)) for char in text), (
                    collation,
                    text,
                )


def test_collations_with_contractions_arent_folded_and_usual_ones_are(asked: Asked) -> None:
    tailored = plain = 0
    for charset in ("utf8mb4", "utf8mb3"):
        for collation in asked.collations(charset):
            if collation.endswith(TAILORED):
                tailored += 1
                made = asked.table(collation)
                assert isinstance(made, NotFoldable), collation
            elif collation.endswith(PLAIN) and "uca1400" not in collation:
                plain += 1
                assert isinstance(asked.table(collation), FoldTable), collation
    assert tailored >= 10
    assert plain >= 10


def test_8_bit_collations_are_all_folded(asked: Asked) -> None:
    for charset in ("latin1", "ascii"):
        for collation in asked.collations(charset):
            assert isinstance(asked.table(collation), FoldTable), collation


def test_tables_are_small_enough_for_a_message(asked: Asked) -> None:
    for collation in ("utf8mb4_general_ci", "utf8mb4_unicode_ci", "utf8mb4_unicode_520_ci"):
        table = asked.table(collation)
        assert isinstance(table, FoldTable)
        assert len(table.to_bytes()) < 200_000
        assert FoldTable.from_bytes(table.to_bytes()) == table


def test_the_reason_names_a_sequence_that_the_server_weighs_as_one(asked: Asked) -> None:
    made = asked.table("utf8mb4_danish_ci")
    assert isinstance(made, NotFoldable)
    assert "'aa' (U+0061 U+0061)" in made.reason
    whole, one = asked.ask("utf8mb4_danish_ci", ["aa", "a"])
    assert whole != one * 2
