/* A run of SETs, or of INCRs or DECRs, carried out as `Database.store` does it one by one.
 *
 * Why in C: with 100,000 keys a SET waits for memory six times (bucket, its table, the slot, the key, what is
 * held, and what is freed), and a loop in Python meets these waits one after another. Here each is asked for
 * ahead, for 64 keys at once. To apply a SET then takes a third of the time, an INCR a twentieth, and that was
 * the largest part of what a write costs each replica; docs/PERFORMANCE.md has the figures.
 *
 * It is an accelerator and no second state machine: it does the beginning of a run and says how far it came,
 * or does nothing, and the loop in Python goes on from there. What it does not know ends its part: a key with
 * a deadline, a lack of room, a long key or value, what is no number or would be none, a bucket that is divided
 * or has to be, another command.
 * trikv runs without it.
 *
 * The interpreter's lock is held throughout, no Python code runs in between, and no pointer outlives the call.
 * Count VERSION up with every change, here and in `runs.py`: an object of an older source must not be loaded.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <limits.h>
#include <stdint.h>

#define CHUNK 64 /* what is asked for ahead fits into the first cache: 64 keys, some 400 lines of 64 bytes */
#define VERSION 7
#define LARGE (1LL << 62) /* no sum of what is below overflows */
#define CHANGES_MAX (1LL << 59)
#define SHORT_KEY_BYTES 1024
#define PACKED_BYTES_MAX 4096  /* longer values are held in another form, which is not known here */
#define HEADER_BYTES 8         /* of a packed value without a deadline; `stored.py` says how it is laid out */
#define KIND_AND_DEADLINE 0x0F /* of its first byte: 0 for a string without a deadline */
#define VERSION_SHIFT 4
#define DIGITS_MAX 19 /* of a number of 64 bits */

#if defined(__GNUC__) || defined(__clang__)
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) ((void)(address))
#endif

/* The state that a run changes, and what it has done to it so far. */
typedef struct {
    PyObject *buckets; /* a list, its length a power of two; nearly all are dicts */
    PyObject *empty;   /* the dict that a bucket begins as: many share it, so the first write puts another there */
    char *changed;     /* a flag for each of them */
    int shift;         /* crc32 >> shift is a key's bucket */
    long long entry_bytes, changes, room, grown;
    Py_ssize_t keys_max; /* a dict that would get more is divided, and what it is then is not known here */
    Py_ssize_t words;    /* of each command: 3 for a SET, 2 for an INCR */
    long long difference; /* what an INCR adds */
    PyObject *totals;    /* a list, for what each INCR answers; NULL for SETs */
    Py_ssize_t done, fresh;
} Run;

/* One command of a chunk. All references are borrowed from the commands and the buckets. */
typedef struct {
    PyObject *key, *value, *bucket, *old; /* `value` of a SET only */
    Py_ssize_t number;
} Set;

static uint32_t crc_table[256];

static void fill_crc_table(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? 0xEDB88320u ^ (crc >> 1) : crc >> 1;
        crc_table[byte] = crc;
    }
}

/* As zlib.crc32; keys are short, so a table of 1 KB beats a call. */
static uint32_t crc32_of(PyObject *key) {
    const unsigned char *at = (const unsigned char *)PyBytes_AS_STRING(key);
    const unsigned char *end = at + PyBytes_GET_SIZE(key);
    uint32_t crc = 0xFFFFFFFFu;
    while (at < end)
        crc = crc_table[(crc ^ *at++) & 0xFF] ^ (crc >> 8);
    return crc ^ 0xFFFFFFFFu;
}

/* True for (name, key), or (name, key, value) of a SET, the key and the value short: fills in `set`. */
static int is_short_set(const Run *run, PyObject *command, PyObject *name, Set *set) {
    if (!PyTuple_CheckExact(command) || PyTuple_GET_SIZE(command) != run->words)
        return 0;
    PyObject *own_name = PyTuple_GET_ITEM(command, 0);
    set->key = PyTuple_GET_ITEM(command, 1);
    set->value = PyTuple_GET_ITEM(command, run->words - 1);
    if (!PyBytes_CheckExact(own_name) || !PyBytes_CheckExact(set->key) || !PyBytes_CheckExact(set->value))
        return 0;
    if (PyBytes_GET_SIZE(own_name) != PyBytes_GET_SIZE(name) ||
        memcmp(PyBytes_AS_STRING(own_name), PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name)) != 0)
        return 0;
    return PyBytes_GET_SIZE(set->key) <= SHORT_KEY_BYTES && PyBytes_GET_SIZE(set->value) <= PACKED_BYTES_MAX;
}

