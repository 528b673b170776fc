/* The way of jobs to a thread and back, and the writes among them: without the interpreter's lock.
 *
 * Why in C: a thread in Python takes that lock four times for a write and its sync, and each time it waits for the
 * main thread, or the main thread for it. That was a tenth of the processor time of a write, and of the time that
 * a client waits for it. Here the thread writes, syncs and answers without the lock; it comes back to Python only
 * for a call of a Python function.
 *
 * It is an accelerator: `handoff.py` does the same in Python, and trikv runs without this. Jobs are done in the order
 * in which they were posted, one at a time, which the owner ensures (`trikv.host.worker`). One task of the main
 * thread posts and takes, one thread serves and rings; the descriptors are closed when both have let go of it.
 * What a thread needs of a job is written before the job is posted, and read after that: the kernel's counter orders
 * both. Count VERSION up with every change, here and in `handoff.py`: an object of an older source must not be loaded.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define VERSION 2

typedef enum { END, CALL, WRITE } Kind;

typedef struct {
    PyObject_HEAD
    int post_fd, done_fd;
    Kind kind;            /* of the job that is under way; END if there is none */
    int fd, syncs, error; /* of the write that was posted last; what became of it */
    long long offset;
    Py_buffer data; /* held until it is taken */
} Handoff;

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
            return written < 0 ? errno : EIO; /* without an error, nothing written: or this would never end */
        data += written;
        offset += written;
        left -= written;
    }
    return 0;
}

static int do_write(const Handoff *handoff) {
    int error = write_all(handoff->fd, handoff->data.buf, handoff->data.len, handoff->offset);
    while (error == 0 && handoff->syncs && fdatasync(handoff->fd) < 0)
        if (errno != EINTR)
            error = errno;
    return error;
}

static PyObject *handoff_new(PyTypeObject *type, PyObject *args, PyObject *names) {
    (void)args;
    (void)names;
    Handoff *handoff = (Handoff *)type->tp_alloc(type, 0);
    if (handoff == NULL)
        return NULL;
    handoff->done_fd = -1;
    if ((handoff->post_fd = counter(EFD_SEMAPHORE)) >= 0 &&
        (handoff->done_fd = counter(EFD_SEMAPHORE | EFD_NONBLOCK)) >= 0)
        return (PyObject *)handoff;
    PyErr_SetFromErrno(PyExc_OSError);
    Py_DECREF(handoff);
    return NULL;
}

static void handoff_free(Handoff *handoff) {
    PyTypeObject *type = Py_TYPE(handoff);
    if (handoff->post_fd >= 0)
        close(handoff->post_fd);
    if (handoff->done_fd >= 0)
        close(handoff->done_fd);
    PyBuffer_Release(&handoff->data);
    type->tp_free((PyObject *)handoff);
    Py_DECREF(type);
}

PyDoc_STRVAR(fileno_doc, "fileno()\n--\n\nA descriptor that can be read once a job is done.");

static PyObject *handoff_fileno(Handoff *handoff, PyObject *none) {
    (void)none;
    return PyLong_FromLong(handoff->done_fd);
}

static PyObject *posted(Handoff *handoff) {
    if (count_up(handoff->post_fd))
        Py_RETURN_NONE;
    PyErr_SetFromErrno(PyExc_OSError);
    handoff->kind = END;
    PyBuffer_Release(&handoff->data);
    return NULL;
}

/* True, with a ValueError, if a write has been posted and not been taken. */
static int is_under_way(const Handoff *handoff) {
    if (handoff->data.obj != NULL)
        PyErr_SetString(PyExc_ValueError, "a write is under way");
    return handoff->data.obj != NULL;
}

PyDoc_STRVAR(post_write_doc,
             "post_write(fd, offset, data, syncs, /)\n--\n\n"
             "Post a write of all of `data`, and with `syncs` an fdatasync behind it. Nothing else may be under way.\n"
             "Raises TypeError for arguments of another kind, ValueError if a write is under way.");

