/*
 * tayori setup - a working configuration for a real host: asked little, nothing overwritten, and what to publish in the
 * DNS. It begins with the files that are shipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/random.h"
#include "base/time.h"
#include "ctl.h"
#include "dns/packet.h"
#include "edit.h"
#include "io/fd.h"
#include "mail/addr.h"
#include "records.h"
#include "templates.h"
#include "tls/issue.h"
#include "user.h"

enum { CERTIFICATE_DAYS = 3650, ANSWER_MAX = 256 };

struct setup {
	struct ctl *ctl;
	struct arena arena;
	struct str domain, host, user;
	const char *dir; /* everything goes below it; NULL: the usual places of a host */
	bool yes, from_stdin, asks;
	int folder, tls;
	char suffix[32]; /* of files that are kept */
	struct buf main, aliases;
};

static int usage(const struct ctl *ctl)
{
	return ctl_fail(
		ctl, EX_USAGE,
		"usage: tayori setup DOMAIN [--hostname NAME] [--user NAME] [--password-stdin] [--yes] [--dir FOLDER]");
}

/* ---- questions ---- */

/* An answer from the terminal; an empty one, or none, is the preset. */
static struct str ask(struct setup *s, const char *what, struct str preset)
{
	char line[ANSWER_MAX];

	printf("%s [%.*s]: ", what, STR_ARG(preset));
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return preset;
	line[strcspn(line, "\n")] = '\0';
	struct str answer = str_trim(str_from(line));
	return answer.n > 0 ? arena_str(&s->arena, answer) : preset;
}

/* The host's own full name when it lies in the domain. */
static struct str guess_host(struct setup *s)
{
	char own[256] = "";
	struct str name;

	if (gethostname(own, sizeof(own) - 1) == 0 && dns_name_ok(str_from(own))) {
		name = arena_str(&s->arena, str_from(own));
		if (str_ends(name, str_from(arena_printf(&s->arena, ".%.*s", STR_ARG(s->domain)))))
			return name;
	}
	return str_from(arena_printf(&s->arena, "mail.%.*s", STR_ARG(s->domain)));
}

static bool good_domain(struct str name)
{
	return dns_name_ok(name) && str_find(name, '.') > 0 && name.p[name.n - 1] != '.' && str_find(name, '_') < 0;
}

static struct str lower(struct setup *s, struct str text)
{
	scoped_buf struct buf out = { 0 };

	addr_key(text, &out);
	return arena_str(&s->arena, buf_str(&out));
}

static int take_facts(struct setup *s)
{
	struct ctl *ctl = s->ctl;

	if (!good_domain(s->domain))
		return ctl_fail(ctl, EX_DATAERR,
				"%.*s is no domain such as example.org (names in other scripts are written as xn--...)",
				STR_ARG(s->domain));
	if (s->host.n == 0)
		s->host = guess_host(s);
	else
		s->asks = false;
	if (s->asks)
		s->host = lower(s, ask(s, "Name of this host, as the DNS has it", s->host));
	if (!good_domain(s->host))
		return ctl_fail(ctl, EX_DATAERR, "%.*s is no full name of a host such as mail.%.*s", STR_ARG(s->host),
				STR_ARG(s->domain));
	return 0;
}

static int take_user(struct setup *s, bool asks)
{
	if (s->user.n == 0)
		s->user = asks ? ask(s, "First user, who gets mail for postmaster too", STR("postmaster"))
			       : STR("postmaster");
	if (str_find(s->user, '@') < 0)
		s->user = str_from(arena_printf(&s->arena, "%.*s@%.*s", STR_ARG(s->user), STR_ARG(s->domain)));
	s->user = lower(s, s->user);
	struct str local, domain;
	addr_split(s->user, &local, &domain);
	if (!addr_valid(s->user) || !user_name_ok(s->user) || !str_eq(domain, s->domain))
		return ctl_fail(s->ctl, EX_DATAERR, "%.*s is no user of %.*s", STR_ARG(s->user), STR_ARG(s->domain));
	return 0;
}