/* Look at up to `count` commands; how many of them, from the first on, are short SETs. -1: an exception. */
static Py_ssize_t gather(const Run *run, PyObject **commands, Py_ssize_t count, PyObject *name, Set *sets) {
    for (Py_ssize_t i = 0; i < count; i++) {
        Set *set = &sets[i];
        if (!is_short_set(run, commands[i], name, set))
            return i;
        set->number = crc32_of(set->key) >> run->shift;
        set->bucket = PyList_GET_ITEM(run->buckets, set->number);
        if (set->bucket == run->empty) {
            if ((set->bucket = PyDict_New()) == NULL)
                return -1;
            PyList_SetItem(run->buckets, set->number, set->bucket); /* takes the reference; cannot fail */
        }
        PREFETCH(set->bucket);
    }
    return count;
}

/* Have all memory that `put` needs on its way, each step for all keys before the next; how many of `sets`,
 * from the first on, belong to a dict. -1: an exception. */
static Py_ssize_t fetch(Set *sets, Py_ssize_t count) {
    for (Py_ssize_t i = 0; i < count; i++) {
        if (!PyDict_CheckExact(sets[i].bucket)) {
            count = i;
            break;
        }
        const char *table = (const char *)((PyDictObject *)sets[i].bucket)->ma_keys;
        PREFETCH(table);
        PREFETCH(table + 64);
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        sets[i].old = PyDict_GetItemWithError(sets[i].bucket, sets[i].key);
        if (sets[i].old != NULL)
            PREFETCH(sets[i].old);
        else if (PyErr_Occurred())
            return -1;
    }
    return count;
}

/* True for a packed string that has no deadline. */
static int is_plain(PyObject *held) {
    return PyBytes_CheckExact(held) && PyBytes_GET_SIZE(held) >= HEADER_BYTES &&
           (PyBytes_AS_STRING(held)[0] & KIND_AND_DEADLINE) == 0;
}

static PyObject *packed(const char *value, Py_ssize_t size, long long version) {
    PyObject *held = PyBytes_FromStringAndSize(NULL, HEADER_BYTES + size);
    if (held == NULL)
        return NULL;
    unsigned char *at = (unsigned char *)PyBytes_AS_STRING(held);
    unsigned long long word = (unsigned long long)version << VERSION_SHIFT;
    for (int i = 0; i < HEADER_BYTES; i++)
        at[i] = (unsigned char)(word >> (8 * i));
    memcpy(at + HEADER_BYTES, value, (size_t)size);
    return held;
}

/* Put one value in place of `old`, a plain string, or NULL if the key is new. 1: done; 0: not for us, nothing
 * has happened; -1: an exception. */
static int put(Run *run, const Set *set, PyObject *old, const char *value, Py_ssize_t size) {
    int is_new = old == NULL;
    long long grown = size;
    if (!is_new) {
        grown -= PyBytes_GET_SIZE(old) - HEADER_BYTES;
    } else if (PyDict_GET_SIZE(set->bucket) >= run->keys_max) {
        return 0;
    } else {
        grown += run->entry_bytes + PyBytes_GET_SIZE(set->key);
    }
    if (grown > 0 && grown > run->room)
        return 0;
    PyObject *held = packed(value, size, run->changes + 1);
    if (held == NULL)
        return -1;
    run->changed[set->number] = 1;
    int failed = PyDict_SetItem(set->bucket, set->key, held); /* `old` may be gone now */
    Py_DECREF(held);
    if (failed)
        return -1;
    run->fresh += is_new;
    run->changes++;
    run->room -= grown;
    run->grown += grown;
    run->done++;
    return 1;
}

