"""Folding of text under a collation: texts that the server holds equal fold to equal bytes.

A fold table is what a server answers when it is asked for the weight of every character of a
collation's character set (`WEIGHT_STRING`). A text folds to the weights of its characters, one
after the other, under PAD SPACE without those of trailing spaces: that is how the servers compare,
unless sequences have weights of their own (contractions). These are asked for as well, and a
collation that has one, or several levels of weights, can't be folded: `NotFoldable`.

Coarser than the collation is safe, finer is not. So collations that compare by more than primary
weights (`_as_`, `_cs`, `_ks`) fold by the primary ones alone: MySQL's own, which stand before the
first 0000 of a weight (another collation's wouldn't do: under `utf8mb4_ja_0900_as_cs` U+FFE3 is a
space), and on MariaDB, which doesn't separate them, those of the `_ai_ci` of the same tailoring.
`_bin` collations fold to UTF-8.

In a folded text a weight unit that some ASCII character has is that character (the last such in
code order: `a` for `A` and `a`); any other unit is its bytes, then 0xff.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from mysync_schemas.charset import CharsetTable
from mysync_schemas.contractions import candidates
from mysync_schemas.errors import BadFold
from mysync_schemas.foldodd import clash
from mysync_schemas.foldtable import FoldTable, Run

__all__ = [
    "Ask",
    "AskCodes",
    "FoldTable",
    "NotFoldable",
    "asker",
    "asker_of_codes",
    "build",
    "characters",
    "fold_collation",
    "pads_space",
    "primary",
    "read_weights",
    "weight_sql",
]

Ask = Callable[[str, Sequence[str]], list[bytes]]
"""(collation, texts) -> the weight of each text under that collation."""

AskCodes = Callable[[str, Sequence[bytes]], list[bytes | None]]
"""(collation, codes) -> the weight of each; None for what isn't a code of its character set."""

_BLOCKS: Final = (2048, 256)  # code points that are first asked about as one text
_JOINED: Final = 64  # characters or sequences asked about as one text
_TEXTS_A_QUERY: Final = 1000
_CHARS_A_QUERY: Final = 1 << 15  # keeps queries and answers under 1 MB
_SEPARATOR: Final = "2"  # between what is joined: begins and ends no contraction
_SHORT_RUN: Final = 8  # fewer characters aren't worth a run
_LEVELS_0900: Final = re.compile(r"utf8mb4_(?:[a-z_]+_)?0900_as_(?:ci|cs)(?:_ks)?")
_1400: Final = re.compile(r"((?:utf8mb[34]|ucs2|utf16|utf32)_uca1400_(?:\w+_)?)(?:ai|as)_(?:ci|cs)")
# MySQL's latin1 is cp1252 with the five bytes undefined there as C1 controls.
_LATIN1: Final = tuple(
    byte if byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else ord(bytes([byte]).decode("cp1252"))
    for byte in range(256)
)


@dataclass(frozen=True, slots=True)
class NotFoldable:
    """A collation that can't be folded character by character: its tables go whole."""

    collation: str
    reason: str


def fold_collation(collation: str) -> str:
    """The collation whose weights `collation` folds with: itself, or MariaDB's coarser one."""
    match = _1400.fullmatch(collation)
    return f"{match[1]}ai_ci" if match else collation


def primary(collation: str, weight: bytes) -> bytes:
    """The primary weights in a weight under `fold_collation(collation)`."""
    if _LEVELS_0900.fullmatch(collation) is None:
        return weight
    for at in range(0, len(weight), 2):
        if weight[at : at + 2] == b"\0\0":
            return weight[:at]
    raise BadFold(f"a weight under {collation} has only one level: {weight.hex()}")


def pads_space(collation: str) -> bool:
    """Whether trailing spaces don't count (PAD SPACE)."""
    return "_0900_" not in collation and "nopad_" not in collation


def weight_sql(collation: str, texts: Sequence[str]) -> str:
    """A SELECT of one cell that `read_weights` reads. Both servers know it."""
    charset = collation.partition("_")[0]
    terms = []
    for text in texts:
        literal = f"_utf8mb4 x'{text.encode().hex()}'"
        if charset != "utf8mb4":
            literal = f"CONVERT({literal} USING {charset})"
        terms.append(f"HEX(WEIGHT_STRING({literal} COLLATE {collation}))")
    return f"SELECT CONCAT_WS(',','',{','.join(terms)})"


def read_weights(cell: str | bytes | None, count: int) -> list[bytes]:
    """The weights in the answer to a `weight_sql` of `count` texts. Raises `BadFold`."""
    if cell is None:
        raise BadFold(f"the server doesn't answer for the weights of {count} texts at once")
    text = cell if isinstance(cell, str) else cell.decode("ascii")
    weights = [bytes.fromhex(part) for part in text.split(",")[1:]]
    if len(weights) != count:
        raise BadFold(f"{len(weights)} weights for {count} texts: the server has none for some")
    return weights


