/* qot.h: read a clock page, convert its times and wait for them. C11, this one file, Linux.

   What the numbers mean, and the layout of the page: docs/quality_of_time.md. Every function gives
   exactly the numbers of the Python reader (qot/timeline.py, qot/params.py, qot/clock.py), which is
   the specification.

       qot_reader reader;
       qot_instant now;
       int error = qot_open(&reader, "timeline.page", NULL);
       if (!error) error = qot_now(&reader, &now);
       if (error) fprintf(stderr, "%s\n", qot_message(error));

   All times are ns. A reader belongs to one thread at a time; open one for each thread. Functions
   return QOT_OK or a qot_error, and fill their results only with QOT_OK. They handle times that are
   within 2^58 ns (9 years) of the page's own, and say QOT_RANGE beyond that.

   With -std=c11 include this file first, or define _POSIX_C_SOURCE as 200809L. */

#ifndef QOT_H
#define QOT_H

#if !defined(_GNU_SOURCE) && !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "a clock page is little endian, and so must be the machine"
#endif

/* A page's words are shared with another process: each is read once, whole. */
#ifdef __cplusplus
#include <atomic>
typedef std::atomic<uint64_t> qot_word;
#define QOT_LOAD(word) (word).load(std::memory_order_relaxed)
#define QOT_LOAD_ACQUIRE(word) (word).load(std::memory_order_acquire)
#define QOT_FENCE_ACQUIRE() std::atomic_thread_fence(std::memory_order_acquire)
#else
#include <stdatomic.h>
typedef _Atomic uint64_t qot_word;
#define QOT_LOAD(word) atomic_load_explicit(&(word), memory_order_relaxed)
#define QOT_LOAD_ACQUIRE(word) atomic_load_explicit(&(word), memory_order_acquire)
#define QOT_FENCE_ACQUIRE() atomic_thread_fence(memory_order_acquire)
#endif

#if ATOMIC_LLONG_LOCK_FREE != 2
#error "this processor can't read 64 bits at once"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define QOT_PAGE_VERSION 2
#define QOT_PAGE_BYTES 37376
#define QOT_SECOND INT64_C(1000000000)
#define QOT_UNBOUNDED (INT64_C(1) << 60)  /* a bound of this size is none */
#define QOT_FARTHEST (INT64_C(1) << 58)   /* how far from the page's own times sums are made */
#define QOT_SLICE 20000000                /* longest sleep without a look at the page */
#define QOT_Z_MILLI 4418                  /* two-sided 99.999 % of a normal distribution, times 1000 */

typedef enum {
    QOT_OK = 0,
    QOT_MISSING,        /* no such file */
    QOT_TRUNCATED,      /* shorter than its layout */
    QOT_FOREIGN,        /* something else, another timeline's, or of another boot */
    QOT_VERSION,        /* another version of the layout */
    QOT_NEVER_WRITTEN,  /* nothing was published yet */
    QOT_TORN,           /* a write began and did not end */
    QOT_HISTORY,        /* a stamp is older than what the page remembers */
    QOT_UNSYNCHRONIZED, /* never synchronised: no moment stands for that time */
    QOT_RANGE,          /* a time or a period is out of range */
    QOT_CANCELLED,      /* the wait was cancelled */
    QOT_SYSTEM          /* a system call failed: see errno */
} qot_error;

typedef enum {
    QOT_STATUS_UNSYNCHRONIZED = 0, /* use the estimate for nothing that matters */
    QOT_STATUS_SYNCHRONIZED,       /* the interval holds the truth, and is being renewed */
    QOT_STATUS_HOLDOVER,           /* the interval holds and grows: renewals are missing */
    QOT_STATUS_DISRUPTED           /* no promise: a drift limit was broken or a clock stepped */
} qot_status;

typedef enum {
    QOT_ESTIMATE = 0, /* when the estimate reaches the target */
    QOT_AFTER,        /* when the target has certainly been reached */
    QOT_NOT_LATER     /* the last moment at which it has certainly not been passed */
} qot_mode;

/* A point on the timeline; the truth lies in [earliest, latest] as far as status says so. */
typedef struct {
    int64_t estimate_ns, earliest_ns, latest_ns;
    qot_status status;
} qot_instant;

/* One parameter set, in the order of the page. */
typedef struct {
    int64_t status, as_of_ns, timeline_ns, rate_ppb, early_ns, late_ns;
    int64_t early_growth_ppb, late_growth_ppb, sigma_ns, sigma_growth_ppb;
    int64_t fresh_until_ns, void_after_ns;
    uint64_t epoch, step_marker;
    int64_t likely_early_ns, likely_late_ns;
} qot_params;

