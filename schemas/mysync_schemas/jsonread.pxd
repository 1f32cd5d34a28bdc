# C types of jsonread.py.
cimport cython


cdef class Reader:
    cdef bytes data
    cdef const unsigned char *buf
    cdef public bint exact
    cdef Py_ssize_t unread
    cdef int max_depth
    cdef Py_ssize_t size
    cdef unsigned long long one

    cpdef str document(self)
    cdef object corrupt(self, str what, Py_ssize_t pos)
    cdef int take(self, Py_ssize_t size, Py_ssize_t pos) except -1
    @cython.locals(number="unsigned long long")
    cdef unsigned long long little(self, Py_ssize_t pos, Py_ssize_t width) noexcept
    @cython.locals(field_type=int)
    cdef str value(self, int kind, Py_ssize_t pos, Py_ssize_t end, int depth)
    @cython.locals(width=Py_ssize_t, bits="unsigned long long", unsigned=bint, negative=bint)
    cdef str number(self, int kind, Py_ssize_t pos, Py_ssize_t end)
    @cython.locals(half="unsigned long long")
    cdef unsigned long long magnitude(self, unsigned long long bits, int width) noexcept
    @cython.locals(size="unsigned long long", shift=int, byte="unsigned long long")
    cdef Py_ssize_t sized(self, Py_ssize_t pos, Py_ssize_t end) except -1
    @cython.locals(raw=bytes)
    cdef str string(self, Py_ssize_t pos, Py_ssize_t size)
    @cython.locals(
        width=Py_ssize_t,
        is_object=bint,
        keys=Py_ssize_t,
        count=Py_ssize_t,
        size=Py_ssize_t,
        values=Py_ssize_t,
        first=Py_ssize_t,
        parts=list,
        before=bytes,
        before_size=Py_ssize_t,
        i=Py_ssize_t,
        text=str,
        entry=Py_ssize_t,
        pos=Py_ssize_t,
        length=Py_ssize_t,
        key=bytes,
    )
    cdef str container(self, int kind, Py_ssize_t start, Py_ssize_t end, int depth)
    @cython.locals(kind=int, pos=Py_ssize_t)
    cdef str element(
        self,
        Py_ssize_t entry,
        Py_ssize_t width,
        Py_ssize_t start,
        Py_ssize_t first,
        Py_ssize_t end,
        int depth,
    )
