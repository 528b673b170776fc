/* Many elements of a collection at once: where they belong, how they are put there and drawn.
 *
 * Why in C: in Python, to find the part of one element takes half a microsecond and to put it there one more,
 * and each replica does both for each element that is written. Here both take a tenth. docs/PERFORMANCE.md has
 * the figures. And with a million elements each is waited for some times, in part, table, name and value; here
 * the memory of 64 is asked for ahead.
 *
 * It is an accelerator and no second state machine: `quick.py` does the same in Python, and trikv runs without
 * this. `put` does the beginning of what it was given and says how far it came. What it does not know ends its
 * part: a part that a cut may hold, one that has to be split, what is neither a string nor a score.
 *
 * The interpreter's lock is held throughout, no Python code runs in between, and no pointer outlives the call.
 * Count VERSION up with every change, here and in `quick.py`: an object of an older source must not be loaded.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#define VERSION 5
#define CHUNK 64 /* elements whose memory is asked for at once */

#if defined(__GNUC__) || defined(__clang__)
#define PREFETCH(address) __builtin_prefetch(address)
#define ALWAYS_INLINE inline __attribute__((always_inline))
#else
#define PREFETCH(address) ((void)(address))
#define ALWAYS_INLINE inline
#endif

/* BLAKE2b (RFC 7693), keyed. */

#define BLOCK_BYTES 128
#define KEY_BYTES_MAX 64
#define HASH_BYTES 4 /* the first of the digest are wanted */

static const uint64_t IV[8] = {
    0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
    0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
};