/* How a wait ended. late_ns: the return less the wanted moment, both on CLOCK_MONOTONIC. */
typedef struct {
    int64_t target_ns, late_ns, monotonic_ns;
    qot_instant instant;
} qot_wake;

/* The emulated clock in one second since its epoch: what it shows at the second's begin, its rate. */
typedef struct {
    int64_t index, base_ns, rate_ppb;
} qot_knot;

#define QOT_MARKS 64

/* A core clock. Emulated ones walk from second to second, and keep marks to go back to. */
typedef struct {
    int64_t kind, epoch_ns, offset_ns, drift_ppb, wander_ppb;
    uint64_t seed;
    int64_t max_drift_ppb, reach_ppb;
    qot_knot here, there; /* of the last reading, of the last inverse */
    qot_knot marks[QOT_MARKS];
    int64_t spacing, marked;
} qot_clock;

/* One thread's view of one page. Its fields are its own affair. */
typedef struct {
    const qot_word *page;
    void *mapping;
    size_t mapped_bytes;
    uint64_t generation;
    qot_params params;
    qot_clock clock;
} qot_reader;

/* What to do about an error, in words. */
static inline const char *qot_message(int error) {
    switch (error) {
    case QOT_OK: return "no error";
    case QOT_MISSING: return "there is no clock page: start the time service of this node first";
    case QOT_TRUNCATED: return "the clock page is too short: restart the time service";
    case QOT_FOREIGN:
        return "this is not a clock page, or one of another timeline or of an earlier boot: give "
               "the path that the time service writes";
    case QOT_VERSION:
        return "the clock page has another version: run the same release on both sides";
    case QOT_NEVER_WRITTEN:
        return "nothing is on the clock page yet: wait for the time service";
    case QOT_TORN:
        return "the clock page is in the middle of a write that does not end: restart the time "
               "service";
    case QOT_HISTORY:
        return "the stamp is older than the parameters that the page remembers: convert stamps "
               "within minutes";
    case QOT_UNSYNCHRONIZED:
        return "this node was never synchronised: wait until it is";
    case QOT_RANGE: return "a time is beyond nine years from now, or a period is not above 0";
    case QOT_CANCELLED: return "the wait was cancelled";
    case QOT_SYSTEM: return "a system call failed: see errno";
    default: return "unknown error";
    }
}

static inline const char *qot_status_name(qot_status status) {
    switch (status) {
    case QOT_STATUS_SYNCHRONIZED: return "synchronized";
    case QOT_STATUS_HOLDOVER: return "holdover";
    case QOT_STATUS_DISRUPTED: return "disrupted";
    default: return "unsynchronized";
    }
}

/* ---- exact sums: quotients are rounded down, and no intermediate result overflows ---- */

/* a / b, rounded down; b > 0. */
static inline int64_t qot_floor_div_(int64_t a, int64_t b) {
    int64_t quotient = a / b;
    return quotient - (a % b < 0);
}

/* ppb * d / 1e9, rounded down; |ppb| <= 1e9. */
static inline int64_t qot_share_(int64_t ppb, int64_t d) {
    const int64_t hour = INT64_C(1) << 42, usual = 1 << 20; /* the product is below 2^63 */
    if (d < hour && d > -hour && ppb < usual && ppb > -usual)
        return qot_floor_div_(ppb * d, QOT_SECOND);
    int64_t seconds = qot_floor_div_(d, QOT_SECOND);
    return ppb * seconds + qot_floor_div_(ppb * (d - seconds * QOT_SECOND), QOT_SECOND);
}

/* gap * 1e9 / slope, rounded down; 1e8 <= slope < 2^32. */
static inline int64_t qot_stretch_(int64_t gap, int64_t slope) {
    int64_t whole = qot_floor_div_(gap, slope);
    return whole * QOT_SECOND + qot_floor_div_((gap - whole * slope) * QOT_SECOND, slope);
}

static inline int qot_near_(int64_t a, int64_t b, int64_t *difference) {
    const int64_t limit = INT64_C(1) << 62;
    if (a < -limit || a >= limit || b < -limit || b > limit) return 0;
    *difference = a - b;
    return *difference <= QOT_FARTHEST && *difference >= -QOT_FARTHEST;
}

/* a * a + b * b <=> c * c without 128-bit integers: compares high and low halves. */
static inline void qot_square_(uint64_t a, uint64_t *high, uint64_t *low) {
    uint64_t top = a >> 32, bottom = a & UINT32_MAX, middle = top * bottom;
    uint64_t shifted = middle << 33;
    *low = bottom * bottom + shifted;
    *high = top * top + (middle >> 31) + (*low < shifted);
}

