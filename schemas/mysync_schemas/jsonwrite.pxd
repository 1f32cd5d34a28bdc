# C types of jsonwrite.py.
cimport cython


@cython.locals(elements=list, names=list, encoded=list, name=bytes)
cpdef tuple encode(object value, int depth, int max_depth)

cdef tuple integer(object value)

@cython.locals(size=Py_ssize_t, head=bytearray)
cdef bytes sized(bytes data)

@cython.locals(small=object, large=object)
cpdef tuple container(int kind, list names, list elements)

@cython.locals(
    offset="unsigned long long",
    size="unsigned long long",
    at=Py_ssize_t,
    head=bytearray,
    name=bytes,
    element=int,
    body=bytes,
    parts=list,
)
cdef object packed(int width, int kind, list names, list elements)

cpdef bint inlined(int kind, int width) noexcept

@cython.locals(size=Py_ssize_t, fill=int, i=int, p="const unsigned char *")
cdef int inline(bytearray head, Py_ssize_t at, bytes body, int width, int kind) except -1

cdef int poke(bytearray head, Py_ssize_t at, unsigned long long value, int width) except -1
