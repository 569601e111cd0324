#include "commands.h"

#include <stdarg.h>
#include <stdio.h>

#include "report.h"

enum command_state { ST_LOGGED_IN = 1, ST_SELECTED = 2, ST_ANY = 3 };

struct command {
	const char *verb;
	unsigned states;
	enum report_what news, uid_news; /* uid_news REPORT_NOTHING: it has no UID form */
	void (*run)(struct session *s, struct request *r);
};

static const struct command commands[] = {
	/* verb		  states	news		   with UID	   handler */
	{ "CAPABILITY",	  ST_ANY,	REPORT_ALL,	   REPORT_NOTHING, cmd_capability },
	{ "NOOP",	  ST_ANY,	REPORT_ALL,	   REPORT_NOTHING, cmd_noop },
	{ "CHECK",	  ST_SELECTED,	REPORT_ALL,	   REPORT_NOTHING, cmd_noop },
	{ "LOGOUT",	  ST_ANY,	REPORT_NOTHING,	   REPORT_NOTHING, cmd_logout },
	{ "STARTTLS",	  ST_ANY,	REPORT_NOTHING,	   REPORT_NOTHING, cmd_already },
	{ "LOGIN",	  ST_ANY,	REPORT_NOTHING,	   REPORT_NOTHING, cmd_already },
	{ "AUTHENTICATE", ST_ANY,	REPORT_NOTHING,	   REPORT_NOTHING, cmd_already },
	{ "ID",		  ST_ANY,	REPORT_ALL,	   REPORT_NOTHING, cmd_id },
	{ "ENABLE",	  ST_ANY,	REPORT_ALL,	   REPORT_NOTHING, cmd_enable },
	{ "IDLE",	  ST_ANY,	REPORT_ALL,	   REPORT_NOTHING, cmd_idle },
	{ "NAMESPACE",	  ST_ANY,	REPORT_ALL,	   REPORT_NOTHING, cmd_namespace },
	{ "SELECT",	  ST_ANY,	REPORT_NOTHING,	   REPORT_NOTHING, cmd_select },
	{ "EXAMINE",	  ST_ANY,	REPORT_NOTHING,	   REPORT_NOTHING, cmd_examine },
	{ "CREATE",	  ST_ANY,	REPORT_ALL,	   REPORT_NOTHING, cmd_create },
	{ "DELETE",	  ST_ANY,	REPORT_ALL,	   REPORT_NOTHING, cmd_delete },
	{ "RENAME",	  ST_ANY,	REPORT_ALL,	   REPORT_NOTHING, cmd_rename },
	{ "SUBSCRIBE",	  ST_ANY,	REPORT_ALL,	   REPORT_NOTHING, cmd_subscribe },
	{ "UNSUBSCRIBE",  ST_ANY,	REPORT_ALL,	   REPORT_NOTHING, cmd_unsubscribe },
	{ "LIST",	  ST_ANY,	REPORT_ALL,	   REPORT_NOTHING, cmd_list },
	{ "LSUB",	  ST_ANY,	REPORT_ALL,	   REPORT_NOTHING, cmd_lsub },
	{ "STATUS",	  ST_ANY,	REPORT_ALL,	   REPORT_NOTHING, cmd_status },
	{ "APPEND",	  ST_ANY,	REPORT_ALL,	   REPORT_NOTHING, cmd_append },
	{ "CLOSE",	  ST_SELECTED,	REPORT_NOTHING,	   REPORT_NOTHING, cmd_close },
	{ "UNSELECT",	  ST_SELECTED,	REPORT_NOTHING,	   REPORT_NOTHING, cmd_unselect },
	{ "EXPUNGE",	  ST_SELECTED,	REPORT_ALL,	   REPORT_ALL,	   cmd_expunge },
	{ "FETCH",	  ST_SELECTED,	REPORT_NO_EXPUNGE, REPORT_ALL,	   cmd_fetch },
	{ "STORE",	  ST_SELECTED,	REPORT_NO_EXPUNGE, REPORT_ALL,	   cmd_store },
	{ "SEARCH",	  ST_SELECTED,	REPORT_NO_EXPUNGE, REPORT_ALL,	   cmd_search },
	{ "COPY",	  ST_SELECTED,	REPORT_ALL,	   REPORT_ALL,	   cmd_copy },
	{ "MOVE",	  ST_SELECTED,	REPORT_ALL,	   REPORT_ALL,	   cmd_move },
};

__attribute__((format(printf, 4, 0))) static bool answer(struct request *r, enum answer_status status, const char *code,
							  const char *format, va_list ap)
{
	r->status = status;
	if (code) {
		buf_reset(&r->code);
		buf_add(&r->code, str_from(code));
	}
	vsnprintf(r->text, sizeof(r->text), format, ap);
	return false;
}

bool answer_ok(struct request *r, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	answer(r, ANSWER_OK, NULL, format, ap);
	va_end(ap);
	return false;
}

bool answer_no(struct request *r, const char *code, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	answer(r, ANSWER_NO, code, format, ap);
	va_end(ap);
	return false;
}

bool answer_bad(struct request *r, const char *text)
{
	r->status = ANSWER_BAD;
	buf_reset(&r->code);
	snprintf(r->text, sizeof(r->text), "%s", r->in.wrong ? r->in.wrong : text ? text : "syntax error");
	return false;
}