/* The square root of a*a + b*b, rounded down; both below 2^62. */
static inline int64_t qot_hypot_(int64_t a, int64_t b) {
    uint64_t large = (uint64_t)(a > b ? a : b), small = (uint64_t)(a > b ? b : a);
    uint64_t low = large, high = large + small / 2 + 1; /* low <= root < high + 1 */
    uint64_t sum_high, sum_low, more_high, more_low;
    if (small == 0) return (int64_t)large;
    qot_square_(large, &sum_high, &sum_low);
    qot_square_(small, &more_high, &more_low);
    sum_low += more_low;
    sum_high += more_high + (sum_low < more_low);
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2, try_high, try_low;
        qot_square_(middle, &try_high, &try_low);
        if (try_high < sum_high || (try_high == sum_high && try_low <= sum_low)) low = middle;
        else high = middle - 1;
    }
    return (int64_t)low;
}

/* ---- parameters: what qot/params.py says ---- */

static inline int qot_bounded(const qot_params *p) {
    return p->early_ns < QOT_UNBOUNDED && p->late_ns < QOT_UNBOUNDED;
}

/* The status as a reader must see it: what nobody renews loses its rank by itself. */
static inline qot_status qot_status_at(const qot_params *p, int64_t core_ns) {
    if (core_ns > p->void_after_ns) return QOT_STATUS_UNSYNCHRONIZED;
    if (core_ns > p->fresh_until_ns && p->status == QOT_STATUS_SYNCHRONIZED)
        return QOT_STATUS_HOLDOVER;
    return (qot_status)p->status;
}

/* The instant of a core time by these parameters. */
static inline int qot_instant_at(const qot_params *p, int64_t core_ns, qot_instant *instant) {
    int64_t d;
    if (!qot_near_(core_ns, p->as_of_ns, &d)) return QOT_RANGE;
    int64_t estimate = p->timeline_ns + d + qot_share_(p->rate_ppb, d);
    int64_t early = d >= 0 ? -p->early_growth_ppb : p->late_growth_ppb;
    int64_t late = d >= 0 ? -p->late_growth_ppb : p->early_growth_ppb;
    instant->estimate_ns = estimate;
    instant->earliest_ns = estimate - p->early_ns + qot_share_(early, d);
    instant->latest_ns = estimate + p->late_ns - qot_share_(late, d);
    instant->status = qot_status_at(p, core_ns);
    return QOT_OK;
}

/* Standard deviation of the estimate at a core time: statistical, promises nothing. */
static inline int qot_sigma_at(const qot_params *p, int64_t core_ns, int64_t *sigma_ns) {
    int64_t d;
    if (!qot_near_(core_ns, p->as_of_ns, &d)) return QOT_RANGE;
    *sigma_ns = qot_hypot_(p->sigma_ns, qot_share_(p->sigma_growth_ppb, d < 0 ? -d : d));
    return QOT_OK;
}

/* The statistical interval: z_milli/1000 standard deviations beyond what no confidence shrinks, never
   wider than the hard one. QOT_Z_MILLI gives 99.999 %. */
static inline int qot_statistical_at(const qot_params *p, int64_t core_ns, int64_t z_milli,
                                     int64_t *low_ns, int64_t *high_ns) {
    int64_t sigma, spread = INT64_C(1) << 62;
    qot_instant hard;
    int error = qot_sigma_at(p, core_ns, &sigma);
    if (!error) error = qot_instant_at(p, core_ns, &hard);
    if (error) return error;
    if (z_milli < 0 || z_milli > 1000000) return QOT_RANGE;
    if (z_milli == 0 || sigma / 1000 < spread / z_milli - z_milli)
        spread = sigma / 1000 * z_milli + (sigma % 1000 * z_milli + 999) / 1000;
    int64_t early = hard.estimate_ns - hard.earliest_ns, late = hard.latest_ns - hard.estimate_ns;
    *low_ns = hard.earliest_ns;
    *high_ns = hard.latest_ns;
    if (p->likely_early_ns + spread < early)
        *low_ns = hard.estimate_ns - p->likely_early_ns - spread;
    if (p->likely_late_ns + spread < late)
        *high_ns = hard.estimate_ns + p->likely_late_ns + spread;
    return QOT_OK;
}

/* The core time of a timeline time: the first whose estimate, or earliest, is at least that
   (QOT_ESTIMATE, QOT_AFTER), or the last whose latest is at most that (QOT_NOT_LATER). */
