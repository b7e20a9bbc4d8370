/* Wake every second of the timeline and print the time with its uncertainty.

   cc -std=c11 -O2 -I qot/include qot/examples/hello_time.c -o hello_time
   ./hello_time PAGE [PERIOD_MS [TIMES]]: PAGE is the clock page of this node's time service. */

#include "qot.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **arguments) {
    qot_reader reader;
    qot_period second = {0};
    qot_wake wake;
    const long times = count > 3 ? atol(arguments[3]) : 0; /* 0: for ever */
    if (count < 2) {
        fprintf(stderr, "usage: %s PAGE [PERIOD_MS [TIMES]]\n", arguments[0]);
        return 2;
    }
    second.period_ns = (count > 2 ? atoll(arguments[2]) : 1000) * 1000000;
    int error = qot_open(&reader, arguments[1], NULL);
    for (long number = 1; !error; number++) {
        error = qot_wait_period(&reader, &second, QOT_ESTIMATE, NULL, &wake);
        if (error) break;
        printf("%" PRId64 " ns  -%" PRId64 " +%" PRId64 "  %s  woke %" PRId64 " ns after %" PRId64
               "\n",
               wake.instant.estimate_ns, wake.instant.estimate_ns - wake.instant.earliest_ns,
               wake.instant.latest_ns - wake.instant.estimate_ns,
               qot_status_name(wake.instant.status), wake.late_ns, wake.target_ns);
        fflush(stdout);
        if (number == times) break;
    }
    if (error) fprintf(stderr, "%s: %s\n", arguments[1], qot_message(error));
    qot_close(&reader);
    return error ? 1 : 0;
}
