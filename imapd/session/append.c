/* APPEND (RFC 3501, 6.3.11; 4315 UIDPLUS, 7889 APPENDLIMIT): the message goes to the disk as it comes, and is never held. */
#include "base/time.h"
#include "flags.h"
#include "names.h"

struct append {
	struct str folder;
	struct flags flags;
	int64_t date; /* seconds */
	bool has_date;
};

/* [SP flags] [SP date-time] SP literal; the literal itself is not in the command. */
static bool take_append(struct parse *p, struct append *a)
{
	if (!parse_space(p))
		return false;
	if (parse_peek(p) == '(' && (!flags_parse_list(p, &a->flags) || !parse_space(p)))
		return false;
	a->has_date = parse_peek(p) == '"';
	if (a->has_date && (!parse_date_time(p, &a->date) || !parse_space(p)))
		return false;
	return parse_peek(p) == '{' || parse_wrong(p, "the message is missing");
}

static enum mbox_result begin(struct session *s, const struct append *a, struct mbox_delivery **d, struct err *err)
{
	struct mbox_order order = {
		.folder = a->folder,
		.host = s->conf->myhostname,
		.now_us = a->has_date ? (a->date > 0 ? a->date : 0) * 1000000 : clock_wall_us(),
		.must_exist = true,
	};

	return mbox_begin(s->home, &order, d, err);
}

/* What comes behind a failure is read all the same: the client sends it. */
static enum wire_got take_message(struct session *s, struct request *r, struct mbox_delivery *d)
{
	enum mbox_result result = MBOX_OK;
	struct err err = { 0 };
	struct str piece;
	bool nul = false;
	enum wire_got got;

	wire_message_begin(&s->wire);
	while (!(got = wire_message_next(&s->wire, &piece)) && piece.n > 0) {
		nul = nul || str_find(piece, '\0') >= 0;
		if (!result && !nul)
			result = mbox_write(d, piece, &err);
	}
	if (!got)
		got = wire_message_end(&s->wire);
	if (got == WIRE_BAD)
		answer_bad(r, s->wire.why);
	else if (nul)
		answer_no(r, "CANNOT", "the message holds NUL");
	else
		answer_mbox(r, result, &err, "TRYCREATE");
	return got;
}

static void keep(struct session *s, struct request *r, const struct append *a, struct mbox_delivery **d)
{
	struct err err = { 0 };
	uint32_t uidvalidity, uid;
	enum mbox_result result = mbox_append(s->user, d, a->flags.system, a->flags.keywords, a->flags.n, &uidvalidity,
					      &uid, &err);

	if (answer_mbox(r, result, &err, "TRYCREATE"))
		buf_addf(&r->code, "APPENDUID %u %u", uidvalidity, uid);
}

/* $Forwarded is no keyword on disk, but a flag. */
static void drop_forwarded(struct flags *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		if (!flags_is_forwarded(f->keywords[i]))
			f->keywords[n++] = f->keywords[i];
	f->n = n;
}

void cmd_append(struct session *s, struct request *r)
{
	scoped_delivery struct mbox_delivery *d = NULL;
	struct append a = { 0 };
	struct err err = { 0 };
	uint64_t size = s->wire.message;

	if (!name_take(r, &a.folder))
		return;
	if (!take_append(&r->in, &a)) {
		answer_bad(r, NULL);
		return;
	}
	drop_forwarded(&a.flags);
	if (size == 0) {
		answer_no(r, NULL, "the message is empty"); /* RFC 3502: that means that the client has given up */
		return;
	}
	if (size > (uint64_t)s->conf->message_size_limit) {
		answer_no(r, "TOOBIG", "the message has more than %lld octets", (long long)s->conf->message_size_limit);
		return;
	}
	if (!answer_mbox(r, begin(s, &a, &d, &err), &err, "TRYCREATE"))
		return;
	enum wire_got got = take_message(s, r, d);
	if (got == WIRE_OK && r->status == ANSWER_OK) {
		keep(s, r, &a, &d);
	} else if (got != WIRE_OK && got != WIRE_BAD) {
		session_give_up(s, got);
		r->status = ANSWER_NONE;
	}
}