static inline int qot_core_at(const qot_params *p, int64_t timeline_ns, qot_mode mode,
                              int64_t *core_ns) {
    int64_t gap, core, growth;
    qot_instant there;
    if (!qot_bounded(p)) return QOT_UNSYNCHRONIZED;
    if (!qot_near_(timeline_ns, p->timeline_ns, &gap)) return QOT_RANGE;
    if (p->early_ns > QOT_FARTHEST || p->late_ns > QOT_FARTHEST) return QOT_RANGE;
    if (mode == QOT_ESTIMATE) {
        *core_ns = p->as_of_ns - qot_stretch_(-gap, QOT_SECOND + p->rate_ppb);
        return QOT_OK;
    }
    gap += mode == QOT_AFTER ? p->early_ns : -p->late_ns;
    if (mode == QOT_AFTER) {
        growth = gap >= 0 ? -p->early_growth_ppb : p->late_growth_ppb;
        core = p->as_of_ns - qot_stretch_(-gap, QOT_SECOND + p->rate_ppb + growth);
    } else {
        growth = gap >= 0 ? p->late_growth_ppb : -p->early_growth_ppb;
        core = p->as_of_ns + qot_stretch_(gap, QOT_SECOND + p->rate_ppb + growth);
    }
    for (;; core += mode == QOT_AFTER ? 1 : -1) { /* roundings may shift the last nanosecond */
        int error = qot_instant_at(p, core, &there);
        if (error) return error;
        if (mode == QOT_AFTER ? there.earliest_ns >= timeline_ns : there.latest_ns <= timeline_ns)
            break;
    }
    *core_ns = core;
    return QOT_OK;
}

/* ---- core clocks: what qot/clock.py says ---- */

static inline int64_t qot_monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * QOT_SECOND + now.tv_nsec;
}

