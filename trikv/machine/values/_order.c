/* The order of a sorted set: where a score is, and how many members get others at once.
 *
 * Why in C: in Python, to take one pair out of the index and to put it in at another place takes four
 * microseconds, on each replica, for each score that is written. Here it takes one. And in an index of a million
 * members each step of that waits for memory; here the memory of 64 is asked for ahead. A rank is a sum of counts.
 *
 * It is an accelerator and no second index: `score_index.py` does the same in Python, and trikv runs without
 * this. `move` does the beginning of what it was given and says how far it came. What it does not know ends its
 * part: a chunk that another index may have, one that has to be divided or goes, a score that another chunk may have,
 * too, as it may that of a chunk's first pair.
 *
 * The interpreter's lock is held throughout, no Python code runs in between, and no pointer outlives the call.
 * Count VERSION up with every change, here and in `quick_order.py`: an object of an older source must not be
 * loaded.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#define VERSION 3
#define AHEAD 64         /* members whose memory is asked for at once */
#define CACHED_CHUNKS 64 /* an index of no more is in a cache, and asking would only lose the time */
#define CHUNK_COUNT 256  /* as `score_index.CHUNK_COUNT` */
#define BLOCK_CHUNKS 64  /* as `score_index.BLOCK_CHUNKS` */

#if defined(__GNUC__) || defined(__clang__)
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) ((void)(address))
#endif

/* What an array of doubles ("d") or of counts ("q") holds: it must not change meanwhile. NULL after an exception. */
static void *held_by(PyObject *array, const char *format, Py_ssize_t *count) {
    Py_buffer view;
    if (PyObject_GetBuffer(array, &view, PyBUF_FORMAT | PyBUF_ND | PyBUF_WRITABLE) < 0)
        return NULL;
    int is_so = view.ndim == 1 && view.itemsize == 8 && view.format && !strcmp(view.format, format);
    void *held = view.buf;
    *count = view.len / 8;
    PyBuffer_Release(&view);
    if (!is_so)
        PyErr_SetString(PyExc_TypeError, "this is no array of doubles, or of counts");
    return is_so ? held : NULL;
}

static const double *doubles_of(PyObject *array, Py_ssize_t *count) { return held_by(array, "d", count); }

static Py_ssize_t bisected(const double *scores, Py_ssize_t last, double score, int is_behind) {
    Py_ssize_t first = 0;
    while (first < last) {
        Py_ssize_t middle = first + (last - first) / 2;
        if (scores[middle] < score || (is_behind && scores[middle] == score))
            first = middle + 1;
        else
            last = middle;
    }
    return first;
}

PyDoc_STRVAR(bisect_doc, "bisect(scores, score, is_behind, /)\n--\n\n"
                         "How many of `scores`, an array of doubles in order, are less than `score`; with `is_behind`\n"
                         "how many are no greater. `score` is a float but no NaN, or an int that is a double, too.\n"
                         "Raises TypeError or BufferError for arguments of another shape,\n"
                         "OverflowError for an int that no double is near.");

static PyObject *bisect(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    if (count != 3 || !(PyFloat_CheckExact(args[1]) || PyLong_CheckExact(args[1])) || !PyBool_Check(args[2])) {
        PyErr_SetString(PyExc_TypeError, "bisect(array, number, bool)");
        return NULL;
    }
    double score = PyFloat_AsDouble(args[1]);
    if (score == -1.0 && PyErr_Occurred())
        return NULL;
    Py_ssize_t last;
    const double *scores = doubles_of(args[0], &last);
    return scores == NULL ? NULL : PyLong_FromSsize_t(bisected(scores, last, score, args[2] == Py_True));
}

PyDoc_STRVAR(total_doc, "total(counts, first, last, /)\n--\n\n"
                        "The sum of those from `first` to before `last` of an array of counts.\n"
                        "Raises TypeError or BufferError for arguments of another shape, IndexError for other places.");

