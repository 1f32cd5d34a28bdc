# C types of rowimage.py.
cimport cython
from mysync_consumer.imagebuffer cimport ImageBuffer
from mysync_consumer.rowread cimport Cursor
from mysync_consumer.rowvalues cimport ValueWriter


cdef class ImagePlan:
    cdef public object schema
    cdef public bint singly
    cdef public bint keyless
    cdef public tuple identity_columns
    cdef public object target
    cdef public str name
    cdef public bytes table_map
    cdef public bytes column_count
    cdef public bytes after_columns
    cdef public bytes before_columns
    cdef public list sent
    cdef public list identified
    cdef public list keyed
    cdef list sources
    cdef list is_key
    cdef Py_ssize_t keys
    cdef ImageBuffer buffer
    cdef bint busy

    cpdef after(self, bytes value, Py_ssize_t start, Py_ssize_t end, bytearray out)
    cpdef identity(self, bytes value, Py_ssize_t start, Py_ssize_t end, bytearray out)
    cpdef key(self, bytes value, Py_ssize_t start, Py_ssize_t end, bytearray out)
    cdef int append(
        self, list writers, bytes value, Py_ssize_t start, Py_ssize_t end, bytearray out
    ) except -1
    @cython.locals(writer=ValueWriter)
    cdef int scan(self, Cursor cursor) except -1
    @cython.locals(out=ImageBuffer, writer=ValueWriter, position=Py_ssize_t)
    cdef int write(self, list writers, bytes value) except -1
    @cython.locals(cursor=Cursor, writer=ValueWriter, left=Py_ssize_t, position=Py_ssize_t, begin=Py_ssize_t)
    cpdef bytes key_bytes(self, bytes value, Py_ssize_t start, Py_ssize_t end)
    @cython.locals(pos=Py_ssize_t, rows=Py_ssize_t, end=Py_ssize_t)
    cpdef Py_ssize_t measure(self, bytearray images, bint before, bint after) except -1
    @cython.locals(
        buf="const unsigned char *",
        nulls=Py_ssize_t,
        size=Py_ssize_t,
        position=Py_ssize_t,
        writer=ValueWriter,
    )
    cdef Py_ssize_t walk(
        self, list writers, bytearray images, Py_ssize_t pos, Py_ssize_t end
    ) except -1


@cython.locals(size=Py_ssize_t, i=Py_ssize_t)
cdef Py_ssize_t length_at(
    const unsigned char *buf, Py_ssize_t pos, Py_ssize_t end, Py_ssize_t prefix
) noexcept
