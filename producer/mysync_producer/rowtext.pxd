# C types of rowtext.py, for it and for the compiled modules that use it.
cimport cython
from mysync_producer.rowbuffer cimport RowBuffer, little
from mysync_producer.rowimage cimport ValueCodec, short


cdef class SizedCodec(ValueCodec):
    cdef Py_ssize_t prefix
    cdef Py_ssize_t limit

    @cython.locals(size=Py_ssize_t)
    cdef Py_ssize_t size_at(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end) except -1


cdef class BytesCodec(SizedCodec):
    cdef Py_ssize_t pad

    @cython.locals(size=Py_ssize_t)
    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class Utf8Codec(SizedCodec):
    cdef int widest

    @cython.locals(size=Py_ssize_t)
    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


@cython.locals(end=Py_ssize_t, first=int, second=int, more=int)
cdef bint is_utf8(const unsigned char *src, Py_ssize_t pos, Py_ssize_t size, int widest) except -1


cdef class Latin1Codec(SizedCodec):
    @cython.locals(size=Py_ssize_t)
    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class CharsetCodec(SizedCodec):
    cdef object charset
    cdef bint ascii

    @cython.locals(size=Py_ssize_t)
    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


@cython.locals(data=bytes)
cdef int put_text(RowBuffer out, str text) except -1


cdef class JsonCodec(SizedCodec):
    @cython.locals(size=Py_ssize_t, document=bytes)
    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class EnumCodec(ValueCodec):
    cdef Py_ssize_t width
    cdef Py_ssize_t count
    cdef list labels

    @cython.locals(index=Py_ssize_t, label=bytes)
    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class SetCodec(ValueCodec):
    cdef Py_ssize_t width
    cdef list labels
    cdef dict known

    @cython.locals(mask="unsigned long long", text=bytes)
    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1
    cdef bytes text_of(self, object mask)
    cdef bytes join(self, object mask)
