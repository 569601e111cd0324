/*
 * Delivery reports: lines of the input are what peers and clients said (sender, recipients with status and words), the rest is the returned
 * message. The report is made of three parts that a MIME reader finds, and what stands before the message is clean ASCII.
 */
#include <stdlib.h>
#include <string.h>

#include "mail/mime.h"
#include "qmgr/bounce.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECIPIENTS_MAX = 20, LINE_LONGEST = 998 };

static const char id[] = "0fuzzfuzzfuzzfzz";

static void check_clean(struct str text)
{
	size_t line = 0;

	for (size_t i = 0; i < text.n; i++) {
		bool end = text.p[i] == '\n';
		if (!end && text.p[i] != '\t' && (text.p[i] < 0x20 || text.p[i] > 0x7e))
			abort();
		line = end ? 0 : line + 1;
		if (line > LINE_LONGEST)
			abort();
	}
}

static void check_report(struct str text, struct str content)
{
	scoped_arena struct arena arena = { 0 };
	const struct mime_part *root = mime_parse(text, &arena);

	if (content.n > 0 && memmem(content.p, content.n, id, sizeof(id) - 1))
		return; /* nobody knows the id of a report before it is written */
	const struct mime_part *words = root->child, *status = words ? words->next : NULL,
			       *message = status ? status->next : NULL;
	if (!message || message->next)
		abort();
	check_clean(str_head(text, message->body));
}

static void fill(struct env *env, struct env_recipient r[], struct str *in)
{
	env->sender = str_cut(in, '\n');
	env->envid = str_cut(in, '\n');
	env->recipients = r;
	while (env->n < RECIPIENTS_MAX && str_eat(in, '>')) {
		struct str line = str_cut(in, '\n');
		struct env_recipient *at = &r[env->n++];
		at->state = line.n % 2 ? ENV_FAILED : ENV_DEFERRED;
		at->address = str_cut(&line, '\t');
		at->original = str_cut(&line, '\t');
		at->status = str_cut(&line, '\t');
		at->text = line;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_of(data, size);
	struct env_recipient recipients[RECIPIENTS_MAX] = { 0 };
	struct env env = { 0 };

	fill(&env, recipients, &in);
	for (enum bounce_kind kind = BOUNCE_FAILED; kind <= BOUNCE_DOUBLE; kind++)
		for (int whole = 0; whole < 2; whole++) {
			scoped_buf struct buf out = { .limit = 4 << 20 };
			struct bounce b = { .kind = kind,
					    .to = env.sender,
					    .whole = whole,
					    .host = STR("mx.test"),
					    .env = &env,
					    .content = in,
					    .date = STR("Sat, 28 Nov 2026 12:00:00 +0000"),
					    .arrival_date = STR("Sat, 28 Nov 2026 11:00:00 +0000") };
			memcpy(b.id.text, id, sizeof(id));
			env.id = b.id;
			if (bounce_write(&b, &out))
				check_report(buf_str(&out), in);
		}
	return 0;
}