/* True for the one text of a whole number of 64 bits (`numerics.parse_integer`). */
static int is_number(const char *text, Py_ssize_t size, long long *number) {
    int is_negative = size > 0 && text[0] == '-';
    const char *at = text + is_negative, *end = text + size;
    if (at == end || end - at > DIGITS_MAX || (*at == '0' && size > 1))
        return 0;
    unsigned long long sum = 0; /* of 19 digits, so it does not overflow */
    for (; at < end; at++) {
        if (*at < '0' || *at > '9')
            return 0;
        sum = 10 * sum + (unsigned long long)(*at - '0');
    }
    if (sum > LLONG_MAX) /* the least number of all is left to the loop */
        return 0;
    *number = is_negative ? -(long long)sum : (long long)sum;
    return 1;
}

/* Add to one number, and note the total. Returns as `put`. */
static int add(Run *run, const Set *set, PyObject *old) {
    long long number = 0;
    if (old != NULL &&
        !is_number(PyBytes_AS_STRING(old) + HEADER_BYTES, PyBytes_GET_SIZE(old) - HEADER_BYTES, &number))
        return 0;
    if (__builtin_add_overflow(number, run->difference, &number))
        return 0;
    char text[DIGITS_MAX + 2];
    int size = snprintf(text, sizeof text, "%lld", number);
    PyObject *total = PyLong_FromLongLong(number);
    if (total == NULL)
        return -1;
    int is_put = put(run, set, old, text, size);
    if (is_put > 0 && PyList_Append(run->totals, total) < 0)
        is_put = -1;
    Py_DECREF(total);
    return is_put;
}

/* Carry out one command. Returns as `put`. */
static int carry_out_one(Run *run, const Set *set) {
    PyObject *old = PyDict_GetItemWithError(set->bucket, set->key); /* anew: it may be set twice in a run */
    if (old == NULL ? PyErr_Occurred() != NULL : !is_plain(old))
        return old == NULL ? -1 : 0;
    if (run->totals != NULL)
        return add(run, set, old);
    return put(run, set, old, PyBytes_AS_STRING(set->value), PyBytes_GET_SIZE(set->value));
}

/* As far as it goes. -1: an exception, after which the state is good for nothing. */
static int carry_out(Run *run, PyObject *commands, PyObject *name) {
    Set sets[CHUNK];
    Py_ssize_t count = PyTuple_GET_SIZE(commands);
    while (run->done < count) {
        Py_ssize_t wanted = count - run->done < CHUNK ? count - run->done : CHUNK;
        Py_ssize_t found = gather(run, ((PyTupleObject *)commands)->ob_item + run->done, wanted, name, sets);
        if (found < 0 || (found = fetch(sets, found)) < 0)
            return -1;
        for (Py_ssize_t i = 0; i < found; i++) {
            int is_put = carry_out_one(run, &sets[i]);
            if (is_put <= 0)
                return is_put;
        }
        if (found < wanted)
            return 0;
    }
    return 0;
}

static int shift_of(Py_ssize_t buckets) {
    for (int bits = 0; bits < 32; bits++)
        if ((Py_ssize_t)1 << bits == buckets)
            return 32 - bits;
    return -1;
}

#define SHARED_DOC \
    "They are taken for such where they are spelled as the first one is. `buckets` are dicts from keys to\n" \
    "what is held (it stops at any other), `changed` their flags, `changes` the change counter so far, up to\n" \
    "2**59, `room` what the account may still grow, `entry_bytes` what a new key is charged besides its\n" \
    "bytes, both up to 2**62; none of the three is below 0. No dict gets more than `keys_max` keys, and none\n" \
    "is put into `empty`: where that is a bucket, another dict takes its place.\n" \
    "\n"

#define RAISES_DOC \
    " Raises TypeError or ValueError for arguments of another\n" \
    "shape, and MemoryError; after it the buckets may be half changed."

