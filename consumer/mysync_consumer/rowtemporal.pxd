# C types of rowtemporal.py, for it and for the compiled modules that use it.
cimport cython
from mysync_consumer.imagebuffer cimport ImageBuffer
from mysync_consumer.rowvalues cimport ValueWriter, payload, text_of


cdef long long _DAY
cdef long long _DAYS_TO_1970
cdef long long _MAX_DAY
cdef long long _MAX_TIME
cdef long long _MAX_TIMESTAMP


cdef class DateWriter(ValueWriter):
    @cython.locals(date="long long", year="long long", month="long long", day="long long")
    cdef int put(self, const unsigned char *buf, ImageBuffer out) except -1


@cython.locals(
    era="long long",
    day_of_era="long long",
    year_of_era="long long",
    day_of_year="long long",
    shifted="long long",
    day="long long",
    month="long long",
    year="long long",
)
cdef long long civil(long long days) except? -1


cdef class TemporalWriter(ValueWriter):
    cdef int fsp
    cdef Py_ssize_t fraction
    cdef long long unit
    cdef long long step

    cdef long long units(self, long long micros) except? -1
    cdef object parse(self, str text)


cdef class DatetimeWriter(TemporalWriter):
    cdef long long micros

    @cython.locals(packed="unsigned long long")
    cdef int put(self, const unsigned char *buf, ImageBuffer out) except -1
    @cython.locals(
        year="long long",
        month="long long",
        day="long long",
        hour="long long",
        minute="long long",
        second="long long",
        part="long long",
        date="long long",
        micros="long long",
    )
    cdef long long packed(self, const unsigned char *buf) except -1


cdef class TimestampWriter(TemporalWriter):
    cdef int put(self, const unsigned char *buf, ImageBuffer out) except -1


cdef class TimeWriter(TemporalWriter):
    cdef long long zero

    @cython.locals(micros="long long", negative=bint, second="long long", packed="long long")
    cdef int put(self, const unsigned char *buf, ImageBuffer out) except -1
