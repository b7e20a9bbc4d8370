/* Wake every second of the timeline and print the time with its uncertainty.

   c++ -std=c++14 -O2 -I qot/include qot/examples/hello_time.cpp -o hello_time
   ./hello_time PAGE [PERIOD_MS [TIMES]]: PAGE is the clock page of this node's time service. */

#include "qot.hpp"

#include <cstdlib>
#include <iostream>

int main(int count, char **arguments) {
    if (count < 2) {
        std::cerr << "usage: " << arguments[0] << " PAGE [PERIOD_MS [TIMES]]\n";
        return 2;
    }
    const std::int64_t period_ms = count > 2 ? std::atoll(arguments[2]) : 1000;
    const long times = count > 3 ? std::atol(arguments[3]) : 0; // 0: for ever
    try {
        qot::Timeline timeline(arguments[1]);
        qot::Timeline::Period second = timeline.periodic(period_ms * 1000000);
        for (long number = 1;; number++) {
            const qot::Wake wake = second.wait();
            const qot::Instant &now = wake.instant;
            std::cout << now.estimate_ns << " ns  -" << now.estimate_ns - now.earliest_ns << " +"
                      << now.latest_ns - now.estimate_ns << "  " << qot_status_name(now.status)
                      << "  woke " << wake.late_ns << " ns after " << wake.target_ns << std::endl;
            if (number == times) return 0;
        }
    } catch (const qot::Error &error) {
        std::cerr << error.what() << "\n";
        return 1;
    }
}
