"""Rows that came in parts: joined again, holding one row at a time.

The checkpoint doesn't move while a row is incomplete, so a crash in the middle of one reads its
parts again from the first."""

from mysync_runtime import crash
from mysync_runtime.errors import LogHole
from mysync_schemas.markers import Part

PART_MIDDLE = crash.declare(
    "consumer.part_middle", "some parts of a row are in memory, the checkpoint stands before them"
)


class Parts:
    """The parts of the row that is being put together in one partition; empty between rows."""

    def __init__(self) -> None:
        self.first_seq = 0
        self._pieces: list[bytes] = []
        self._row_id = 0
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add(self, part: Part, where: str) -> bytes | None:
        """The whole row's framed value with its last part, else None.

        Raises LogHole when the part isn't the next of its row: parts are consecutive in a
        partition."""
        if part.index != len(self._pieces) or (
            self._pieces and (part.row_id != self._row_id or part.count != self._count)
        ):
            raise LogHole(
                f"part {part.index} of row {part.row_id} follows part {len(self._pieces) - 1} of"
                f" row {self._row_id}",
                where=where,
            )
        if not self._pieces:
            self.first_seq, self._row_id, self._count = part.seq, part.row_id, part.count
        self._pieces.append(part.data)
        if len(self._pieces) < part.count:
            crash.crash_point(PART_MIDDLE)
            return None
        value = b"".join(self._pieces)
        self._pieces = []
        return value

    def interrupted(self, where: str) -> None:
        """Raises LogHole if a row is incomplete: another record came between its parts."""
        if self._pieces:
            raise LogHole(
                f"row {self._row_id} ends after {len(self._pieces)} of {self._count} parts",
                where=where,
            )
