/* qot._native: TimelineReader.now() and stamp() without the interpreter in between.

   All sums are those of qot.h. Whatever can't be answered at once (a page that was never written, a
   first read in the middle of a write, a time out of range, a closed page) is left to the Python
   reader, which is the specification and has the named errors. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include "qot.h"

enum { ESTIMATE, EARLIEST, LATEST, STATUS, FIELDS, STATUSES = 4 };

typedef struct {
    PyObject_HEAD
    Py_buffer page;
    qot_reader reader;
    PyTypeObject *instant;
    Py_ssize_t slots[FIELDS];
    PyObject *statuses[STATUSES];
    PyObject *slow_now, *slow_stamp;
    PyObject *last; /* the Instant given last: used again if nobody has kept it */
} Reader;

/* Find where an Instant keeps its fields: they are slots of a frozen dataclass. */
static int find_slots(Reader *self) {
    static const char *const names[FIELDS] = {"estimate_ns", "earliest_ns", "latest_ns", "status"};
    for (int field = 0; field < FIELDS; field++) {
        PyObject *slot = PyObject_GetAttrString((PyObject *)self->instant, names[field]);
        if (slot == NULL) return -1;
        int known = Py_TYPE(slot) == &PyMemberDescr_Type &&
                    ((PyMemberDescrObject *)slot)->d_member->type == T_OBJECT_EX;
        if (known) self->slots[field] = ((PyMemberDescrObject *)slot)->d_member->offset;
        Py_DECREF(slot);
        if (!known) {
            PyErr_Format(PyExc_TypeError, "%s of %s is not a slot", names[field],
                         self->instant->tp_name);
            return -1;
        }
    }
    return 0;
}

static void reader_release(Reader *self) {
    qot_close(&self->reader);
    PyBuffer_Release(&self->page);
}

