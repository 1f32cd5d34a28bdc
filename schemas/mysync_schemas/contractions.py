"""Sequences of characters that some collation may weigh as one: what to ask a server about.

A collation is folded character by character (`fold`), which is wrong if the weight of a sequence
isn't the sum of its characters' weights. The candidates are those of the Unicode Collation
Algorithm's default table (DUCET) and of the language tailorings in CLDR, described rather than
listed: canonical compositions (й as и + breve), letters with combining marks, pairs and triples of
Latin letters ("aa", "ch", "dzs"), vowels written before their consonant (Thai, Lao, Tai Viet, New
Tai Lue), consonants with virama or vowel sign (Indic scripts), kana before the prolonged sound
mark, Hangul jamo.

Sources: UTS #10 (sections "Contractions" and "Rearrangement"), CLDR common/collation.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import Final

__all__ = ["candidates"]

_LATIN: Final = "abcdefghijklmnopqrstuvwxyz"
# Letters with marks that tailorings put into longer contractions, and signs that they use.
_SPECIAL: Final = """
    dzs Dzs DZS ccs ddz ddzs ggy lly nny ssz tty zzs ngh Ngh NGH c'h C'h C'H c’h C’h C’H
    l·l L·L l· L· l\u0387 L\u0387 ŀl ll·l nʼ ʼn 'n n' aʻ gʻ oʻ Oʻ g‘ o‘ ŋg sch Sch SCH tsh dzh
    dž Dž DŽ dź rz sz ij IJ Ij дж дз хь къ гъ аь оь уь хъ кх кӏ пӏ тӏ цӏ чӏ
"""
# (vowels written before the consonant, consonants), ranges inclusive: UTS #10, "Rearrangement".
_LOGICAL_ORDER: Final = (
    ((0x0E40, 0x0E44), (0x0E01, 0x0E2E)),  # Thai
    ((0x0EC0, 0x0EC4), (0x0E81, 0x0EDF)),  # Lao
    ((0x19B5, 0x19B7), (0x1980, 0x19AB)),  # New Tai Lue
    ((0x19BA, 0x19BA), (0x1980, 0x19AB)),
    ((0xAAB5, 0xAAB6), (0xAA80, 0xAAAF)),  # Tai Viet
    ((0xAAB9, 0xAAB9), (0xAA80, 0xAAAF)),
    ((0xAABB, 0xAABC), (0xAA80, 0xAAAF)),
)
# First code point of each Indic script's block of 128, Devanagari to Malayalam, Sinhala.
_INDIC: Final = (*range(0x0900, 0x0E00, 0x80),)
_BRAHMI_DERIVED: Final = ((0x1000, 0x109F), (0x1780, 0x17DD), (0x0F40, 0x0FBC))


@cache
def candidates(limit: int) -> tuple[str, ...]:
    """All candidate sequences of code points below `limit`, each once."""
    found = dict.fromkeys(_all())
    return tuple(
        text for text in found if len(text) > 1 and all(ord(char) < limit for char in text)
    )


def _all() -> Iterator[str]:
    yield from _compositions()
    yield from _latin()
    yield from _marked()
    yield from _logical_order()
    yield from _indic()
    yield from _kana_and_hangul()


def _compositions() -> Iterator[str]:
    for code in range(0x30000):  # none is composed beyond
        if 0xAC00 <= code <= 0xD7A3 or 0xD800 <= code <= 0xDFFF:
            continue
        char = chr(code)
        decomposition = unicodedata.decomposition(char)
        if decomposition and not decomposition.startswith("<"):
            whole = unicodedata.normalize("NFD", char)
            if len(whole) > 1:
                yield whole
                yield "".join(chr(int(digits, 16)) for digits in decomposition.split())
                yield whole[0] + whole[-1]


def _latin() -> Iterator[str]:
    for one, other in product(_LATIN, _LATIN):
        yield from (one + other, one.upper() + other, (one + other).upper(), one + other.upper())
    yield from _SPECIAL.split()
    for letter in "áâäåãæçčćđéíîłñóôöøőúûüűýžšßþð":
        for other in "hjlnzsy":
            yield letter + other
            yield other + letter


def _marked() -> Iterator[str]:
    letters = [
        chr(code)
        for first, last in ((0x41, 0x5A), (0x61, 0x7A), (0x391, 0x3C9), (0x400, 0x45F))
        for code in range(first, last + 1)
        if unicodedata.category(chr(code)).startswith("L")
    ]
    letters += list("æÆøØœŒßıđĐłŁŋŊþÞðÐҐґӀӏəƏƏơƠưƯ")
    arabic = [chr(code) for code in range(0x621, 0x64B)] + list("ٱٮپچژکگۀہەی")
    for letter in letters:
        for mark in (*range(0x0300, 0x0346), 0x0358, 0x0483, 0x0484, 0x0485, 0x0486):
            yield letter + chr(mark)
    for letter in arabic:
        for mark in (*range(0x064B, 0x0656), 0x0670, 0x200C):
            yield letter + chr(mark)


def _logical_order() -> Iterator[str]:
    for (first, last), (low, high) in _LOGICAL_ORDER:
        for vowel, consonant in product(range(first, last + 1), range(low, high + 1)):
            if unicodedata.category(chr(consonant)) == "Lo":
                yield chr(vowel) + chr(consonant)


def _indic() -> Iterator[str]:
    blocks = [(first, first + 0x7F) for first in _INDIC]
    for first, last in (*blocks, *_BRAHMI_DERIVED):
        chars = [chr(code) for code in range(first, last + 1)]
        letters = [char for char in chars if unicodedata.category(char) == "Lo"]
        viramas = [char for char in chars if unicodedata.combining(char) == 9]
        marks = [char for char in chars if unicodedata.category(char) in ("Mn", "Mc")]
        for letter, virama in product(letters, viramas):
            yield letter + virama
            yield letter + virama + "\u200d"
        for one, other in product(marks, marks):
            yield one + other
        for letter, mark in product(letters[:3], marks):
            yield letter + mark
        for virama, letter in product(viramas, letters):
            yield virama + letter
    yield from ("\u0e4d\u0e32", "\u0ecd\u0eb2", "\u0fb2\u0f71\u0f80", "\u0fb3\u0f71\u0f80")
    yield from ("क्ष", "ज्ञ", "त्र", "श्र", "க்ஷ", "ஸ்ரீ", "ක්‍ෂ", "ක්ෂ", "ರ್", "ക്", "ന്‍")


def _kana_and_hangul() -> Iterator[str]:
    kana = [chr(code) for code in (*range(0x3041, 0x3097), *range(0x30A1, 0x30FB))]
    for char, mark in product(kana, "\u30fc\u309d\u309e\u30fd\u30fe\u3099\u309a"):
        yield char + mark
    for lead, vowel in product(range(0x1100, 0x1113), range(0x1161, 0x1176)):
        yield chr(lead) + chr(vowel)
    for vowel, trail in product(range(0x1161, 0x1176), range(0x11A8, 0x11C3)):
        yield chr(vowel) + chr(trail)