static const uint8_t SIGMA[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

/* What all elements of one value share. */
typedef struct {
    uint64_t empty[8]; /* the state before the block of the key */
    uint64_t keyed[8]; /* and behind it */
    unsigned char key[BLOCK_BYTES];
    uint64_t key_bytes; /* of that block: 0 if there is no key, else all */
    uint64_t low; /* 2**level - 1 */
    uint64_t split;
} Shape;

static uint64_t word_at(const unsigned char *at) {
    return (uint64_t)at[0] | (uint64_t)at[1] << 8 | (uint64_t)at[2] << 16 | (uint64_t)at[3] << 24 |
           (uint64_t)at[4] << 32 | (uint64_t)at[5] << 40 | (uint64_t)at[6] << 48 | (uint64_t)at[7] << 56;
}

static uint64_t rotated(uint64_t word, int bits) { return word >> bits | word << (64 - bits); }

static ALWAYS_INLINE void mix(uint64_t *v, int a, int b, int c, int d, uint64_t x, uint64_t y) {
    v[a] += v[b] + x;
    v[d] = rotated(v[d] ^ v[a], 32);
    v[c] += v[d];
    v[b] = rotated(v[b] ^ v[c], 24);
    v[a] += v[b] + y;
    v[d] = rotated(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = rotated(v[b] ^ v[c], 63);
}

static ALWAYS_INLINE void mix_all(uint64_t *v, const uint64_t *m, const uint8_t *s) {
    mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
    mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
    mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
    mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
    mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
    mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
    mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
    mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
}

/* Section 3.2. `counted`: bytes so far, those of `block` included. */
static void compress(uint64_t *h, const unsigned char *block, uint64_t counted, int is_last) {
    uint64_t v[16], m[16];
    for (int i = 0; i < 8; i++) {
        v[i] = h[i];
        v[i + 8] = IV[i];
    }
    v[12] ^= counted;
    if (is_last)
        v[14] = ~v[14];
    for (int i = 0; i < 16; i++)
        m[i] = word_at(block + 8 * i);
    /* One by one: then the compiler knows the words of each round, and has the state in registers. */
    mix_all(v, m, SIGMA[0]);
    mix_all(v, m, SIGMA[1]);
    mix_all(v, m, SIGMA[2]);
    mix_all(v, m, SIGMA[3]);
    mix_all(v, m, SIGMA[4]);
    mix_all(v, m, SIGMA[5]);
    mix_all(v, m, SIGMA[6]);
    mix_all(v, m, SIGMA[7]);
    mix_all(v, m, SIGMA[8]);
    mix_all(v, m, SIGMA[9]);
    mix_all(v, m, SIGMA[0]);
    mix_all(v, m, SIGMA[1]);
    for (int i = 0; i < 8; i++)
        h[i] ^= v[i] ^ v[i + 8];
}

/* The state before any block: `digest_bytes` are wanted, under a key of so many bytes. */
static void begin(uint64_t *h, uint64_t digest_bytes, Py_ssize_t key_bytes) {
    memcpy(h, IV, sizeof IV);
    h[0] ^= 0x01010000 ^ (uint64_t)key_bytes << 8 ^ digest_bytes;
}

/* `Members.hashed`: the first four bytes, least first. */
static uint32_t hash_of(const Shape *shape, PyObject *member) {
    const unsigned char *at = (const unsigned char *)PyBytes_AS_STRING(member);
    Py_ssize_t left = PyBytes_GET_SIZE(member);
    uint64_t h[8];
    if (left == 0) { /* the block of the key is the last */
        memcpy(h, shape->empty, sizeof h);
        compress(h, shape->key, shape->key_bytes, 1);
        return (uint32_t)h[0];
    }
    memcpy(h, shape->keyed, sizeof h);
    uint64_t counted = shape->key_bytes;
    for (; left > BLOCK_BYTES; left -= BLOCK_BYTES, at += BLOCK_BYTES) {
        counted += BLOCK_BYTES;
        compress(h, at, counted, 0);
    }
    unsigned char block[BLOCK_BYTES] = {0};
    memcpy(block, at, (size_t)left);
    compress(h, block, counted + (uint64_t)left, 1);
    return (uint32_t)h[0];
}

/* `Members.place_of`. */
static Py_ssize_t place_of(const Shape *shape, PyObject *member) {
    if (shape->low + shape->split == 0)
        return 0;
    uint64_t hashed = hash_of(shape, member), place = hashed & shape->low;
    return (Py_ssize_t)(place < shape->split ? hashed & (2 * shape->low + 1) : place);
}

/* False after an exception. */
static int is_shape(Shape *shape, PyObject *secret, int level, long long split) {
    if (level < 0 || level > 31 || split < 0 || split >= 1LL << level || PyBytes_GET_SIZE(secret) > KEY_BYTES_MAX) {
        PyErr_SetString(PyExc_ValueError, "the level is below 32, the split below 2**level, a secret of 64 bytes at most");
        return 0;
    }
    shape->low = (1ULL << level) - 1;
    shape->split = (uint64_t)split;
    memset(shape->key, 0, sizeof shape->key);
    memcpy(shape->key, PyBytes_AS_STRING(secret), (size_t)PyBytes_GET_SIZE(secret));
    begin(shape->empty, HASH_BYTES, PyBytes_GET_SIZE(secret));
    memcpy(shape->keyed, shape->empty, sizeof IV);
    shape->key_bytes = PyBytes_GET_SIZE(secret) ? BLOCK_BYTES : 0;
    if (shape->key_bytes)
        compress(shape->keyed, shape->key, BLOCK_BYTES, 0);
    return 1;
}

PyDoc_STRVAR(places_doc, "places(members, secret, level, split, /)\n--\n\n"
                         "The places of the parts that `members`, a list of bytes, belong to.\n\n"
                         "`level` and `split` are those of the value. Raises TypeError or ValueError for arguments\n"
                         "of another shape.");

static PyObject *places(PyObject *module, PyObject *args) {
    PyObject *members, *secret;
    int level;
    long long split;
    Shape shape;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!SiL", &PyList_Type, &members, &secret, &level, &split) ||
        !is_shape(&shape, secret, level, split))
        return NULL;
    Py_ssize_t count = PyList_GET_SIZE(members);
    PyObject *found = PyList_New(count);
    if (found == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *member = PyList_GET_ITEM(members, i);
        if (!PyBytes_CheckExact(member)) {
            PyErr_SetString(PyExc_TypeError, "a member is no bytes");
            Py_DECREF(found);
            return NULL;
        }
        PyObject *place = PyLong_FromSsize_t(place_of(&shape, member));
        if (place == NULL) {
            Py_DECREF(found);
            return NULL;
        }
        PyList_SET_ITEM(found, i, place);
    }
    return found;
}

PyDoc_STRVAR(nth_doc, "nth(part, at, /)\n--\n\n"
                      "The key at that place of a dict, from 0. Raises IndexError if it has fewer.");

static PyObject *nth(PyObject *module, PyObject *args) {
    PyObject *part, *key;
    Py_ssize_t at, position = 0;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!n", &PyDict_Type, &part, &at))
        return NULL;
    if (at >= 0 && at < PyDict_GET_SIZE(part))
        while (PyDict_Next(part, &position, &key, NULL))
            if (at-- == 0)
                return Py_NewRef(key);
    PyErr_SetString(PyExc_IndexError, "the part has fewer elements");
    return NULL;
}

PyDoc_STRVAR(untrack_doc, "untrack(members, /)\n--\n\n"
                          "Let the cyclic collector never look into a list that holds nothing but bytes; returns it.\n\n"
                          "Raises TypeError for anything but a list.");

static PyObject *untrack(PyObject *module, PyObject *members) {
    (void)module;
    if (!PyList_CheckExact(members)) {
        PyErr_SetString(PyExc_TypeError, "this is no list");
        return NULL;
    }
    PyObject_GC_UnTrack(members); /* harmless for one that is not tracked, as it is again where it is freed */
    return Py_NewRef(members);
}

/* What CPython reads for a look-up in a dict, one after the other: its table, a slot of it, the entry that the slot
 * names, and its key. Each of them is waited for in a value of a million elements, so `fetch` asks for all of them
 * ahead. No public header says how they lie in memory. It is known for some versions, and tried at import; with others
 * `fetch` asks for less. Nothing but the time depends on it. */
#if PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x030E0000 && !defined(Py_GIL_DISABLED)
#define HAS_TABLES 1
#else
#define HAS_TABLES 0
#endif

typedef struct {
    Py_ssize_t references;
    uint8_t log2_slots, log2_slot_bytes, kind; /* the second is of all slots */
    uint32_t version;
    Py_ssize_t usable, entries;
    char slots[]; /* numbers of 8 or 16 bits, which say which entry; the entries follow */
} Table;

typedef struct {
    Py_hash_t hash;
    PyObject *key, *value;
} Entry;

#define ANY_KEYS 0 /* the kind whose keys may be other objects than str */

static int knows_tables = 0;

/* The table of a dict; NULL if it is of another kind, or has more slots than a part ever has. */
static const Table *table_of(PyObject *part) {
    const Table *table = PyDict_CheckExact(part) ? (const Table *)((PyDictObject *)part)->ma_keys : NULL;
    return table != NULL && table->kind == ANY_KEYS && table->log2_slots < 16 ? table : NULL;
}

/* The slot where a look-up begins. `member` is bytes, which have a hash. */
static const char *slot_of(const Table *table, PyObject *member) {
    size_t slot = (size_t)PyObject_Hash(member) & (((size_t)1 << table->log2_slots) - 1);
    return table->slots + (table->log2_slots < 8 ? slot : 2 * slot);
}

/* The entry that a slot names; NULL if it names none. */
static const Entry *entry_of(const Table *table, const char *slot) {
    Py_ssize_t number = table->log2_slots < 8 ? *(const int8_t *)slot : *(const int16_t *)slot;
    return number < 0 ? NULL : (const Entry *)(table->slots + ((size_t)1 << table->log2_slot_bytes)) + number;
}

/* A dict of so many members; NULL after an exception. `key` is the last one, for as long as the dict is there. */
static PyObject *dict_of(int count, PyObject **key) {
    PyObject *part = PyDict_New();
    for (int i = 0; part != NULL && i < count; i++) {
        *key = PyBytes_FromFormat("member %d", i);
        if (*key == NULL || PyDict_SetItem(part, *key, Py_None) < 0)
            Py_CLEAR(part);
        Py_XDECREF(*key);
    }
    return part;
}

/* Whether that is so here: for dicts with slots of both sizes. -1 after an exception. */
static int try_tables(void) {
    int is_so = HAS_TABLES;
    for (int count = 1; is_so && count <= 1000; count += 333) {
        PyObject *key, *part = dict_of(count, &key);
        if (part == NULL)
            return -1;
        const Table *table = table_of(part);
        if ((is_so = table != NULL && table->entries == count)) {
            const char *entries = table->slots + ((size_t)1 << table->log2_slot_bytes);
            const Entry *last = (const Entry *)entries + count - 1;
            is_so = last->key == key && last->value == Py_None && last->hash == PyObject_Hash(key);
        }
        Py_DECREF(part);
    }
    return is_so;
}

/* What a look-up in a part will read. */
typedef struct {
    const Table *table;
    const char *slot;
    const Entry *entry;
} LookUp;

/* Have on its way what look-ups of these members read, whose parts are. Each step asks for what the next one reads. */
static void fetch_entries(PyObject *parts, PyObject **members, Py_ssize_t count, const Py_ssize_t *places) {
    LookUp ahead[CHUNK];
    for (Py_ssize_t i = 0; i < count; i++) {
        LookUp *one = &ahead[i];
        one->entry = NULL;
        one->table = PyBytes_CheckExact(members[i]) ? table_of(PyList_GET_ITEM(parts, places[i])) : NULL;
        if (one->table != NULL) {
            one->slot = slot_of(one->table, members[i]);
            PREFETCH(one->slot);
        }
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        LookUp *one = &ahead[i];
        if (one->table != NULL && (one->entry = entry_of(one->table, one->slot)) != NULL) {
            PREFETCH(&one->entry->hash);
            PREFETCH(&one->entry->value);
        }
    }
    for (Py_ssize_t i = 0; i < count; i++)
        if (ahead[i].entry != NULL) {
            PREFETCH(ahead[i].entry->key);
            PREFETCH((const char *)ahead[i].entry->key + sizeof(PyBytesObject));
            PREFETCH(ahead[i].entry->value);
        }
}

/* Find the places of a chunk of members, which are bytes in so many parts, and have their memory on its way. False
 * after an exception. */
static int fetch(const Shape *shape, PyObject *parts, PyObject **members, Py_ssize_t count, Py_ssize_t *places) {
    for (Py_ssize_t i = 0; i < count; i++) {
        places[i] = PyBytes_CheckExact(members[i]) ? place_of(shape, members[i]) : 0;
        PREFETCH(PyList_GET_ITEM(parts, places[i]));
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *part = PyList_GET_ITEM(parts, places[i]);
        if (PyDict_CheckExact(part))
            PREFETCH(((PyDictObject *)part)->ma_keys);
    }
    if (knows_tables) {
        fetch_entries(parts, members, count, places);
        return 1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *part = PyList_GET_ITEM(parts, places[i]);
        if (!PyDict_CheckExact(part) || !PyBytes_CheckExact(members[i]))
            continue;
        PyObject *old = PyDict_GetItemWithError(part, members[i]);
        if (old != NULL)
            PREFETCH(old);
        else if (PyErr_Occurred())
            return 0;
    }
    return 1;
}

PyDoc_STRVAR(get_doc, "get(members, default, parts, secret, level, split, /)\n--\n\n"
                      "What belongs to each of `members`, a list of bytes; `default` for those that are in no part.\n\n"
                      "Raises TypeError or ValueError for arguments of another shape.");

static PyObject *get(PyObject *module, PyObject *args) {
    PyObject *members, *otherwise, *parts, *secret;
    int level;
    long long split;
    Shape shape;
    Py_ssize_t places[CHUNK];
    (void)module;
    if (!PyArg_ParseTuple(args, "O!OO!SiL", &PyList_Type, &members, &otherwise, &PyList_Type, &parts, &secret, &level,
                          &split) ||
        !is_shape(&shape, secret, level, split))
        return NULL;
    if (PyList_GET_SIZE(parts) != (Py_ssize_t)(shape.low + 1 + shape.split)) {
        PyErr_SetString(PyExc_ValueError, "these are not as many parts as the shape says");
        return NULL;
    }
    Py_ssize_t count = PyList_GET_SIZE(members);
    PyObject *found = PyList_New(count);
    if (found == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < count; i++) {
        Py_ssize_t left = count - i < CHUNK ? count - i : CHUNK;
        if (i % CHUNK == 0 && !fetch(&shape, parts, ((PyListObject *)members)->ob_item + i, left, places))
            goto failed;
        PyObject *member = PyList_GET_ITEM(members, i), *part = PyList_GET_ITEM(parts, places[i % CHUNK]);
        if (!PyBytes_CheckExact(member) || !PyDict_CheckExact(part)) {
            PyErr_SetString(PyExc_TypeError, "a member is no bytes, or a part no dict");
            goto failed;
        }
        PyObject *one = PyDict_GetItemWithError(part, member);
        if (one == NULL && PyErr_Occurred())
            goto failed;
        PyList_SET_ITEM(found, i, Py_NewRef(one == NULL ? otherwise : one));
    }
    return found;
failed:
    Py_DECREF(found);
    return NULL;
}

/* The value that is changed, and what was done to it so far. `fresh` is for `put` alone. */
typedef struct {
    Shape shape;
    PyObject *members, *belongings, *parts, *owners, *hashes, *fresh;
    long long own_from, most, grown;
    Py_ssize_t places[CHUNK];
} Put;

/* What the account charges for what belongs to an element, besides what it charges for each; -1: not known here. */
static long long size_of(PyObject *belonging) {
    if (PyBytes_CheckExact(belonging))
        return PyBytes_GET_SIZE(belonging);
    return belonging == Py_None || PyFloat_CheckExact(belonging) ? 0 : -1;
}

/* True if the part at that place belongs to the value alone. */
static int is_own(const Put *put, Py_ssize_t place) {
    PyObject *owner = PyList_GET_ITEM(put->owners, place);
    if (!PyLong_CheckExact(owner))
        return 0;
    int overflow;
    long long epoch = PyLong_AsLongLongAndOverflow(owner, &overflow);
    return !overflow && epoch >= put->own_from;
}

/* Have the next chunk of elements on its way, if `at`, counted from `first`, begins one. False after an exception. */
static int is_fetched(Put *put, Py_ssize_t first, Py_ssize_t at) {
    Py_ssize_t left = PyList_GET_SIZE(put->members) - at;
    if ((at - first) % CHUNK)
        return 1;
    return fetch(&put->shape, put->parts, ((PyListObject *)put->members)->ob_item + at, left < CHUNK ? left : CHUNK,
                 put->places);
}

/* Put one element, whose place is known. 1: done; 0: not for us, nothing has happened; -1: an exception. */
static int put_one(Put *put, Py_ssize_t at, Py_ssize_t place) {
    PyObject *member = PyList_GET_ITEM(put->members, at);
    PyObject *belonging = put->belongings == Py_None ? Py_None : PyList_GET_ITEM(put->belongings, at);
    long long size = size_of(belonging);
    if (!PyBytes_CheckExact(member) || size < 0)
        return 0;
    PyObject *part = PyList_GET_ITEM(put->parts, place);
    if (!PyDict_CheckExact(part) || !is_own(put, place))
        return 0;
    PyObject *old = PyDict_GetItemWithError(part, member);
    if (old == NULL && PyErr_Occurred())
        return -1;
    long long grown = size + PyBytes_GET_SIZE(member);
    if (old != NULL) {
        long long old_size = size_of(old);
        if (old_size < 0)
            return 0;
        grown = size - old_size;
    } else if (put->most == 0) {
        return 0;
    }
    int is_new = old == NULL;
    if (PyDict_SetItem(part, member, belonging) < 0 || /* `old` may be gone now */
        PyList_SetItem(put->hashes, place, Py_NewRef(Py_None)) < 0 ||
        PyList_Append(put->fresh, is_new ? Py_True : Py_False) < 0)
        return -1;
    put->most -= is_new;
    put->grown += grown;
    return 1;
}

/* False after an exception. */
static int is_matching(const Put *put, Py_ssize_t first) {
    Py_ssize_t count = PyList_GET_SIZE(put->members), parts = PyList_GET_SIZE(put->parts);
    if (first >= 0 && put->most >= 0 && parts == (Py_ssize_t)(put->shape.low + 1 + put->shape.split) &&
        PyList_GET_SIZE(put->owners) == parts && PyList_GET_SIZE(put->hashes) == parts &&
        (put->belongings == Py_None ||
         (PyList_CheckExact(put->belongings) && PyList_GET_SIZE(put->belongings) == count)))
        return 1;
    PyErr_SetString(PyExc_ValueError, "members and belongings, or parts and what belongs to them, do not match");
    return 0;
}

PyDoc_STRVAR(put_doc,
             "put(members, belongings, first, parts, owners, hashes, own_from, secret, level, split, most, /)\n--\n\n"
             "Put as many elements into their parts as can be, from the one at `first` on.\n\n"
             "`members` is a list of their names, `belongings` a list of as many bytes or floats, or None if\n"
             "nothing belongs to an element. Of the value come `parts`, with their `owners` and `hashes`, which\n"
             "are set to None where a part changes, `own_from`, `level`, `split`, and how many may be new\n"
             "at `most`. It stops at a part of an older owner than `own_from`, and at what it does not know.\n\n"
             "Returns (for each that was put whether it is new; by how many bytes names and belongings have\n"
             "grown). Raises TypeError or ValueError for arguments of another shape, and MemoryError; after it\n"
             "the parts may be half changed.");

static PyObject *put(PyObject *module, PyObject *args) {
    Put put = {0};
    PyObject *secret;
    Py_ssize_t first;
    int level;
    long long split;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!OnO!O!O!LSiLL", &PyList_Type, &put.members, &put.belongings, &first, &PyList_Type,
                          &put.parts, &PyList_Type, &put.owners, &PyList_Type, &put.hashes, &put.own_from, &secret,
                          &level, &split, &put.most) ||
        !is_shape(&put.shape, secret, level, split) || !is_matching(&put, first))
        return NULL;
    if ((put.fresh = PyList_New(0)) == NULL)
        return NULL;
    for (Py_ssize_t i = first; i < PyList_GET_SIZE(put.members); i++) {
        int is_put = is_fetched(&put, first, i) ? put_one(&put, i, put.places[(i - first) % CHUNK]) : -1;
        if (is_put < 0) {
            Py_DECREF(put.fresh);
            return NULL;
        }
        if (!is_put)
            break;
    }
    return Py_BuildValue("NL", put.fresh, put.grown);
}

