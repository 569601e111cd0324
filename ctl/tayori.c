/* tayori - check, status, reload, stop; the others stand in files of their own. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ctl.h"
#include "io/fd.h"

static int usage(const struct ctl *ctl)
{
	return ctl_fail(ctl, EX_USAGE,
			"usage: tayori [-c FOLDER] check | status [--json] | reload | stop | user ... | queue ... | mailbox ... | who [--json] | kick USER | setup DOMAIN ... | dns DOMAIN [--json]");
}

static int check(struct ctl *ctl, int argc, char **argv)
{
	struct config config;

	(void)argv;
	if (argc > 1)
		return usage(ctl);
	bool ok = config_read(ctl->folder, &config_to_stderr, &config);
	if (ok && config.warnings == 0)
		printf("%s: no mistakes found\n", ctl->folder);
	else
		printf("%s: %zu errors, %zu warnings\n", ctl->folder, config.errors, config.warnings);
	config_free(&config);
	return ok ? 0 : EX_CONFIG;
}

int ctl_ask_master(struct ctl *ctl, const struct control *m, struct buf *frame, struct control_answer *a)
{
	if (!ctl_load(ctl))
		return EX_CONFIG;
	scoped_fd int fd = ctl_connect(ctl, "master", SOCK_SEQPACKET);
	if (fd < 0 && errno == EACCES)
		return ctl_fail(ctl, EX_NOPERM, "only root may ask master");
	if (fd < 0)
		return ctl_fail(ctl, EX_TEMPFAIL, "Tayori does not run (no master at %s)", ctl_path(ctl, "master"));
	if (!frame_call(fd, &control_schema, m, &control_answer_schema, CTL_WAIT_MS, frame, a))
		return ctl_fail(ctl, EX_TEMPFAIL, "master does not answer");
	return 0;
}

static void print_service(json_t *s)
{
	printf("%-22s %-12s %-9s %8lld %8lld %8lld  %s\n", json_string_value(json_object_get(s, "service")),
	       json_string_value(json_object_get(s, "daemon")), json_string_value(json_object_get(s, "state")),
	       (long long)json_integer_value(json_object_get(s, "pid")),
	       (long long)json_integer_value(json_object_get(s, "seconds")),
	       (long long)json_integer_value(json_object_get(s, "restarts")), json_string_value(json_object_get(s, "walls")));
}

static int status(struct ctl *ctl, int argc, char **argv)
{
	scoped_buf struct buf frame = { 0 };
	struct control_answer a;
	bool json = argc > 1 && strcmp(argv[1], "--json") == 0, all_ready = true;

	if (argc > 1 && !json)
		return usage(ctl);
	int bad = ctl_ask_master(ctl, &(struct control){ .verb = STR("status"), .file = -1 }, &frame, &a);
	if (bad)
		return bad;
	if (!json)
		printf("%-22s %-12s %-9s %8s %8s %8s  %s\n", "service", "daemon", "state", "pid", "seconds", "restarts", "walls");
	for (size_t n = 0; a.text.n > 0; n++) {
		struct str line = str_cut(&a.text, '\n');
		json_t *s = json_loadb(line.p, line.n, 0, NULL);
		all_ready = all_ready && s && strcmp(json_string_value(json_object_get(s, "state")), "ready") == 0;
		if (json)
			printf("%s%.*s", n ? ",\n " : "[", STR_ARG(line));
		else if (s)
			print_service(s);
		json_decref(s);
	}
	if (json)
		printf("]\n");
	return all_ready ? 0 : 1;
}

static int tell_master(struct ctl *ctl, int argc, char **argv)
{
	scoped_buf struct buf frame = { 0 };
	struct control_answer a;

	if (argc > 1)
		return usage(ctl);
	int bad = ctl_ask_master(ctl, &(struct control){ .verb = str_from(argv[0]), .file = -1 }, &frame, &a);
	if (bad)
		return bad;
	fprintf(a.ok ? stdout : stderr, "%.*s", STR_ARG(a.text));
	if (!a.ok)
		return ctl_fail(ctl, EX_CONFIG, "%s failed", argv[0]);
	return 0;
}

static const struct command subcommands[] = {
	{ "check", check },	    { "status", status },   { "reload", tell_master },
	{ "stop", tell_master }, { "user", tayori_user }, { "queue", tayori_queue },
	{ "who", tayori_who },	    { "kick", tayori_kick }, { "mailbox", tayori_mailbox },
	{ "setup", tayori_setup },
	{ "dns", tayori_dns },
};

int cmd_tayori(struct ctl *ctl, int argc, char **argv)
{
	int option;

	/* "+": what stands behind the subcommand is the subcommand's */
	while ((option = getopt(argc, argv, "+c:")) != -1) {
		if (option != 'c')
			return usage(ctl);
		ctl->folder = optarg;
	}
	argc -= optind;
	argv += optind;
	for (size_t i = 0; argc > 0 && i < COUNT(subcommands); i++)
		if (strcmp(argv[0], subcommands[i].name) == 0) {
			optind = 0;
			return subcommands[i].run(ctl, argc, argv);
		}
	return usage(ctl);
}
