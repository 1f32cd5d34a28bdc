# C types of rowkey.py, for it and for the compiled modules that use it.
cimport cython
from mysync_producer.rowbuffer cimport RowBuffer
from mysync_producer.rowimage cimport ValueCodec


cdef class KeyPart:
    cdef ValueCodec codec
    cdef int kind
    cdef Py_ssize_t prefix
    cdef object fold
    cdef bint plain

    @cython.locals(codec=ValueCodec, start=Py_ssize_t, exceptional=bint, data=bytes)
    cdef int put(self, RowBuffer images, RowBuffer out) except -1
    cdef bytes bytes_of(self, bytes avro, bint exceptional)


cdef class RowKey:
    cdef bytes table
    cdef bytes frame
    cdef list parts
    cdef public bint hashed
    cdef RowBuffer buffer

    @cython.locals(out=RowBuffer, part=KeyPart)
    cdef bytes canonical(self, RowBuffer images)
    @cython.locals(out=RowBuffer, part=KeyPart)
    cdef bytes message_key(self, RowBuffer images)


cdef int partition_of(bytes canonical, int partitions) except -1

@cython.locals(h="unsigned int", k="unsigned int", i=Py_ssize_t)
cdef unsigned int murmur2_of(const unsigned char *data, Py_ssize_t size) noexcept