/* ---- what is written ---- */

static void set(struct setup *s, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void set(struct setup *s, const char *name, const char *format, ...)
{
	struct buf next = { 0 };
	scoped_buf struct buf value = { 0 };
	va_list ap;

	va_start(ap, format);
	buf_vaddf(&value, format, ap);
	va_end(ap);
	edit_assign(buf_str(&s->main), str_from(name), buf_str(&value), &next);
	buf_free(&s->main);
	s->main = next;
}

static void make_main(struct setup *s)
{
	const char *folder = s->ctl->folder;
	const struct passwd *mail = getpwnam("tayori-mail");

	buf_add(&s->main, str_from(template_main_cf));
	set(s, "myhostname", "%.*s", STR_ARG(s->host));
	set(s, "mydomain", "%.*s", STR_ARG(s->domain));
	set(s, "virtual_mailbox_maps", "passwd-file:%s/users", folder);
	set(s, "passwd_file", "%s/users", folder);
	set(s, "virtual_alias_maps", "texthash:%s/virtual", folder);
	set(s, "tls_cert_file", "%s/tls/cert.pem", folder);
	set(s, "tls_key_file", "%s/tls/key.pem", folder);
	if (mail && mail->pw_uid < 500)
		set(s, "first_valid_uid", "%u", mail->pw_uid);
	if (!s->dir)
		return;
	set(s, "virtual_mailbox_base", "%s/mail", s->dir);
	set(s, "queue_directory", "%s/queue", s->dir);
	set(s, "control_directory", "%s/run", s->dir);
	set(s, "maillog_file", "%s/log/tayori.log", s->dir);
}

static void make_aliases(struct setup *s)
{
	static const char *const names[] = { "postmaster", "abuse" };

	buf_addf(&s->aliases, "# Addresses that lead to others.\n");
	for (size_t i = 0; i < COUNT(names); i++) {
		const char *address = arena_printf(&s->arena, "%s@%.*s", names[i], STR_ARG(s->domain));
		if (!str_eq(str_from(address), s->user))
			buf_addf(&s->aliases, "%s %.*s\n", address, STR_ARG(s->user));
	}
	buf_addf(&s->aliases, "postmaster@%.*s %.*s\n", STR_ARG(s->host), STR_ARG(s->user));
	buf_addf(&s->aliases, "root@%.*s %.*s\n", STR_ARG(s->host), STR_ARG(s->user));
}

struct file {
	const char *name;
	struct str text;
	bool there, same;
};

static void look_at(const struct setup *s, struct file *f)
{
	scoped_buf struct buf now = { 0 };
	scoped_fd int fd = openat(s->folder, f->name, O_RDONLY | O_CLOEXEC);

	f->there = fd >= 0 || errno != ENOENT;
	f->same = fd >= 0 && fd_read_rest(fd, &now) == 0 && str_eq(buf_str(&now), f->text);
}

/* Nobody's work is overwritten unasked. */
static int permit(struct setup *s, const struct file files[], size_t n)
{
	scoped_buf struct buf names = { 0 };

	for (size_t i = 0; i < n; i++)
		if (files[i].there && !files[i].same)
			buf_addf(&names, " %s", files[i].name);
	if (names.n == 0 || s->yes)
		return 0;
	if (!isatty(STDIN_FILENO))
		return ctl_fail(s->ctl, EX_CANTCREAT,
				"in %s there are already:%s; with --yes they are kept as NAME%s and new ones written",
				s->ctl->folder, buf_cstr(&names), s->suffix);
	const char *what =
		arena_printf(&s->arena, "In %s there are already:%s. Keep them as NAME%s and write new ones? yes or no",
			     s->ctl->folder, buf_cstr(&names), s->suffix);
	struct str answer = ask(s, what, STR("no"));
	return str_ieq(answer, STR("yes")) || str_ieq(answer, STR("y"))
		       ? 0
		       : ctl_fail(s->ctl, EX_CANTCREAT, "nothing was changed");
}

static int put(struct setup *s, int folder, const struct file *f, mode_t mode)
{
	char old[64];

	if (f->same)
		return 0;
	if (f->there) {
		snprintf(old, sizeof(old), "%s%s", f->name, s->suffix);
		if (linkat(folder, f->name, folder, old, 0) < 0)
			return ctl_fail(s->ctl, EX_CANTCREAT, "%s/%s: it cannot be kept as %s: %m", s->ctl->folder,
					f->name, old);
		printf("%s/%s: the old one is kept as %s\n", s->ctl->folder, f->name, old);
	}
	if (fd_replace_file(folder, f->name, f->text, mode) < 0)
		return ctl_fail(s->ctl, EX_CANTCREAT, "%s/%s: %m", s->ctl->folder, f->name);
	return 0;
}

static int write_files(struct setup *s)
{
	struct file files[] = { { "master.cf", str_from(template_master_cf), false, false },
				{ "virtual", buf_str(&s->aliases), false, false },
				{ "main.cf", buf_str(&s->main), false, false } };
	int bad;

	for (size_t i = 0; i < COUNT(files); i++)
		look_at(s, &files[i]);
	bad = permit(s, files, COUNT(files));
	for (size_t i = 0; i < COUNT(files) && !bad; i++)
		bad = put(s, s->folder, &files[i], 0644);
	return bad;
}

static int write_certificate(struct setup *s)
{
	bool have_cert = faccessat(s->tls, "cert.pem", F_OK, 0) == 0,
	     have_key = faccessat(s->tls, "key.pem", F_OK, 0) == 0;
	scoped_buf struct buf cert = { 0 }, key = { 0 };
	struct err err = { 0 };

	if (have_cert != have_key)
		return ctl_fail(s->ctl, EX_DATAERR,
				"%s/tls: of cert.pem and key.pem only one is there: complete them, or move it away",
				s->ctl->folder);
	if (have_cert) {
		printf("%s/tls: certificate and key are there and stay\n", s->ctl->folder);
		return 0;
	}
	if (!tls_self_signed(arena_str(&s->arena, s->host).p, CERTIFICATE_DAYS, &cert, &key, &err))
		return ctl_fail(s->ctl, EX_SOFTWARE, "%s", err.text);
	bool ok = fd_replace_file(s->tls, "key.pem", buf_str(&key), 0600) == 0 &&
		  fd_replace_file(s->tls, "cert.pem", buf_str(&cert), 0644) == 0;
	explicit_bzero(key.p, key.n);
	return ok ? 0 : ctl_fail(s->ctl, EX_CANTCREAT, "%s/tls: %m", s->ctl->folder);
}

/* Five groups of four out of 32 signs that nobody mixes up: 100 bits. */
static void make_password(struct buf *out)
{
	static const char signs[] = "abcdefghijkmnpqrstuvwxyz23456789";

	for (size_t i = 0; i < 20; i++) {
		if (i > 0 && i % 4 == 0)
			buf_addc(out, '-');
		buf_addc(out, signs[random_u64() % 32]);
	}
}

static int write_user(struct setup *s)
{
	scoped_buf struct buf password = { 0 }, shown = { 0 };
	bool there;

	if (s->from_stdin && !user_read_password(s->ctl, true, &password))
		return EX_DATAERR;
	if (!s->from_stdin) {
		make_password(&password);
		buf_add(&shown, buf_str(&password));
	}
	int bad = user_add(s->ctl, s->user, &password, &there);
	if (bad)
		return bad;
	if (there)
		printf("User %.*s is there and stays as it is.\n", STR_ARG(s->user));
	else if (shown.n > 0)
		printf("User %.*s, password %s (shown this once; 'tayori user passwd' changes it)\n", STR_ARG(s->user),
		       buf_cstr(&shown));
	return 0;
}

static bool missing_users(void)
{
	bool missing = false;

	for (size_t i = 0; i < house_daemons_n; i++)
		missing = missing || !getpwnam(house_daemons[i].user);
	return missing || !getpwnam("tayori-mail") || !getpwnam("tayori-submit");
}

static int tell_rest(struct setup *s)
{
	struct config config;
	bool ok = config_read(s->ctl->folder, &config_to_stderr, &config);

	config_free(&config);
	if (!ok)
		return ctl_fail(s->ctl, EX_CONFIG, "what was written is not in order");
	if (geteuid() == 0 && missing_users())
		printf("System users are missing: run etc/users (share/tayori/users) first.\n");
	if (!s->dir && access("/run/systemd/system", F_OK) == 0)
		printf("Start it: systemctl enable --now tayori\n");
	else
		printf("Start it: " TAYORI_DAEMONS "/master -c %s\n", s->ctl->folder);
	printf("The certificate in %s/tls signs itself unless you had one: put one of a public authority there when "
	       "you have it; that is\n"
	       "noticed, and nobody is disconnected. Publish these records:\n\n",
	       s->ctl->folder);
	records_print(stdout, s->domain, s->host);
	return 0;
}

/* ---- */

static int make_folder(const struct setup *s, const char *path, int *fd)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return ctl_fail(s->ctl, EX_CANTCREAT, "%s: %m", path);
	*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *fd < 0 ? ctl_fail(s->ctl, EX_CANTCREAT, "%s: %m", path) : 0;
}

