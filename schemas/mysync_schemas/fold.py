"""Folding of text under a collation: texts that the server holds equal fold to equal bytes.

A fold table is what a server answers when it is asked for the weight of every character of a
collation's character set (`WEIGHT_STRING`). A text folds to the weights of its characters, one
after the other, under PAD SPACE without those of trailing spaces: that is how the servers compare,
unless sequences have weights of their own (contractions). These are asked for as well, and a
collation that has one, or several levels of weights, can't be folded: `NotFoldable`.

Coarser than the collation is safe, finer is not. So collations that compare by more than primary
weights (`_as_`, `_cs`, `_ks`) fold with the `_ai_ci` one of the same tailoring; the Japanese and
Chinese ones, which have none, with the untailored one. `_bin` collations fold to UTF-8.

In a folded text a weight unit that some ASCII character has is that character (the last such in
code order: `a` for `A` and `a`); any other unit is its bytes, then 0xff.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Final

from mysync_schemas.contractions import candidates
from mysync_schemas.errors import BadFold
from mysync_schemas.foldtable import FoldTable, Run

__all__ = [
    "Ask",
    "FoldTable",
    "NotFoldable",
    "asker",
    "build",
    "fold_collation",
    "read_weights",
    "weight_sql",
]

Ask = Callable[[str, Sequence[str]], list[bytes]]
"""(collation, texts) -> the weight of each text under that collation."""

_BLOCK: Final = 256  # code points that are first asked about as one text
_JOINED: Final = 64  # sequences asked about as one text
_TEXTS_A_QUERY: Final = 1000
_SEPARATOR: Final = "2"  # between joined sequences: begins and ends no contraction
_SHORT_RUN: Final = 8  # fewer characters aren't worth a run
_0900: Final = re.compile(r"(utf8mb4)_(?:([a-z_]+?)_)?0900_(?:ai|as)_(?:ci|cs)(?:_ks)?")
_1400: Final = re.compile(r"(utf8mb[34]_uca1400_(?:[a-z0-9_]+_)?)(?:ai|as)_(?:ci|cs)")
_WITHOUT_AI_CI: Final = frozenset({"ja", "zh"})
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
    """The collation whose weights `collation` folds with: itself, or a coarser one."""
    match = _0900.fullmatch(collation)
    if match:
        language = match[2] if match[2] not in _WITHOUT_AI_CI else None
        return f"utf8mb4_{language}_0900_ai_ci" if language else "utf8mb4_0900_ai_ci"
    match = _1400.fullmatch(collation)
    return f"{match[1]}ai_ci" if match else collation


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


def read_weights(cell: str | bytes, count: int) -> list[bytes]:
    """The weights in the answer to a `weight_sql` of `count` texts. Raises `BadFold`."""
    text = cell if isinstance(cell, str) else cell.decode("ascii")
    weights = [bytes.fromhex(part) for part in text.split(",")[1:]]
    if len(weights) != count:
        raise BadFold(f"{len(weights)} weights for {count} texts: the server has none for some")
    return weights


def asker(cell_of: Callable[[str], str | bytes]) -> Ask:
    """An `Ask` over a function that runs a SELECT and gives its only cell."""

    def ask(collation: str, texts: Sequence[str]) -> list[bytes]:
        weights: list[bytes] = []
        for start in range(0, len(texts), _TEXTS_A_QUERY):
            part = texts[start : start + _TEXTS_A_QUERY]
            weights += read_weights(cell_of(weight_sql(collation, part)), len(part))
        return weights

    return ask


def build(collation: str, ask: Ask) -> FoldTable | NotFoldable:
    """Asks a server that has the collation for all that folding needs.

    Raises `BadFold` for a character set that isn't utf8mb4, utf8mb3, ascii or latin1.
    """
    charset = collation.partition("_")[0]
    if charset not in ("utf8mb4", "utf8mb3", "ascii", "latin1"):
        raise BadFold(f"collations of {charset} aren't folded")
    pad = pads_space(collation)
    if collation.endswith("_bin"):
        return FoldTable(collation, pad_space=pad, exact=True)
    base = fold_collation(collation)
    asking = partial(ask, base)
    space, double = asking([" ", "  "])
    if double != space * 2:
        return NotFoldable(collation, f"weights of {base} have several levels")
    found = _contraction(charset, asking)
    if found is not None:
        codes = " ".join(f"U+{ord(char):04X}" for char in found)
        return NotFoldable(collation, f"{base} weighs the sequence {found!r} ({codes}) as one")
    runs, single = _weights(charset, asking)
    unit = len(space) or 1
    weights = [*single.values(), *(run.weight for run in runs)]
    if any(len(weight) % unit for weight in weights):
        return NotFoldable(collation, f"weights of {base} aren't of {unit}-byte units")
    return FoldTable(collation, pad_space=pad, unit=unit, space=space, runs=runs, single=single)


_AskHere = Callable[[Sequence[str]], list[bytes]]


def _contraction(charset: str, ask: _AskHere) -> str | None:
    """The first sequence whose weight isn't the sum of its characters' weights."""
    sequences = _sequences(charset)
    chars = sorted({char for text in sequences for char in text} | {_SEPARATOR})
    weights = dict(zip(chars, ask(chars), strict=True))

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
def _sequences(charset: str) -> tuple[str, ...]:
    if charset == "utf8mb4":
        return candidates(0x110000)
    if charset == "utf8mb3":
        return candidates(0x10000)
    chars = frozenset(map(chr, _LATIN1 if charset == "latin1" else range(128)))
    return tuple(text for text in candidates(0x10000) if chars.issuperset(text))


def _weights(charset: str, ask: _AskHere) -> tuple[list[Run], dict[int, bytes]]:
    """All weights of a character set: first by blocks, then singly where a block has no rule."""
    if charset in ("latin1", "ascii"):
        codes = list(_LATIN1 if charset == "latin1" else range(128))
        return [], dict(zip(codes, ask([chr(code) for code in codes]), strict=True))
    blocks = list(_blocks(0x110000 if charset == "utf8mb4" else 0x10000))
    firsts = ask([chr(block[0]) for block in blocks])
    wholes = ask(["".join(map(chr, block)) for block in blocks])
    runs: list[Run] = []
    codes = []
    for block, first, whole in zip(blocks, firsts, wholes, strict=True):
        rule = _rule(block, first, whole)
        if rule is None:
            codes += block
        else:
            _append(runs, rule)
    single = dict(zip(codes, ask([chr(code) for code in codes]), strict=True))
    runs += _take_runs(single)
    return sorted(runs), single


def _blocks(limit: int) -> Iterator[range]:
    for first in range(0, limit, _BLOCK):
        if not 0xD800 <= first <= 0xDFFF:  # surrogates aren't characters
            yield range(first, first + _BLOCK)


def _rule(block: range, first: bytes, whole: bytes) -> Run | None:
    if whole == first * len(block):
        return Run(block[0], len(block), 0, first)
    run = Run(block[0], len(block), 1, first)
    fits = int.from_bytes(first, "big") + len(block) <= 1 << 8 * len(first)
    return run if fits and whole == b"".join(map(run.weight_of, block)) else None


def _append(runs: list[Run], run: Run) -> None:
    """Adds a run, to the last one if it goes on with it."""
    if runs:
        last = runs[-1]
        end = last.first + last.length
        if end == run.first and last.step == run.step and last.weight_after() == run.weight:
            runs[-1] = last._replace(length=last.length + run.length)
            return
    runs.append(run)


def _take_runs(single: dict[int, bytes]) -> list[Run]:
    """Takes out of `single` what makes runs of its own."""
    runs: list[Run] = []
    for code in sorted(single):
        weight = single[code]
        if runs and runs[-1].first + runs[-1].length == code:
            last = runs[-1]
            if last.length == 1 and weight != last.weight:
                last = last._replace(step=1)
            if last.weight_after() == weight:
                runs[-1] = last._replace(length=last.length + 1)
                continue
        runs.append(Run(code, 1, 0, weight))
    kept = [run for run in runs if run.length >= _SHORT_RUN]
    for run in kept:
        for code in range(run.first, run.first + run.length):
            del single[code]
    return kept
