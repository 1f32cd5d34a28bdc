# C types of rowoldtemporal.py, for it and for the compiled modules that use it.
cimport cython
from mysync_producer.rowbuffer cimport RowBuffer, big, little
from mysync_producer.rowimage cimport short
from mysync_producer.rowtemporal cimport FractionCodec

cdef long long _TIME_LIMIT


cdef class OldTimestampCodec(FractionCodec):
    @cython.locals(seconds="long long", micros="long long")
    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class OldDatetimeCodec(FractionCodec):
    @cython.locals(packed="unsigned long long", micros="long long", year="long long", month="long long", day="long long", hour="long long", minute="long long", second="long long")
    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1


cdef class OldTimeCodec(FractionCodec):
    @cython.locals(micros="long long", negative=bint, minute="long long", second="long long")
    cdef Py_ssize_t put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1
