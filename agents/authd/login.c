#include "login.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "base/time.h"
#include "io/fd.h"

enum { PEER_MS = 20000, TICKET_OCTETS = 16, WRITING_US = 2000000 };

/* A login under way: hashed by a worker or asked of accountd, then perhaps granted to a spawner. */
struct question {
	struct question *next, **prev;
	struct authd *authd;
	struct channel *from; /* NULL: nobody waits any more */
	uint32_t serial;
	bool find; /* mailbox_find, not login */
	const char *spawner; /* who opens the session that the ticket is for; NULL: no ticket is wanted */
	struct task task;
	struct call call;
	char address[64];
	char user[USERS_NAME_MAX + 1];
	char ticket[2 * TICKET_OCTETS + 1];
	uint64_t tried; /* keyed hash of user and password */
	struct buf home;
	struct buf account; /* the home of an account */
	uint32_t uid, gid;
	bool virtual_user;
};

static const struct authd_conf *conf(const struct authd *a)
{
	return a->run->conf;
}

static struct question *question_new(struct authd *a, struct channel *ch, uint32_t serial)
{
	struct question *q = calloc(1, sizeof(*q));

	ASSERT(q);
	q->authd = a;
	q->from = ch;
	q->serial = serial;
	q->next = a->questions;
	q->prev = &a->questions;
	if (q->next)
		q->next->prev = &q->next;
	a->questions = q;
	return q;
}

static void question_free(struct question *q)
{
	call_cancel(&q->call);
	explicit_bzero(q->task.password, sizeof(q->task.password));
	*q->prev = q->next;
	if (q->next)
		q->next->prev = q->prev;
	buf_free(&q->home);
	buf_free(&q->account);
	free(q);
}

/* ---- the passwd-file ---- */

static bool unchanged(struct authd *a, const struct stat *st)
{
	int64_t mtime = st->st_mtim.tv_sec * 1000000000LL + st->st_mtim.tv_nsec;
	bool same = a->file.device == st->st_dev && a->file.inode == st->st_ino && a->file.mtime_ns == mtime &&
		    a->file.size == st->st_size;

	a->file.device = st->st_dev;
	a->file.inode = st->st_ino;
	a->file.mtime_ns = mtime;
	a->file.size = st->st_size;
	return same;
}

/*
 * Read anew when it has changed. One that does not end in a line end, or was just emptied, is being written: the old one
 * serves on.
 */
static void refresh_users(struct authd *a)
{
	scoped_arena struct arena tmp = { 0 };
	scoped_buf struct buf text = { .limit = USERS_FILE_MAX };
	const char *name;
	struct stat st;
	struct str path = conf(a)->passwd_file;

	if (path.n == 0)
		return;
	int folder = run_file(a->run, path, &tmp, &name);
	if (folder < 0 || fstatat(folder, name, &st, 0) < 0) {
		if (a->file.inode != 0 || a->file.checked_ms == 0)
			log_line(&a->run->log, LOG_ERROR, "error: passwd_file %.*s: %m", STR_ARG(path));
		a->file.checked_ms = 1;
		a->file.inode = 0;
		return;
	}
	if (unchanged(a, &st))
		return;
	scoped_fd int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fd_read_rest(fd, &text) < 0) {
		log_line(&a->run->log, LOG_ERROR, "error: passwd_file %.*s: %m; authd's user must be able to read it",
			 STR_ARG(path));
		a->file.inode = 0; /* a change of mode alone leaves no trace in the stamp */
		return;
	}
	bool cut = text.n > 0 ? text.p[text.n - 1] != '\n'
			      : a->users.first && clock_wall_us() - st.st_mtim.tv_sec * 1000000LL < WRITING_US;
	if (cut) {
		log_line(&a->run->log, LOG_WARNING,
			 "warning: passwd_file %.*s is not complete yet; the old one serves on", STR_ARG(path));
		a->file.inode = 0;
		return;
	}
	users_read(&a->users, buf_str(&text), conf(a)->auth_default_domain);
	a->unread = false;
	if (a->users.bad_lines)
		log_line(&a->run->log, LOG_WARNING,
			 "warning: passwd_file %.*s: %zu lines are not user:hash, the first is line %zu", STR_ARG(path),
			 a->users.bad_lines, a->users.first_bad);
	worker_dummy_hash(a->users.first ? a->users.first->hash : STR(""), a->dummy);
}

void login_begin(struct authd *a)
{
	worker_dummy_hash(STR(""), a->dummy);
	a->unread = conf(a)->passwd_file.n > 0;
	refresh_users(a);
	a->workers = workers_start(a->run->loop, (int)conf(a)->auth_workers);
}

/* ---- answers ---- */

/* Nobody behind this address has a word any more. A webmail on this host speaks for all its users: never this host. */
static bool is_barred(struct authd *a, const struct question *q)
{
	struct str address = str_from(q->address);

	return !str_starts(address, STR("127.")) && !str_eq(address, STR("::1")) && !str_starts(address, STR("::ffff:127.")) &&
	       penalty_is_barred(&a->penalties, address, clock_mono_ms(), conf(a)->auth_failure_limit);
}

