/* tayori user - the passwd-file: add, passwd, delete, list. Each change replaces the file as a whole. */
#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "ctl.h"
#include "user.h"
#include "io/fd.h"

struct book {
	int folder, lock;
	char *path;
	const char *name;
	struct buf text;
	struct stat st;
	bool give; /* to the owner and group in st */
};

static int usage(const struct ctl *ctl)
{
	return ctl_fail(ctl, EX_USAGE,
			"usage: tayori user add|passwd NAME [--password-stdin] | delete NAME | list [--json]");
}

static void book_close(struct book *b)
{
	fd_close(&b->folder);
	fd_close(&b->lock);
	buf_free(&b->text);
	free(b->path);
}

/* A first file is authd's, which checks passwords, and readable for lookupd, which must know who exists. */
static void book_begin(struct book *b)
{
	const struct passwd *owner = getpwnam(house_find(STR("authd"))->user);

	b->st.st_mode = 0640;
	b->st.st_uid = owner ? owner->pw_uid : 0;
	const struct passwd *reader = getpwnam(house_find(STR("lookupd"))->user);
	b->st.st_gid = reader ? reader->pw_gid : 0;
	b->give = geteuid() == 0 && owner && reader;
}

/* The file with its lock: two admins at once change it one after the other. */
static int book_open(struct ctl *ctl, struct book *b)
{
	*b = (struct book){ .folder = -1, .lock = -1 };
	if (!ctl_load(ctl))
		return EX_CONFIG;
	struct str path = ctl_value(ctl, "passwd_file");
	if (path.n == 0)
		return ctl_fail(ctl, EX_CONFIG, "passwd_file is not set in %s/main.cf", ctl->folder);
	b->path = strndup(path.p, path.n);
	char *slash = strrchr(b->path, '/');
	*slash = '\0';
	b->name = slash + 1;
	b->folder = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->folder < 0)
		return ctl_fail(ctl, EX_NOINPUT, "%s: %m", b->path);
	b->lock = openat(b->folder, ".tayori-user.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (b->lock < 0 || flock(b->lock, LOCK_EX) < 0)
		return ctl_fail(ctl, EX_NOPERM, "%s: %m", b->path);
	scoped_fd int fd = openat(b->folder, b->name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return book_begin(b), 0;
	b->give = true;
	if (fd < 0 || fstat(fd, &b->st) < 0 || fd_read_rest(fd, &b->text) < 0)
		return ctl_fail(ctl, EX_NOINPUT, "%s/%s: %m", b->path, b->name);
	return 0;
}

/* The new file keeps owner, group and mode, so that authd can still read it. */
static int book_write(struct ctl *ctl, struct book *b, struct str text)
{
	char temp[300];
	snprintf(temp, sizeof(temp), ".%.200s.new", b->name);
	unlinkat(b->folder, temp, 0);
	scoped_fd int fd = openat(b->folder, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || fd_write_all(fd, text) < 0 || (b->give && fchown(fd, b->st.st_uid, b->st.st_gid) < 0) ||
	    fchmod(fd, b->st.st_mode & 0777) < 0 || fsync(fd) < 0 || renameat(b->folder, temp, b->folder, b->name) < 0 ||
	    fsync(b->folder) < 0)
		return ctl_fail(ctl, EX_CANTCREAT, "%s/%s: %m", b->path, b->name);
	return 0;
}

static bool line_is(struct str line, struct str name)
{
	return line.n > 0 && line.p[0] != '#' && str_ieq(str_cut(&line, ':'), name);
}

/* Everything but the lines of that name; says whether there was one, and its fields behind the hash. */
static bool without(struct str text, struct str name, struct buf *out, struct str *rest)
{
	bool found = false;

	while (text.n > 0) {
		struct str line = str_cut(&text, '\n');
		if (line_is(line, name)) {
			found = true;
			str_cut(&line, ':');
			str_cut(&line, ':');
			*rest = line;
			continue;
		}
		buf_add(out, line);
		buf_addc(out, '\n');
	}
	return found;
}

bool user_name_ok(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] <= ' ' || strchr(":/\\\x7f", name.p[i]))
			return false;
	return name.n > 0 && name.n <= 255 && name.p[0] != '.' && name.p[0] != '#' && name.p[0] != '@';
}

bool user_read_password(const struct ctl *ctl, bool from_stdin, struct buf *out)
{
	struct termios before, quiet;
	bool terminal = !from_stdin && isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
	char line[1026];

	if (terminal) {
		quiet = before;
		quiet.c_lflag &= (tcflag_t)~ECHO;
		fputs("Password: ", stderr);
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	char *got = fgets(line, sizeof(line), stdin);
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fputc('\n', stderr);
	}
	if (!got)
		return ctl_fail(ctl, 0, "no password on standard input") != 0;
	struct str text = str_from(line);
	if (text.n > 0 && text.p[text.n - 1] == '\n')
		text.n--;
	if (text.n == 0 || text.n > 1024)
		return ctl_fail(ctl, 0, "a password has 1 to 1,024 octets") != 0;
	return buf_add(out, text);
}

