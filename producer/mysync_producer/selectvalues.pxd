# C types of selectvalues.py, for it and for the compiled modules that use it.
cimport cython
from mysync_producer.rowbuffer cimport RowBuffer


cdef class ImageValue:
    cdef public bint nullable
    cdef public Py_ssize_t null_byte
    cdef public int null_bit
    cdef public bint paired

    cdef int put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1
    cdef int put_pair(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, Py_ssize_t more, Py_ssize_t stop, RowBuffer out) except -1


cdef str shown(const unsigned char *src, Py_ssize_t pos, Py_ssize_t end)

cdef object bad(str kind, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end)

@cython.locals(start=Py_ssize_t, value="unsigned long long", digit=int)
cdef unsigned long long magnitude(const unsigned char *src, Py_ssize_t pos, Py_ssize_t end) except? 18446744073709551557

cdef int put_little(RowBuffer out, unsigned long long value, int width) except -1

cdef int put_big(RowBuffer out, unsigned long long value, int width) except -1


cdef class IntValue(ImageValue):
    cdef int width
    cdef unsigned long long least
    cdef unsigned long long most

    @cython.locals(value="unsigned long long")
    cdef int put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class YearValue(ImageValue):
    cdef Py_ssize_t digits

    @cython.locals(value="unsigned long long")
    cdef int put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


@cython.locals(start=Py_ssize_t, negative=bint, mantissa="unsigned long long", digits=int, scale=int, dot=bint, char=int, exponent=int, down=bint, value=double)
cdef double real(const unsigned char *src, Py_ssize_t pos, Py_ssize_t end) except? -1.25e300


cdef class FloatValue(ImageValue):
    @cython.locals(value=double, single=float)
    cdef int put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class DoubleValue(ImageValue):
    @cython.locals(value=double)
    cdef int put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class DecimalValue(ImageValue):
    cdef bytes groups
    cdef const unsigned char *digits
    cdef int count
    cdef Py_ssize_t whole
    cdef Py_ssize_t scale

    @cython.locals(start=Py_ssize_t, negative=bint, dot=Py_ssize_t, zero=bint, at=Py_ssize_t, char=int, flip=int, sign=int, i=int, size=int, value="unsigned long long", _=int)
    cdef int put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class BitValue(ImageValue):
    cdef Py_ssize_t width
    cdef int limit

    cdef int put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class SizedValue(ImageValue):
    cdef int prefix
    cdef Py_ssize_t limit

    @cython.locals(size=Py_ssize_t)
    cdef int put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class CompressedValue(SizedValue):
    @cython.locals(value=bytes, stored=bytes)
    cdef int put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class JsonValue(ImageValue):
    cdef bint strict
    cdef object refusal

    @cython.locals(value=bytes)
    cdef int put_pair(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, Py_ssize_t more, Py_ssize_t stop, RowBuffer out) except -1


cdef class LabelValue(ImageValue):
    cdef IntValue number
    cdef list labels
    cdef bint many
    cdef object refusal

    cdef int put_pair(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, Py_ssize_t more, Py_ssize_t stop, RowBuffer out) except -1
    cdef object text_of(self, object number)
