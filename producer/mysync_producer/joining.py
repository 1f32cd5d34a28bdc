"""How a new pipeline's target gets its tables: the place in the stream at which they join.

Until then no row is carried, and statements only change what is known. The schema is read at one
moment; once the stream has passed that moment's end of the log, and no statement came since, what
was read is what the stream's next event is about. There the statements that make everything are
sent, and the transfers of all tables begin. A crash before that is committed leaves a pipeline that
still has it before itself.
"""

import time
from collections.abc import Callable

from mysync_producer.changes import Changes
from mysync_producer.filters import Filters
from mysync_producer.knowledge import Knowledge
from mysync_producer.schemacopy import Objects, create, read_objects
from mysync_producer.source import Source
from mysync_producer.state import Initial, Server
from mysync_producer.transaction import SourceTransaction
from mysync_producer.transfers import Transfers
from mysync_runtime.errors import MysyncError
from mysync_runtime.log import get_logger
from mysync_runtime.settings import Settings
from mysync_schemas.position import BinlogPosition

__all__ = ["Joining"]

log = get_logger("joining")

_AGAIN_SECONDS = 1.0


class Joining:
    """`what` is to be given to the target."""

    def __init__(
        self,
        settings: Settings,
        filters: Filters,
        what: Initial,
        knowledge: Knowledge,
        changes: Changes,
        transfers: Transfers,
        ask: Callable[[], Source],
    ) -> None:
        self._settings = settings
        self._filters = filters
        self._what = what
        self._knowledge = knowledge
        self._changes = changes
        self._transfers = transfers
        self._ask = ask
        self._read: Objects | None = None
        self._not_before = 0.0

    def forget(self) -> None:
        """A statement came: what was read may be older or newer than it."""
        self._read = None

    def due(self, server: Server, transaction: SourceTransaction) -> Objects | None:
        """What was read, when it holds at this place between two transactions."""
        if not self._knowledge.all_certain:
            self._read = None
            return None
        if self._read is None:
            self._look()
            return None
        if not self._read.end.passed(server, transaction.boundary, transaction.gtids):
            return None
        return self._read

    def join(self, objects: Objects, boundary: BinlogPosition) -> None:
        """Sends all that makes the target's tables, and begins their transfers."""
        version = objects.server_version
        for made in objects.before:
            self._changes.issue(made, boundary, version)
        schemas = self._knowledge.definitions.schemas.values()
        self._transfers.carry()  # by what is known of the tables now
        # Defaults may name sequences.
        for schema in sorted(schemas, key=lambda s: (s.table_type != "SEQUENCE", s.table_id)):
            if self._what != "schema":
                estimate = objects.estimates.get(schema.table_id, 0)
                anew = self._what == "again"
                self._transfers.begin(schema, boundary, version, estimate, anew=anew)
            else:
                for made in create(schema):
                    self._changes.issue(made, boundary, version)
        self._transfers.carry()
        for made in objects.behind:
            self._changes.issue(made, boundary, version)
        log.info("tables joined", tables=len(schemas), what=self._what, at=str(boundary))

    def _look(self) -> None:
        now = time.monotonic()
        if now < self._not_before:
            return
        self._not_before = now + _AGAIN_SECONDS
        tables = self._knowledge.definitions.schemas
        try:
            self._read = read_objects(self._ask(), self._filters, tables, self._settings.ddl)
        except MysyncError as error:
            if not error.retriable:
                raise
            log.warning("the schema can't be read yet", reason=str(error))