static PyObject *total(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "total(array, int, int)");
        return NULL;
    }
    Py_ssize_t first = PyLong_AsSsize_t(args[1]), last = PyLong_AsSsize_t(args[2]), held;
    if (PyErr_Occurred())
        return NULL;
    const int64_t *counts = held_by(args[0], "q", &held);
    if (counts == NULL)
        return NULL;
    if (first < 0 || last > held) {
        PyErr_SetString(PyExc_IndexError, "there are not as many counts");
        return NULL;
    }
    long long sum = 0;
    for (Py_ssize_t at = first; at < last; at++)
        sum += counts[at];
    return PyLong_FromLongLong(sum);
}

PyDoc_STRVAR(find_doc,
             "find(counts, first, rank, /)\n--\n\n"
             "The place of what has that rank among all that `counts`, an array, counts from the place `first` on:\n"
             "(which count it is of, its rank there). Raises as `total`, IndexError if it has so few.");

static PyObject *find(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "find(array, int, int)");
        return NULL;
    }
    Py_ssize_t at = PyLong_AsSsize_t(args[1]), held;
    long long rank = PyLong_AsLongLong(args[2]);
    if (PyErr_Occurred())
        return NULL;
    const int64_t *counts = held_by(args[0], "q", &held);
    if (counts == NULL)
        return NULL;
    for (; at >= 0 && at < held; rank -= counts[at++])
        if (rank < counts[at])
            return Py_BuildValue("nL", at, rank);
    PyErr_SetString(PyExc_IndexError, "there are not as many counts");
    return NULL;
}

/* The rows of a `ScoreIndex`, by chunk; `blocks` by block. */
typedef struct {
    PyObject *firsts, *scores, *members, *counts, *blocks, *own;
} Rows;

static void release(Rows *rows) {
    Py_CLEAR(rows->firsts);
    Py_CLEAR(rows->scores);
    Py_CLEAR(rows->members);
    Py_CLEAR(rows->counts);
    Py_CLEAR(rows->blocks);
    Py_CLEAR(rows->own);
}

/* False after an exception. */
static int get_rows(PyObject *index, Rows *rows) {
    static const char *const names[] = {"first_scores", "counts", "blocks", "scores", "members", "own"};
    PyObject **const wanted[] = {&rows->firsts, &rows->counts, &rows->blocks,
                                 &rows->scores, &rows->members, &rows->own};
    Py_ssize_t chunks = 0, count;
    for (int i = 0; i < 6; i++) {
        PyObject *row = *wanted[i] = PyObject_GetAttrString(index, names[i]);
        if (row == NULL)
            return 0;
        if (i > 2)
            count = PyList_CheckExact(row) ? PyList_GET_SIZE(row) : -1;
        else if (held_by(row, i == 0 ? "d" : "q", &count) == NULL)
            return 0;
        if (i == 0)
            chunks = count;
        if (count != (wanted[i] == &rows->blocks ? (chunks + BLOCK_CHUNKS - 1) / BLOCK_CHUNKS : chunks)) {
            PyErr_SetString(PyExc_ValueError, "the rows of the index do not match");
            return 0;
        }
    }
    return 1;
}

/* The chunk of a score. -1: more than one has it, or another index has that chunk; -2: an exception. */
static Py_ssize_t chunk_of(const Rows *rows, double score) {
    Py_ssize_t chunks;
    const double *firsts = doubles_of(rows->firsts, &chunks);
    if (firsts == NULL)
        return -2;
    Py_ssize_t chunk = bisected(firsts, chunks, score, 1) - 1;
    if (chunk < 0 || (chunk > 0 && firsts[chunk] == score) || PyList_GET_ITEM(rows->own, chunk) != Py_True)
        return -1;
    if (!PyList_CheckExact(PyList_GET_ITEM(rows->members, chunk))) {
        PyErr_SetString(PyExc_TypeError, "a chunk is no list");
        return -2;
    }
    return chunk;
}