PyDoc_STRVAR(set_run_doc,
             "set_run(commands, buckets, changed, changes, room, entry_bytes, keys_max, empty, /)\n--\n\n"
             "Carry out as many of `commands`, a tuple of tuples, as can be; from the first on. They are SETs\n"
             "with a key and a value.\n\n" SHARED_DOC
             "Returns (how many were carried out, each to be answered OK; by how much the account has grown; how\n"
             "many keys are new)." RAISES_DOC);

PyDoc_STRVAR(add_run_doc,
             "add_run(commands, buckets, changed, changes, room, entry_bytes, keys_max, empty, difference, /)\n"
             "--\n\n"
             "`set_run` of commands with a key alone, each of which adds `difference` to a number.\n\n" SHARED_DOC
             "Returns (the totals, of those that were carried out; by how much the account has grown; how many\n"
             "keys are new)." RAISES_DOC);

/* Carry out a run whose arguments were parsed. False after an exception. */
static int is_carried_out(Run *run, PyObject *commands, PyObject *changed) {
    run->shift = shift_of(PyList_GET_SIZE(run->buckets));
    if (run->changes < 0 || run->changes > CHANGES_MAX || run->room < 0 || run->room > LARGE ||
        run->entry_bytes < 0 || run->entry_bytes > LARGE) {
        PyErr_SetString(PyExc_ValueError, "changes must be from 0 to 2**59, room and entry_bytes to 2**62");
        return 0;
    }
    if (run->shift < 1 || run->shift > 31 || PyByteArray_GET_SIZE(changed) != PyList_GET_SIZE(run->buckets)) {
        PyErr_SetString(PyExc_ValueError, "buckets must be 2, 4, 8 ... in number, with a flag for each");
        return 0;
    }
    PyObject *first = PyTuple_GET_SIZE(commands) ? PyTuple_GET_ITEM(commands, 0) : NULL;
    PyObject *name =
        first && PyTuple_CheckExact(first) && PyTuple_GET_SIZE(first) ? PyTuple_GET_ITEM(first, 0) : NULL;
    if (name == NULL || !PyBytes_CheckExact(name))
        return 1;
    run->changed = PyByteArray_AS_STRING(changed);
    int collects = PyGC_Disable(); /* a new dict may start the cyclic collector, which calls Python code */
    int end = carry_out(run, commands, name);
    if (collects)
        PyGC_Enable();
    return end >= 0;
}

static PyObject *set_run(PyObject *module, PyObject *args) {
    Run run = {.words = 3};
    PyObject *commands, *changed;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!O!LLLnO", &PyTuple_Type, &commands, &PyList_Type, &run.buckets,
                          &PyByteArray_Type, &changed, &run.changes, &run.room, &run.entry_bytes, &run.keys_max,
                          &run.empty))
        return NULL;
    if (!is_carried_out(&run, commands, changed))
        return NULL;
    return Py_BuildValue("nLn", run.done, run.grown, run.fresh);
}

static PyObject *add_run(PyObject *module, PyObject *args) {
    Run run = {.words = 2};
    PyObject *commands, *changed;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!O!LLLnOL", &PyTuple_Type, &commands, &PyList_Type, &run.buckets,
                          &PyByteArray_Type, &changed, &run.changes, &run.room, &run.entry_bytes, &run.keys_max,
                          &run.empty, &run.difference))
        return NULL;
    if ((run.totals = PyList_New(0)) == NULL)
        return NULL;
    if (!is_carried_out(&run, commands, changed)) {
        Py_DECREF(run.totals);
        return NULL;
    }
    return Py_BuildValue("NLn", run.totals, run.grown, run.fresh);
}

static PyMethodDef methods[] = {
    {"set_run", set_run, METH_VARARGS, set_run_doc},
    {"add_run", add_run, METH_VARARGS, add_run_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_runs", "Runs of SETs and of INCRs, with their memory fetched ahead.", -1, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__runs(void) {
    fill_crc_table();
    PyObject *made = PyModule_Create(&module);
    if (made != NULL && (PyModule_AddIntMacro(made, VERSION) || PyModule_AddIntMacro(made, SHORT_KEY_BYTES) ||
                         PyModule_AddIntMacro(made, PACKED_BYTES_MAX)))
        Py_CLEAR(made);
    return made;
}
