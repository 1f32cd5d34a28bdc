# C types of rowimage.py, for it and for the compiled modules that use it.
cimport cython
from mysync_producer.rowbuffer cimport RowBuffer, big, little


cdef class ValueCodec:
    cdef public bint nullable
    cdef public int normal
    cdef public int exceptional
    cdef public Py_ssize_t null_byte
    cdef public int null_bit
    cdef public bint identity
    cdef public Py_ssize_t start
    cdef public Py_ssize_t end

    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef object short()


cdef class IntCodec(ValueCodec):
    cdef Py_ssize_t width
    cdef unsigned long long sign

    @cython.locals(value="unsigned long long")
    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class UInt64Codec(ValueCodec):
    @cython.locals(i=int)
    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class YearCodec(ValueCodec):
    @cython.locals(value=int)
    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class FixedCodec(ValueCodec):
    cdef Py_ssize_t width

    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class BitCodec(ValueCodec):
    cdef Py_ssize_t width
    cdef int limit

    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class DecimalCodec(ValueCodec):
    cdef bytes groups
    cdef const unsigned char *digits
    cdef int count
    cdef Py_ssize_t width
    cdef bint native
    cdef object sign
    cdef object ones
    cdef list steps

    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1
    @cython.locals(negative=bint, value="long long", i=int, _=int, digits=int, size=int, group="unsigned long long", sign="unsigned long long", limit="unsigned long long")
    cdef long long small(self, const unsigned char *src, Py_ssize_t pos) except? -1
    cdef object unscaled(self, bytes data)


cdef object too_many_digits(object group)

@cython.locals(size=int, rest="long long")
cdef int put_integer(RowBuffer out, long long value) except -1

cdef int put_number(RowBuffer out, object value) except -1
