// The whole of qot.hpp, once, on the page given as argument; says what it saw.
#include "qot.hpp"

#include <iostream>

int main(int, char **arguments) {
    try {
        qot::Timeline first(arguments[1], "wall");
        qot::Timeline timeline(std::move(first));
        try {
            first.now();
        } catch (const qot::Error &error) {
            std::cout << "moved " << error.code << "\n";
        }
        const qot::Instant now = timeline.now();
        const std::int64_t core = timeline.to_core(now.estimate_ns);
        const qot::Instant again = timeline.to_timeline(core);
        const qot::Interval likely = timeline.statistical_at(core);
        std::cout << "inside " << (again.estimate_ns == now.estimate_ns) << "\n"
                  << "status " << qot_status_name(now.status) << "\n"
                  << "likely " << again.estimate_ns - likely.low_ns << " "
                  << likely.high_ns - again.estimate_ns << "\n"
                  << "later " << (timeline.core_now() >= core) << "\n"
                  << "sigma " << timeline.params().sigma_ns << "\n";
        const qot::Wake wake = timeline.wait_until(now.estimate_ns + 1000000, QOT_AFTER);
        std::cout << "woke " << (wake.instant.earliest_ns >= wake.target_ns) << "\n";
        std::cout << "slept " << (timeline.sleep(1000).late_ns >= 0) << "\n";
        qot::Timeline::Period period = timeline.periodic(1000000, 5);
        std::cout << "beat " << period.wait().target_ns % 1000000 << "\n";
        volatile int cancel = 1;
        try {
            timeline.wait_until(wake.target_ns + 1000000000000, QOT_ESTIMATE, &cancel);
        } catch (const qot::Error &error) {
            std::cout << "cancelled " << (error.code == QOT_CANCELLED) << "\n";
        }
        timeline = qot::Timeline(arguments[1]);
        timeline.to_timeline(-1);
    } catch (const qot::Error &error) {
        std::cout << error.what() << "\n";
    }
}