def asker(cell_of: Callable[[str], str | bytes | None]) -> Ask:
    """An `Ask` over a function that runs a SELECT and gives its only cell."""

    def ask(collation: str, texts: Sequence[str]) -> list[bytes]:
        weights: list[bytes] = []
        for part in _queries(texts):
            weights += read_weights(cell_of(weight_sql(collation, part)), len(part))
        return weights

    return ask


def asker_of_codes(cell_of: Callable[[str], str | bytes | None]) -> AskCodes:
    """An `AskCodes` over such a function. A server makes `?` of what it can't read as a code."""

    def ask(collation: str, codes: Sequence[bytes]) -> list[bytes | None]:
        charset = collation.partition("_")[0]
        weights: list[bytes | None] = []
        for at in range(0, len(codes), _TEXTS_A_QUERY):
            part = codes[at : at + _TEXTS_A_QUERY]
            terms = []
            for code in part:
                text = f"CONVERT(x'{code.hex()}' USING {charset})"
                known = f"CHAR_LENGTH({text}) = 1 AND HEX({text}) = '{code.hex()}'"
                terms.append(f"IF({known}, HEX(WEIGHT_STRING({text} COLLATE {collation})), '-')")
            cell = cell_of(f"SELECT CONCAT_WS(',','',{','.join(terms)})")
            found = "" if cell is None else cell if isinstance(cell, str) else cell.decode("ascii")
            weights += [None if w == "-" else bytes.fromhex(w) for w in found.split(",")[1:]]
        if len(weights) != len(codes):
            raise BadFold(f"{len(weights)} weights for {len(codes)} codes of {charset}")
        return weights

    return ask


