"""Folding without a server: a made-up one answers."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysync_schemas.contractions import candidates
from mysync_schemas.errors import BadFold
from mysync_schemas.fold import (
    NotFoldable,
    asker,
    build,
    fold_collation,
    pads_space,
    primary,
    read_weights,
    weight_sql,
)
from mysync_schemas.foldtable import FoldTable, Run


class Server:
    """Weighs as a simple case-insensitive collation does; `contraction` as one unit."""

    def __init__(self, contraction: str = "", levels: int = 1) -> None:
        self.contraction = contraction
        self.levels = levels
        self.asked: set[str] = set()

    def __call__(self, collation: str, texts: Sequence[str]) -> list[bytes]:
        self.asked.add(collation)
        return [self.weigh(text) * self.levels for text in texts]

    def weigh(self, text: str) -> bytes:
        if self.contraction and self.contraction in text:
            before, _, after = text.partition(self.contraction)
            return self.weigh(before) + b"\xfe\xfe" + self.weigh(after)
        return b"".join(map(self.weigh_char, text))

    def weigh_char(self, char: str) -> bytes:
        if char == "ß":
            return self.weigh("ss")
        if char < "\t" or char == "\u00ad":
            return b""
        low = char.lower()
        code = ord(low) if len(low) == 1 else ord(char)
        if code > 0xFFFF:
            return b"\xff\xfd"
        # Han characters get implicit weights of two units.
        return b"\xfb\x40" + (code | 0x8000).to_bytes(2) if 0x4E00 <= code < 0xA000 else (
            code.to_bytes(2)
        )  # fmt: skip


@pytest.fixture(scope="module")
def table() -> FoldTable:
    made = build("utf8mb4_general_ci", Server())
    assert isinstance(made, FoldTable)
    return made


@given(st.text(max_size=10))
def test_every_character_has_the_weight_that_was_asked_for(table: FoldTable, text: str) -> None:
    for char in text:
        assert table.weight(ord(char)) == Server().weigh(char)


@given(st.text("aAßsS \0\u00adéÉ你\U0001f600\U0001f601", max_size=8), st.integers(0, 3))
def test_texts_that_differ_in_nothing_that_counts_fold_alike(
    table: FoldTable, text: str, spaces: int
) -> None:
    variant = text.swapcase().replace("\0", "\0\0").replace("\U0001f600", "\U0001f601")
    if "ß" not in text:  # its upper case is two letters, which count as it does
        assert len(variant.replace("\0", "")) == len(text.replace("\0", ""))
    assert table.fold(text) == table.fold(variant + " " * spaces)


@given(st.text("aAb ß你é\uff21", max_size=5), st.text("aAb ß你é\uff21", max_size=5))
def test_texts_fold_alike_only_if_their_weights_are_equal(
    table: FoldTable, one: str, other: str
) -> None:
    weights = [Server().weigh(text.rstrip(" ")) for text in (one, other)]
    assert (table.fold(one) == table.fold(other)) == (weights[0] == weights[1])


def test_ascii_folds_to_readable_bytes(table: FoldTable) -> None:
    assert table.fold("Straße 12  ") == table.fold("STRASSE 12") == b"strasse 12"
    assert table.fold("\0\x01") == b""


@given(st.text(st.characters(max_codepoint=127), max_size=10))
def test_ascii_takes_a_short_way_to_the_same_bytes(table: FoldTable, text: str) -> None:
    whole = table.fold(text + "你")
    assert whole.endswith(table.fold("你"))
    assert whole[: -len(table.fold("你"))].rstrip(b" ") == table.fold(text)


def test_a_table_is_read_back_from_its_bytes(table: FoldTable) -> None:
    again = FoldTable.from_bytes(table.to_bytes())
    assert again == table
    assert (again.runs, again.single, again.collation) == (
        table.runs, table.single, table.collation,
    )  # fmt: skip
    assert len(table.to_bytes()) < 20_000


@given(st.binary(max_size=200), st.data())
def test_bytes_that_arent_a_table_are_refused(data: bytes, drawn: st.DataObject) -> None:
    small = FoldTable("c", pad_space=True, unit=2, space=b"\0 ", single={32: b"\0 "},
                      runs=[Run(97, 20, 1, b"\0a")]).to_bytes()  # fmt: skip
    with pytest.raises(BadFold):
        FoldTable.from_bytes(data)
    with pytest.raises(BadFold):
        FoldTable.from_bytes(small[: drawn.draw(st.integers(0, len(small) - 1))])


def test_a_contraction_makes_a_collation_not_foldable() -> None:
    for contraction in ("aa", "ch", "dzs", "и\u0306", "\u0e40\u0e01"):
        made = build("utf8mb4_danish_ci", Server(contraction))
        assert isinstance(made, NotFoldable)
        assert repr(contraction) in made.reason


def test_several_levels_of_weights_make_a_collation_not_foldable() -> None:
    class TwoLevels(Server):
        def weigh(self, text: str) -> bytes:
            return super().weigh(text) + b"\0\0" + super().weigh(text.lower())

    made = build("utf8mb4_thai_520_w2", TwoLevels())
    assert isinstance(made, NotFoldable)
    assert "levels" in made.reason


def test_binary_collations_ask_nothing_and_keep_all_but_trailing_spaces() -> None:
    server = Server()
    padded, exact = build("utf8mb4_bin", server), build("utf8mb4_0900_bin", server)
    assert isinstance(padded, FoldTable)
    assert isinstance(exact, FoldTable)
    assert not server.asked
    assert padded.fold("aA é  ") == "aA é".encode()
    assert exact.fold("aA é  ") == "aA é  ".encode()
    assert FoldTable.from_bytes(padded.to_bytes()) == padded


@pytest.mark.parametrize(
    ("collation", "coarser"),
    [
        ("utf8mb4_ja_0900_as_cs_ks", "utf8mb4_ja_0900_as_cs_ks"),
        ("utf8mb4_uca1400_as_cs", "utf8mb4_uca1400_ai_ci"),
        ("utf8mb3_uca1400_swedish_nopad_ai_cs", "utf8mb3_uca1400_swedish_nopad_ai_ci"),
        ("utf8mb4_0900_ai_ci", "utf8mb4_0900_ai_ci"),
        ("utf8mb4_general_ci", "utf8mb4_general_ci"),
        ("latin1_general_cs", "latin1_general_cs"),
        ("utf8mb4_danish_ci", "utf8mb4_danish_ci"),
    ],
)
def test_finer_collations_fold_with_a_coarser_one(collation: str, coarser: str) -> None:
    assert fold_collation(collation) == coarser


def test_of_several_levels_that_are_separated_the_first_is_taken() -> None:
    class Levels(Server):
        def __call__(self, collation: str, texts: Sequence[str]) -> list[bytes]:
            return [self.weigh(text) + b"\0\0" + b"\0\x20" * len(text) for text in texts]

    made = build("utf8mb4_ja_0900_as_cs_ks", Levels())
    plain = build("utf8mb4_0900_ai_ci", Server())
    assert isinstance(made, FoldTable)
    assert isinstance(plain, FoldTable)
    assert (made.runs, made.single) == (plain.runs, plain.single)


@pytest.mark.parametrize(
    "collation", ["utf8mb4_0900_as_cs", "utf8mb4_de_pb_0900_as_ci", "utf8mb4_ja_0900_as_cs_ks"]
)
def test_the_first_level_ends_where_a_unit_is_zero(collation: str) -> None:
    assert primary(collation, bytes.fromhex("1c47 1c00 0000 0020 0020")) == b"\x1c\x47\x1c\x00"
    assert primary(collation, bytes.fromhex("0000 002b")) == b""
    with pytest.raises(BadFold, match="one level"):
        primary(collation, b"\x1c\x47")


def test_a_single_level_is_taken_as_it_is() -> None:
    for collation in ("utf8mb4_0900_ai_ci", "utf8mb4_general_ci", "latin1_general_cs"):
        assert primary(collation, b"\0\0\0\x41") == b"\0\0\0\x41"


def test_trailing_spaces_count_where_the_name_says_so() -> None:
    counting = ["utf8mb4_0900_ai_ci", "utf8mb4_0900_bin", "utf8mb4_nopad_bin",
                "utf8mb3_general_nopad_ci", "utf8mb4_uca1400_nopad_as_cs"]  # fmt: skip
    assert not any(map(pads_space, counting))
    assert all(map(pads_space, ["utf8mb4_bin", "latin1_swedish_ci", "utf8mb4_uca1400_ai_ci"]))


def test_a_character_that_the_character_set_hasnt_is_refused() -> None:
    class Bytes(Server):
        def weigh_char(self, char: str) -> bytes:
            return char.lower().encode("cp1252", "replace")

    latin1, ascii_ = build("latin1_swedish_ci", Bytes()), build("ascii_general_ci", Bytes())
    assert isinstance(latin1, FoldTable)
    assert isinstance(ascii_, FoldTable)
    assert latin1.fold("É€\x81") == latin1.fold("é€\x81")
    for table, char in ((latin1, "你"), (ascii_, "é"), (build("utf8mb4_bin", Bytes()), "\ud800")):
        assert isinstance(table, FoldTable)
        with pytest.raises(BadFold):
            table.fold(char)


def test_other_character_sets_arent_folded_without_their_table() -> None:
    with pytest.raises(BadFold, match="sjis"):
        build("sjis_japanese_ci", Server())


def test_questions_are_asked_in_portions_that_servers_take() -> None:
    queries: list[str] = []

    def cell(sql: str) -> str:
        queries.append(sql)
        return "," + ",".join(["41"] * sql.count("WEIGHT_STRING"))

    assert asker(cell)("utf8mb4_bin", ["x" * 2000] * 40 + ["y"] * 2500) == [b"A"] * 2540
    assert len(queries) > 3
    assert max(map(len, queries)) < 1 << 20


def test_an_answer_with_too_few_weights_is_refused() -> None:
    assert read_weights(",41,,4142", 3) == [b"A", b"", b"AB"]
    for cell, count in ((",41", 2), (None, 1)):
        with pytest.raises(BadFold):
            read_weights(cell, count)


def test_the_question_names_the_character_set() -> None:
    assert "CONVERT(_utf8mb4 x'c3a4' USING latin1) COLLATE latin1_bin" in weight_sql(
        "latin1_bin", ["ä"]
    )
    assert "(_utf8mb4 x'c3a4' COLLATE utf8mb4_bin)" in weight_sql("utf8mb4_bin", ["ä"])


def test_candidates_for_contractions_include_the_known_kinds() -> None:
    found = set(candidates(0x110000))
    assert {"aa", "Aa", "AA", "ch", "ll", "lj", "dzs", "l·", "n\u0303"} <= found
    assert {"и\u0306", "เก", "ເກ", "カー", "क्", "\u09c7\u09be", "\u1100\u1161"} <= found
    assert all(len(text) > 1 for text in found)
    assert all(ord(char) < 0x10000 for text in candidates(0x10000) for char in text)
