# C types of rowoldtemporal.py, for it and for the compiled modules that use it.
cimport cython
from mysync_consumer.imagebuffer cimport ImageBuffer
from mysync_consumer.rowtemporal cimport _MAX_TIME, _MAX_TIMESTAMP, DatetimeWriter, TemporalWriter
from mysync_consumer.rowvalues cimport payload, text_of


cdef class OldTimestampWriter(TemporalWriter):
    cdef int put(self, const unsigned char *buf, ImageBuffer out) except -1


cdef class OldDatetimeWriter(DatetimeWriter):
    @cython.locals(
        packed="long long",
        part="long long",
        months="long long",
        day="long long",
        hour="long long",
        minute="long long",
        second="long long",
        number="long long",
    )
    cdef int put(self, const unsigned char *buf, ImageBuffer out) except -1


cdef class OldTimeWriter(TemporalWriter):
    cdef long long zero

    @cython.locals(micros="long long", negative=bint, units="long long")
    cdef int put(self, const unsigned char *buf, ImageBuffer out) except -1
