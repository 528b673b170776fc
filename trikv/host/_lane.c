/* The way of jobs to a thread and back, and the writes among them: without the interpreter's lock.
 *
 * Why in C: a thread in Python takes that lock four times for a write and its sync, and each time it waits for the
 * main thread, or the main thread for it. That was a tenth of the processor time of a write, and of the time that
 * a client waits for it. Here the thread writes, syncs and answers without the lock; it comes back to Python only
 * for a call of a Python function.
 *
 * It is an accelerator: `lane.py` does the same in Python, and trikv runs without this. Jobs are done in the order
 * in which they were posted, one at a time, which the owner ensures (`trikv.host.worker`). One task of the main
 * thread posts and takes, one thread serves and rings; the descriptors are closed when both have let go of the lane.
 * What a thread needs of a job is written before the job is posted, and read after that: the kernel's counter orders
 * both. Count VERSION up with every change, here and in `lane.py`: an object of an older source must not be loaded.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define VERSION 1

typedef enum { END, CALL, WRITE } Kind;

typedef struct {
    PyObject_HEAD
    int post_fd, done_fd;
    Kind kind;            /* of the job that is under way; END if there is none */
    int fd, syncs, error; /* of the write that was posted last; what became of it */
    long long offset;
    Py_buffer data; /* held until it is taken */
} Lane;

static int counter(int flags) { return eventfd(0, EFD_CLOEXEC | flags); }

/* Count a descriptor up; false if that fails, which only a bug can bring about. */
static int count_up(int fd) {
    uint64_t one = 1;
    ssize_t written;
    do
        written = write(fd, &one, sizeof one);
    while (written < 0 && errno == EINTR);
    return written == (ssize_t)sizeof one;
}

/* Take one off a descriptor, waiting for it if the descriptor waits; false if there is none, or an error. */
static int count_down(int fd) {
    uint64_t count;
    ssize_t taken;
    do
        taken = read(fd, &count, sizeof count);
    while (taken < 0 && errno == EINTR);
    return taken == (ssize_t)sizeof count;
}