bool answer_mbox(struct request *r, enum mbox_result result, const struct err *err, const char *missing)
{
	switch (result) {
	case MBOX_OK: return true;
	case MBOX_FULL: return answer_no(r, "OVERQUOTA", "no space is left: %s", err->text);
	case MBOX_IO: return answer_no(r, "UNAVAILABLE", "the mailbox has failed: %s", err->text);
	case MBOX_BUSY: return answer_no(r, "INUSE", "the folder is in use: %s", err->text);
	case MBOX_MISSING: return answer_no(r, missing, "there is no such folder");
	case MBOX_REFUSED: return answer_no(r, "CANNOT", "%s", err->text);
	case MBOX_EXISTS: return answer_no(r, "ALREADYEXISTS", "there is such a folder already");
	}
	return answer_no(r, "SERVERBUG", "unknown result %d", (int)result);
}

bool request_end(struct request *r)
{
	return parse_end(&r->in) || answer_bad(r, NULL);
}

/* What was said to a person may hold anything; on the wire it is one line of ASCII. */
static void put_text(struct buf *out, const char *text)
{
	for (; *text; text++)
		buf_addc(out, *text >= ' ' && *text < 0x7f ? *text : '?');
}

static void put_answer(struct session *s, struct request *r)
{
	static const char *const words[] = { " OK ", " NO ", " BAD " };
	struct buf *out = &s->wire.out;

	if (r->status == ANSWER_NONE)
		return;
	buf_add(out, r->tag);
	buf_add(out, str_from(words[r->status]));
	if (r->modseq && !r->code.n && r->status == ANSWER_OK && s->view && (s->enabled & ENABLED_CONDSTORE))
		buf_addf(&r->code, "HIGHESTMODSEQ %llu", (unsigned long long)s->view->modseq);
	if (r->code.n > 0) {
		buf_addc(out, '[');
		buf_add(out, buf_str(&r->code));
		buf_add(out, STR("] "));
	}
	put_text(out, r->text[0] ? r->text : r->status == ANSWER_OK ? "done" : "failed");
	buf_add(out, STR("\r\n"));
	wire_tide(&s->wire);
}

static const struct command *find_command(struct request *r)
{
	struct str verb;

	if (!parse_atom(&r->in, &verb))
		return NULL;
	r->uid = str_ieq(verb, STR("UID"));
	if (r->uid && (!parse_space(&r->in) || !parse_atom(&r->in, &verb)))
		return NULL;
	for (size_t i = 0; i < COUNT(commands); i++)
		if (str_ieq(verb, str_from(commands[i].verb)))
			return r->uid && !commands[i].uid_news ? NULL : &commands[i];
	return NULL;
}

static enum report_what run(struct session *s, struct request *r)
{
	const struct command *c = find_command(r);

	if (!c) {
		r->in.wrong = NULL;
		answer_bad(r, "unknown command");
		return REPORT_NOTHING;
	}
	r->verb = c->verb;
	if (!(c->states & (s->view ? ST_SELECTED : ST_LOGGED_IN))) {
		answer_bad(r, "no folder is selected");
		return REPORT_NOTHING;
	}
	c->run(s, r);
	return r->uid ? c->uid_news : c->news;
}

static bool tag_char(char c)
{
	return (parse_atom_char(c) || c == ']') && c != '+';
}

/* "*" stands for a tag that cannot be read. */
static bool take_tag(struct request *r)
{
	size_t n = 0;

	while (n < r->in.rest.n && tag_char(r->in.rest.p[n]))
		n++;
	r->tag = STR("*");
	if (n == 0 || n > TAG_MAX)
		return answer_bad(r, "the tag is missing");
	r->tag = str_head(r->in.rest, n);
	r->in.rest = str_skip(r->in.rest, n);
	return parse_space(&r->in) || answer_bad(r, "a command is missing");
}

/* A message that no handler has asked for is still on its way. */
static void refuse_message(struct session *s, struct request *r)
{
	enum wire_got got = s->wire.pending ? wire_message_refuse(&s->wire) : WIRE_OK;

	if (got == WIRE_OK)
		return;
	session_give_up(s, got);
	r->status = ANSWER_NONE;
}

static void count_bad(struct session *s, const struct request *r)
{
	s->bad_commands = r->status == ANSWER_BAD ? s->bad_commands + 1 : 0;
	if (s->bad_commands < COMMANDS_BAD_MAX || s->over)
		return;
	wire_say(&s->wire, "* BYE too many bad commands");
	s->over = true;
}

void commands_run(struct session *s, struct str line, enum wire_got got)
{
	struct request r = { .in = { .rest = line } };
	enum report_what news = REPORT_NOTHING;

	r.in.arena = &r.arena;
	if (!take_tag(&r))
		;
	else if (got == WIRE_BAD)
		answer_bad(&r, s->wire.why);
	else
		news = run(s, &r);
	if (got == WIRE_MESSAGE)
		refuse_message(s, &r);
	if (!s->over && r.status != ANSWER_NONE)
		report_news(s, r.status == ANSWER_BAD ? REPORT_NOTHING : news, r.uid);
	put_answer(s, &r);
	count_bad(s, &r);
	buf_free(&r.code);
	arena_free(&r.arena);
}
