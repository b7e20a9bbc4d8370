/* Reads a page whose parameters are all one number, until a number of reads or seconds is over;
   also past ones. Counts mixtures. Prints JSON. */
#include "qot.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Is every field the same number? */
static int whole(const qot_params *params) {
    uint64_t fields[sizeof *params / 8];
    memcpy(fields, params, sizeof *params);
    for (size_t field = 2; field < sizeof *params / 8; field++)
        if (fields[field] != fields[1]) return 0;
    return params->status == QOT_STATUS_SYNCHRONIZED;
}

int main(int count, char **arguments) {
    qot_reader reader;
    qot_params then;
    int64_t reads = 0, generations = 0, past = 0, torn = 0;
    uint64_t last = 0;
    if (count < 4) return 2;
    const int64_t most = atoll(arguments[2]);
    const int64_t end = qot_monotonic_ns() + (int64_t)(atof(arguments[3]) * 1e9);
    int error = qot_open(&reader, arguments[1], NULL);
    while (!error && (most ? generations < most : qot_monotonic_ns() < end)) {
        error = qot_refresh(&reader);
        if (error) break;
        const int64_t number = reader.params.as_of_ns;
        torn += !whole(&reader.params) || reader.generation != 2 * (uint64_t)number;
        generations += reader.generation != last;
        last = reader.generation;
        if (reads++ % 16) continue;
        const int64_t asked = number - 1 - reads / 16 % 64;
        const int missing = asked < 1 ? QOT_HISTORY : qot_params_at(&reader, asked, &then);
        if (missing == QOT_HISTORY) continue; /* overwritten meanwhile */
        error = missing;
        past++;
        torn += !whole(&then) || then.as_of_ns > asked;
    }
    if (error) {
        fprintf(stderr, "%s\n", qot_message(error));
        return 1;
    }
    printf("{\"reads\": %" PRId64 ", \"generations\": %" PRId64 ", \"past\": %" PRId64
           ", \"torn\": %" PRId64 "}\n", reads, generations, past, torn);
    return 0;
}