/* Take one element out. Returns as `put_one`. */
static int remove_one(Put *put, Py_ssize_t at, Py_ssize_t place) {
    PyObject *member = PyList_GET_ITEM(put->members, at);
    if (!PyBytes_CheckExact(member) || put->most == 0)
        return 0;
    PyObject *part = PyList_GET_ITEM(put->parts, place);
    if (!PyDict_CheckExact(part) || !is_own(put, place))
        return 0;
    PyObject *old = PyDict_GetItemWithError(part, member);
    long long size = old == NULL ? -1 : size_of(old);
    if (size < 0)
        return PyErr_Occurred() ? -1 : 0;
    if (PyDict_DelItem(part, member) < 0 || PyList_SetItem(put->hashes, place, Py_NewRef(Py_None)) < 0)
        return -1;
    put->most--;
    put->grown -= size + PyBytes_GET_SIZE(member);
    return 1;
}

PyDoc_STRVAR(
    remove_doc,
    "remove(members, first, parts, owners, hashes, own_from, secret, level, split, most, /)\n--\n\n"
    "Take as many elements out of their parts as can be, from the one at `first` on, and no more than `most`.\n\n"
    "The arguments are those of `put`; it stops where `put` stops, and at a member that is not there.\n\n"
    "Returns (how many were taken out; by how many bytes names and belongings have grown, so no more than 0).\n"
    "Raises as `put`.");