static PyObject *handoff_post_write(Handoff *handoff, PyObject *args) {
    Py_buffer data;
    int fd, syncs;
    long long offset;
    if (!PyArg_ParseTuple(args, "iLy*p", &fd, &offset, &data, &syncs))
        return NULL;
    if (is_under_way(handoff)) {
        PyBuffer_Release(&data);
        return NULL;
    }
    handoff->kind = WRITE;
    handoff->fd = fd;
    handoff->offset = offset;
    handoff->data = data;
    handoff->syncs = syncs;
    handoff->error = 0;
    return posted(handoff);
}

PyDoc_STRVAR(post_call_doc, "post_call()\n--\n\nLet `serve` return True. Raises ValueError if a write is under way.");

static PyObject *handoff_post_call(Handoff *handoff, PyObject *none) {
    (void)none;
    if (is_under_way(handoff))
        return NULL;
    handoff->kind = CALL;
    return posted(handoff);
}

PyDoc_STRVAR(post_end_doc, "post_end()\n--\n\nLet `serve` return False, after the job that is under way.");

static PyObject *handoff_post_end(Handoff *handoff, PyObject *none) {
    (void)none;
    /* `kind` may be that of a job that is under way; behind it, it is END. */
    return posted(handoff);
}

PyDoc_STRVAR(serve_doc,
             "serve()\n--\n\n"
             "Do what is posted until something is not for this handoff: True for a call, False for the end.\n"
             "For the thread. It waits without the interpreter's lock. Raises OSError if the kernel refuses to.");

static PyObject *handoff_serve(Handoff *handoff, PyObject *none) {
    int is_posted, answers = 1;
    (void)none;
    Py_BEGIN_ALLOW_THREADS
    /* A job comes before the end that was posted while it was under way. */
    while ((is_posted = count_down(handoff->post_fd)) && handoff->kind == WRITE) {
        handoff->error = do_write(handoff);
        handoff->kind = END;
        if (!(answers = count_up(handoff->done_fd)))
            break;
    }
    Py_END_ALLOW_THREADS
    if (!is_posted || !answers)
        return PyErr_SetFromErrno(PyExc_OSError);
    int is_call = handoff->kind == CALL;
    handoff->kind = END;
    return PyBool_FromLong(is_call);
}

PyDoc_STRVAR(ring_doc, "ring()\n--\n\nThe call that `serve` has told of is done. For the thread.");

static PyObject *handoff_ring(Handoff *handoff, PyObject *none) {
    (void)none;
    if (!count_up(handoff->done_fd))
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(take_doc, "take()\n--\n\n"
                       "The job is done: returns the errno of a write that has failed, else 0.\n"
                       "Raises BlockingIOError if it is not done.");

static PyObject *handoff_take(Handoff *handoff, PyObject *none) {
    (void)none;
    if (!count_down(handoff->done_fd))
        return PyErr_SetFromErrno(PyExc_OSError);
    int error = handoff->error;
    handoff->error = 0;
    PyBuffer_Release(&handoff->data);
    return PyLong_FromLong(error);
}

#define METHOD(name, flags) {#name, (PyCFunction)(void (*)(void))handoff_##name, flags, name##_doc}

static PyMethodDef handoff_methods[] = {
    METHOD(fileno, METH_NOARGS),
    METHOD(post_write, METH_VARARGS),
    METHOD(post_call, METH_NOARGS),
    METHOD(post_end, METH_NOARGS),
    METHOD(serve, METH_NOARGS),
    METHOD(ring, METH_NOARGS),
    METHOD(take, METH_NOARGS),
    {NULL, NULL, 0, NULL},
};

static PyType_Slot handoff_slots[] = {
    {Py_tp_new, handoff_new},
    {Py_tp_dealloc, handoff_free},
    {Py_tp_methods, handoff_methods},
    {Py_tp_doc, "The way of jobs to a thread and back."},
    {0, NULL},
};

static PyType_Spec handoff_spec = {
    .name = "trikv.host._handoff.Handoff",
    .basicsize = sizeof(Handoff),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = handoff_slots,
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_handoff", "Jobs for a thread.", -1, NULL, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__handoff(void) {
    PyObject *made = PyModule_Create(&module), *type = NULL;
    if (made == NULL || (type = PyType_FromSpec(&handoff_spec)) == NULL ||
        PyModule_AddObjectRef(made, "Handoff", type) < 0 || PyModule_AddIntMacro(made, VERSION) < 0)
        Py_CLEAR(made);
    Py_XDECREF(type);
    return made;
}
