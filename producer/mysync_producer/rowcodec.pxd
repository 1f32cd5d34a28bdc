# C types of rowcodec.py.
cimport cython
from mysync_producer.rowbuffer cimport RowBuffer
from mysync_producer.rowimage cimport ValueCodec
from mysync_producer.rowkey cimport KeyPart, RowKey, partition_of


cdef class Sequencer:
    cdef public long long seq
    cdef public list prev

    cpdef tuple take(self, Py_ssize_t partition)
    cpdef tuple take_all(self)


cdef class EventContext:
    cdef public long long ts_ms
    cdef public long long ts_us
    cdef public long long server_id
    cdef public str gtid
    cdef public str file
    cdef public long long pos
    cdef public long long flags
    cdef public long long txn_seq
    cdef public str time_zone
    cdef public str snapshot


cdef class TablePlan:
    cdef readonly str table
    cdef list columns
    cdef list names
    cdef readonly Py_ssize_t count
    cdef Py_ssize_t bitmap
    cdef int partitions
    cdef int whole
    cdef readonly RowKey key
    cdef bytes frame
    cdef bytes part_frame
    cdef Py_ssize_t max_message_bytes
    cdef bytes source
    cdef bytes place
    cdef RowBuffer images
    cdef RowBuffer lead
    cdef RowBuffer tail
    cdef RowBuffer value
    cdef RowBuffer part
    cdef public set touched
    cdef public long long keys_changed
    cdef Py_ssize_t at

    @cython.locals(lead=RowBuffer, tail=RowBuffer)
    cdef int begin(self, EventContext ctx) except -1
    @cython.locals(nulls=Py_ssize_t, i=Py_ssize_t, codec=ValueCodec)
    cdef Py_ssize_t image(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1
    cdef object corrupt(self, EventContext ctx, Py_ssize_t row, str what)


@cython.locals(data=bytes)
cdef int put_string(RowBuffer out, str text) except -1

cdef int put_optional(RowBuffer out, str text) except -1

@cython.locals(pos=Py_ssize_t, rows=Py_ssize_t, produced=Py_ssize_t, writer=RowWriter)
cpdef tuple encode_rows(
    TablePlan plan, EventContext ctx, Sequencer seq, int op, bytes buf, Py_ssize_t start,
    Py_ssize_t end, Py_ssize_t row0, Py_ssize_t skip, Py_ssize_t limit, list out)


cdef class RowWriter:
    cdef TablePlan plan
    cdef EventContext ctx
    cdef Sequencer seq
    cdef list out
    cdef bytes snapshot
    cdef Py_ssize_t middle
    cdef int partition
    cdef long long hash
    cdef bytes key
    cdef int old_partition
    cdef long long old_hash
    cdef bytes old_key

    @cython.locals(plan=TablePlan, images=RowBuffer)
    cdef Py_ssize_t read(self, int op, const unsigned char *buf, Py_ssize_t pos, Py_ssize_t end) except -1
    @cython.locals(plan=TablePlan, row_key=RowKey, canonical=bytes)
    cdef int identify(self) except -1
    @cython.locals(touched=set, size=Py_ssize_t, middle=Py_ssize_t, partition=int, hashed="long long", key=bytes, produced=Py_ssize_t)
    cdef Py_ssize_t send(self, int op, Py_ssize_t row) except -1
    @cython.locals(plan=TablePlan, ctx=EventContext, key_size=Py_ssize_t, room=Py_ssize_t, most=Py_ssize_t,
                   parts=Py_ssize_t, first="long long", own="long long", prev="long long", value=RowBuffer, message=bytes)
    cdef Py_ssize_t record(
        self, int op, Py_ssize_t row, Py_ssize_t before, Py_ssize_t before_end, Py_ssize_t after,
        Py_ssize_t after_end, bint moved, bint half) except -1
    cdef int put_image(self, RowBuffer value, Py_ssize_t start, Py_ssize_t end) except -1
    @cython.locals(whole=RowBuffer, size=Py_ssize_t, chunk=Py_ssize_t, own="long long", out=RowBuffer,
                   index=Py_ssize_t, start=Py_ssize_t, end=Py_ssize_t, message=bytes, produced=Py_ssize_t)
    cdef Py_ssize_t parts(self, Py_ssize_t count, Py_ssize_t key_size) except -1
