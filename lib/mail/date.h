/* date - dates as mail writes them, read leniently (RFC 5322, 3.3 and 4.3). */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include "base/str.h"

/*
 * Reads "[Day,] 1 Feb 2026 12:34[:56] zone", with comments, two-digit years and zone names. *seconds: since 1970 UTC;
 * *zone_minutes: east of Greenwich, 0 when unknown. False: none.
 */
bool date_parse(struct str text, int64_t *seconds, int *zone_minutes);

/* Days since 1970 of a day of the Gregorian calendar; month 1 to 12. False: there is no such day. */
bool date_days(int year, int month, int day, int64_t *days);
/* The other way round. */
void date_from_days(int64_t days, int *year, int *month, int *day);

/* "Jan" ... "Dec" without case: 1 to 12, or 0. */
int date_month(struct str name);

#endif
