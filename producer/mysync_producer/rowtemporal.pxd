# C types of rowtemporal.py, for it and for the compiled modules that use it.
cimport cython
from mysync_producer.rowbuffer cimport RowBuffer, big, little
from mysync_producer.rowimage cimport ValueCodec, short

cdef long long NO_DAY

cdef bint is_day(int year, int month, int day) noexcept

cdef long long days(long long year, long long month, long long day) noexcept

cdef long long day_number(int year, int month, int day) noexcept


cdef class DateCodec(ValueCodec):
    @cython.locals(packed=int, year=int, month=int, day=int, number="long long")
    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef str date_text(int year, int month, int day)

@cython.locals(data=bytes)
cdef int put_ascii(RowBuffer out, str text) except -1


# Everything of 64 bits: products and shifts of ints would be C's, of 32.
cdef class FractionCodec(ValueCodec):
    cdef int fsp
    cdef Py_ssize_t width
    cdef long long shift
    cdef long long mask
    cdef long long unit
    cdef long long digit
    cdef long long zero

    @cython.locals(micros="long long")
    cdef long long micros(self, long long fraction) except -1
    cdef str fraction_text(self, long long micros)
    cdef int put_zero(self, RowBuffer out) except -1
    @cython.locals(number="long long", seconds="long long")
    cdef int put_moment(
        self, RowBuffer out, long long year, long long month, long long day, long long hour,
        long long minute, long long second, long long micros) except -1


cdef class DatetimeCodec(FractionCodec):
    @cython.locals(packed="unsigned long long", micros="long long", year="long long", month="long long", day="long long", hour="long long", minute="long long", second="long long")
    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class TimestampCodec(FractionCodec):
    @cython.locals(packed="long long", micros="long long")
    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class TimeCodec(FractionCodec):
    @cython.locals(packed="long long", negative=bint, micros="long long", hour="long long", minute="long long", second="long long", value="long long")
    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1