/* 64 well mixed bits for a step of the walk (splitmix64). */
static inline uint64_t qot_noise_(uint64_t seed, int64_t index) {
    uint64_t bits = seed + ((uint64_t)index + 1) * UINT64_C(0x9E3779B97F4A7C15);
    bits = (bits ^ (bits >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94D049BB133111EB);
    return bits ^ (bits >> 31);
}

/* Remember a knot, if it is the next to remember; when full, forget every second one. */
static inline void qot_mark_(qot_clock *clock, const qot_knot *knot) {
    if (knot->index != clock->marked * clock->spacing) return;
    if (clock->marked == QOT_MARKS) {
        for (int place = 0; place < QOT_MARKS / 2; place++)
            clock->marks[place] = clock->marks[2 * place];
        clock->marked /= 2;
        clock->spacing *= 2;
    }
    clock->marks[clock->marked++] = *knot;
}

/* Make an emulated clock ready. Its model is set already. */
static inline void qot_clock_start_(qot_clock *clock) {
    int64_t room = clock->max_drift_ppb - (clock->drift_ppb < 0 ? -clock->drift_ppb
                                                                : clock->drift_ppb);
    clock->reach_ppb = clock->wander_ppb < room ? clock->wander_ppb : room;
    clock->here.index = 0;
    clock->here.base_ns = clock->epoch_ns + clock->offset_ns;
    clock->here.rate_ppb = clock->drift_ppb;
    clock->there = clock->here;
    clock->spacing = 64;
    clock->marked = 0;
    qot_mark_(clock, &clock->here);
}

/* Move a knot to second ``index`` since the epoch, 0 or more. */
static inline void qot_walk_(qot_clock *clock, qot_knot *knot, int64_t index) {
    const int64_t reach = clock->reach_ppb, most = reach / 8, drift = clock->drift_ppb;
    if (knot->index > index || knot->index + 2 * clock->spacing < index) {
        int64_t place = index / clock->spacing;
        if (place >= clock->marked) place = clock->marked - 1;
        if (knot->index > index || clock->marks[place].index > knot->index)
            *knot = clock->marks[place];
    }
    while (knot->index < index) {
        knot->index++;
        knot->base_ns += QOT_SECOND + knot->rate_ppb;
        int64_t noise = (int64_t)(qot_noise_(clock->seed, knot->index) % (uint64_t)(2 * most + 1));
        int64_t wander = knot->rate_ppb - drift + noise - most;
        if (wander > reach) wander = reach;
        if (wander < -reach) wander = -reach;
        knot->rate_ppb = drift + wander;
        qot_mark_(clock, knot);
    }
}

/* What the core clock shows at a moment of CLOCK_MONOTONIC. */
static inline int64_t qot_clock_from_monotonic(qot_clock *clock, int64_t monotonic_ns) {
    if (clock->kind == 0) return monotonic_ns;
    int64_t since = monotonic_ns - clock->epoch_ns;
    if (since < 0)
        return clock->epoch_ns + clock->offset_ns + since + qot_share_(clock->drift_ppb, since);
    int64_t elapsed = since - clock->here.index * QOT_SECOND;
    if (elapsed < 0 || elapsed >= QOT_SECOND) {
        qot_walk_(clock, &clock->here, since / QOT_SECOND);
        elapsed = since - clock->here.index * QOT_SECOND;
    }
    return clock->here.base_ns + elapsed + qot_share_(clock->here.rate_ppb, elapsed);
}

/* The first moment of CLOCK_MONOTONIC at which the core clock shows core_ns or more. */
static inline int64_t qot_clock_to_monotonic(qot_clock *clock, int64_t core_ns) {
    if (clock->kind == 0) return core_ns;
    int64_t first = clock->epoch_ns + clock->offset_ns;
    if (core_ns < first)
        return clock->epoch_ns - qot_stretch_(first - core_ns, QOT_SECOND + clock->drift_ppb);
    qot_knot *knot = &clock->there;
    if (core_ns < knot->base_ns || core_ns >= knot->base_ns + QOT_SECOND + knot->rate_ppb) {
        qot_walk_(clock, knot, (core_ns - first) / QOT_SECOND);
        while (core_ns >= knot->base_ns + QOT_SECOND + knot->rate_ppb)
            qot_walk_(clock, knot, knot->index + 1);
        while (core_ns < knot->base_ns) qot_walk_(clock, knot, knot->index - 1);
    }
    return clock->epoch_ns + knot->index * QOT_SECOND -
           qot_stretch_(knot->base_ns - core_ns, QOT_SECOND + knot->rate_ppb);
}

/* ---- the page ---- */

/* The checksum of zlib, continued from ``crc`` (0 at first). */
static inline uint32_t qot_crc_(uint32_t crc, const void *data, size_t bytes) {
    static const uint32_t table[16] = {
        0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4,
        0x4DB26158, 0x5005713C, 0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
        0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C};
    const unsigned char *next = (const unsigned char *)data;
    crc = ~crc;
    for (; bytes; bytes--) {
        crc ^= *next++;
        crc = (crc >> 4) ^ table[crc & 15];
        crc = (crc >> 4) ^ table[crc & 15];
    }
    return ~crc;
}

/* The first 8 bytes of the SHA-256 (FIPS 180-4) of a timeline's name, as a page has them. */
static inline uint64_t qot_timeline_id(const char *name) {
    static const uint32_t rounds[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
        0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
        0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
        0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
        0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
        0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
        0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
        0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2};
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    const size_t length = strlen(name), blocks = (length + 8) / 64 + 1;
#define QOT_TURN(x, n) ((x) >> (n) | (x) << (32 - (n)))
    for (size_t block = 0; block < blocks; block++) {
        uint32_t w[64], s[8];
        for (int i = 0; i < 16; i++) {
            w[i] = 0;
            for (int j = 0; j < 4; j++) {
                size_t at = block * 64 + (size_t)(i * 4 + j);
                uint32_t byte = at < length ? (unsigned char)name[at] : at == length ? 0x80 : 0;
                if (at >= blocks * 64 - 8)
                    byte = (uint32_t)((uint64_t)length * 8 >> (8 * (blocks * 64 - 1 - at))) & 255;
                w[i] = w[i] << 8 | byte;
            }
        }
        for (int i = 16; i < 64; i++)
            w[i] = w[i - 16] + w[i - 7] +
                   (QOT_TURN(w[i - 15], 7) ^ QOT_TURN(w[i - 15], 18) ^ w[i - 15] >> 3) +
                   (QOT_TURN(w[i - 2], 17) ^ QOT_TURN(w[i - 2], 19) ^ w[i - 2] >> 10);
        memcpy(s, state, sizeof s);
        for (int i = 0; i < 64; i++) {
            uint32_t one = s[7] + (QOT_TURN(s[4], 6) ^ QOT_TURN(s[4], 11) ^ QOT_TURN(s[4], 25)) +
                           ((s[4] & s[5]) ^ (~s[4] & s[6])) + rounds[i] + w[i];
            uint32_t two = (QOT_TURN(s[0], 2) ^ QOT_TURN(s[0], 13) ^ QOT_TURN(s[0], 22)) +
                           ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
            memmove(s + 1, s, 7 * sizeof *s);
            s[4] += one;
            s[0] = one + two;
        }
        for (int i = 0; i < 8; i++) state[i] += s[i];
    }
#undef QOT_TURN
    uint64_t id = 0;
    for (int i = 7; i >= 0; i--) id = id << 8 | (state[i / 4] >> (24 - 8 * (i % 4)) & 255);
    return id;
}

/* The number of this boot; 0: not known. */
static inline uint64_t qot_boot_id_(void) {
    char text[37] = "";
    uint64_t id = 0;
    int digits = 0, file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t got = read(file, text, sizeof text - 1);
    close(file);
    for (ssize_t i = 0; i < got && digits < 16; i++) {
        char c = text[i];
        if (c == '-') continue;
        id = id << 4 | (uint64_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
        digits++;
    }
    return id;
}

/* Words from..to of the page, each read whole. */
static inline void qot_copy_(const qot_word *page, size_t from, size_t to, uint64_t *copy) {
    for (size_t word = from; word < to; word++) *copy++ = QOT_LOAD(page[word]);
}

/* Where things are, in words. */
enum { QOT_GENERATION_ = 2, QOT_BODY_ = 3, QOT_TIMELINE_ = 19, QOT_COUNTS_ = 20, QOT_CRC_ = 28,
       QOT_ORIGIN_ = 29, QOT_ORIGIN_CRC_ = 37, QOT_HISTORY_ = 64, QOT_ENTRY_ = 18,
       QOT_ENTRIES_ = 256 };

/* Read a page that is in memory already and stays there until qot_close. timeline: its expected
   name, or NULL. Blocks never; also of an unwritten page. */
static inline int qot_attach(qot_reader *reader, const void *memory, size_t bytes,
                             const char *timeline) {
    memset(reader, 0, sizeof *reader);
    if (bytes < 16) return QOT_TRUNCATED;
    const qot_word *page = (const qot_word *)memory;
    uint64_t head[2], origin[9];
    qot_copy_(page, 0, 2, head);
    if (memcmp(head, "QOTPAGE", 8) != 0) return QOT_FOREIGN;
    if ((uint32_t)head[1] != QOT_PAGE_VERSION) return QOT_VERSION;
    if (bytes < QOT_PAGE_BYTES || bytes < head[1] >> 32) return QOT_TRUNCATED;
    origin[0] = QOT_LOAD(page[QOT_TIMELINE_]);
    qot_copy_(page, QOT_ORIGIN_, QOT_ORIGIN_CRC_, origin + 1);
    if (qot_crc_(0, origin, sizeof origin) != (uint32_t)QOT_LOAD(page[QOT_ORIGIN_CRC_]))
        return QOT_FOREIGN;
    if (origin[1] != qot_boot_id_()) return QOT_FOREIGN;
    if (origin[2] > 1) return QOT_VERSION;
    if (timeline && origin[0] != qot_timeline_id(timeline)) return QOT_FOREIGN;
    memcpy(&reader->clock, origin + 2, 7 * sizeof *origin);
    if (reader->clock.kind) qot_clock_start_(&reader->clock);
    reader->page = page;
    return QOT_OK;
}

/* Open the page at a path. timeline: its expected name, or NULL for any. */
static inline int qot_open(qot_reader *reader, const char *path, const char *timeline) {
    struct stat facts;
    memset(reader, 0, sizeof *reader);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return errno == ENOENT ? QOT_MISSING : QOT_SYSTEM;
    void *memory = MAP_FAILED;
    int error = fstat(file, &facts) ? QOT_SYSTEM : facts.st_size < 16 ? QOT_TRUNCATED : QOT_OK;
    if (!error) {
        memory = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_SHARED, file, 0);
        if (memory == MAP_FAILED) error = QOT_SYSTEM;
    }
    int kept_errno = errno;
    close(file);
    errno = kept_errno;
    if (error) return error;
    error = qot_attach(reader, memory, (size_t)facts.st_size, timeline);
    if (error) {
        munmap(memory, (size_t)facts.st_size);
        return error;
    }
    reader->mapping = memory;
    reader->mapped_bytes = (size_t)facts.st_size;
    return QOT_OK;
}

/* Let go of the page. Harmless when that was done before, or when opening failed. */
static inline void qot_close(qot_reader *reader) {
    if (reader->mapping) munmap(reader->mapping, reader->mapped_bytes);
    memset(reader, 0, sizeof *reader);
}

/* One try to take in what the page says: QOT_OK, QOT_NEVER_WRITTEN or QOT_TORN. */
static inline int qot_take_(qot_reader *reader) {
    uint64_t words[1 + QOT_COUNTS_ - QOT_BODY_];
    words[0] = QOT_LOAD_ACQUIRE(reader->page[QOT_GENERATION_]);
    if (words[0] == 0) return QOT_NEVER_WRITTEN;
    qot_copy_(reader->page, QOT_BODY_, QOT_COUNTS_, words + 1);
    uint32_t crc = (uint32_t)QOT_LOAD(reader->page[QOT_CRC_]);
    QOT_FENCE_ACQUIRE(); /* the generation is read again after the body, on any processor */
    if (words[0] & 1 || QOT_LOAD(reader->page[QOT_GENERATION_]) != words[0]) return QOT_TORN;
    if (qot_crc_(0, words, sizeof words) != crc) return QOT_TORN;
    memcpy(&reader->params, words + 1, sizeof reader->params);
    reader->generation = words[0];
    return QOT_OK;
}

/* As qot_refresh, when the generation is a new one. */
static inline int qot_refresh_slowly_(qot_reader *reader) {
    const struct timespec pause = {0, 50000};
    for (int attempt = 0; attempt < 200; attempt++) {
        int error = qot_take_(reader);
        if (error != QOT_TORN) return error;
        if (reader->generation) return QOT_OK; /* the last parameters are as true as ever */
        if (attempt >= 20) nanosleep(&pause, NULL);
    }
    return QOT_TORN;
}

/* Take in the page's newest parameters, into reader->params and reader->generation. While a write
   is under way those at hand stay; only the first read can wait for it (10 ms at most). */
static inline int qot_refresh(qot_reader *reader) {
    if (!reader->page) return QOT_MISSING;
    uint64_t generation = QOT_LOAD_ACQUIRE(reader->page[QOT_GENERATION_]);
    if (reader->generation && (generation == reader->generation || generation & 1)) return QOT_OK;
    return qot_refresh_slowly_(reader);
}

/* ---- reading ---- */

/* What the node's core clock shows. */
static inline int64_t qot_core_now(qot_reader *reader) {
    return qot_clock_from_monotonic(&reader->clock, qot_monotonic_ns());
}

/* The present: estimate, hard interval and status. */
static inline int qot_now(qot_reader *reader, qot_instant *now) {
    int error = qot_refresh(reader);
    return error ? error : qot_instant_at(&reader->params, qot_core_now(reader), now);
}

/* The parameters valid at a core time: the present ones, or of the page's history. */
static inline int qot_params_at(qot_reader *reader, int64_t core_ns, qot_params *params) {
    uint64_t words[QOT_ENTRY_], ceiling;
    int below = QOT_ENTRIES_;
    int error = qot_refresh(reader);
    if (error) return error;
    ceiling = reader->generation;
    if (core_ns >= reader->params.as_of_ns) {
        *params = reader->params;
        return QOT_OK;
    }
    for (;;) {
        const qot_word *best = NULL;
        uint64_t highest = 0;
        int found = 0;
        for (int place = 0; place < QOT_ENTRIES_; place++) {
            const qot_word *entry = reader->page + QOT_HISTORY_ + place * QOT_ENTRY_;
            uint64_t generation = QOT_LOAD_ACQUIRE(entry[0]);
            if (generation < highest || generation == 0 || generation > ceiling) continue;
            if (generation == ceiling && place >= below) continue;
            if ((int64_t)QOT_LOAD(entry[2]) > core_ns) continue;
            highest = generation;
            best = entry;
            found = place;
        }
        if (!best) return QOT_HISTORY;
        qot_copy_(best, 0, QOT_ENTRY_, words);
        if (words[0] == highest && (int64_t)words[2] <= core_ns &&
            qot_crc_(0, words, sizeof words - 8) == (uint32_t)words[QOT_ENTRY_ - 1]) {
            memcpy(params, words + 1, sizeof *params);
            return QOT_OK;
        }
        ceiling = highest; /* it is being replaced; another ring may have the same set */
        below = found;
    }
}

/* The instant of a core stamp of this node, with the bound that was valid then. */
static inline int qot_to_timeline(qot_reader *reader, int64_t core_ns, qot_instant *instant) {
    qot_params params;
    int error = qot_params_at(reader, core_ns, &params);
    return error ? error : qot_instant_at(&params, core_ns, instant);
}

/* When, on the core clock, a timeline time will be or was, by the present parameters. */
static inline int qot_to_core(qot_reader *reader, int64_t timeline_ns, qot_mode mode,
                              int64_t *core_ns) {
    int error = qot_refresh(reader);
    return error ? error : qot_core_at(&reader->params, timeline_ns, mode, core_ns);
}

/* The same on CLOCK_MONOTONIC, which sleeps go by. */
static inline int qot_to_monotonic(qot_reader *reader, int64_t timeline_ns, qot_mode mode,
                                   int64_t *monotonic_ns) {
    int64_t core_ns;
    int error = qot_to_core(reader, timeline_ns, mode, &core_ns);
    if (!error) *monotonic_ns = qot_clock_to_monotonic(&reader->clock, core_ns);
    return error;
}

/* ---- waiting ---- */

enum { QOT_GRANTED_SLACK = 1, QOT_GRANTED_FIFO = 2 };

/* Ask for punctual wake-ups of this thread: timer slack of 1 ns, and SCHED_FIFO if fifo_priority is
   above 0. Gives what was granted: QOT_GRANTED_ bits. */
static inline int qot_prepare_thread(int fifo_priority) {
    struct sched_param order;
    int granted = prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL) == 0 ? QOT_GRANTED_SLACK : 0;
    memset(&order, 0, sizeof order);
    order.sched_priority = fifo_priority;
    if (fifo_priority > 0 && sched_setscheduler(0, SCHED_FIFO, &order) == 0)
        granted |= QOT_GRANTED_FIFO;
    return granted;
}