static int is_same(PyObject *one, PyObject *other) {
    return PyBytes_CheckExact(one) && PyBytes_GET_SIZE(one) == PyBytes_GET_SIZE(other) &&
           memcmp(PyBytes_AS_STRING(one), PyBytes_AS_STRING(other), (size_t)PyBytes_GET_SIZE(one)) == 0;
}

static int is_before(PyObject *one, PyObject *other) {
    Py_ssize_t size = PyBytes_GET_SIZE(one), other_size = PyBytes_GET_SIZE(other);
    int order = memcmp(PyBytes_AS_STRING(one), PyBytes_AS_STRING(other), (size_t)Py_MIN(size, other_size));
    return order < 0 || (order == 0 && size < other_size);
}

/* Where a pair is in that chunk, or would be put. -1 after an exception. */
static Py_ssize_t place_of(const Rows *rows, Py_ssize_t chunk, double score, PyObject *member) {
    PyObject *members = PyList_GET_ITEM(rows->members, chunk);
    Py_ssize_t count;
    const double *scores = doubles_of(PyList_GET_ITEM(rows->scores, chunk), &count);
    if (scores == NULL)
        return -1;
    if (PyList_GET_SIZE(members) != count) {
        PyErr_SetString(PyExc_ValueError, "a chunk has not as many scores as members");
        return -1;
    }
    Py_ssize_t first = bisected(scores, count, score, 0), last = first;
    if (first < count && scores[first] == score) /* members of one score are in the order of their bytes */
        last = bisected(scores, count, score, 1);
    while (first < last) {
        Py_ssize_t middle = first + (last - first) / 2;
        PyObject *other = PyList_GET_ITEM(members, middle);
        if (!PyBytes_CheckExact(other)) {
            PyErr_SetString(PyExc_TypeError, "a member is not bytes");
            return -1;
        }
        if (is_before(other, member))
            first = middle + 1;
        else
            last = middle;
    }
    return first;
}

/* One more in a chunk, or one less. False after an exception. */
static int count_chunk(const Rows *rows, Py_ssize_t chunk, int by) {
    Py_ssize_t count;
    int64_t *counts = held_by(rows->counts, "q", &count), *blocks = held_by(rows->blocks, "q", &count);
    if (counts == NULL || blocks == NULL)
        return 0;
    counts[chunk] += by;
    blocks[chunk / BLOCK_CHUNKS] += by;
    return 1;
}

/* Take out the pair at `at` of a chunk. Returns its member, the object that was put; NULL after an exception. */
static PyObject *take_out(const Rows *rows, Py_ssize_t chunk, Py_ssize_t at) {
    PyObject *members = PyList_GET_ITEM(rows->members, chunk);
    PyObject *put = Py_NewRef(PyList_GET_ITEM(members, at));
    if (PySequence_DelItem(PyList_GET_ITEM(rows->scores, chunk), at) < 0 ||
        PyList_SetSlice(members, at, at + 1, NULL) < 0 || !count_chunk(rows, chunk, -1))
        Py_CLEAR(put);
    return put;
}

/* Put a pair into a chunk. False after an exception. */
static int put_in(const Rows *rows, Py_ssize_t chunk, PyObject *score, PyObject *member) {
    Py_ssize_t at = place_of(rows, chunk, PyFloat_AS_DOUBLE(score), member);
    if (at < 0)
        return 0;
    PyObject *done = PyObject_CallMethod(PyList_GET_ITEM(rows->scores, chunk), "insert", "nO", at, score);
    Py_XDECREF(done);
    return done != NULL && PyList_Insert(PyList_GET_ITEM(rows->members, chunk), at, member) == 0 &&
           count_chunk(rows, chunk, 1);
}