static int64_t count_failure(struct authd *a, const struct question *q)
{
	bool before = is_barred(a, q);
	int64_t delay = penalty_add(&a->penalties, str_from(q->address), q->tried, clock_mono_ms(), conf(a)->auth_failure_delay,
				    conf(a)->auth_failure_delay_most);

	if (!before && is_barred(a, q))
		log_line(&a->run->log, LOG_WARNING, "warning: %s may not log in any more: %lld refused logins; until an hour after the last one",
			 q->address, (long long)conf(a)->auth_failure_limit);
	return delay;
}

static void answer_login(struct question *q, uint8_t result, const char *why)
{
	struct authd *a = q->authd;
	struct login_answer m = { .result = result, .why = str_from(why) };

	if (result == LOGIN_OK) {
		m.user = str_from(q->user);
		m.ticket = str_from(q->ticket);
	}
	if (result == LOGIN_REFUSED)
		m.delay_ms = (uint32_t)count_failure(a, q);
	if (q->from)
		channel_answer(q->from, q->serial, &login_answer_schema, &m);
	question_free(q);
}

static void answer_find(struct question *q, uint8_t result)
{
	struct mailbox m = { .result = result, .user = str_from(q->user) };

	if (result == LOGIN_OK) {
		m.uid = q->uid;
		m.gid = q->gid;
		m.home = buf_str(&q->home);
		m.account = buf_str(&q->account);
		m.virtual_user = q->virtual_user;
	}
	if (q->from)
		channel_answer(q->from, q->serial, &mailbox_schema, &m);
	question_free(q);
}

static void on_granted(void *arg, enum call_result result, void *message)
{
	const struct granted *g = message;
	bool ok = result == CALL_OK && g->ok;

	answer_login(arg, ok ? LOGIN_OK : LOGIN_LATER, ok ? "" : "no session can be opened now");
}

/* The spawner hears who the user is from us alone; the front gets a ticket that says nothing. */
static void grant(struct question *q)
{
	uint8_t octets[TICKET_OCTETS];

	random_bytes(octets, sizeof(octets));
	hex_encode(octets, sizeof(octets), q->ticket);
	struct grant m = { .ticket = str_from(q->ticket),
			   .user = str_from(q->user),
			   .uid = q->uid,
			   .gid = q->gid,
			   .home = buf_str(&q->home),
			   .virtual_user = q->virtual_user };
	channel_call(run_server(q->authd->run, q->spawner), &grant_schema, &m, &granted_schema, PEER_MS, &q->call,
		     on_granted, q);
}

static void login_right(struct question *q)
{
	if (q->spawner)
		grant(q);
	else
		answer_login(q, LOGIN_OK, "");
}

static void on_hashed(struct task *task)
{
	struct question *q = (struct question *)((char *)task - offsetof(struct question, task));

	if (q->task.matches && q->home.n > 0) /* nobody lives at the dummy hash */
		login_right(q);
	else
		answer_login(q, LOGIN_REFUSED, "wrong password or unknown user");
}

/* Where a virtual user's mail lies: BASE/domain/user, or as the passwd-file says. */
static void place_virtual(struct question *q, const struct user *u)
{
	struct authd *a = q->authd;
	struct str domain = u->name, local = str_cut(&domain, '@');

	q->virtual_user = true;
	q->uid = a->mail_uid;
	q->gid = a->mail_gid;
	if (u->home.n > 0)
		buf_add(&q->home, u->home);
	else if (domain.n > 0)
		buf_addf(&q->home, "%.*s/%.*s/%.*s", STR_ARG(conf(a)->virtual_mailbox_base), STR_ARG(domain),
			 STR_ARG(local));
	else
		buf_addf(&q->home, "%.*s/%.*s", STR_ARG(conf(a)->virtual_mailbox_base), STR_ARG(local));
}

/* ---- accounts of this host: accountd knows them ---- */

static void on_system_found(void *arg, enum call_result result, void *message)
{
	struct question *q = arg;
	const struct mailbox *m = message;

	if (result != CALL_OK || m->result == LOGIN_LATER) {
		q->find ? answer_find(q, LOGIN_LATER) : answer_login(q, LOGIN_LATER, "accountd does not answer");
		return;
	}
	if (m->result != LOGIN_OK || m->uid < conf(q->authd)->first_valid_uid) {
		q->find ? answer_find(q, LOGIN_REFUSED) : answer_login(q, LOGIN_REFUSED, "no account with a mailbox");
		return;
	}
	q->uid = m->uid;
	q->gid = m->gid;
	buf_add(&q->account, m->home);
	buf_addf(&q->home, "%.*s/%.*s", STR_ARG(m->home), STR_ARG(conf(q->authd)->home_mailbox));
	if (q->find)
		answer_find(q, LOGIN_OK);
	else
		login_right(q);
}

static void find_system(struct question *q)
{
	struct mailbox_find m = { .user = str_from(q->user) };

	channel_call(run_server(q->authd->run, "accountd"), &mailbox_find_schema, &m, &mailbox_schema, PEER_MS,
		     &q->call, on_system_found, q);
}