static inline void qot_nap_(int64_t until_monotonic_ns) {
    struct timespec until;
    until.tv_sec = (time_t)(until_monotonic_ns / QOT_SECOND);
    until.tv_nsec = (long)(until_monotonic_ns % QOT_SECOND);
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL); /* a signal may end it early */
}

/* Block until the timeline reaches target_ns in the sense of the mode.

   The sleep is cut into slices of 20 ms, and the target is projected anew after each, so that a
   correction moves the wake-up. A node that was never synchronised waits until it is. *cancel, if
   given, ends the wait with QOT_CANCELLED within a slice once it is not 0 (a signal handler may set
   it). wake may be NULL. */
static inline int qot_wait_until(qot_reader *reader, int64_t target_ns, qot_mode mode,
                                 const volatile int *cancel, qot_wake *wake) {
    while (!cancel || !*cancel) {
        int64_t wanted, now = qot_monotonic_ns();
        int error = qot_to_monotonic(reader, target_ns, mode, &wanted);
        if (error && error != QOT_UNSYNCHRONIZED) return error;
        if (error || wanted - now > QOT_SLICE) {
            qot_nap_(now + QOT_SLICE);
            continue;
        }
        if (wanted > now) qot_nap_(wanted);
        /* Projected again: the sleep may have ended in another generation than it began. */
        error = qot_to_monotonic(reader, target_ns, mode, &wanted);
        now = qot_monotonic_ns();
        if (error || now < wanted) continue;
        if (wake) {
            wake->target_ns = target_ns;
            wake->late_ns = now - wanted;
            wake->monotonic_ns = now;
            return qot_instant_at(&reader->params, qot_clock_from_monotonic(&reader->clock, now),
                                  &wake->instant);
        }
        return QOT_OK;
    }
    return QOT_CANCELLED;
}

