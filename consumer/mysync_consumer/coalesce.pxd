# C types of coalesce.py.
cimport cython


cdef class Step:
    cdef public object table
    cdef public int op
    cdef public long long flags
    cdef public object first
    cdef public object last
    cdef bytes key
    cdef int first_op
    cdef Py_ssize_t events


cdef class Run:
    cdef object table
    cdef dict steps
    cdef list done

    @cython.locals(step=Step, exists=bint)
    cdef add(self, object event, int op, long long flags, object key_hash, bint moves)
    @cython.locals(step=Step, deletes=list, updates=list, inserts=list)
    cdef close(self)


cdef class Plan:
    cdef bint coalesce
    cdef list ordered
    cdef dict runs

    @cython.locals(run=Run)
    cpdef add(self, object table, object event, int op, long long flags, object key_hash, bint moves)
    @cython.locals(result=list, run=Run)
    cpdef list steps(self)