static void on_system_login(void *arg, enum call_result result, void *message)
{
	struct question *q = arg;
	const struct system_login_answer *m = message;

	if (result != CALL_OK || m->result == LOGIN_LATER)
		answer_login(q, LOGIN_LATER, "accountd does not answer");
	else if (m->result != LOGIN_OK)
		answer_login(q, LOGIN_REFUSED, "wrong password or unknown user");
	else
		find_system(q);
}

/* ---- questions ---- */

/* The sessions of a front; NULL: the peer is no front. */
static const char *spawner_of(const struct channel *ch)
{
	static const char *const fronts[][2] = { { "pop3d", "pop3session" }, { "imapd", "imapsession" } };

	for (size_t i = 0; i < COUNT(fronts); i++)
		if (strcmp(ch->peer.daemon, fronts[i][0]) == 0)
			return fronts[i][1];
	return NULL;
}

static bool system_name(const struct authd *a, struct str canonical)
{
	return conf(a)->auth_system_users && str_find(canonical, '@') < 0;
}

static void start_hashing(struct question *q, const struct user *u, struct str password)
{
	snprintf(q->task.password, sizeof(q->task.password), "%.*s", STR_ARG(password));
	snprintf(q->task.hash, sizeof(q->task.hash), "%.*s",
		 STR_ARG(u && u->hash.n ? u->hash : str_from(q->authd->dummy)));
	q->task.done = on_hashed;
	if (!workers_put(q->authd->workers, &q->task))
		answer_login(q, LOGIN_LATER, "too many logins at a time");
}

/* The name as typed; when it has no domain and is no account, the default one is added. */
static bool canonical_login(struct authd *a, struct str typed, struct buf *name)
{
	if (conf(a)->auth_system_users && str_find(typed, '@') < 0) {
		bool ok = users_canonical(typed, conf(a)->auth_default_domain, name);
		if (ok && users_find(&a->users, buf_str(name)))
			return true;
		return users_canonical(typed, STR(""), name);
	}
	return users_canonical(typed, conf(a)->auth_default_domain, name);
}

void login_ask(struct authd *a, struct channel *ch, uint32_t serial, const struct login *m)
{
	struct question *q = question_new(a, ch, serial);
	scoped_buf struct buf name = { 0 }, both = { 0 };

	refresh_users(a);
	snprintf(q->address, sizeof(q->address), "%.*s", STR_ARG(m->client));
	buf_addf(&both, "%.*s", STR_ARG(m->user));
	buf_addc(&both, '\0');
	buf_add(&both, m->password);
	q->tried = hash_str(buf_str(&both));
	explicit_bzero(both.p, both.n);
	q->spawner = spawner_of(ch);
	if (is_barred(a, q)) {
		answer_login(q, LOGIN_LATER, "too many refused logins from this address");
		return;
	}
	/* A name that cannot be anybody's costs as much time as a wrong password. */
	bool good = canonical_login(a, m->user, &name) && m->password.n <= WORKER_PASSWORD_MAX &&
		    str_find(m->password, '\0') < 0;
	snprintf(q->user, sizeof(q->user), "%.*s", STR_ARG(buf_str(&name)));
	const struct user *u = good ? users_find(&a->users, buf_str(&name)) : NULL;
	if (good && !u && system_name(a, buf_str(&name))) {
		struct system_login s = { .user = str_from(q->user), .password = m->password };
		channel_call(run_server(a->run, "accountd"), &system_login_schema, &s, &system_login_answer_schema,
			     PEER_MS, &q->call, on_system_login, q);
		return;
	}
	if (!u && a->unread) {
		answer_login(q, LOGIN_LATER, "the passwd-file cannot be read");
		return;
	}
	if (u)
		place_virtual(q, u);
	start_hashing(q, u, good ? m->password : STR("no such password"));
}

void login_find(struct authd *a, struct channel *ch, uint32_t serial, const struct mailbox_find *m)
{
	struct question *q = question_new(a, ch, serial);
	scoped_buf struct buf name = { 0 };

	q->find = true;
	refresh_users(a);
	if (!users_canonical(m->user, STR(""), &name)) {
		answer_find(q, LOGIN_REFUSED);
		return;
	}
	snprintf(q->user, sizeof(q->user), "%.*s", STR_ARG(buf_str(&name)));
	const struct user *u = users_find(&a->users, buf_str(&name));
	if (u) {
		place_virtual(q, u);
		answer_find(q, LOGIN_OK);
	} else if (system_name(a, buf_str(&name))) {
		find_system(q);
	} else if (conf(a)->passwd_file.n == 0 && str_find(buf_str(&name), '@') > 0) {
		/* nobody can log in, and who exists only lookupd's tables know: as with Postfix alone */
		place_virtual(q, &(struct user){ .name = buf_str(&name) });
		answer_find(q, LOGIN_OK);
	} else {
		answer_find(q, a->unread ? LOGIN_LATER : LOGIN_REFUSED);
	}
}

void login_forget(struct authd *a, const struct channel *ch)
{
	for (struct question *q = a->questions; q; q = q->next)
		if (q->from == ch)
			q->from = NULL;
}
