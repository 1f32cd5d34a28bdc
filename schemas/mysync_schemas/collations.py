"""Collation ids, as TABLE_MAPs and statements name them, and the character sets they belong to.

Ids: MySQL's and MariaDB's information_schema.collations, which give the same one to what both have.
MariaDB's NO PAD variants stand 1024 above the collations they vary, its `uca1400` ones in blocks of
256 for each character set from 2048 on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["charset_of"]

_NOPAD: Final = 1024
_UCA1400: Final = 2048
_UCA1400_CHARSETS: Final = ("utf8mb3", "utf8mb4", "ucs2", "utf16", "utf32")

_IDS: Final[Mapping[str, tuple[int | range, ...]]] = {
    "armscii8": (32, 64),
    "ascii": (11, 65),
    "big5": (1, 84),
    "binary": (63,),
    "cp1250": (26, 34, 44, 66, 99),
    "cp1251": (14, 23, 50, 51, 52),
    "cp1256": (57, 67),
    "cp1257": (29, 58, 59),
    "cp850": (4, 80),
    "cp852": (40, 81),
    "cp866": (36, 68),
    "cp932": (95, 96),
    "dec8": (3, 69),
    "eucjpms": (97, 98),
    "euckr": (19, 85),
    "gb18030": (248, 249, 250),
    "gb2312": (24, 86),
    "gbk": (28, 87),
    "geostd8": (92, 93),
    "greek": (25, 70),
    "hebrew": (16, 71),
    "hp8": (6, 72),
    "keybcs2": (37, 73),
    "koi8r": (7, 74),
    "koi8u": (22, 75),
    "latin1": (5, 8, 15, 31, 47, 48, 49, 94),
    "latin2": (2, 9, 21, 27, 77),
    "latin5": (30, 78),
    "latin7": (20, 41, 42, 79),
    "macce": (38, 43),
    "macroman": (39, 53),
    "sjis": (13, 88),
    "swe7": (10, 82),
    "tis620": (18, 89),
    "ucs2": (35, 90, range(128, 152), 159, range(640, 643)),
    "ujis": (12, 91),
    "utf16": (54, 55, range(101, 125), range(672, 675)),
    "utf16le": (56, 62),
    "utf32": (60, 61, range(160, 184), range(736, 739)),
    "utf8mb3": (33, 76, 83, range(192, 216), 223, range(576, 579)),
    "utf8mb4": (45, 46, range(224, 248), range(255, 324), range(608, 611)),
}
_BY_ID: Final[Mapping[int, str]] = {
    number: charset
    for charset, ids in _IDS.items()
    for part in ids
    for number in (part if isinstance(part, range) else (part,))
}


def charset_of(collation: int) -> str | None:
    """The character set of a collation id; None for an id that isn't known."""
    if collation >= _UCA1400:
        block = (collation - _UCA1400) // 256
        return _UCA1400_CHARSETS[block] if block < len(_UCA1400_CHARSETS) else None
    return _BY_ID.get(collation - _NOPAD if collation >= _NOPAD else collation)
