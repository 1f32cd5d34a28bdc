# C types of selecttemporal.py, for it and for the compiled modules that use it.
cimport cython
from mysync_producer.rowbuffer cimport RowBuffer
from mysync_producer.rowtemporal cimport days, is_day
from mysync_producer.selectvalues cimport ImageValue, bad, put_big, put_little


# Everything of 64 bits: products and shifts of ints would be C's, of 32.
cdef class TemporalValue(ImageValue):
    cdef int fsp
    cdef int fraction
    cdef long long unit
    cdef long long power
    cdef long long year
    cdef long long month
    cdef long long day
    cdef long long hour
    cdef long long minute
    cdef long long second
    cdef long long micros

    @cython.locals(value="long long", i=Py_ssize_t, digit=int)
    cdef long long number(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t count) except -1
    cdef int read_date(self, const unsigned char *src, Py_ssize_t pos) except -1
    @cython.locals(size=Py_ssize_t)
    cdef int read_clock(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end) except -1
    cdef int read_moment(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end) except -1
    @cython.locals(negative=bint, width=Py_ssize_t)
    cdef int read_span(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end) except -1
    @cython.locals(value="long long")
    cdef long long seconds(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end) except -1


cdef class DateValue(TemporalValue):
    cdef int put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class DatetimeValue(TemporalValue):
    @cython.locals(packed="long long")
    cdef int put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class TimestampValue(TemporalValue):
    cdef int put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class TimeValue(TemporalValue):
    @cython.locals(negative=bint, width=int, packed="long long", zero="long long")
    cdef int put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1
    @cython.locals(one="long long")
    cdef long long zero(self) noexcept


cdef class OldTimestampValue(TemporalValue):
    @cython.locals(seconds="long long")
    cdef int put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class OldDatetimeValue(TemporalValue):
    @cython.locals(packed="long long")
    cdef int put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class OldTimeValue(TemporalValue):
    @cython.locals(negative=bint, packed="long long")
    cdef int put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1
