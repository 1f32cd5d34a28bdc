# C types of rowbuffer.py, for it and for the compiled modules that use it.
cimport cython


cdef class RowBuffer:
    cdef bytearray data
    cdef unsigned char *p
    cdef Py_ssize_t length
    cdef Py_ssize_t capacity

    cdef Py_ssize_t size(self) noexcept
    cdef int clear(self) except -1
    @cython.locals(capacity=Py_ssize_t, data=bytearray)
    cdef int grow(self, Py_ssize_t more) except -1
    cdef int put_byte(self, unsigned char value) except -1
    @cython.locals(z="unsigned long long", n=Py_ssize_t)
    cdef int put_long(self, long long value) except -1
    cdef int put(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t size) except -1
    cdef int put_bytes(self, const unsigned char *src, Py_ssize_t pos, Py_ssize_t size) except -1
    cdef int put_object(self, bytes value) except -1
    cdef int put_zeros(self, Py_ssize_t size) except -1
    cdef int put_slice(self, RowBuffer other, Py_ssize_t start, Py_ssize_t end) except -1
    cdef int put_buffer(self, RowBuffer other) except -1
    cdef int byte_at(self, Py_ssize_t at) noexcept
    cdef void set_byte(self, Py_ssize_t at, unsigned char value) noexcept
    cdef bytes take(self, Py_ssize_t start, Py_ssize_t end)


@cython.locals(value="unsigned long long")
cdef unsigned long long little(const unsigned char *src, Py_ssize_t pos, Py_ssize_t size) noexcept

@cython.locals(value="unsigned long long", i=Py_ssize_t)
cdef unsigned long long big(const unsigned char *src, Py_ssize_t pos, Py_ssize_t size) noexcept