/* Give one member another score. 1: done; 0: not for us, nothing has happened; -1: an exception. */
static int move_one(const Rows *rows, PyObject *member, PyObject *old, PyObject *score) {
    if (!PyBytes_CheckExact(member) || !PyFloat_CheckExact(score) || !(old == Py_None || PyFloat_CheckExact(old))) {
        PyErr_SetString(PyExc_TypeError, "a member is bytes, a score a float, an old one may be None");
        return -1;
    }
    /* All is looked at before anything changes. */
    Py_ssize_t to = chunk_of(rows, PyFloat_AS_DOUBLE(score)), from = -1, at = 0;
    if (to < 0)
        return to == -1 ? 0 : -1;
    if (old != Py_None) {
        if ((from = chunk_of(rows, PyFloat_AS_DOUBLE(old))) < 0)
            return from == -1 ? 0 : -1;
        if ((at = place_of(rows, from, PyFloat_AS_DOUBLE(old), member)) < 0)
            return -1;
        PyObject *members = PyList_GET_ITEM(rows->members, from);
        if (at == PyList_GET_SIZE(members) || !is_same(PyList_GET_ITEM(members, at), member)) {
            PyErr_SetString(PyExc_ValueError, "a member has not the score that it is said to have");
            return -1;
        }
        /* The first pair of another chunk than the first one has not come so far: two chunks may have its score. */
        if (PyList_GET_SIZE(members) == 1)
            return 0;
    }
    if (to != from && PyList_GET_SIZE(PyList_GET_ITEM(rows->members, to)) >= CHUNK_COUNT)
        return 0;
    PyObject *put = from < 0 ? Py_NewRef(member) : take_out(rows, from, at);
    int is_put = put != NULL && put_in(rows, to, score, put);
    Py_XDECREF(put);
    return is_put ? 1 : -1;
}

/* What is known of a score that is to be looked for. */
typedef struct {
    double score;
    Py_ssize_t chunk;
    const double *doubles; /* of the chunk */
    Py_ssize_t first, last; /* its place is not before the one, nor behind the other */
} Touched;

static Py_ssize_t middle_of(const Touched *one) { return one->first + (one->last - one->first) / 2; }

/* One step of a bisection; asks for what the next one looks at. False if it was the last. */
static int step(Touched *one) {
    if (one->first == one->last)
        return 0;
    Py_ssize_t middle = middle_of(one);
    int is_behind = one->doubles[middle] < one->score;
    one->first = is_behind ? middle + 1 : one->first;
    one->last = is_behind ? one->last : middle;
    PREFETCH(one->doubles + middle_of(one));
    return 1;
}

/* Each step asks for what the next one reads, for all: so they wait together. False after an exception. */
static int touch_each(const Rows *rows, Touched *touched, int count) {
    for (int i = 0; i < count; i++) {
        PREFETCH(PyList_GET_ITEM(rows->scores, touched[i].chunk));
        PREFETCH(PyList_GET_ITEM(rows->members, touched[i].chunk));
    }
    for (int i = 0; i < count; i++) {
        Touched *one = &touched[i];
        one->first = 0;
        if ((one->doubles = doubles_of(PyList_GET_ITEM(rows->scores, one->chunk), &one->last)) == NULL)
            return 0;
        PREFETCH(one->doubles + middle_of(one));
    }
    for (int are_left = 1; are_left;) {
        are_left = 0;
        for (int i = 0; i < count; i++)
            are_left |= step(&touched[i]);
    }
    for (int i = 0; i < count; i++) {
        Touched *one = &touched[i];
        PyObject *members = PyList_GET_ITEM(rows->members, one->chunk);
        one->last = PyList_CheckExact(members) ? PyList_GET_SIZE(members) : 0;
        if (one->first < one->last)
            PREFETCH(((PyListObject *)members)->ob_item + one->first);
    }
    for (int i = 0; i < count; i++)
        if (touched[i].first < touched[i].last)
            PREFETCH(PyList_GET_ITEM(PyList_GET_ITEM(rows->members, touched[i].chunk), touched[i].first));
    return 1;
}

