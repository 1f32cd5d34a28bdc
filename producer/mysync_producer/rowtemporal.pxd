# C types of rowtemporal.py, for it and for the compiled modules that use it.
cimport cython
from mysync_producer.rowbuffer cimport RowBuffer, big, little
from mysync_producer.rowimage cimport ValueCodec, short

cdef bint is_day(int year, int month, int day) noexcept

cdef long long days(int year, int month, int day) noexcept


cdef class DateCodec(ValueCodec):
    @cython.locals(packed=int, year=int, month=int, day=int)
    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef str date_text(int year, int month, int day)

@cython.locals(data=bytes)
cdef int put_ascii(RowBuffer out, str text) except -1


cdef class FractionCodec(ValueCodec):
    cdef int fsp
    cdef int fraction
    cdef long long unit
    cdef long long digit
    cdef long long top
    cdef long long zero
    cdef long long fraction_mask
    cdef Py_ssize_t width

    @cython.locals(micros="long long")
    cdef long long micros(self, long long fraction) except -1
    cdef str fraction_text(self, long long micros)


cdef class DatetimeCodec(FractionCodec):
    @cython.locals(packed="long long", micros="long long", seconds="long long", year=int, month=int, day=int, hour=int, minute=int, second=int)
    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class TimestampCodec(FractionCodec):
    @cython.locals(seconds="long long", micros="long long")
    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class TimeCodec(FractionCodec):
    @cython.locals(packed="long long", negative=bint, fraction="long long", micros="long long", hour="long long", minute="long long", second="long long", value="long long")
    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1
