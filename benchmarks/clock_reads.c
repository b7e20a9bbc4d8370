/* Best time of a call over some rounds, ns: clock_gettime, qot_now, both in turn. Prints JSON. */
#include "qot.h"

#include <stdio.h>
#include <stdlib.h>

enum { CALLS = 20000 };

static double best_of(double best, int64_t begin_ns) {
    const double each = (double)(qot_monotonic_ns() - begin_ns) / CALLS;
    return each < best ? each : best;
}

int main(int count, char **arguments) {
    qot_reader reader;
    qot_instant now;
    struct timespec time;
    volatile int64_t sink = 0;
    double plain = 1e9, bounded = 1e9;
    if (count < 3) return 2;
    int error = qot_open(&reader, arguments[1], NULL);
    for (long round = atol(arguments[2]); round > 0 && !error; round--) {
        int64_t begin = qot_monotonic_ns();
        for (int call = 0; call < CALLS; call++) {
            clock_gettime(CLOCK_MONOTONIC, &time);
            sink = sink + time.tv_nsec;
        }
        plain = best_of(plain, begin);
        begin = qot_monotonic_ns();
        for (int call = 0; call < CALLS && !error; call++) {
            error = qot_now(&reader, &now);
            sink = sink + now.estimate_ns + now.earliest_ns + now.latest_ns + now.status;
        }
        bounded = best_of(bounded, begin);
    }
    if (error) {
        fprintf(stderr, "%s\n", qot_message(error));
        return 1;
    }
    printf("{\"clock_gettime_ns\": %.1f, \"c_ns\": %.1f}\n", plain, bounded);
    return 0;
}
