"""Collations by their ids: what a TABLE_MAP names by number, information_schema names by name.

Most of the Unicode ones stand in blocks, of which each character set has one in the same order.
Sources as in `collations`; both servers' lists are compared with these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from mysync_schemas.collations import charset_of

__all__ = ["collation_name"]

_NOPAD: Final = 1024
_UCA1400: Final = 2048

_UCA: Final = (
    *("unicode", "icelandic", "latvian", "romanian", "slovenian", "polish", "estonian", "spanish"),
    *("swedish", "turkish", "czech", "danish", "lithuanian", "slovak", "spanish2", "roman"),
    *("persian", "esperanto", "hungarian", "sinhala", "german2", "croatian", "unicode_520"),
    "vietnamese",
)
_CROATIAN: Final = _UCA.index("croatian")
_UCA_FROM: Final = (128, 101, 160, 192, 224)  # ucs2, utf16, utf32, utf8mb3, utf8mb4
# MariaDB's additions to each of them; its `croatian` is another one than MySQL's.
_MORE_FROM: Final = (640, 672, 736, 576, 608)
_MORE: Final = ("croatian_ci", "myanmar_ci", "thai_520_w2")
# utf8mb4's of MySQL 8 and later; None are numbers that aren't given away.
_LANGUAGES: Final = (
    *("", "de_pb_", "is_", "lv_", "ro_", "sl_", "pl_", "et_", "es_", "sv_", "tr_", "cs_", "da_"),
    *("lt_", "sk_", "es_trad_", "la_", None, "eo_", "hu_", "hr_", None, "vi_"),
)
_AI_CI_FROM: Final = 255
_AS_CS_FROM: Final = 278
_LATER: Final = (
    *("ja_0900_as_cs", "ja_0900_as_cs_ks", "0900_as_ci", "ru_0900_ai_ci", "ru_0900_as_cs"),
    *("zh_0900_as_cs", "0900_bin"),
    *(
        f"{language}_0900_{kind}"
        for language in ("nb", "nn", "sr_latn", "bs", "bg", "gl", "mn_cyrl")
        for kind in ("ai_ci", "as_cs")
    ),
)
_LATER_FROM: Final = 303
_OTHERS: Final[Mapping[str, tuple[int, ...]]] = {
    "bin": (
        *(43, 46, 47, 50, 53, 55, 58, 61, 62, *range(64, 76), *range(77, 92), 93, 96, 98, 249),
    ),
    "general_ci": (
        *(4, 7, 9, 11, 16, 22, 25, 26, 32, 33, 35, 36, 37, 38, 39, 40, 41, 45, 48, 51, 54),
        *(56, 57, 59, 60, 92),
    ),
    "general_cs": (42, 49, 52),
    "general_mysql500_ci": (159, 223),
    "bulgarian_ci": (14,),
    "chinese_ci": (1, 24, 28, 248),
    "croatian_ci": (27, 44),
    "czech_cs": (2, 34),
    "danish_ci": (15,),
    "english_ci": (6,),
    "estonian_cs": (20,),
    "german1_ci": (5,),
    "german2_ci": (31,),
    "hungarian_ci": (21,),
    "japanese_ci": (12, 13, 95, 97),
    "korean_ci": (19,),
    "lithuanian_ci": (29,),
    "polish_ci": (99,),
    "spanish_ci": (94,),
    "swedish_ci": (3, 8, 10),
    "thai_ci": (18,),
    "tolower_ci": (76,),
    "turkish_ci": (30,),
    "ukrainian_ci": (23,),
    "unicode_520_ci": (250,),
}


def _suffixes() -> Iterator[tuple[int, str]]:
    for start in _UCA_FROM:
        yield from ((start + i, f"{name}_ci") for i, name in enumerate(_UCA))
    for start in _MORE_FROM:
        yield from ((start + i, name) for i, name in enumerate(_MORE))
    for start, kind in ((_AI_CI_FROM, "ai_ci"), (_AS_CS_FROM, "as_cs")):
        for i, language in enumerate(_LANGUAGES):
            if language is not None:
                yield start + i, f"{language}0900_{kind}"
    yield from ((_LATER_FROM + i, name) for i, name in enumerate(_LATER))
    for name, numbers in _OTHERS.items():
        yield from ((number, name) for number in numbers)


_BY_ID: Final[Mapping[int, str]] = dict(_suffixes())


def collation_name(number: int, *, mariadb: bool) -> str | None:
    """The name of a collation as that server writes it; None for an id that isn't known."""
    charset = charset_of(number)
    if charset is None or charset == "binary":
        return charset
    if number >= _UCA1400:
        rest = _uca1400(number % 256)
    elif number >= _NOPAD:
        rest = _nopad(_BY_ID.get(number - _NOPAD))
    elif mariadb and number - _CROATIAN in _UCA_FROM:
        rest = "croatian_mysql561_ci"
    else:
        rest = _BY_ID.get(number)
    return None if rest is None else f"{charset}_{rest}"


def _nopad(name: str | None) -> str | None:
    """`_nopad` stands before the last word."""
    if name is None:
        return None
    head, _, last = name.rpartition("_")
    return f"{head}_nopad_{last}" if head else f"nopad_{last}"


def _uca1400(number: int) -> str | None:
    """By its place in a block: a language, NO PAD, accents, case."""
    language, kind = divmod(number, 8)
    if language >= len(_UCA) + 1 or language in (_CROATIAN, _CROATIAN + 1):
        return None
    name = "croatian" if language == len(_UCA) else _UCA[language]
    return "_".join(
        (
            "uca1400",
            *((name,) if language else ()),
            *(("nopad",) if kind & 4 else ()),
            "as" if kind & 2 else "ai",
            "cs" if kind & 1 else "ci",
        )
    )
