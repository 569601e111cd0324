#include "certs.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/time.h"

enum { SETTLE_S = 3, OFTEN_MS = 5000 };

static struct service *find_keyd(const struct master *m)
{
	struct service *s = m->services;

	while (s && (s->leaving || strcmp(s->facts->daemon->name, "keyd") != 0))
		s = s->next;
	return s;
}

/* What distinguishes one version of all files from another; *newest: when the last of them was written. */
static uint64_t look(const struct service *keyd, int64_t *newest)
{
	scoped_buf struct buf seen = { 0 };
	scoped_arena struct arena tmp = { 0 };

	*newest = 0;
	for (size_t i = 0; i < *keyd->facts->daemon->n_params; i++) {
		struct str list = keyd->facts->values[i], item;
		while (conf_list_next(&list, &item)) {
			struct stat st = { 0 };
			if (item.p[0] != '/' || stat(arena_str(&tmp, item).p, &st) < 0)
				continue;
			buf_addf(&seen, "%llu %llu %lld.%ld ", (unsigned long long)st.st_ino, (unsigned long long)st.st_size,
				 (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
			if (st.st_ctime > *newest)
				*newest = st.st_ctime;
		}
	}
	return hash_str(buf_str(&seen));
}

/* keyd has read its keys as root and cannot again: it starts anew; those who show certificates fetch them from it. */
static void take_up(struct master *m, struct service *keyd)
{
	log_line(&m->log, LOG_NOTICE, "certificates or keys have changed on disk: they are taken up");
	if (keyd->pid)
		kill(keyd->pid, SIGTERM);
	for (struct service *s = m->services; s; s = s->next)
		for (size_t i = 0; !s->leaving && s->facts->daemon->servers[i]; i++)
			if (strcmp(s->facts->daemon->servers[i], "keyd") == 0)
				service_take(s, s->facts, NULL);
}

static void check(void *arg)
{
	struct master *m = arg;
	struct service *keyd = find_keyd(m);
	int64_t newest, every = m->conf.certificate_check_interval;

	if (!keyd || every == 0 || m->stopping)
		return;
	uint64_t now = look(keyd, &newest);
	bool settled = newest < clock_wall_us() / 1000000 - SETTLE_S; /* certificate and key are not written in one instant */
	if (m->certs_seen == 0)
		m->certs_seen = now;
	if (now != m->certs_seen && settled) {
		m->certs_seen = now;
		take_up(m, keyd);
	}
	timer_set(&m->certs_timer, m->loop, now != m->certs_seen && every > OFTEN_MS ? OFTEN_MS : every, check, m);
}

void certs_watch(struct master *m)
{
	m->certs_seen = 0;
	timer_set(&m->certs_timer, m->loop, 0, check, m);
}
