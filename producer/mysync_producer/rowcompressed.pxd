# C types of rowcompressed.py, for it and for the compiled modules that use it.
cimport cython
from mysync_producer.rowbuffer cimport RowBuffer
from mysync_producer.rowimage cimport ValueCodec
from mysync_producer.rowtext cimport SizedCodec


cdef class CompressedCodec(SizedCodec):
    cdef ValueCodec plain
    cdef Py_ssize_t plain_limit

    @cython.locals(size=Py_ssize_t, stored=bytes, value=bytes)
    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1