/* The present, as soon as the node has been synchronised once. */
static inline int qot_first_now_(qot_reader *reader, const volatile int *cancel, qot_instant *now) {
    int error;
    while (!(error = qot_now(reader, now)) && !qot_bounded(&reader->params)) {
        if (cancel && *cancel) return QOT_CANCELLED;
        qot_nap_(qot_monotonic_ns() + QOT_SLICE);
    }
    return error;
}

/* Block for a duration of the timeline. */
static inline int qot_sleep(qot_reader *reader, int64_t duration_ns, const volatile int *cancel,
                            qot_wake *wake) {
    qot_instant now;
    int error = qot_first_now_(reader, cancel, &now);
    if (error) return error;
    if (duration_ns > QOT_FARTHEST || duration_ns < -QOT_FARTHEST) return QOT_RANGE;
    return qot_wait_until(reader, now.estimate_ns + duration_ns, QOT_ESTIMATE, cancel, wake);
}

/* A rhythm: the instants offset_ns + k * period_ns. Set the first two, zero the rest. */
typedef struct {
    int64_t period_ns, offset_ns;
    int64_t next_index; /* of the coming instant, once started */
    int64_t missed;     /* how many instants passed while nobody waited */
    int started;
} qot_period;

/* Block until the next instant of a rhythm. Nothing adds up: each is computed from the offset.
   Instants that have passed already are left out and counted. */
static inline int qot_wait_period(qot_reader *reader, qot_period *period, qot_mode mode,
                                  const volatile int *cancel, qot_wake *wake) {
    qot_instant now;
    int error = qot_first_now_(reader, cancel, &now);
    if (error) return error;
    if (period->period_ns <= 0 || period->period_ns > QOT_FARTHEST) return QOT_RANGE;
    if (period->offset_ns > QOT_UNBOUNDED || period->offset_ns < -QOT_UNBOUNDED) return QOT_RANGE;
    int64_t since = now.estimate_ns - period->offset_ns;
    int64_t coming = qot_floor_div_(since, period->period_ns) + 1;
    if (!period->started) {
        period->started = 1;
        period->next_index = coming;
    } else if (coming > period->next_index) {
        period->missed += coming - period->next_index;
        period->next_index = coming;
    }
    error = qot_wait_until(reader, period->offset_ns + period->next_index * period->period_ns, mode,
                           cancel, wake);
    if (!error) period->next_index++;
    return error;
}

#ifdef __cplusplus
}
#endif

#endif