static PyObject *remove_(PyObject *module, PyObject *args) {
    Put put = {.belongings = Py_None};
    PyObject *secret;
    Py_ssize_t first;
    int level;
    long long split;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!nO!O!O!LSiLL", &PyList_Type, &put.members, &first, &PyList_Type, &put.parts,
                          &PyList_Type, &put.owners, &PyList_Type, &put.hashes, &put.own_from, &secret, &level,
                          &split, &put.most) ||
        !is_shape(&put.shape, secret, level, split) || !is_matching(&put, first))
        return NULL;
    Py_ssize_t at = first;
    for (; at < PyList_GET_SIZE(put.members); at++) {
        int is_removed = is_fetched(&put, first, at) ? remove_one(&put, at, put.places[(at - first) % CHUNK]) : -1;
        if (is_removed < 0)
            return NULL;
        if (!is_removed)
            break;
    }
    return Py_BuildValue("nL", at - first, put.grown);
}

/* `trikv.machine.draws.Draws`, of a command that has drawn nothing yet. */

#define BOUND_MAX (1LL << 48)
#define DEVIATIONS 9 /* as `quick.DEVIATIONS` */
#define ROW_NUMBERS 8
#define DRAWS_MAX 10000 /* as `quick.DRAWS_MAX` */

typedef struct {
    PyObject *key;
    uint64_t counter;
    uint64_t row[ROW_NUMBERS];
    int left; /* of the row */
} Draws;

