"""Codes that a character set can hold without a character: do they weigh what characters weigh?

A text with such a code is carried as bytes and can't be folded, so all of these texts of a column
are one key (`partition`). That is right as long as none of them is equal to a text that can be
folded. Some collations give such codes the weight of a letter (`dec8_swedish_ci`: byte D0 is a D),
or all of them the weight of one character (`big5_chinese_ci`): they can't be folded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from mysync_schemas.charset import CharsetTable

__all__ = ["clash", "odd_codes"]

_THREE_BYTES: Final = frozenset({"ujis", "eucjpms"})  # JIS X 0212 behind 8F


def odd_codes(table: CharsetTable) -> Iterator[bytes]:
    """Codes of the set's lengths that the table doesn't have, whether a server takes them or not.

    None of gb18030's: every code of its is a character's.
    """
    known = frozenset(table.codes.values())
    if not table.supplementary:
        yield from (code for code in _all(table) if code not in known)


def _all(table: CharsetTable) -> Iterator[bytes]:
    for first in range(256):
        yield bytes((first,))
    if max(map(len, table.codes.values())) > 1:
        for first in range(0x80, 256):
            for second in range(0x30, 256):
                yield bytes((first, second))
    if table.name in _THREE_BYTES:
        for second in range(0xA1, 0xFF):
            for third in range(0xA1, 0xFF):
                yield bytes((0x8F, second, third))


def clash(
    table: CharsetTable,
    weights: Mapping[int, bytes],
    ask: Callable[[Sequence[bytes]], list[bytes | None]],
) -> str | None:
    """Why a text with odd codes may equal one without; None if it can't.

    `weights` are those of the characters, `ask` gives those of codes (None: not a code). If the
    distinct weights of both together are a prefix code, a sequence of weights can be parted in one
    way only, so that an odd code has to stand where the other text has one too.
    """
    codes = list(odd_codes(table))
    odd = {code: w for code, w in zip(codes, ask(codes), strict=True) if w is not None}
    if not odd:
        return None
    usual = frozenset(weights.values())
    for code, weight in odd.items():
        if weight in usual:
            return f"the code {code.hex()}, which isn't a character, weighs what one weighs"
    both = usual | frozenset(odd.values())
    if not is_prefix_code(both):
        return f"weights of codes that aren't characters ({next(iter(odd)).hex()}) begin others"
    return None


def is_prefix_code(words: Iterable[bytes]) -> bool:
    """Whether no word begins with another one."""
    ordered = sorted(words)
    return not any(after.startswith(before) for before, after in pairwise(ordered))
