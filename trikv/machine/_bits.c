/* The bits of long strings: how many are 1, each turned round, and those of two joined.
 *
 * Why in C: Python knows bits of whole numbers only, so four million bytes are first made one or five hundred
 * of them, which takes longer than to count. docs/PERFORMANCE.md has the figures.
 *
 * trikv runs without it. Count VERSION up with every change, here and in `quick_bits.py`: an object of an older
 * source must not be loaded.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#define VERSION 2
#define WORD ((Py_ssize_t)sizeof(uint64_t))

/* Sums of 1, 2, 4 and then 8 bits side by side; the product adds up the eight bytes in the highest one. */
static int count_word(uint64_t word) {
    word -= word >> 1 & UINT64_C(0x5555555555555555);
    word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
    word = (word + (word >> 4)) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    return (int)(word * UINT64_C(0x0101010101010101) >> 56);
}

PyDoc_STRVAR(count_doc, "count(string, first, last, /)\n--\n\n"
                        "How many bits are 1 in the bytes from place `first` to before `last` of a string.\n\n"
                        "Raises ValueError if it has no such places.");

static PyObject *count(PyObject *module, PyObject *args) {
    PyObject *string;
    Py_ssize_t first, last;
    long long ones = 0;
    (void)module;
    if (!PyArg_ParseTuple(args, "Snn", &string, &first, &last))
        return NULL;
    if (first < 0 || last < first || last > PyBytes_GET_SIZE(string)) {
        PyErr_SetString(PyExc_ValueError, "the string has no such places");
        return NULL;
    }
    const char *at = PyBytes_AS_STRING(string) + first, *end = PyBytes_AS_STRING(string) + last;
    uint64_t word;
    for (; end - at >= WORD; at += WORD) {
        memcpy(&word, at, sizeof word); /* it may stand at any address */
        ones += count_word(word);
    }
    for (; at < end; at++)
        ones += count_word((unsigned char)*at);
    return PyLong_FromLongLong(ones);
}

PyDoc_STRVAR(inverted_doc, "inverted(string, /)\n--\n\nA string with each bit turned round.");

static PyObject *inverted(PyObject *module, PyObject *string) {
    (void)module;
    if (!PyBytes_Check(string)) {
        PyErr_SetString(PyExc_TypeError, "no bytes");
        return NULL;
    }
    Py_ssize_t size = PyBytes_GET_SIZE(string);
    PyObject *made = PyBytes_FromStringAndSize(NULL, size);
    if (made == NULL)
        return NULL;
    const char *from = PyBytes_AS_STRING(string);
    char *to = PyBytes_AS_STRING(made);
    for (Py_ssize_t i = 0; i < size; i++)
        to[i] = (char)~from[i];
    return made;
}

PyDoc_STRVAR(join_doc, "join(target, string, operation, /)\n--\n\n"
                       "Join the bits of a bytearray with those of a string, behind whose end are zeros: by 0 (AND),\n"
                       "1 (OR) or 2 (XOR).\n\n"
                       "Raises ValueError for another operation, and if the string is longer.");

static uint64_t joined(uint64_t one, uint64_t other, int operation) {
    return operation == 0 ? one & other : operation == 1 ? one | other : one ^ other;
}

static PyObject *join(PyObject *module, PyObject *args) {
    PyObject *target, *string;
    int operation;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!Si", &PyByteArray_Type, &target, &string, &operation))
        return NULL;
    Py_ssize_t size = PyBytes_GET_SIZE(string), whole = PyByteArray_GET_SIZE(target), at = 0;
    if (size > whole || operation < 0 || operation > 2) {
        PyErr_SetString(PyExc_ValueError, "a string is longer than what it is joined to, or there is no such operation");
        return NULL;
    }
    char *to = PyByteArray_AS_STRING(target);
    const char *from = PyBytes_AS_STRING(string);
    for (uint64_t one, other; size - at >= WORD; at += WORD) {
        memcpy(&one, to + at, sizeof one);
        memcpy(&other, from + at, sizeof other);
        one = joined(one, other, operation);
        memcpy(to + at, &one, sizeof one);
    }
    for (; at < size; at++)
        to[at] = (char)joined((unsigned char)to[at], (unsigned char)from[at], operation);
    if (operation == 0)
        memset(to + size, 0, (size_t)(whole - size));
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"count", count, METH_VARARGS, count_doc},
    {"join", join, METH_VARARGS, join_doc},
    {"inverted", inverted, METH_O, inverted_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_bits", "The bits of long strings.", -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__bits(void) {
    PyObject *made = PyModule_Create(&module);
    if (made != NULL && PyModule_AddIntMacro(made, VERSION))
        Py_CLEAR(made);
    return made;
}
