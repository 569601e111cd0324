#include "queue/env.h"

#include "base/time.h"
#include "base/utf8.h"

/* What strangers wrote must not steer a terminal or begin a line of its own. */
static bool print_text(struct buf *out, struct str s)
{
	bool utf8 = utf8_valid(s), ok = true;

	for (size_t i = 0; i < s.n && ok; i++) {
		uint8_t c = (uint8_t)s.p[i];
		/* C1 controls are written 0xc2 0x80..0x9f in UTF-8 */
		bool c1 = utf8 && (c == 0xc2 && (uint8_t)s.p[i + 1] < 0xa0);
		bool plain = c >= 0x20 && c != 0x7f && c != '\\' && !c1 && (c < 0x80 || utf8);
		if (c1)
			ok = buf_addf(out, "\\x%02x\\x%02x", c, (uint8_t)s.p[++i]);
		else
			ok = plain ? buf_addc(out, (char)c) : buf_addf(out, "\\x%02x", c);
	}
	return ok;
}

static bool print_fact(struct buf *out, const char *name, struct str value)
{
	if (value.n == 0)
		return true;
	return buf_addf(out, "%s: ", name) && print_text(out, value) && buf_addc(out, '\n');
}

static bool print_time(struct buf *out, const char *name, int64_t wall_us)
{
	char date[DATE_MAX];

	date_rfc5322(wall_us, date);
	return wall_us == 0 || buf_addf(out, "%s: %s\n", name, date);
}

static bool print_recipient(struct buf *out, uint32_t number, const struct env_recipient *r)
{
	static const char *const states[ENV_STATES] = {
		[ENV_PENDING] = "pending", [ENV_DEFERRED] = "deferred", [ENV_DELIVERED] = "delivered",
		[ENV_FAILED] = "failed",   [ENV_RETURNED] = "returned", [ENV_REPLACED] = "replaced",
	};

	return buf_addf(out, "recipient %u: ", number) && print_text(out, r->address) &&
	       buf_addf(out, "\n  state: %s\n", states[r->state]) && print_fact(out, "  original", r->original) &&
	       print_fact(out, "  transport", r->transport) && print_fact(out, "  nexthop", r->nexthop) &&
	       print_fact(out, "  user", r->user) && (r->flags == 0 || buf_addf(out, "  flags: %#x\n", r->flags)) &&
	       print_time(out, "  tried", r->at_us) && print_fact(out, "  status", r->status) &&
	       print_fact(out, "  reply", r->text);
}

bool env_print(const struct env *env, struct buf *out)
{
	bool ok = buf_addf(out, "id: %s\n", env->id.text) && print_time(out, "arrival", env->arrival_us) &&
		  buf_addf(out, "sender: <") && print_text(out, env->sender) && buf_addf(out, ">\n") &&
		  print_fact(out, "envid", env->envid) && print_fact(out, "service", env->service) &&
		  print_fact(out, "client name", env->client_name) &&
		  print_fact(out, "client address", env->client_address) && print_fact(out, "login", env->login) &&
		  buf_addf(out, "flags: %#x\ncontent bytes: %llu\nattempts: %u\n", env->flags,
			   (unsigned long long)env->content_size, env->attempts) &&
		  print_time(out, "next try", env->next_try_us) &&
		  buf_addf(out, "held: %s\n", env->held ? "yes" : "no");

	for (uint32_t i = 0; i < env->n && ok; i++)
		ok = print_recipient(out, i, &env->recipients[i]);
	return ok;
}