/* Write all, in several calls if the kernel takes only parts; returns 0 or an errno. */
static int write_all(int fd, const char *data, Py_ssize_t left, long long offset) {
    while (left > 0) {
        ssize_t written = pwrite(fd, data, (size_t)left, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? errno : EIO; /* no file takes nothing, and says so */
        data += written;
        offset += written;
        left -= written;
    }
    return 0;
}

static int do_write(const Lane *lane) {
    int error = write_all(lane->fd, lane->data.buf, lane->data.len, lane->offset);
    while (error == 0 && lane->syncs && fdatasync(lane->fd) < 0)
        if (errno != EINTR)
            error = errno;
    return error;
}

static PyObject *lane_new(PyTypeObject *type, PyObject *args, PyObject *names) {
    (void)args;
    (void)names;
    Lane *lane = (Lane *)type->tp_alloc(type, 0);
    if (lane == NULL)
        return NULL;
    lane->done_fd = -1;
    if ((lane->post_fd = counter(EFD_SEMAPHORE)) >= 0 && (lane->done_fd = counter(EFD_NONBLOCK | EFD_SEMAPHORE)) >= 0)
        return (PyObject *)lane;
    PyErr_SetFromErrno(PyExc_OSError);
    Py_DECREF(lane);
    return NULL;
}

static void lane_free(Lane *lane) {
    PyTypeObject *type = Py_TYPE(lane);
    if (lane->post_fd >= 0)
        close(lane->post_fd);
    if (lane->done_fd >= 0)
        close(lane->done_fd);
    PyBuffer_Release(&lane->data);
    type->tp_free((PyObject *)lane);
    Py_DECREF(type);
}

PyDoc_STRVAR(fileno_doc, "fileno()\n--\n\nA descriptor that can be read once a job is done.");

static PyObject *lane_fileno(Lane *lane, PyObject *none) {
    (void)none;
    return PyLong_FromLong(lane->done_fd);
}

static PyObject *posted(Lane *lane) {
    if (count_up(lane->post_fd))
        Py_RETURN_NONE;
    PyBuffer_Release(&lane->data);
    return PyErr_SetFromErrno(PyExc_OSError);
}

PyDoc_STRVAR(post_write_doc,
             "post_write(fd, offset, data, syncs, /)\n--\n\n"
             "Post a write of all of `data`, and with `syncs` an fdatasync behind it. Nothing else may be under way.\n"
             "Raises TypeError for arguments of another kind, ValueError if a write is under way.");

static PyObject *lane_post_write(Lane *lane, PyObject *args) {
    Py_buffer data;
    int fd, syncs;
    long long offset;
    if (!PyArg_ParseTuple(args, "iLy*p", &fd, &offset, &data, &syncs))
        return NULL;
    if (lane->data.obj != NULL) {
        PyBuffer_Release(&data);
        PyErr_SetString(PyExc_ValueError, "a write is under way");
        return NULL;
    }
    lane->kind = WRITE;
    lane->fd = fd;
    lane->offset = offset;
    lane->data = data;
    lane->syncs = syncs;
    lane->error = 0;
    return posted(lane);
}

PyDoc_STRVAR(post_call_doc, "post_call()\n--\n\nLet `serve` return True. Nothing else may be under way.");

static PyObject *lane_post_call(Lane *lane, PyObject *none) {
    (void)none;
    lane->kind = CALL;
    return posted(lane);
}

PyDoc_STRVAR(post_end_doc, "post_end()\n--\n\nLet `serve` return False, after the job that is under way.");

static PyObject *lane_post_end(Lane *lane, PyObject *none) {
    (void)none;
    /* `kind` may be that of a job that is under way; behind it, it is END. */
    return posted(lane);
}

PyDoc_STRVAR(serve_doc,
             "serve()\n--\n\n"
             "Do what is posted until something is not for this lane: True for a call, False for the end.\n"
             "For the thread. It waits without the interpreter's lock. Raises OSError if the kernel refuses to.");

static PyObject *lane_serve(Lane *lane, PyObject *none) {
    int is_posted, answers = 1;
    (void)none;
    Py_BEGIN_ALLOW_THREADS
    /* A job comes before the end that was posted while it was under way. */
    while ((is_posted = count_down(lane->post_fd)) && lane->kind == WRITE) {
        lane->error = do_write(lane);
        lane->kind = END;
        if (!(answers = count_up(lane->done_fd)))
            break;
    }
    Py_END_ALLOW_THREADS
    if (!is_posted || !answers)
        return PyErr_SetFromErrno(PyExc_OSError);
    int is_call = lane->kind == CALL;
    lane->kind = END;
    return PyBool_FromLong(is_call);
}

PyDoc_STRVAR(ring_doc, "ring()\n--\n\nThe call that `serve` has told of is done. For the thread.");

static PyObject *lane_ring(Lane *lane, PyObject *none) {
    (void)none;
    if (!count_up(lane->done_fd))
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(take_doc, "take()\n--\n\n"
                       "The job is done: returns the errno of a write that has failed, else 0.\n"
                       "Raises BlockingIOError if it is not done.");

static PyObject *lane_take(Lane *lane, PyObject *none) {
    (void)none;
    if (!count_down(lane->done_fd))
        return PyErr_SetFromErrno(PyExc_OSError);
    int error = lane->error;
    lane->error = 0;
    PyBuffer_Release(&lane->data);
    return PyLong_FromLong(error);
}

#define METHOD(name, flags) {#name, (PyCFunction)(void (*)(void))lane_##name, flags, name##_doc}

static PyMethodDef lane_methods[] = {
    METHOD(fileno, METH_NOARGS),
    METHOD(post_write, METH_VARARGS),
    METHOD(post_call, METH_NOARGS),
    METHOD(post_end, METH_NOARGS),
    METHOD(serve, METH_NOARGS),
    METHOD(ring, METH_NOARGS),
    METHOD(take, METH_NOARGS),
    {NULL, NULL, 0, NULL},
};

static PyType_Slot lane_slots[] = {
    {Py_tp_new, lane_new},
    {Py_tp_dealloc, lane_free},
    {Py_tp_methods, lane_methods},
    {Py_tp_doc, "The way of jobs to a thread and back."},
    {0, NULL},
};

static PyType_Spec lane_spec = {
    .name = "trikv.host._lane.Lane",
    .basicsize = sizeof(Lane),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = lane_slots,
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_lane", "Jobs for a thread.", -1, NULL, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__lane(void) {
    PyObject *made = PyModule_Create(&module), *type = NULL;
    if (made == NULL || (type = PyType_FromSpec(&lane_spec)) == NULL || PyModule_AddObjectRef(made, "Lane", type) < 0 ||
        PyModule_AddIntMacro(made, VERSION) < 0)
        Py_CLEAR(made);
    Py_XDECREF(type);
    return made;
}
