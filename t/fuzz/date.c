/* Dates: what is read is a time of the years 1 to 9999, give or take a zone, and days convert both ways. */
#include "base/err.h"
#include "mail/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int64_t seconds, first, last, days, again;
	int zone, year, month, day;

	ASSERT(date_days(1, 1, 1, &first) && date_days(9999, 12, 31, &last));
	if (date_parse(str_of(data, size), &seconds, &zone)) {
		ASSERT(zone >= -100 * 60 && zone <= 100 * 60);
		seconds += zone * 60;
		ASSERT(seconds >= first * 86400 && seconds <= (last + 1) * 86400);
	}
	if (size >= sizeof(days)) {
		memcpy(&days, data, sizeof(days));
		days %= 4000000;
		date_from_days(days, &year, &month, &day);
		ASSERT(date_days(year, month, day, &again));
		ASSERT(days < first ? again == first : days > last ? again == last : again == days);
	}
	return 0;
}
