# C types of rowcompressed.py, for it and for the compiled modules that use it.
cimport cython
from mysync_consumer.imagebuffer cimport ImageBuffer
from mysync_consumer.rowvalues cimport ValueWriter


cdef class CompressedWriter(ValueWriter):
    cdef ValueWriter plain
    cdef ImageBuffer scratch
    cdef bint keyless

    @cython.locals(plain=ValueWriter, framed=bytearray, value=bytes)
    cdef int put(self, const unsigned char *buf, ImageBuffer out) except -1