static uint64_t reversed(uint64_t word) {
    uint64_t other = 0;
    for (int i = 0; i < 8; i++, word >>= 8)
        other = other << 8 | (word & 255);
    return other;
}

static uint64_t next_number(Draws *draws) {
    if (draws->left == 0) {
        unsigned char block[BLOCK_BYTES] = {0};
        Py_ssize_t key_bytes = PyBytes_GET_SIZE(draws->key);
        begin(draws->row, 8 * ROW_NUMBERS, key_bytes);
        memcpy(block, PyBytes_AS_STRING(draws->key), (size_t)key_bytes);
        compress(draws->row, block, BLOCK_BYTES, 0);
        memset(block, 0, sizeof block);
        for (int i = 0; i < 8; i++)
            block[i] = (unsigned char)(draws->counter >> (56 - 8 * i));
        compress(draws->row, block, BLOCK_BYTES + 8, 1);
        draws->counter++;
        draws->left = ROW_NUMBERS;
    }
    return reversed(draws->row[ROW_NUMBERS - draws->left--]);
}

/* `Draws.below`. */
static uint64_t below(Draws *draws, uint64_t bound) {
    uint64_t over = (UINT64_MAX % bound + 1) % bound; /* as many of the greatest numbers are drawn again */
    uint64_t number;
    do
        number = next_number(draws);
    while (number > UINT64_MAX - over);
    return number % bound;
}

