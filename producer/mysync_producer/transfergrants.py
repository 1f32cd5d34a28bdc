"""What the account needs on the source for transfers, beside SELECT.

A server doesn't show what one may not see: triggers and events would be left out without a word.
"""

from collections.abc import Iterable, Iterator

from mysync_producer.source import Source
from mysync_runtime import mysql
from mysync_runtime.errors import Failure
from mysync_runtime.settings import Settings

__all__ = ["hidden", "unreadable"]

_BY_KIND = {"views": "SHOW VIEW", "triggers": "TRIGGER", "events": "EVENT"}
_WATERMARK = ("CREATE", "INSERT", "UPDATE", "SELECT")


def hidden(source: Source, databases: Iterable[str], kinds: Iterable[str]) -> Iterator[Failure]:
    """Kinds of objects (`views`, …) that the account can't see, or not read the text of."""
    grants, account = source.grants(), source.account()
    wanted = {kind: _BY_KIND[kind] for kind in kinds if kind in _BY_KIND}
    for db in databases:
        missing = mysql.lacking(grants, wanted.values(), db)
        if missing:
            kept = [kind for kind, privilege in wanted.items() if privilege in missing]
            yield Failure(
                f"the user may not see all {' and '.join(kept)} of database {db}: a transfer "
                "doesn't copy them",
                f"GRANT {', '.join(missing)} ON {mysql.quote(db)}.* TO {account}",
            )


def unreadable(source: Source, settings: Settings) -> Iterator[Failure]:
    """What keeps rows from being read."""
    if not source.flavor.is_mariadb and source.uses_gtids():
        return
    db = settings.transfer.watermark_table.partition(".")[0]
    missing = mysql.lacking(source.grants(), _WATERMARK, db)
    if missing:
        yield Failure(
            "the user may not write `transfer.watermark_table`, so no table can be transferred",
            f"GRANT {', '.join(missing)} ON {mysql.quote(db)}.* TO {source.account()}",
        )
