"""How many rows one partition's transactions may hold: fewer while the target is too slow for more.

A transaction that takes longer than the target may stay silent is lost with its connection, and so
it would be again at the same size. Each loss halves the size, many commits in a row double it. The
limit outlives claims; a new process begins with the setting."""

COMMITS_TO_GROW = 20


class BatchLimit:
    """Used by one worker's thread."""

    def __init__(self, most: int) -> None:
        self.rows = self._most = most
        self._commits = 0

    def lost(self, rows: int) -> None:
        """A transaction with so many rows didn't come through."""
        self.rows = max(1, min(self.rows, rows) // 2)
        self._commits = 0

    def committed(self) -> None:
        """A transaction came through."""
        if self.rows < self._most:
            self._commits += 1
            if self._commits >= COMMITS_TO_GROW:
                self.rows, self._commits = min(self._most, self.rows * 2), 0
