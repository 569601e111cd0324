/* What every unit test begins with: libcheck, and a main that runs one list of test cases. */
#ifndef T_UNIT_H
#define T_UNIT_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

#define ck_assert_str_is(got, want)                                                                                    \
	do {                                                                                                           \
		struct str got_ = (got), want_ = (want);                                                               \
		ck_assert_msg(str_eq(got_, want_), "got '%.*s', want '%.*s'", STR_ARG(got_), STR_ARG(want_));          \
	} while (0)

/* TEST_MAIN("name", tcase_add_test(tc, a); tcase_add_loop_test(tc, b, 0, COUNT(rows));) */
#define TEST_MAIN(name, adds)                                                                                          \
	int main(void)                                                                                                 \
	{                                                                                                              \
		Suite *s = suite_create(name);                                                                         \
		TCase *tc = tcase_create(name);                                                                        \
		tcase_set_timeout(tc, 120);                                                                            \
		adds;                                                                                                  \
		suite_add_tcase(s, tc);                                                                                \
		SRunner *r = srunner_create(s);                                                                        \
		srunner_run_all(r, CK_NORMAL);                                                                         \
		int failed = srunner_ntests_failed(r);                                                                 \
		srunner_free(r);                                                                                       \
		return failed ? EXIT_FAILURE : EXIT_SUCCESS;                                                           \
	}

#endif
