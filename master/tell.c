#include "tell.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"
#include "ipc/messages.h"

/* Of a daemon whose children run programs: its own children take less. */
#define COMMANDS_MEMORY (4ull << 30)

/* Who shall own a folder that we have to make for a daemon that writes into it. */
static void make_folder(struct service *s, const char *path)
{
	scoped_arena struct arena tmp = { 0 };
	const struct passwd *pw = getpwnam(arena_str(&tmp, s->facts->user).p);

	if (mkdir(path, 0700) < 0)
		return;
	log_line(&s->master->log, LOG_NOTICE, "created folder %s for %s", path, s->name);
	if (s->master->privileged && pw && chown(path, pw->pw_uid, pw->pw_gid) < 0)
		log_line(&s->master->log, LOG_WARNING, "warning: %s cannot be given to %s: %m", path, pw->pw_name);
}

static void tell_folder(struct service *s, struct str path)
{
	scoped_arena struct arena tmp = { 0 };
	const char *name = arena_str(&tmp, path).p;
	bool write = s->facts->daemon->writes;
	scoped_fd int fd = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && write) {
		make_folder(s, name);
		fd = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0) {
		log_line(&s->master->log, LOG_ERROR, "error: %s: folder %s: %m", s->name, name);
		return;
	}
	channel_notify(&s->control, &folder_schema, &(struct folder){ .path = path, .write = write, .folder = fd });
}

static void tell_folder_of(struct service *s, struct str file)
{
	ptrdiff_t slash = str_rfind(file, '/');

	if (file.n == 0 || file.p[0] != '/' || str_eq(file, STR("/dev/stdout")))
		return;
	tell_folder(s, slash == 0 ? STR("/") : str_head(file, (size_t)slash));
}

static void tell_folders(struct service *s, const struct conf_param *p, struct str value)
{
	struct str item;

	/* folders of mail or of the queue are for those who write there; others know only their names */
	if (p->type == CONF_folder && value.n > 0 && s->facts->daemon->writes)
		tell_folder(s, value);
	if (p->type == CONF_file)
		while (conf_list_next(&value, &item))
			tell_folder_of(s, item);
	/* domain lists may hold type:table too, so any text may name one; others have no colon before a slash */
	if (p->type == CONF_tables || p->type == CONF_text)
		while (conf_list_next(&value, &item)) {
			ptrdiff_t colon = str_find(item, ':');
			str_eat_word(&item, STR("proxy:"));
			if (colon > 0)
				str_cut(&item, ':');
			tell_folder_of(s, item);
		}
}

static void tell_values(struct service *s, const struct config_service *f)
{
	const struct house_daemon *d = f->daemon;
	struct settings m = { .service = f->name };
	scoped_buf struct buf names = { 0 }, values = { 0 };

	for (size_t i = 0; i < *d->n_params; i++) {
		strs_add(&names, &m.names, str_from(d->params[i].name));
		strs_add(&values, &m.values, f->values[i]);
		tell_folders(s, &d->params[i], f->values[i]);
	}
	channel_notify(&s->control, &settings_schema, &m);
}

void tell_settings(struct service *s)
{
	tell_values(s, s->facts);
	for (const struct config_service *f = s->facts->members; f; f = f->next)
		tell_values(s, f);
}

bool tell_walls(struct service *s, struct err *err)
{
	struct master *m = s->master;
	const struct house_daemon *d = s->facts->daemon;
	enum sandbox children = d->sandbox == SANDBOX_SPAWN ? SANDBOX_MAILBOX
				: d->sandbox == SANDBOX_RUN ? SANDBOX_COMMAND
							    : SANDBOX_HELD; /* it has none */
	bool parent = children || d->sandbox == SANDBOX_ACCOUNT; /* its children drop root */
	bool paths = parent || d->sandbox == SANDBOX_DIAL; /* its business */
	struct walls w = {
		.drop = m->privileged,
		.root = m->privileged && !paths ? m->empty_root : -1,
		.filter = m->filters[d->sandbox],
		.child_filter = children ? m->filters[children] : -1,
		.spawner = parent,
		.network = d->sandbox == SANDBOX_NET,
		.landlock = m->conf.landlock_enable,
		.memory_bytes = d->sandbox == SANDBOX_RUN ? COMMANDS_MEMORY : (uint64_t)m->conf.service_memory_limit,
		.descriptors = (uint32_t)m->conf.service_descriptor_limit,
	};

	if (m->privileged) {
		scoped_arena struct arena tmp = { 0 };
		const char *user = arena_str(&tmp, s->facts->user).p;
		const struct passwd *pw = getpwnam(user);
		if (!pw)
			return err_set(err, "user %s of %s does not exist: create the users with etc/users", user, s->name);
		w.uid = pw->pw_uid;
		w.gid = pw->pw_gid;
	}
	channel_notify(&s->control, &walls_schema, &w);
	return true;
}

static void tell_listener(struct service *s, const struct listeners *l, size_t i, int fd)
{
	scoped_arena struct arena tmp = { 0 };
	const char *name = arena_printf(&tmp, "%s#%zu", l->name, i);

	channel_notify(&s->control, &listener_schema,
		       &(struct listener){ .name = str_from(name), .service = str_from(l->name), .socket = fd });
}

/* A socket for the commands. */
static void tell_tools(struct service *s, const char *name, int fd)
{
	channel_notify(&s->control, &listener_schema,
		       &(struct listener){ .name = str_from(name), .service = s->facts->name, .socket = fd });
}

void tell_listeners(struct service *s, const struct listeners *list)
{
	for (const struct listeners *l = list; l; l = l->next)
		for (size_t i = 0; i < l->n; i++)
			tell_listener(s, l, i, l->fds[i]);
	if (strcmp(s->facts->daemon->name, "qmgr") == 0)
		tell_tools(s, "queue", s->master->queue_listener);
	if (strcmp(s->facts->daemon->name, "local") == 0)
		tell_tools(s, "mailbox", s->master->mailbox_listener);
}

void tell_closed(struct service *s, const struct listeners *l)
{
	for (size_t i = 0; i < l->n; i++)
		tell_listener(s, l, i, -1);
}
