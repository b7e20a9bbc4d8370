/* qot.h as a library, for tests that compare its numbers with those of the Python reader. */
#include "qot.h"

#include <stdlib.h>

qot_reader *driver_open(const char *path, const char *timeline, int *error) {
    qot_reader *reader = malloc(sizeof *reader);
    *error = qot_open(reader, path, timeline);
    return reader;
}

void driver_close(qot_reader *reader) {
    qot_close(reader);
    free(reader);
}

int driver_now(qot_reader *reader, qot_instant *now) { return qot_now(reader, now); }

int driver_refresh(qot_reader *reader, qot_params *params) {
    int error = qot_refresh(reader);
    *params = reader->params;
    return error;
}

uint64_t driver_generation(const qot_reader *reader) { return reader->generation; }

int driver_params_at(qot_reader *reader, int64_t core_ns, qot_params *params) {
    return qot_params_at(reader, core_ns, params);
}

int driver_to_timeline(qot_reader *reader, int64_t core_ns, qot_instant *instant) {
    return qot_to_timeline(reader, core_ns, instant);
}

int driver_to_core(qot_reader *reader, int64_t timeline_ns, int mode, int64_t *core_ns) {
    return qot_to_core(reader, timeline_ns, (qot_mode)mode, core_ns);
}

int driver_to_monotonic(qot_reader *reader, int64_t timeline_ns, int mode, int64_t *monotonic_ns) {
    return qot_to_monotonic(reader, timeline_ns, (qot_mode)mode, monotonic_ns);
}

/* With the parameters of the present, whatever the core time is. */
int driver_instant_at(qot_reader *reader, int64_t core_ns, qot_instant *instant) {
    return qot_instant_at(&reader->params, core_ns, instant);
}

int driver_sigma_at(qot_reader *reader, int64_t core_ns, int64_t *sigma_ns) {
    return qot_sigma_at(&reader->params, core_ns, sigma_ns);
}

int driver_statistical_at(qot_reader *reader, int64_t core_ns, int64_t z_milli, int64_t *low_ns,
                          int64_t *high_ns) {
    return qot_statistical_at(&reader->params, core_ns, z_milli, low_ns, high_ns);
}

int64_t driver_clock(qot_reader *reader, int64_t monotonic_ns) {
    return qot_clock_from_monotonic(&reader->clock, monotonic_ns);
}

int64_t driver_inverse(qot_reader *reader, int64_t core_ns) {
    return qot_clock_to_monotonic(&reader->clock, core_ns);
}

int driver_wait_until(qot_reader *reader, int64_t target_ns, int mode, const volatile int *cancel,
                      qot_wake *wake) {
    return qot_wait_until(reader, target_ns, (qot_mode)mode, cancel, wake);
}

int driver_sleep(qot_reader *reader, int64_t duration_ns, const volatile int *cancel,
                 qot_wake *wake) {
    return qot_sleep(reader, duration_ns, cancel, wake);
}

int driver_wait_period(qot_reader *reader, qot_period *period, qot_wake *wake) {
    return qot_wait_period(reader, period, QOT_ESTIMATE, NULL, wake);
}

uint64_t driver_timeline_id(const char *name) { return qot_timeline_id(name); }

const char *driver_message(int error) { return qot_message(error); }

int driver_prepare_thread(int fifo_priority) { return qot_prepare_thread(fifo_priority); }
