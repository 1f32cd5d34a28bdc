# C types of rowvalues.py, for it and for the compiled modules that use it.
cimport cython
from mysync_consumer.imagebuffer cimport ImageBuffer
from mysync_consumer.rowread cimport Field


cdef class ValueWriter(Field):
    cdef public Py_ssize_t width
    cdef public Py_ssize_t prefix
    cdef public Py_ssize_t limit

    cdef int put(self, const unsigned char *buf, ImageBuffer out) except -1
    cdef int put_sized(self, const unsigned char *buf, ImageBuffer out) except -1
    cdef int put_object(self, bytes value, ImageBuffer out) except -1


cdef bytes payload(const unsigned char *buf, Py_ssize_t start, Py_ssize_t end)


cdef class IntWriter(ValueWriter):
    cdef long long low
    cdef long long high

    cdef int put(self, const unsigned char *buf, ImageBuffer out) except -1


cdef class YearWriter(ValueWriter):
    cdef int put(self, const unsigned char *buf, ImageBuffer out) except -1


cdef class UInt64Writer(ValueWriter):
    @cython.locals(i=Py_ssize_t, k=Py_ssize_t)
    cdef int put(self, const unsigned char *buf, ImageBuffer out) except -1


cdef class FixedWriter(ValueWriter):
    cdef int put(self, const unsigned char *buf, ImageBuffer out) except -1


cdef class DecimalWriter(ValueWriter):
    cdef Py_ssize_t head
    cdef Py_ssize_t middle
    cdef Py_ssize_t tail
    cdef Py_ssize_t head_bytes
    cdef Py_ssize_t tail_bytes
    cdef unsigned long long head_power
    cdef unsigned long long tail_power
    cdef int precision

    @cython.locals(size=Py_ssize_t, negative=bint, at=Py_ssize_t, value="long long", fits=bint)
    cdef int put(self, const unsigned char *buf, ImageBuffer out) except -1
    @cython.locals(pos=Py_ssize_t, _=Py_ssize_t)
    cdef bint put_small(self, unsigned long long value, ImageBuffer out, Py_ssize_t at) except -1
    @cython.locals(pos=Py_ssize_t, _=Py_ssize_t)
    cdef bint put_large(self, object value, ImageBuffer out, Py_ssize_t at) except -1


@cython.locals(bits="unsigned long long")
cdef long long complement(
    const unsigned char *buf, Py_ssize_t start, Py_ssize_t end
) noexcept

cdef int poke(ImageBuffer out, Py_ssize_t at, unsigned long long value, Py_ssize_t width) except -1


cdef class TextWriter(ValueWriter):
    cdef int charset
    cdef bint copied
    cdef bint ascii
    cdef Py_ssize_t chars

    @cython.locals(chars=Py_ssize_t)
    cdef int put(self, const unsigned char *buf, ImageBuffer out) except -1
    cdef bytes encode(self, str text)


cdef class CharsetWriter(TextWriter):
    cdef object codes

    cdef bytes encode(self, str text)


@cython.locals(count=Py_ssize_t, lead="unsigned char", more=Py_ssize_t)
cdef Py_ssize_t characters(const unsigned char *buf, Py_ssize_t start, Py_ssize_t end)

cdef str text_of(bytes raw)


cdef class BytesWriter(ValueWriter):
    cdef int put(self, const unsigned char *buf, ImageBuffer out) except -1


cdef class BitWriter(ValueWriter):
    cdef int first

    cdef int put(self, const unsigned char *buf, ImageBuffer out) except -1


cdef class EnumWriter(ValueWriter):
    cdef dict numbers
    cdef long long count

    cdef int put(self, const unsigned char *buf, ImageBuffer out) except -1


cdef class SetWriter(ValueWriter):
    cdef dict bits
    cdef dict known
    cdef Py_ssize_t count

    @cython.locals(image=bytes, mask=object)
    cdef int put(self, const unsigned char *buf, ImageBuffer out) except -1
    cdef bytes image(self, bytes labels)


cdef class JsonWriter(ValueWriter):
    cdef int put(self, const unsigned char *buf, ImageBuffer out) except -1
