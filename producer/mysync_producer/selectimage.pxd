# C types of selectimage.py.
cimport cython
from mysync_producer.rowbuffer cimport RowBuffer, little
from mysync_producer.selectvalues cimport ImageValue


cdef class RowImages:
    cdef public str table
    cdef list names
    cdef list columns
    cdef Py_ssize_t bitmap
    cdef RowBuffer out
    cdef public Py_ssize_t fields
    cdef public list charsets
    cdef public Py_ssize_t rows
    cdef public int sequence
    cdef Py_ssize_t size
    cdef Py_ssize_t at

    cpdef Py_ssize_t held(self)
    @cython.locals(images=bytes)
    cpdef bytes take(self)
    cpdef put(self, bytes packet, Py_ssize_t start, Py_ssize_t end)
    @cython.locals(size=Py_ssize_t, first=int)
    cpdef Py_ssize_t walk(self, bytes data, Py_ssize_t pos, Py_ssize_t end, Py_ssize_t most) except -1
    cpdef object corrupt(self, object what)
    @cython.locals(nulls=Py_ssize_t, i=Py_ssize_t, column=ImageValue, size=Py_ssize_t, more=Py_ssize_t, stop=Py_ssize_t)
    cdef int row(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end, RowBuffer out) except -1
    cdef int put_null(self, ImageValue column, Py_ssize_t nulls, RowBuffer out) except -1
    @cython.locals(first=int, width=int)
    cdef Py_ssize_t length(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t end) except -1
