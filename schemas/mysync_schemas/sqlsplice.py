"""Parts of a statement's bytes replaced, so that all others stay what they are.

What is replaced may begin inside an executed comment and end outside of it: the comment's frame
stays. Words don't grow together where something between them goes.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from mysync_schemas.sqltokens import Frame

__all__ = ["Edit", "spliced"]


class Edit(NamedTuple):
    """`text` in place of `sql[start:end]`, which begins and ends where tokens do."""

    start: int
    end: int
    text: bytes = b""


def spliced(sql: bytes, frames: Sequence[Frame], edits: Iterable[Edit]) -> bytes:
    """`edits` don't overlap; in any order."""
    out, at = b"", 0
    for edit in sorted(edits):
        kept = [sql[frame.start : frame.end] for frame in _cut_open(frames, edit)]
        out = _joined(out, sql[at : edit.start])
        out = _joined(out, b" ".join((edit.text, *kept, b"")) if kept else edit.text)
        at = edit.end
    return _joined(out, sql[at:])


def _cut_open(frames: Sequence[Frame], edit: Edit) -> list[Frame]:
    """Those in the replaced part whose other half is outside of it."""
    kept: list[Frame] = []
    for frame in frames:
        if not (edit.start <= frame.start and frame.end <= edit.end):
            continue
        if not frame.opens and kept and kept[-1].opens:
            kept.pop()
        else:
            kept.append(frame)
    return kept


_GLUED: Final = re.compile(rb"[0-9A-Za-z_$\x80-\xff]{2}|``|''|\"\"|/\*")


def _joined(left: bytes, right: bytes) -> bytes:
    if _GLUED.fullmatch(left[-1:] + right[:1]):
        return left + b" " + right
    return left + right