static bool hash_password(struct buf *password, struct buf *out)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *data = calloc(1, sizeof(*data));
	const char *hash = NULL;

	if (data && crypt_gensalt_rn(NULL, 0, NULL, 0, setting, sizeof(setting)))
		hash = crypt_rn(buf_cstr(password), setting, data, sizeof(*data));
	bool ok = hash && buf_add(out, str_from(hash));
	explicit_bzero(password->p, password->n);
	free(data);
	return ok;
}

int user_add(struct ctl *ctl, struct str name, struct buf *password, bool *there)
{
	scoped_buf struct buf text = { 0 }, hash = { 0 };
	struct str rest;
	struct book b;
	int status = book_open(ctl, &b);

	*there = status == 0 && without(buf_str(&b.text), name, &text, &rest);
	if (status == 0 && !*there) {
		if (!hash_password(password, &hash))
			status = ctl_fail(ctl, EX_SOFTWARE, "the password cannot be hashed");
		buf_addf(&text, "%.*s:%.*s\n", STR_ARG(name), STR_ARG(buf_str(&hash)));
		status = status ? status : book_write(ctl, &b, buf_str(&text));
	}
	book_close(&b);
	return status;
}

static int change(struct ctl *ctl, struct book *b, const char *verb, struct str name, bool from_stdin)
{
	scoped_buf struct buf text = { 0 }, password = { 0 }, hash = { 0 };
	struct str rest = { 0 };
	bool found = without(buf_str(&b->text), name, &text, &rest), add = strcmp(verb, "add") == 0;

	if (add && found)
		return ctl_fail(ctl, EX_DATAERR, "%.*s is there already: use passwd", STR_ARG(name));
	if (!add && !found)
		return ctl_fail(ctl, EX_NOUSER, "%.*s: no such user", STR_ARG(name));
	if (strcmp(verb, "delete") != 0) {
		if (!user_read_password(ctl, from_stdin, &password) || !hash_password(&password, &hash))
			return EX_DATAERR;
		buf_addf(&text, "%.*s:%.*s%s%.*s\n", STR_ARG(name), STR_ARG(buf_str(&hash)), rest.n ? ":" : "", STR_ARG(rest));
	}
	return book_write(ctl, b, buf_str(&text));
}

static int list(const struct book *b, bool json)
{
	struct str text = buf_str(&b->text);
	size_t n = 0;

	if (json)
		printf("[");
	while (text.n > 0) {
		struct str line = str_trim(str_cut(&text, '\n'));
		if (line.n == 0 || line.p[0] == '#')
			continue;
		struct str name = str_cut(&line, ':');
		if (!json) {
			printf("%.*s\n", STR_ARG(name));
			continue;
		}
		printf("%s{\"user\":", n++ ? ",\n " : "");
		ctl_json_text(stdout, name);
		printf("}");
	}
	if (json)
		printf("]\n");
	return 0;
}

/* A name without a domain gets the default one, as at a login. */
static struct str full_name(struct ctl *ctl, const char *typed)
{
	struct str domain = ctl_value(ctl, "auth_default_domain");

	if (strchr(typed, '@') || domain.n == 0)
		return str_from(typed);
	return str_from(arena_printf(&ctl->config.arena, "%s@%.*s", typed, STR_ARG(domain)));
}

int tayori_user(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = { { "password-stdin", no_argument, NULL, 'p' },
						 { "json", no_argument, NULL, 'j' },
						 { 0 } };
	bool from_stdin = false, json = false;
	struct book b;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return usage(ctl);
		from_stdin = from_stdin || option == 'p';
		json = json || option == 'j';
	}
	const char *verb = optind < argc ? argv[optind] : "", *typed = optind + 1 < argc ? argv[optind + 1] : NULL;
	bool lists = strcmp(verb, "list") == 0;
	bool changes = strcmp(verb, "add") == 0 || strcmp(verb, "passwd") == 0 || strcmp(verb, "delete") == 0;
	if ((!lists && !changes) || (changes && (!typed || optind + 2 != argc)))
		return usage(ctl);
	int status = book_open(ctl, &b);
	if (status == 0 && lists) {
		status = list(&b, json);
	} else if (status == 0) {
		struct str name = full_name(ctl, typed);
		status = user_name_ok(name) ? change(ctl, &b, verb, name, from_stdin)
					  : ctl_fail(ctl, EX_DATAERR, "%.*s cannot be a user's name", STR_ARG(name));
	}
	book_close(&b);
	return status;
}