static int open_folders(struct setup *s)
{
	scoped_fd int dir = -1;
	int bad = s->dir ? make_folder(s, s->dir, &dir) : 0;

	if (bad)
		return bad;
	if (s->dir) {
		const char *full = realpath(s->dir, NULL); /* lives as long as the command */
		s->dir = full ? full : s->dir;
		s->ctl->folder = arena_printf(&s->arena, "%s/etc", s->dir);
	}
	if (s->ctl->folder[0] != '/')
		return ctl_fail(s->ctl, EX_USAGE, "%s: an absolute path is needed", s->ctl->folder);
	bad = make_folder(s, s->ctl->folder, &s->folder);
	return bad ? bad : make_folder(s, arena_printf(&s->arena, "%s/tls", s->ctl->folder), &s->tls);
}

static int run(struct setup *s)
{
	bool asks = s->asks;
	int bad = take_facts(s);

	if (bad || (bad = take_user(s, asks)) || (bad = open_folders(s)))
		return bad;
	make_main(s);
	make_aliases(s);
	if ((bad = write_files(s)) || (bad = write_certificate(s)) || (bad = write_user(s)))
		return bad;
	return tell_rest(s);
}

int tayori_setup(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = { { "hostname", required_argument, NULL, 'h' },
						 { "user", required_argument, NULL, 'u' },
						 { "dir", required_argument, NULL, 'd' },
						 { "password-stdin", no_argument, NULL, 'p' },
						 { "yes", no_argument, NULL, 'y' },
						 { 0 } };
	struct setup s = { .ctl = ctl, .folder = -1, .tls = -1 };
	int64_t now = clock_wall_us() / 1000000;
	int option;

	ctl->command = "tayori setup";
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 'h': s.host = lower(&s, str_from(optarg)); break;
		case 'u': s.user = str_from(optarg); break;
		case 'd': s.dir = optarg; break;
		case 'p': s.from_stdin = true; break;
		case 'y': s.yes = true; break;
		default: return usage(ctl);
		}
	if (optind + 1 != argc)
		return usage(ctl);
	s.domain = lower(&s, str_from(argv[optind]));
	s.asks = !s.from_stdin && !s.yes && isatty(STDIN_FILENO);
	strftime(s.suffix, sizeof(s.suffix), ".old-%Y%m%d-%H%M%S", localtime(&now));
	int status = run(&s);
	fd_close(&s.folder);
	fd_close(&s.tls);
	buf_free(&s.main);
	buf_free(&s.aliases);
	arena_free(&s.arena);
	return status;
}