def _queries(texts: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    chars = 0
    for text in texts:
        if part and (len(part) == _TEXTS_A_QUERY or chars + len(text) > _CHARS_A_QUERY):
            yield part
            part, chars = [], 0
        part.append(text)
        chars += len(text)
    if part:
        yield part


def build(
    collation: str, ask: Ask, charset: CharsetTable | None = None, ask_codes: AskCodes | None = None
) -> FoldTable | NotFoldable:
    """Asks a server that has the collation for all that folding needs.

    `charset` is the table of its character set, if that needs one; then `ask_codes` is needed too.
    """
    pad = pads_space(collation)
    if collation.endswith("_bin"):
        return FoldTable(collation, pad_space=pad, exact=True)
    chars = characters(collation.partition("_")[0], charset)
    base = fold_collation(collation)

    def asking(texts: Sequence[str]) -> list[bytes]:
        return [primary(base, weight) for weight in ask(base, texts)]

    space, double = asking([" ", "  "])
    if double != space * 2:
        return NotFoldable(collation, f"weights of {base} have several levels")
    found = _contraction(chars, asking)
    if found is not None:
        codes = " ".join(f"U+{ord(char):04X}" for char in found)
        return NotFoldable(collation, f"{base} weighs the sequence {found!r} ({codes}) as one")
    runs, single = _weights(chars, asking)
    unit = len(space) or 1
    weights = [*single.values(), *(run.weight for run in runs)]
    if any(len(weight) % unit for weight in weights):
        return NotFoldable(collation, f"weights of {base} aren't of {unit}-byte units")
    if charset is not None and ask_codes is not None:
        odd = clash(charset, single, lambda codes: ask_codes(base, codes))
        if odd is not None:
            return NotFoldable(collation, odd)
    return FoldTable(collation, pad_space=pad, unit=unit, space=space, runs=runs, single=single)


_AskHere = Callable[[Sequence[str]], list[bytes]]


def characters(charset: str, table: CharsetTable | None) -> range | tuple[int, ...]:
    """The code points of a character set, in their order; ranges still hold the surrogates.

    Raises `BadFold` for a set that needs a table.
    """
    if table is not None and not table.supplementary:
        return tuple(sorted(table.codes))
    if charset in ("utf8mb4", "utf16", "utf16le", "utf32") or table is not None:
        return range(0x110000)
    if charset in ("utf8mb3", "ucs2"):
        return range(0x10000)
    few = {"latin1": _LATIN1, "ascii": tuple(range(128))}.get(charset)
    if few is None:
        raise BadFold(f"collations of {charset} aren't folded without its table")
    return few


def _contraction(chars: range | tuple[int, ...], ask: _AskHere) -> str | None:
    """The first sequence whose weight isn't the sum of its characters' weights."""
    sequences = _sequences(chars)
    used = sorted({char for text in sequences for char in text} | {_SEPARATOR})
    weights = dict(zip(used, ask(used), strict=True))

    def summed(text: str) -> bytes:
        return b"".join(map(weights.__getitem__, text))

    groups = [sequences[at : at + _JOINED] for at in range(0, len(sequences), _JOINED)]
    joined = [_SEPARATOR.join(group) for group in groups]
    for group, text, weight in zip(groups, joined, ask(joined), strict=True):
        if weight != summed(text):
            for sequence, own in zip(group, ask(group), strict=True):
                if own != summed(sequence):
                    return sequence
            return text
    return None


@cache
def _sequences(chars: range | tuple[int, ...]) -> tuple[str, ...]:
    if isinstance(chars, range):
        return candidates(chars.stop)
    known = frozenset(map(chr, chars))
    return tuple(text for text in candidates(0x10000) if known.issuperset(text))


def _weights(chars: range | tuple[int, ...], ask: _AskHere) -> tuple[list[Run], dict[int, bytes]]:
    """All weights of a character set: first by blocks, then singly where a block has no rule."""
    if not isinstance(chars, range):
        return [], _each(list(chars), ask)
    runs: list[Run] = []
    left = [chars]
    for size in _BLOCKS:
        blocks = [block[at : at + size] for block in left for at in range(0, len(block), size)]
        blocks = [block for block in blocks if not 0xD800 <= block[0] <= 0xDFFF]  # surrogates
        left = []
        firsts = ask([chr(block[0]) for block in blocks])
        wholes = ask(["".join(map(chr, block)) for block in blocks])
        for block, first, whole in zip(blocks, firsts, wholes, strict=True):
            rule = _rule(block, first, whole)
            if rule is None:
                left.append(block)
            else:
                runs.append(rule)
    single = _each([code for block in left for code in block], ask)
    return _merged(runs, single), single


def _each(codes: list[int], ask: _AskHere) -> dict[int, bytes]:
    """Of each its weight. Asked many at a time, with a separator whose weight parts the answer."""
    (mark,) = ask([_SEPARATOR])
    groups = [codes[at : at + _JOINED] for at in range(0, len(codes), _JOINED)]
    texts = [_SEPARATOR + _SEPARATOR.join(map(chr, group)) + _SEPARATOR for group in groups]
    weights: dict[int, bytes] = {}
    alone: list[int] = []
    for group, answer in zip(groups, ask(texts), strict=True):
        parts = _split(answer, mark)
        if len(parts) == len(group) + 2:
            weights |= zip(group, parts[1:-1], strict=True)
        else:  # one of them has the separator's weight
            alone += group
    return weights | dict(zip(alone, ask([chr(code) for code in alone]), strict=True))


def _split(weight: bytes, mark: bytes) -> list[bytes]:
    """Parts a weight at `mark`, which is one unit."""
    size = len(mark)
    parts = [bytearray()]
    for at in range(0, len(weight), size):
        unit = weight[at : at + size]
        if unit == mark:
            parts.append(bytearray())
        else:
            parts[-1] += unit
    return [bytes(part) for part in parts]


def _rule(block: range, first: bytes, whole: bytes) -> Run | None:
    if whole == first * len(block):
        return Run(block[0], len(block), 0, first)
    number = int.from_bytes(first, "big")
    integer = {2: "H", 4: "I"}.get(len(first))
    if integer is None or number + len(block) > 1 << 8 * len(first):
        return None
    growing = struct.pack(f">{len(block)}{integer}", *range(number, number + len(block)))
    return Run(block[0], len(block), 1, first) if whole == growing else None


def _merged(runs: Sequence[Run], single: dict[int, bytes]) -> list[Run]:
    """Runs that go on with one another as one, with those that `_take_runs` finds."""
    merged: list[Run] = []
    for run in sorted([*runs, *_take_runs(single)]):
        last = merged[-1] if merged else run
        goes_on = last.first + last.length == run.first and last.step == run.step
        if goes_on and last.weight_after() == run.weight:
            merged[-1] = last._replace(length=last.length + run.length)
        else:
            merged.append(run)
    return merged


def _take_runs(single: dict[int, bytes]) -> list[Run]:
    """Takes out of `single` what makes runs of its own."""
    codes = sorted(single)
    runs: list[Run] = []
    at = 0
    while at < len(codes):
        run = max((_run(single, codes[at], step) for step in (0, 1)), key=lambda run: run.length)
        if run.length >= _SHORT_RUN:
            runs.append(run)
        at += run.length
    for run in runs:
        for code in range(run.first, run.first + run.length):
            del single[code]
    return runs


def _run(single: dict[int, bytes], first: int, step: int) -> Run:
    """The longest run of this step from `first` on."""
    weight = single[first]
    number, size = int.from_bytes(weight, "big"), len(weight)
    code = first
    expected: bytes | None = weight
    while single.get(code) == expected:
        code += 1
        number += step
        if step:
            expected = number.to_bytes(size, "big") if not number >> 8 * size else None
        if expected is None:
            break
    return Run(first, code - first, step, weight)
