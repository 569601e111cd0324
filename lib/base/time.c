#include "base/time.h"

#include <stdio.h>
#include <time.h>

static int64_t shift_ms;

int64_t clock_mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000 + shift_ms;
}

int64_t clock_wall_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000000 + ts.tv_nsec / 1000 + shift_ms * 1000;
}

void clock_shift(int64_t ms)
{
	shift_ms += ms;
}

static struct tm local_time(int64_t wall_us)
{
	time_t t = (time_t)(wall_us / 1000000);
	struct tm tm = { 0 };

	localtime_r(&t, &tm);
	return tm;
}

/* Written out rather than by strftime: names of days and months must not follow the locale. */
static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

size_t date_rfc5322(int64_t wall_us, char out[DATE_MAX])
{
	struct tm tm = local_time(wall_us);
	long zone = tm.tm_gmtoff / 60;
	char sign = zone < 0 ? '-' : '+';

	if (zone < 0)
		zone = -zone;
	int n = snprintf(out, DATE_MAX, "%s, %d %s %d %02d:%02d:%02d %c%02ld%02ld", days[tm.tm_wday], tm.tm_mday,
			 months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec, sign, zone / 60 % 100,
			 zone % 60);
	return n < DATE_MAX ? (size_t)n : DATE_MAX - 1;
}

size_t date_syslog(int64_t wall_us, char out[DATE_MAX])
{
	struct tm tm = local_time(wall_us);
	int n = snprintf(out, DATE_MAX, "%s %2d %02d:%02d:%02d", months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min,
			 tm.tm_sec);

	return n < DATE_MAX ? (size_t)n : DATE_MAX - 1;
}
