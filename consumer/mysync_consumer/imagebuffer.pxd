# C types of imagebuffer.py, for it and for the compiled modules that use it.
cimport cython


cdef class ImageBuffer:
    cdef bytearray data
    cdef unsigned char *p
    cdef Py_ssize_t length
    cdef Py_ssize_t capacity

    cdef int clear(self) except -1
    cdef Py_ssize_t size(self) noexcept
    @cython.locals(capacity=Py_ssize_t, data=bytearray)
    cdef int grow(self, Py_ssize_t more) except -1
    cdef int put_byte(self, unsigned char value) except -1
    cdef int put_zeros(self, Py_ssize_t count) except -1
    @cython.locals(i=Py_ssize_t)
    cdef int put_little(self, unsigned long long value, Py_ssize_t width) except -1
    @cython.locals(i=Py_ssize_t)
    cdef int put_big(self, unsigned long long value, Py_ssize_t width) except -1
    @cython.locals(source="const unsigned char *")
    cdef int put(self, const unsigned char *src, Py_ssize_t start, Py_ssize_t end) except -1
    cdef int put_object(self, bytes value) except -1
    cdef int set_bit(self, Py_ssize_t at, Py_ssize_t bit) noexcept
    cdef int invert(self, Py_ssize_t start, Py_ssize_t end) noexcept
    cdef int flip_sign(self, Py_ssize_t at) noexcept
    @cython.locals(before=Py_ssize_t)
    cdef int append_to(self, bytearray out) except -1
