/*
 * Restrictions: the first octet says which list, the first line holds its words; each further line answers a question, a
 * row of a table, a verdict or a record. Whatever they say, it ends, with a reply that can be given.
 */
#include "smtp/checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note(void *arg, const char *word, struct str text)
{
	ASSERT(word[0] && text.n > 0);
	(void)arg;
}

static struct check_answer next_answer(struct str *rest)
{
	struct str line = str_cut(rest, '\n');
	struct check_answer a = { .found = CHECK_NOTHING, .verdict = REPLY(250, 2, 0, 0, "Ok") };

	if (line.n == 0)
		return a;
	a.found = (enum check_found)((unsigned char)line.p[0] % 4);
	a.value = str_skip(line, 1);
	if (line.p[0] & 16)
		a.verdict = reply_make(line.p[0] & 32 ? 554 : 451, line.p[0] & 32 ? 5 : 4, 7, 1, "no: %.*s", STR_ARG(a.value));
	a.records[0] = a.value;
	a.n_records = 1;
	return a;
}

static void check_outcome(const struct checks *c)
{
	struct str fields = buf_str(&c->prepend);
	const struct reply *r = &c->reply;

	ASSERT(r->code == 0 || (r->code >= 400 && r->code < 600 && r->enh[0] == r->code / 100 && r->text[0]));
	ASSERT(fields.n == 0 || fields.p[fields.n - 1] == '\n');
	while (fields.n > 0) {
		struct str field = str_cut(&fields, '\n');
		ASSERT(str_find(field, ':') > 0 && str_find(field, '\r') < 0 && str_find(field, '\0') < 0);
	}
}

static void run(const struct restrict_program *program, enum restrict_list list, struct str rest)
{
	const struct restrict_program *lists[RESTRICT_LISTS] = { 0 };
	struct check_facts f = {
		.client = STR("c.test[192.0.2.1]"), .name = STR("c.test"),   .address = STR("192.0.2.1"),
		.helo = STR("c.test"),		    .sender = STR("a@b.test"), .recipient = STR("c@d.test"),
		.mynetworks = STR("127.0.0.0/8"),   .note = note,
	};
	struct check_ask ask;
	struct checks c;

	f.has_sender = f.has_recipient = list != RESTRICT_DATA;
	lists[list] = program;
	checks_begin(&c, lists);
	for (enum checks_next next = checks_next(&c, &f, NULL, &ask); next != CHECKS_DONE;) {
		ASSERT(next != CHECKS_ASK_TABLE || ask.table.n > 0);
		ASSERT(next != CHECKS_ASK_DNS || (ask.name.n > 0 && ask.name.n <= 253));
		struct check_answer a = next_answer(&rest);
		next = checks_next(&c, &f, &a, &ask);
	}
	check_outcome(&c);
	checks_end(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_arena struct arena arena = { 0 };
	struct restrict_program program;
	struct err err = { 0 };
	struct access_row row;

	if (size == 0)
		return 0;
	enum restrict_list list = data[0] % RESTRICT_LISTS;
	struct str rest = str_of(data + 1, size - 1), words = str_cut(&rest, '\n');
	access_parse(words, &row);
	ASSERT(row.code == 0 || (row.code >= 400 && row.enh[0] == row.code / 100));
	if (restrict_parse(words, list, true, &arena, &program, &err))
		run(&program, list, rest);
	else
		ASSERT(err.text[0]);
	return 0;
}
