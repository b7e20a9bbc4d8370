/* qot.hpp: qot.h for C++14 and later. A page that is closed by itself, errors that are thrown.

       qot::Timeline timeline("timeline.page");
       qot::Instant now = timeline.now();

   A Timeline belongs to one thread at a time. */

#ifndef QOT_HPP
#define QOT_HPP

#include "qot.h"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace qot {

using Instant = qot_instant;
using Params = qot_params;
using Wake = qot_wake;
using Mode = qot_mode;

/* What went wrong; code is one of qot_error. */
class Error : public std::runtime_error {
public:
    explicit Error(int error) : std::runtime_error(qot_message(error)), code(static_cast<qot_error>(error)) {}
    Error(int error, const std::string &where)
        : std::runtime_error(where + ": " + qot_message(error)), code(static_cast<qot_error>(error)) {}
    const qot_error code;
};

/* Statistical interval: promises nothing. */
struct Interval {
    std::int64_t low_ns, high_ns;
};

/* One thread's view of one timeline. Movable, not copyable. Every member throws Error. */
class Timeline {
public:
    /* name: the timeline that the page must be of; "" for any. */
    explicit Timeline(const std::string &path, const std::string &name = "") {
        check(qot_open(&reader_, path.c_str(), name.empty() ? nullptr : name.c_str()), path);
    }
    ~Timeline() { qot_close(&reader_); }
    Timeline(const Timeline &) = delete;
    Timeline &operator=(const Timeline &) = delete;
    Timeline(Timeline &&other) noexcept : reader_(other.reader_) { other.forget(); }
    Timeline &operator=(Timeline &&other) noexcept {
        if (this != &other) {
            qot_close(&reader_);
            reader_ = other.reader_;
            other.forget();
        }
        return *this;
    }

    Instant now() { return get<Instant>([&](Instant *i) { return qot_now(&reader_, i); }); }

    /* The instant of a core stamp of this node, with the bound that was valid then. */
    Instant to_timeline(std::int64_t core_ns) {
        return get<Instant>([&](Instant *i) { return qot_to_timeline(&reader_, core_ns, i); });
    }
    std::int64_t to_core(std::int64_t timeline_ns, Mode mode = QOT_ESTIMATE) {
        return get<std::int64_t>(
            [&](std::int64_t *core) { return qot_to_core(&reader_, timeline_ns, mode, core); });
    }
    std::int64_t core_now() { return qot_core_now(&reader_); }

    Params params() {
        check(qot_refresh(&reader_));
        return reader_.params;
    }
    Params params_at(std::int64_t core_ns) {
        return get<Params>([&](Params *p) { return qot_params_at(&reader_, core_ns, p); });
    }
    Interval statistical_at(std::int64_t core_ns, std::int64_t z_milli = QOT_Z_MILLI) {
        const Params then = params_at(core_ns);
        return get<Interval>([&](Interval *i) {
            return qot_statistical_at(&then, core_ns, z_milli, &i->low_ns, &i->high_ns);
        });
    }

    /* Waits; *cancel ends one by throwing Error with QOT_CANCELLED. */
    Wake wait_until(std::int64_t target_ns, Mode mode = QOT_ESTIMATE,
                    const volatile int *cancel = nullptr) {
        return get<Wake>(
            [&](Wake *w) { return qot_wait_until(&reader_, target_ns, mode, cancel, w); });
    }
    Wake sleep(std::int64_t duration_ns, const volatile int *cancel = nullptr) {
        return get<Wake>([&](Wake *w) { return qot_sleep(&reader_, duration_ns, cancel, w); });
    }

    /* A rhythm without drift: wait() returns at offset + k * period. It refers to the Timeline. */
    class Period {
    public:
        Wake wait(const volatile int *cancel = nullptr) {
            return get<Wake>([&](Wake *w) {
                return qot_wait_period(&timeline_->reader_, &period_, mode_, cancel, w);
            });
        }
        std::int64_t missed() const { return period_.missed; }

    private:
        friend class Timeline;
        Period(Timeline *timeline, std::int64_t period_ns, std::int64_t offset_ns, Mode mode)
            : timeline_(timeline), period_(), mode_(mode) {
            period_.period_ns = period_ns;
            period_.offset_ns = offset_ns;
        }
        Timeline *timeline_;
        qot_period period_;
        Mode mode_;
    };
    Period periodic(std::int64_t period_ns, std::int64_t offset_ns = 0, Mode mode = QOT_ESTIMATE) {
        return Period(this, period_ns, offset_ns, mode);
    }

private:
    static void check(int error) {
        if (error) throw Error(error);
    }
    static void check(int error, const std::string &where) {
        if (error) throw Error(error, where);
    }
    template <typename Result, typename Call> static Result get(Call call) {
        Result result;
        check(call(&result));
        return result;
    }
    void forget() {
        reader_.mapping = nullptr;
        qot_close(&reader_);
    }

    qot_reader reader_;
};

} // namespace qot

#endif
