/* Commands: what a shell must see, what is cleaned, and what their ends mean. */
#include "agents/commandd/command.h"

#include "unit.h"

static const struct {
	const char *command, *words; /* with '|' behind each */
} cases[] = {
	{ "cat", "cat|" },
	{ "/usr/bin/v -a  b\tc ", "/usr/bin/v|-a|b|c|" },
	{ "a-b_c+d=e:f,g.h/i@j%k^l m", "/bin/sh|-c|a-b_c+d=e:f,g.h/i@j%k^l m|" }, /* an assignment */
	{ "v a=b", "v|a=b|" },
	{ "X=1 v", "/bin/sh|-c|X=1 v|" },
	{ "exit 75", "/bin/sh|-c|exit 75|" },
	{ "exits 75", "exits|75|" },
	{ "cat > /f", "/bin/sh|-c|cat > /f|" },
	{ "cat \"a b\"", "/bin/sh|-c|cat \"a b\"|" },
	{ "cat $HOME", "/bin/sh|-c|cat $HOME|" },
	{ "v ~anna", "/bin/sh|-c|v ~anna|" },
	{ "v \xc3\xa9", "/bin/sh|-c|v \xc3\xa9|" },
};

START_TEST(words)
{
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf got = { 0 };
	char **w = command_words(str_from(cases[_i].command), &arena);

	for (; *w; w++)
		buf_addf(&got, "%s|", *w);
	ck_assert_str_eq(buf_cstr(&got), cases[_i].words);
}
END_TEST

START_TEST(environment)
{
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf got = { 0 };
	struct commandd_conf conf = { .recipient_delimiter = STR("+") };
	struct deliver m = { .user = STR("anna"),
			     .sender = STR("`x`$(y);'z'@x.test"),
			     .recipient = STR("anna+list@h.test"),
			     .original = STR("\"a\nLD_PRELOAD=x\"@h.test") };
	struct job_order order = { .m = &m, .conf = &conf, .home = STR("/home/anna") };

	for (char **v = command_environment(&order, &arena); *v; v++)
		buf_addf(&got, "%s|", *v);
	ck_assert_str_eq(buf_cstr(&got),
			 "PATH=/usr/bin:/bin|HOME=/home/anna|SHELL=/bin/sh|LOGNAME=anna|USER=anna|LANG=C.UTF-8|"
			 "SENDER=_x___y___z_@x.test|RECIPIENT=anna+list@h.test|"
			 "ORIGINAL_RECIPIENT=_a_LD_PRELOAD=x_@h.test|LOCAL=anna+list|EXTENSION=list|DOMAIN=h.test|");
}
END_TEST

enum { SIGNALED = 0x100 };

static const struct {
	int exit; /* with SIGNALED: a signal */
	const char *output;
	uint8_t result;
	const char *status, *text;
} ends[] = {
	{ 0, "", DELIVERY_DONE, "2.0.0", "delivered to command: v x" },
	{ 0, "chatter", DELIVERY_DONE, "2.0.0", "delivered to command: v x" },
	{ 75, "", DELIVERY_DEFERRED, "4.3.0", "temporary failure" },
	{ 71, "", DELIVERY_DEFERRED, "4.3.0", "system resource problem" },
	{ 67, " no\n\n such\tone ", DELIVERY_FAILED, "5.1.1", "user unknown. Command output: no such one" },
	{ 69, "", DELIVERY_FAILED, "5.3.0", "service unavailable" },
	{ 77, "", DELIVERY_FAILED, "5.7.0", "permission denied" },
	{ 78, "", DELIVERY_FAILED, "5.3.5", "local configuration error" },
	{ 1, "a\x1b[31m", DELIVERY_FAILED, "5.3.0", "Command died with status 1: \"v x\". Command output: a?[31m" },
	{ 127, "", DELIVERY_FAILED, "5.3.0", "Command died with status 127: \"v x\"" },
	{ SIGNALED | 9, "", DELIVERY_DEFERRED, "4.3.0", "Command died with signal 9: \"v x\"" },
};

START_TEST(verdicts)
{
	scoped_buf struct buf text = { 0 };
	struct delivered d;
	int status = ends[_i].exit & SIGNALED ? ends[_i].exit & 0x7f : ends[_i].exit << 8;

	command_verdict(status, STR("v x"), str_from(ends[_i].output), &text, &d);
	ck_assert_int_eq(d.result, ends[_i].result);
	ck_assert_str_is(d.status, str_from(ends[_i].status));
	ck_assert_str_is(d.text, str_from(ends[_i].text));
}
END_TEST

TEST_MAIN("command", {
	tcase_add_loop_test(tc, words, 0, COUNT(cases));
	tcase_add_test(tc, environment);
	tcase_add_loop_test(tc, verdicts, 0, COUNT(ends));
})
