"""Where a test may kill the producer, and what a crash there leaves behind."""

from mysync_runtime.crash import declare

__all__: list[str] = []

ELECTED = declare("producer.after_election", "leader, nothing done yet")
BEFORE_TOPICS = declare("producer.first_start.before_topics", "no topic was created")
AFTER_TOPICS = declare("producer.first_start.after_topics", "empty topics")
PLACE_FOUND = declare(
    "producer.first_start.place_found", "empty topics, and a place in the log that nobody noted"
)
BEFORE_FIRST_COMMIT = declare(
    "producer.first_start.before_first_commit", "topics with an open Kafka transaction"
)
AFTER_FIRST_COMMIT = declare(
    "producer.first_start.after_first_commit", "a pipeline that never streamed"
)
BEFORE_DUMP = declare("producer.before_dump", "recovered, the dump isn't asked for yet")
RECONNECT = declare("producer.reconnect", "the source's connection was lost, nothing is open")
BEFORE_PRODUCE = declare("producer.before_produce", "rows transcoded, none of them sent")
AFTER_PRODUCE = declare("producer.after_produce", "rows sent in an open Kafka transaction")
AFTER_STATE_WRITE = declare(
    "producer.after_state_write", "rows, state and offset sent, the Kafka transaction is open"
)
BEFORE_KAFKA_COMMIT = declare(
    "producer.before_kafka_commit", "a commit is due, its state isn't written"
)
AFTER_KAFKA_COMMIT = declare("producer.after_kafka_commit", "committed, and nobody told")
MID_TRANSACTION = declare(
    "producer.mid_transaction_commit", "a part of a source transaction is committed"
)
HEARTBEAT = declare("producer.heartbeat", "a heartbeat is numbered and not sent")
ADOPTION = declare("producer.adoption", "new knowledge of tables is sent, not committed")
STATEMENT = declare("producer.statement", "a statement is sent, its line isn't; not committed")
STATEMENT_LINE = declare(
    "producer.statement_line", "a statement and its line are sent, not committed"
)
TRANSFER_BEGUN = declare(
    "producer.transfer_begun", "a table's begin and its statements are sent, not committed"
)
CHUNK_DUE = declare("producer.chunk_due", "a chunk is read, the stream is there, nothing is sent")
CHUNK_SENT = declare("producer.chunk_sent", "a chunk's rows are sent, not committed")
TRANSFER_ENDED = declare("producer.transfer_ended", "a table's end is sent, not committed")
BEGUN_AGAIN = declare(
    "producer.begun_again", "after a lost position: a new beginning is sent, not committed"
)
JOINED = declare("producer.joined", "all that makes the target's tables is sent, not committed")
INTRODUCED = declare(
    "producer.introduced", "a table that nobody knew of has its line, none of its rows are sent"
)
INFERRED = declare(
    "producer.inferred", "what a TABLE_MAP tells of a table is sent, none of its rows are"
)
DEFINITIONS_READ = declare(
    "producer.definitions_read",
    "definitions are read, not adopted: a successor reads them",
)
XA_CHUNK = declare(
    "producer.xa_chunk", "a piece of an XA transaction that isn't prepared yet is sent"
)
XA_PREPARED = declare("producer.xa_prepared", "a prepared XA transaction is sent, not committed")
XA_COMMIT = declare("producer.xa_commit", "some rows of a committed XA transaction are sent")
XA_FORGOTTEN = declare(
    "producer.xa_forgotten", "an XA transaction's end is taken and what was kept of it deleted"
)
