#include "mail/date.h"

#include "mail/inner.h"

enum { YEAR_MIN = 1, YEAR_MAX = 9999, DAY_S = 86400 };

static const struct str months[12] = {
	{ "Jan", 3 }, { "Feb", 3 }, { "Mar", 3 }, { "Apr", 3 }, { "May", 3 }, { "Jun", 3 },
	{ "Jul", 3 }, { "Aug", 3 }, { "Sep", 3 }, { "Oct", 3 }, { "Nov", 3 }, { "Dec", 3 },
};

int date_month(struct str name)
{
	for (size_t i = 0; i < COUNT(months); i++)
		if (str_ieq(name, months[i]))
			return (int)i + 1;
	return 0;
}

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_length(int year, int month)
{
	static const int lengths[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return lengths[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 1970 to the first of March of a year: leap days stand at the end of such years. */
static int64_t days_to_march(int year)
{
	int64_t y = year;

	return y * 365 + y / 4 - y / 100 + y / 400 - 719468;
}

bool date_days(int year, int month, int day, int64_t *days)
{
	if (year < YEAR_MIN || year > YEAR_MAX || month < 1 || month > 12)
		return false;
	if (day < 1 || day > month_length(year, month))
		return false;
	int since_march = (month + 9) % 12;
	*days = days_to_march(month > 2 ? year : year - 1) + (153 * since_march + 2) / 5 + day - 1;
	return true;
}

void date_from_days(int64_t days, int *year, int *month, int *day)
{
	int64_t first = days_to_march(0) + 306, last = days_to_march(YEAR_MAX) + 305;

	days = days < first ? first : days > last ? last : days;
	*year = (int)((days - days_to_march(0)) * 400 / 146097);
	*year -= *year > 0; /* 400 years have that many days; leap days may stand unevenly in them */
	while (*year < YEAR_MAX && days_to_march(*year + 1) <= days)
		++*year;
	int rest = (int)(days - days_to_march(*year));
	int since_march = (5 * rest + 2) / 153;
	*day = rest - (153 * since_march + 2) / 5 + 1;
	*month = since_march < 10 ? since_march + 3 : since_march - 9;
	*year += since_march >= 10;
}

static struct str take_letters(struct str *s)
{
	size_t n = 0;

	lex_skip(s);
	while (n < s->n && ascii_alpha(s->p[n]))
		n++;
	struct str word = str_head(*s, n);
	*s = str_skip(*s, n);
	return word;
}

/* The digits at the beginning, 1 to `most` of them. */
static bool take_number(struct str *s, size_t most, int *out, size_t *digits)
{
	uint64_t v;
	size_t n = 0;

	lex_skip(s);
	while (n < s->n && ascii_digit(s->p[n]))
		n++;
	if (n > most || !str_u64(str_head(*s, n), 99999, &v))
		return false;
	*out = (int)v;
	*digits = n;
	*s = str_skip(*s, n);
	return true;
}

/* RFC 5322, 4.3 */
static bool take_year(struct str *s, int *year)
{
	size_t digits;

	if (!take_number(s, 4, year, &digits) || digits == 1)
		return false;
	if (digits == 2 && *year < 50)
		*year += 2000;
	else if (digits < 4)
		*year += 1900;
	return true;
}

static void skip_dash(struct str *s)
{
	lex_skip(s);
	str_eat(s, '-');
}

static bool take_month(struct str *s, int *month)
{
	*month = date_month(str_head(take_letters(s), 3));
	return *month != 0;
}

/* "1 Feb 2026", "1-Feb-2026" */
static bool take_day(struct str *s, int64_t *days)
{
	int year, month, day;
	size_t digits;

	if (!take_number(s, 2, &day, &digits))
		return false;
	skip_dash(s);
	if (!take_month(s, &month))
		return false;
	skip_dash(s);
	return take_year(s, &year) && date_days(year, month, day, days);
}

static bool take_time(struct str *s, int64_t *seconds)
{
	int hour, minute, second = 0;
	size_t digits;

	if (!take_number(s, 2, &hour, &digits))
		return false;
	lex_skip(s);
	if (!str_eat(s, ':') || !take_number(s, 2, &minute, &digits))
		return false;
	lex_skip(s);
	if (str_eat(s, ':') && !take_number(s, 2, &second, &digits))
		return false;
	*seconds = hour * 3600 + minute * 60 + second;
	return hour < 24 && minute < 60 && second <= 60;
}

/* asctime: "Feb  1 12:34:56 2026", behind the name of the day; its zone is not known. */
static bool take_asctime(struct str *s, int64_t *seconds)
{
	int year, month, day;
	size_t digits;
	int64_t days;

	if (!take_month(s, &month) || !take_number(s, 2, &day, &digits) || !take_time(s, seconds))
		return false;
	if (!take_year(s, &year) || !date_days(year, month, day, &days))
		return false;
	*seconds += days * DAY_S;
	*s = (struct str){ 0 };
	return true;
}

/* RFC 5322, 4.3: other names, and letters of the military, say nothing. */
static int zone_named(struct str name)
{
	static const struct {
		struct str name;
		int hours;
	} zones[] = {
		{ STR("EST"), -5 }, { STR("EDT"), -4 }, { STR("CST"), -6 }, { STR("CDT"), -5 },
		{ STR("MST"), -7 }, { STR("MDT"), -6 }, { STR("PST"), -8 }, { STR("PDT"), -7 },
	};

	for (size_t i = 0; i < COUNT(zones); i++)
		if (str_ieq(name, zones[i].name))
			return zones[i].hours * 60;
	return 0;
}

static int take_zone(struct str *s)
{
	int number;
	size_t digits;

	lex_skip(s);
	if (s->n == 0 || (s->p[0] != '+' && s->p[0] != '-'))
		return zone_named(take_letters(s));
	int sign = s->p[0] == '-' ? -1 : 1;
	*s = str_skip(*s, 1);
	if (!take_number(s, 4, &number, &digits) || digits != 4 || number % 100 > 59)
		return 0;
	return sign * (number / 100 * 60 + number % 100);
}

bool date_parse(struct str text, int64_t *seconds, int *zone_minutes)
{
	int64_t days, time;
	int zone;

	struct str rest = text;
	bool named = take_letters(&rest).n > 0;
	lex_skip(&rest);
	str_eat(&rest, ',');
	lex_skip(&rest);
	if (named && rest.n > 0 && ascii_alpha(rest.p[0])) {
		if (!take_asctime(&rest, seconds))
			return false;
		*zone_minutes = 0;
		return true;
	}
	if (!take_day(&rest, &days) || !take_time(&rest, &time))
		return false;
	zone = take_zone(&rest);
	*seconds = days * DAY_S + time - zone * 60;
	*zone_minutes = zone;
	return true;
}
