/* LZF, the compression of strings in Redis' dumps (LibLZF's format).
 *
 * Why in C: Python takes some microseconds for each of its short tokens. docs/PERFORMANCE.md has the figures.
 *
 * A token is a run of bytes (its first byte is their number less one, below 32), or a reference to what has come
 * out already: three bits of length, 13 of distance, and a byte of length more if the three bits are all ones.
 *
 * trikv runs without it. Count VERSION up with every change, here and in `lzf.py`: an object of an older source must
 * not be loaded.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#define VERSION 1
#define RUN_MAX 32
#define REFERENCE_MAX 264 /* 7 + 255 + 2 */
#define DISTANCE_MAX 8192
#define PIECE_MAX 4096
#define HASH_BITS 12

static PyObject *cut(void) {
    PyErr_SetString(PyExc_ValueError, "the compressed bytes end within a token");
    return NULL;
}

PyDoc_STRVAR(decompress_doc, "decompress(source, at, before, most, /)\n--\n\n"
                             "Take tokens from place `at` on until `most` bytes have come out, or none is left.\n\n"
                             "Returns the place behind them and what came out, which may be 263 bytes more than `most`.\n"
                             "`before` is what came out before: all, or the last 8192 bytes. Raises ValueError.");

static PyObject *decompress(PyObject *module, PyObject *args) {
    PyObject *source, *before;
    Py_ssize_t start, most;
    (void)module;
    if (!PyArg_ParseTuple(args, "SnSn", &source, &start, &before, &most))
        return NULL;
    Py_ssize_t size = PyBytes_GET_SIZE(source), had = PyBytes_GET_SIZE(before);
    if (start < 0 || start > size || most < 0 || most > PY_SSIZE_T_MAX / 2) {
        PyErr_SetString(PyExc_ValueError, "there is no such place, or no such length");
        return NULL;
    }
    /* Two bytes make at most 8 and three 264: never more than 88 times what is left. */
    Py_ssize_t room = most + REFERENCE_MAX - 1;
    if ((size - start) <= room / (REFERENCE_MAX / 3))
        room = (size - start) * (REFERENCE_MAX / 3);
    PyObject *made = PyBytes_FromStringAndSize(NULL, room);
    if (made == NULL)
        return NULL;
    const unsigned char *from = (const unsigned char *)PyBytes_AS_STRING(source);
    const unsigned char *earlier = (const unsigned char *)PyBytes_AS_STRING(before);
    unsigned char *to = (unsigned char *)PyBytes_AS_STRING(made);
    Py_ssize_t at = start, out = 0;
    while (at < size && out < most) {
        unsigned control = from[at++];
        if (control < RUN_MAX) {
            Py_ssize_t run = (Py_ssize_t)control + 1;
            if (size - at < run)
                goto is_cut;
            assert(room - out >= run);
            memcpy(to + out, from + at, (size_t)run);
            at += run;
            out += run;
            continue;
        }
        Py_ssize_t length = control >> 5;
        if (size - at < (length == 7 ? 2 : 1))
            goto is_cut;
        if (length == 7)
            length += from[at++];
        length += 2;
        Py_ssize_t distance = (Py_ssize_t)((control & 31) << 8 | from[at++]) + 1;
        Py_ssize_t reference = out - distance; /* negative: so many from the end of `before` */
        if (reference < -had) {
            PyErr_SetString(PyExc_ValueError, "a token refers to what is before the beginning");
            Py_DECREF(made);
            return NULL;
        }
        assert(room - out >= length);
        if (reference >= 0 && distance >= length) {
            memcpy(to + out, to + reference, (size_t)length);
            out += length;
            continue;
        }
        for (; length > 0; length--, reference++)
            to[out++] = reference < 0 ? earlier[had + reference] : to[reference];
    }
    if (out < room && _PyBytes_Resize(&made, out))
        return NULL;
    return Py_BuildValue("nN", at, made);
is_cut:
    Py_DECREF(made);
    return cut();
}

/* A run of literal bytes, in tokens of 32 at most. */
static unsigned char *literals(unsigned char *to, const unsigned char *from, const unsigned char *end) {
    while (from < end) {
        size_t run = (size_t)(end - from) < RUN_MAX ? (size_t)(end - from) : RUN_MAX;
        *to++ = (unsigned char)(run - 1);
        memcpy(to, from, run);
        to += run;
        from += run;
    }
    return to;
}

static unsigned char *reference(unsigned char *to, size_t distance, size_t length) {
    size_t shown = length - 2, far = distance - 1;
    if (shown < 7) {
        *to++ = (unsigned char)(shown << 5 | far >> 8);
    } else {
        *to++ = (unsigned char)(7 << 5 | far >> 8);
        *to++ = (unsigned char)(shown - 7);
    }
    *to++ = (unsigned char)(far & 255);
    return to;
}

PyDoc_STRVAR(compress_doc, "compress(source, first, last, /)\n--\n\n"
                           "Tokens that make the bytes from place `first` to before `last`, and need nothing before.\n\n"
                           "So the tokens of pieces can be joined. A piece has 4096 bytes at most. Raises ValueError.");

static PyObject *compress(PyObject *module, PyObject *args) {
    PyObject *source;
    Py_ssize_t first, last;
    (void)module;
    if (!PyArg_ParseTuple(args, "Snn", &source, &first, &last))
        return NULL;
    if (first < 0 || last < first || last > PyBytes_GET_SIZE(source) || last - first > PIECE_MAX) {
        PyErr_SetString(PyExc_ValueError, "there is no such piece");
        return NULL;
    }
    const unsigned char *from = (const unsigned char *)PyBytes_AS_STRING(source) + first;
    size_t size = (size_t)(last - first), at = 0, literal = 0;
    unsigned char made[PIECE_MAX + PIECE_MAX / RUN_MAX + 8];
    unsigned char *to = made;
    uint16_t places[1 << HASH_BITS]; /* place + 1 of the last three bytes with this hash; 0: none */
    memset(places, 0, sizeof places);
    while (at + 2 < size) {
        uint32_t word = (uint32_t)from[at] << 16 | (uint32_t)from[at + 1] << 8 | from[at + 2];
        uint16_t *place = &places[word * UINT32_C(2654435761) >> (32 - HASH_BITS)];
        size_t before = *place;
        *place = (uint16_t)(at + 1);
        if (before-- == 0 || memcmp(from + before, from + at, 3) != 0) {
            at++;
            continue;
        }
        size_t length = 3, most = size - at < REFERENCE_MAX ? size - at : REFERENCE_MAX;
        while (length < most && from[before + length] == from[at + length])
            length++;
        to = literals(to, from + literal, from + at);
        to = reference(to, at - before, length);
        literal = at += length;
    }
    to = literals(to, from + literal, from + size);
    assert(to - made <= (Py_ssize_t)sizeof made);
    return PyBytes_FromStringAndSize((const char *)made, to - made);
}

static PyMethodDef methods[] = {
    {"decompress", decompress, METH_VARARGS, decompress_doc},
    {"compress", compress, METH_VARARGS, compress_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_lzf", "LZF, the compression of Redis' dumps.", -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__lzf(void) {
    PyObject *made = PyModule_Create(&module);
    if (made != NULL && PyModule_AddIntMacro(made, VERSION))
        Py_CLEAR(made);
    return made;
}
