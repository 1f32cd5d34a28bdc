# C types of rowread.py, for it and for the compiled modules that use it.
cimport cython


cdef class Cursor:
    cdef bytes data
    cdef const unsigned char *buf
    cdef Py_ssize_t pos
    cdef Py_ssize_t end
    cdef bint odd

    @cython.locals(
        pos=Py_ssize_t,
        end=Py_ssize_t,
        bits="unsigned long long",
        shift=int,
        byte="unsigned long long",
        half="long long",
    )
    cdef long long varint(self) except? -1
    @cython.locals(size="long long", start=Py_ssize_t)
    cdef Py_ssize_t sized(self) except -1
    @cython.locals(start=Py_ssize_t)
    cdef Py_ssize_t fixed(self, Py_ssize_t size) except -1
    @cython.locals(index="long long")
    cdef Py_ssize_t index(self, Py_ssize_t branches) except -1
    @cython.locals(start=Py_ssize_t)
    cdef str text(self)


cdef class Field:
    cdef public str name
    cdef public bint nullable
    cdef public int normal
    cdef public int exceptional
    cdef int branches
    cdef bint null
    cdef bint odd
    cdef long long number
    cdef Py_ssize_t start
    cdef Py_ssize_t end

    @cython.locals(wire=int)
    cdef int scan(self, Cursor cursor) except -1
    @cython.locals(wire=int)
    cdef int skip(self, Cursor cursor) except -1
    @cython.locals(index=Py_ssize_t)
    cdef int branch(self, Cursor cursor) except -2


cdef class TableReader:
    cdef public object schema
    cdef public long long schema_id
    cdef public str name
    cdef public list columns
    cdef public list fields
    cdef public list identity


cdef class Row:
    cdef public TableReader reader
    cdef public long long schema_id
    cdef public bytes value
    cdef public int op
    cdef public int effect
    cdef public bint tolerant
    cdef public long long ts_ms
    cdef public long long ts_us
    cdef public long long server_id
    cdef public long long pos
    cdef public long long row
    cdef public long long seq
    cdef public long long prev
    cdef public long long txn_seq
    cdef public long long key_hash
    cdef public long long prev_key_hash
    cdef public bint has_prev_key
    cdef public bint half
    cdef public long long flags
    cdef public object deps
    cdef public Py_ssize_t before_start
    cdef public Py_ssize_t before_end
    cdef public Py_ssize_t after_start
    cdef public Py_ssize_t after_end
    cdef Py_ssize_t gtid_at
    cdef Py_ssize_t file_at
    cdef Py_ssize_t snapshot_at
    cdef Py_ssize_t zone_at
    cdef public long long first_offset
    cdef public long long offset

    cdef str text(self, Py_ssize_t at)
    cdef object optional(self, Py_ssize_t at)


cpdef Row read_row(TableReader reader, bytes value)

@cython.locals(buf="const unsigned char *", start=Py_ssize_t, schema_id="long long", i=Py_ssize_t)
cdef int read(TableReader reader, Row row, Cursor cursor) except -1

@cython.locals(op=int, before=bint, after=bint, right=bint)
cdef int read_images(TableReader reader, Row row, Cursor cursor) except -1

@cython.locals(count="long long", _="long long", deps=list)
cdef tuple read_deps(Cursor cursor)

@cython.locals(field=Field)
cdef int skip_image(TableReader reader, Cursor cursor) except -1

@cython.locals(cursor=Cursor, field=Field, begin=Py_ssize_t)
cpdef list column_slices(TableReader reader, bytes value, Py_ssize_t start, Py_ssize_t end)

@cython.locals(cursor=Cursor)
cpdef object shown(object column, bytes raw)