/* `quick.row_bound`. */
static uint64_t row_bound(uint64_t count, int level, Py_ssize_t parts) {
    if (parts == 1)
        return count;
    uint64_t mean = (count >> level) + 1, root = 0;
    for (uint64_t bit = 1ULL << 24; bit; bit >>= 1) /* of less than 2**48 */
        if ((root + bit) * (root + bit) <= mean)
            root += bit;
    return mean + DEVIATIONS * (root + 1);
}

/* Take out the element that `draws` give. Returns as `put_one`; the name goes to `fresh`. */
static int pop_one(Put *put, Draws *draws, uint64_t row) {
    Py_ssize_t parts = PyList_GET_SIZE(put->parts), place, at;
    PyObject *part, *member, *belonging;
    int left = DRAWS_MAX;
    do {
        if (left-- == 0) {
            PyErr_SetString(PyExc_RuntimeError, "the parts have far fewer elements than were counted");
            return -1;
        }
        uint64_t drawn = below(draws, (uint64_t)parts * row);
        place = (Py_ssize_t)(drawn / row);
        at = (Py_ssize_t)(drawn % row);
        part = PyList_GET_ITEM(put->parts, place);
        if (!PyDict_CheckExact(part))
            return 0;
    } while (at >= PyDict_GET_SIZE(part));
    if (!is_own(put, place))
        return 0;
    Py_ssize_t position = 0;
    do
        PyDict_Next(part, &position, &member, &belonging);
    while (at--);
    if (!PyBytes_CheckExact(member) || size_of(belonging) < 0)
        return 0;
    long long size = PyBytes_GET_SIZE(member) + size_of(belonging);
    if (PyList_Append(put->fresh, member) < 0 || PyDict_DelItem(part, member) < 0 ||
        PyList_SetItem(put->hashes, place, Py_NewRef(Py_None)) < 0)
        return -1;
    put->grown -= size;
    return 1;
}

