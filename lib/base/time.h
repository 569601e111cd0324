/*
 * time - two clocks, and dates as mail writes them.
 *
 * Intervals (time limits, back-off while running) are measured with the monotonic clock, in milliseconds; dates and
 * what must survive a restart use the wall clock, in microseconds since 1970 UTC. A test may shift both.
 */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include "base/str.h"

int64_t clock_mono_ms(void);
int64_t clock_wall_us(void);
/* For tests: added to both clocks from now on. Milliseconds. */
void clock_shift(int64_t ms);

enum { DATE_MAX = 40 };
/* "Sun, 22 Nov 2026 05:52:29 +0000", local zone, RFC 5322 3.3. Returns its length without the NUL. */
size_t date_rfc5322(int64_t wall_us, char out[DATE_MAX]);
/* "Nov 22 05:52:29", local zone, as syslog has it. */
size_t date_syslog(int64_t wall_us, char out[DATE_MAX]);

#endif