static PyObject *reader_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"page", "instant", "statuses", "now", "stamp", NULL};
    PyObject *page, *instant, *statuses, *now, *stamp;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OO!O!OO", names, &page, &PyType_Type,
                                     &instant, &PyTuple_Type, &statuses, &now, &stamp))
        return NULL;
    if (PyTuple_GET_SIZE(statuses) != STATUSES) {
        PyErr_SetString(PyExc_ValueError, "give the four statuses in the order of the page");
        return NULL;
    }
    Reader *self = (Reader *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    self->instant = (PyTypeObject *)Py_NewRef(instant);
    self->slow_now = Py_NewRef(now);
    self->slow_stamp = Py_NewRef(stamp);
    for (int status = 0; status < STATUSES; status++)
        self->statuses[status] = Py_NewRef(PyTuple_GET_ITEM(statuses, status));
    if (find_slots(self) < 0 || PyObject_GetBuffer(page, &self->page, PyBUF_SIMPLE) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    int error = qot_attach(&self->reader, self->page.buf, (size_t)self->page.len, NULL);
    if (error) {
        PyErr_SetString(PyExc_ValueError, qot_message(error));
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void reader_dealloc(Reader *self) {
    PyTypeObject *type = Py_TYPE(self);
    reader_release(self);
    Py_XDECREF(self->instant);
    Py_XDECREF(self->slow_now);
    Py_XDECREF(self->slow_stamp);
    Py_XDECREF(self->last);
    for (int status = 0; status < STATUSES; status++) Py_XDECREF(self->statuses[status]);
    type->tp_free(self);
    Py_DECREF(type);
}

/* The present and its moment of CLOCK_MONOTONIC; 0 if Python has to answer. Never sleeps. */
static int look(Reader *self, qot_instant *now, int64_t *monotonic_ns) {
    qot_reader *reader = &self->reader;
    if (reader->page == NULL) return 0;
    if (reader->generation ? qot_refresh(reader) : qot_take_(reader)) return 0;
    *monotonic_ns = qot_monotonic_ns();
    int64_t core_ns = qot_clock_from_monotonic(&reader->clock, *monotonic_ns);
    return qot_instant_at(&reader->params, core_ns, now) == QOT_OK;
}

#define FIELD(instant, field) (*(PyObject **)((char *)(instant) + self->slots[field]))

/* An Instant that nobody else can see. Making and destroying one costs as much as all the rest of a
   read; so, as zip() does with its tuples, one whose only owner is this reader is used again. */
static PyObject *take_instant(Reader *self) {
    if (self->last != NULL && Py_REFCNT(self->last) == 1) return Py_NewRef(self->last);
    PyObject *fresh = self->instant->tp_alloc(self->instant, 0);
    if (fresh == NULL) return NULL;
    PyObject_GC_UnTrack(fresh); /* three integers and a string make no cycle */
    Py_XSETREF(self->last, Py_NewRef(fresh));
    return fresh;
}

static PyObject *reader_now(Reader *self, PyObject *Py_UNUSED(nothing)) {
    qot_instant now;
    int64_t monotonic_ns;
    if (!look(self, &now, &monotonic_ns) || (unsigned)now.status >= STATUSES)
        return PyObject_CallNoArgs(self->slow_now);
    PyObject *estimate = PyLong_FromLongLong(now.estimate_ns);
    PyObject *earliest = PyLong_FromLongLong(now.earliest_ns);
    PyObject *latest = PyLong_FromLongLong(now.latest_ns);
    PyObject *instant = estimate && earliest && latest ? take_instant(self) : NULL;
    if (instant == NULL) {
        Py_XDECREF(estimate);
        Py_XDECREF(earliest);
        Py_XDECREF(latest);
        return NULL;
    }
    Py_XSETREF(FIELD(instant, ESTIMATE), estimate);
    Py_XSETREF(FIELD(instant, EARLIEST), earliest);
    Py_XSETREF(FIELD(instant, LATEST), latest);
    Py_XSETREF(FIELD(instant, STATUS), Py_NewRef(self->statuses[now.status]));
    return instant;
}

static PyObject *reader_stamp(Reader *self, PyObject *Py_UNUSED(nothing)) {
    qot_instant now;
    int64_t monotonic_ns;
    if (!look(self, &now, &monotonic_ns)) return PyObject_CallNoArgs(self->slow_stamp);
    return Py_BuildValue("(LLLL)", (long long)now.estimate_ns, (long long)now.earliest_ns,
                         (long long)now.latest_ns, (long long)monotonic_ns);
}

static PyObject *reader_close(Reader *self, PyObject *Py_UNUSED(nothing)) {
    reader_release(self);
    Py_RETURN_NONE;
}

static PyMethodDef reader_methods[] = {
    {"now", (PyCFunction)reader_now, METH_NOARGS, "The present, as an Instant."},
    {"stamp", (PyCFunction)reader_stamp, METH_NOARGS,
     "(estimate, earliest, latest, CLOCK_MONOTONIC) of one and the same moment."},
    {"close", (PyCFunction)reader_close, METH_NOARGS, "Let go of the page."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot reader_slots[] = {
    {Py_tp_doc, "Reader(page, instant, statuses, now, stamp): reads a clock page in memory."},
    {Py_tp_new, reader_new},
    {Py_tp_dealloc, reader_dealloc},
    {Py_tp_methods, reader_methods},
    {0, NULL}};

static PyType_Spec reader_spec = {.name = "qot._native.Reader",
                                  .basicsize = sizeof(Reader),
                                  .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
                                  .slots = reader_slots};

static int fill(PyObject *module) {
    PyObject *type = PyType_FromSpec(&reader_spec);
    if (type == NULL) return -1;
    int failed = PyModule_AddObjectRef(module, "Reader", type);
    Py_DECREF(type);
    return failed || PyModule_AddIntConstant(module, "PAGE_VERSION", QOT_PAGE_VERSION) ? -1 : 0;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, fill}, {0, NULL}};

static PyModuleDef module = {PyModuleDef_HEAD_INIT,
                             .m_name = "qot._native",
                             .m_doc = "Reads the present from a clock page; see qot/native.py.",
                             .m_size = 0,
                             .m_slots = module_slots};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&module); }
