#include "unit.h"

#include <time.h>

#include "base/buf.h"
#include "mail/date.h"

static const struct str bad[] = {
	STR(""),
	STR("Tue"),
	STR("Tue, Tue, 1 Jul 2003 10:52:37 +0200"),
	STR("1 Jul 2003"),
	STR("1 Jul 2003 10"),
	STR("1 Jul 2003 10:"),
	STR("1 Jul 2003 10:52:"),
	STR("1 Jul 2003 24:00:00 +0000"),
	STR("1 Jul 2003 10:60:00 +0000"),
	STR("1 Jul 2003 10:52:61 +0000"),
	STR("1 Jul 2003 100:52:00 +0000"),
	STR("0 Jul 2003 10:52:37 +0200"),
	STR("32 Jul 2003 10:52:37 +0200"),
	STR("29 Feb 2003 10:52:37 +0200"),
	STR("29 Feb 1900 10:52:37 +0200"),
	STR("1 Jux 2003 10:52:37 +0200"),
	STR("1 7 2003 10:52:37 +0200"),
	STR("1 Jul 3 10:52:37 +0200"),
	STR("1 Jul 0000 10:52:37 +0200"),
	STR("1 Jul 10000 10:52:37 +0200"),
	STR("1 Jul 99999999999999999999999 10:52:37 +0200"),
	STR("-1 Jul 2003 10:52:37 +0200"),
	STR("1 Jul 2003 ((x) 10:52:37 +0200"),
	STR("Tue Jul 32 10:52:37 2003"),
	STR("Tue Jul 1 2003"),
};

START_TEST(bad_cases)
{
	int64_t seconds;
	int zone;

	ck_assert(!date_parse(bad[_i], &seconds, &zone));
}
END_TEST

static const struct {
	struct str in;
	const char *utc;
	int zone;
} dates[] = {
	{ STR("Tue, 1 Jul 2003 10:52:37 +0200"), "2003-07-01 08:52:37", 120 },
	{ STR("1 Jul 2003 10:52 -0330"), "2003-07-01 14:22:00", -210 },
	{ STR("Thu,\n   13\n  Feb\n    1969\n  23:32\n  -0330 (Newfoundland Time)\n"), "1969-02-14 03:02:00", -210 },
	{ STR("(a) Tue(b),(c)1(d)Jul(e)2003((f)\\()10 : 52(g):37 (h) GMT(i"), "2003-07-01 10:52:37", 0 },
	{ STR("tuesday, 01-JULY-2003 10:52:37"), "2003-07-01 10:52:37", 0 },
	{ STR("21 Nov 97 09:55:06 GMT"), "1997-11-21 09:55:06", 0 },
	{ STR("21 Nov 49 09:55:06 ut"), "2049-11-21 09:55:06", 0 },
	{ STR("21 Nov 50 09:55:06 Z"), "1950-11-21 09:55:06", 0 },
	{ STR("21 Nov 103 09:55:06 A"), "2003-11-21 09:55:06", 0 },
	{ STR("27 Oct 2002 23:57:07 EST"), "2002-10-28 04:57:07", -300 },
	{ STR("27 Oct 2002 23:57:07 EST5EDT"), "2002-10-28 04:57:07", -300 },
	{ STR("27 Oct 2002 23:57:07 pdt"), "2002-10-28 06:57:07", -420 },
	{ STR("27 Oct 2002 23:57:07 Europe/Berlin"), "2002-10-27 23:57:07", 0 },
	{ STR("27 Oct 2002 23:57:07 +1"), "2002-10-27 23:57:07", 0 },
	{ STR("27 Oct 2002 23:57:07 +0160"), "2002-10-27 23:57:07", 0 },
	{ STR("31 Dec 2016 23:59:60 +0000"), "2017-01-01 00:00:00", 0 },
	{ STR("29 Feb 2000 00:00:00 +1400"), "2000-02-28 10:00:00", 840 },
	{ STR("Tue Jul  1 10:52:37 2003"), "2003-07-01 10:52:37", 0 },
	{ STR("1 Jan 1000 00:00:00 +0000"), "1000-01-01 00:00:00", 0 },
	{ STR("31 Dec 9999 23:59:59 +0000"), "9999-12-31 23:59:59", 0 },
};

START_TEST(date_cases)
{
	char text[32];
	struct tm tm;
	int64_t seconds;
	int zone;

	ck_assert(date_parse(dates[_i].in, &seconds, &zone));
	time_t t = seconds;
	ck_assert_ptr_nonnull(gmtime_r(&t, &tm));
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	ck_assert_str_eq(text, dates[_i].utc);
	ck_assert_int_eq(zone, dates[_i].zone);
}
END_TEST

START_TEST(all_days)
{
	int64_t first, last, days;
	int year, month, day, year_before = 0, month_before = 0, day_before = 0;

	ck_assert(date_days(1, 1, 1, &first) && date_days(9999, 12, 31, &last));
	for (int64_t d = first; d <= last; d++) {
		date_from_days(d, &year, &month, &day);
		bool later = year > year_before || month > month_before || day > day_before;
		if (!later || !date_days(year, month, day, &days) || days != d)
			ck_abort_msg("%d-%d-%d", year, month, day);
		year_before = year;
		month_before = month;
		day_before = day;
	}
	ck_assert(year == 9999 && month == 12 && day == 31);
	date_from_days(INT64_MAX, &year, &month, &day);
	ck_assert(year == 9999 && month == 12 && day == 31);
	date_from_days(INT64_MIN, &year, &month, &day);
	ck_assert(year == 1 && month == 1 && day == 1);
	ck_assert(!date_days(0, 12, 31, &days) && !date_days(10000, 1, 1, &days) && !date_days(2000, 13, 1, &days));
	ck_assert(date_days(1970, 1, 1, &days) && days == 0);
}
END_TEST

START_TEST(months)
{
	ck_assert_int_eq(date_month(STR("Jan")), 1);
	ck_assert_int_eq(date_month(STR("dEC")), 12);
	ck_assert_int_eq(date_month(STR("June")), 0);
	ck_assert_int_eq(date_month(STR("")), 0);
}
END_TEST

TEST_MAIN("date", tcase_add_loop_test(tc, bad_cases, 0, COUNT(bad));
	  tcase_add_loop_test(tc, date_cases, 0, COUNT(dates)); tcase_add_test(tc, all_days);
	  tcase_add_test(tc, months);)