/* Have the memory on its way that is read where the scores of members from `first` to before `last` are looked for,
 * old ones and new ones. False after an exception. */
static int touch(const Rows *rows, PyObject *olds, PyObject *scores, Py_ssize_t first, Py_ssize_t last) {
    Touched touched[2 * AHEAD];
    Py_ssize_t chunks;
    const double *firsts = doubles_of(rows->firsts, &chunks);
    if (firsts == NULL)
        return 0;
    int count = 0;
    for (Py_ssize_t i = first; i < last; i++) {
        PyObject *const both[] = {PyList_GET_ITEM(olds, i), PyList_GET_ITEM(scores, i)};
        for (int j = 0; j < 2; j++)
            if (PyFloat_CheckExact(both[j])) {
                Touched *one = &touched[count++];
                one->score = PyFloat_AS_DOUBLE(both[j]);
                one->chunk = Py_MAX(bisected(firsts, chunks, one->score, 1) - 1, 0);
            }
    }
    return touch_each(rows, touched, count);
}

PyDoc_STRVAR(move_doc,
             "move(index, members, olds, scores, first, /)\n--\n\n"
             "Give as many members as can be their scores, from the one at `first` on.\n\n"
             "`members` is a list of different members; `olds`, as long, of the scores that the index has for\n"
             "them, or None for those that it does not have; `scores` of floats, no NaN and no negative zero. It stops\n"
             "where the index has to be divided, joined or copied, and where it would have to look further.\n\n"
             "Returns the place in `members` of the first one that was not moved. Raises AttributeError,\n"
             "TypeError, ValueError or BufferError for arguments of another shape, and MemoryError; after it the\n"
             "index may be half changed.");

static PyObject *move(PyObject *module, PyObject *args) {
    PyObject *index, *members, *olds, *scores;
    Py_ssize_t first;
    Rows rows = {0};
    int is_done = 1;
    (void)module;
    if (!PyArg_ParseTuple(args, "OO!O!O!n", &index, &PyList_Type, &members, &PyList_Type, &olds, &PyList_Type, &scores,
                          &first))
        return NULL;
    Py_ssize_t count = PyList_GET_SIZE(members), at = first;
    if (first < 0 || PyList_GET_SIZE(olds) != count || PyList_GET_SIZE(scores) != count) {
        PyErr_SetString(PyExc_ValueError, "these are not as many scores as members");
        return NULL;
    }
    if (!get_rows(index, &rows))
        is_done = -1;
    int is_long = is_done == 1 && PyList_GET_SIZE(rows.members) > CACHED_CHUNKS;
    for (; is_done == 1 && at < count; at += is_done == 1) {
        if (is_long && (at - first) % AHEAD == 0 && !touch(&rows, olds, scores, at, Py_MIN(at + AHEAD, count)))
            is_done = -1;
        else
            is_done = move_one(&rows, PyList_GET_ITEM(members, at), PyList_GET_ITEM(olds, at),
                               PyList_GET_ITEM(scores, at));
    }
    release(&rows);
    return is_done < 0 ? NULL : PyLong_FromSsize_t(at);
}

static PyMethodDef methods[] = {
    {"bisect", (PyCFunction)(void (*)(void))bisect, METH_FASTCALL, bisect_doc},
    {"total", (PyCFunction)(void (*)(void))total, METH_FASTCALL, total_doc},
    {"find", (PyCFunction)(void (*)(void))find, METH_FASTCALL, find_doc},
    {"move", move, METH_VARARGS, move_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_order", "The order of a sorted set.", -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__order(void) {
    PyObject *made = PyModule_Create(&module);
    if (made != NULL && PyModule_AddIntMacro(made, VERSION))
        Py_CLEAR(made);
    return made;
}