PyDoc_STRVAR(pop_doc,
             "pop(keys, parts, owners, hashes, own_from, level, count, least, /)\n--\n\n"
             "Take out an element for each of `keys`: the one that a command draws whose numbers have that key.\n\n"
             "Of the value come `parts` and what belongs to them, as for `put`, `level`, and `count`, which must\n"
             "be the number of its elements. It stops where `put` stops, and when `least` are left.\n\n"
             "Returns (the names of those that were taken out; by how many bytes names and belongings have grown,\n"
             "so no more than 0). Raises as `put`, and RuntimeError if there are far fewer elements than `count`.");

static PyObject *pop(PyObject *module, PyObject *args) {
    Put put = {.belongings = Py_None};
    int level;
    long long count, least;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!O!O!LiLL", &PyList_Type, &put.members, &PyList_Type, &put.parts, &PyList_Type,
                          &put.owners, &PyList_Type, &put.hashes, &put.own_from, &level, &count, &least))
        return NULL;
    Py_ssize_t parts = PyList_GET_SIZE(put.parts);
    if (parts == 0 || PyList_GET_SIZE(put.owners) != parts || PyList_GET_SIZE(put.hashes) != parts || level < 0 ||
        level > 31 || least < 0 || count < 0 || count >= BOUND_MAX ||
        row_bound((uint64_t)count, level, parts) > (uint64_t)(BOUND_MAX / parts)) {
        PyErr_SetString(PyExc_ValueError, "parts and what belongs to them do not match, or are not so many");
        return NULL;
    }
    if ((put.fresh = PyList_New(0)) == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(put.members) && count > least; i++, count--) {
        Draws draws = {.key = PyList_GET_ITEM(put.members, i)};
        int is_key = PyBytes_CheckExact(draws.key) && PyBytes_GET_SIZE(draws.key) > 0 &&
                     PyBytes_GET_SIZE(draws.key) <= KEY_BYTES_MAX;
        if (!is_key)
            PyErr_SetString(PyExc_TypeError, "a key is bytes, of 1 to 64");
        int is_taken = is_key ? pop_one(&put, &draws, row_bound((uint64_t)count, level, parts)) : -1;
        if (is_taken < 0) {
            Py_DECREF(put.fresh);
            return NULL;
        }
        if (!is_taken)
            break;
    }
    return Py_BuildValue("NL", put.fresh, put.grown);
}

static PyMethodDef methods[] = {
    {"places", places, METH_VARARGS, places_doc},
    {"get", get, METH_VARARGS, get_doc},
    {"nth", nth, METH_VARARGS, nth_doc},
    {"put", put, METH_VARARGS, put_doc},
    {"remove", remove_, METH_VARARGS, remove_doc},
    {"pop", pop, METH_VARARGS, pop_doc},
    {"untrack", untrack, METH_O, untrack_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_parts", "Many elements at once.", -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__parts(void) {
    PyObject *made = PyModule_Create(&module);
    knows_tables = try_tables();
    if (made != NULL && (knows_tables < 0 || PyModule_AddIntMacro(made, VERSION)))
        Py_CLEAR(made);
    return made;
}
