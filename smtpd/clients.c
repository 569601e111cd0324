#include "clients.h"

#include <stdlib.h>

#include "base/net.h"
#include "base/time.h"
#include "log/words.h"
#include "smtp/checks.h"

enum { CLIENTS_KEPT = 10000 };

struct client {
	unsigned sessions;
	int64_t since_ms; /* when its unit of time began */
	uint32_t counts[CLIENT_EVENTS];
};

static const char *const event_words[CLIENT_EVENTS] = { "Connection rate", "Message delivery request rate",
							"Recipient address rate", "AUTH command rate",
							"New TLS session rate" };

static int64_t limit_of(const struct smtpd_conf *conf, enum client_event event)
{
	switch (event) {
	case CLIENT_CONNECTION: return conf->smtpd_client_connection_rate_limit;
	case CLIENT_MESSAGE: return conf->smtpd_client_message_rate_limit;
	case CLIENT_RECIPIENT: return conf->smtpd_client_recipient_rate_limit;
	case CLIENT_AUTH: return conf->smtpd_client_auth_rate_limit;
	default: return conf->smtpd_client_new_tls_session_rate_limit;
	}
}

static struct str key_of(const struct session *s, struct buf *room)
{
	char network[NET_TEXT_MAX];

	buf_addf(room, "%u:%.*s", s->service, STR_ARG(net_owner(str_from(s->address), network)));
	return buf_str(room);
}

static bool is_over(const struct session *s, const struct client *c)
{
	return clock_mono_ms() - c->since_ms >= session_conf(s)->anvil_rate_time_unit;
}

/* Those whose time is over and who have no session. A crowd from everywhere at once is counted anew. */
static void make_room(struct session *s)
{
	struct table *all = &s->smtpd->clients;
	bool crowd = false;
	struct str key;
	void *v;

	for (int round = 0; round < 2 && all->n >= CLIENTS_KEPT; round++, crowd = true) {
		size_t at = 0;
		while (table_next(all, &at, &key, &v)) {
			struct client *c = v;
			if (c->sessions == 0 && (crowd || is_over(s, c)))
				free(table_remove(all, key));
		}
	}
}

static struct client *find_or_add(struct session *s)
{
	scoped_buf struct buf room = { 0 };
	struct str key = key_of(s, &room);
	struct client *c = table_get(&s->smtpd->clients, key);

	if (!c) {
		make_room(s);
		c = calloc(1, sizeof(*c));
		ASSERT(c);
		c->since_ms = clock_mono_ms();
		table_set(&s->smtpd->clients, key, c);
	}
	return c;
}

bool clients_event(struct session *s, enum client_event event)
{
	int64_t limit = limit_of(session_conf(s), event);

	if (limit == 0 || !s->counted)
		return true;
	struct client *c = find_or_add(s);
	if (is_over(s, c)) {
		memset(c->counts, 0, sizeof(c->counts));
		c->since_ms = clock_mono_ms();
	}
	if (c->counts[event] < UINT32_MAX)
		c->counts[event]++;
	if (c->counts[event] == limit + 1)
		log_line(&s->smtpd->run->log, LOG_WARNING, WORDS_RATE, event_words[event], c->counts[event], s->client);
	return c->counts[event] <= limit;
}

bool clients_enter(struct session *s)
{
	s->counted = s->uid == UINT32_MAX &&
		     !checks_in_networks(session_conf(s)->smtpd_client_event_limit_exceptions, str_from(s->address));
	if (!s->counted)
		return true;
	struct client *c = find_or_add(s);
	c->sessions++;
	bool few = c->sessions <= (uint64_t)session_conf(s)->smtpd_client_connection_count_limit;
	return clients_event(s, CLIENT_CONNECTION) && few;
}

void clients_leave(struct session *s)
{
	scoped_buf struct buf room = { 0 };

	if (!s->counted)
		return;
	struct str key = key_of(s, &room);
	struct client *c = table_get(&s->smtpd->clients, key);
	if (--c->sessions == 0 && is_over(s, c))
		free(table_remove(&s->smtpd->clients, key));
}
