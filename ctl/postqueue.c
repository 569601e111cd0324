/* postqueue, mailq, postsuper, postcat, tayori queue - the queue, for people. */
#include <getopt.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "io/fd.h"
#include "spool.h"

struct listing {
	bool json;
	size_t rows;
	uint64_t octets;
};

static char mark(struct str state)
{
	if (str_eq(state, STR("active")))
		return '*';
	return str_eq(state, STR("hold")) ? '!' : ' ';
}

/* Postfix's layout: id and mark, size, arrival, sender; below it each recipient, the reason before it. */
static void print_row(const struct queue_row *r)
{
	char date[DATE_MAX];
	size_t at = 0;
	struct str address, state, text;

	date_rfc5322(r->arrival_us, date);
	printf("%.*s%c %8llu %.3s %.3s %2d %.8s  %.*s\n", STR_ARG(r->queue_id), mark(r->state), (unsigned long long)r->size,
	       date, strchr(date + 5, ' ') + 1, atoi(date + 5), strchr(date, ':') - 2,
	       STR_ARG(r->sender.n ? r->sender : STR("MAILER-DAEMON")));
	while (strs_next(&r->recipients, &at, &address) && strs_next(&r->recipients, &at, &state) &&
	       strs_next(&r->recipients, &at, &text)) {
		if (text.n > 0)
			printf("%*s(%.*s)\n", text.n < 70 ? 74 - (int)text.n : 4, "", STR_ARG(text));
		printf("%40s %.*s\n", "", STR_ARG(address));
	}
	printf("\n");
}

/* A line of JSON for each entry, with the keys of Postfix's postqueue -j. */
static void print_json(const struct queue_row *r)
{
	size_t at = 0, n = 0;
	struct str address, state, text;

	printf("{\"queue_name\":");
	ctl_json_text(stdout, r->state);
	printf(",\"queue_id\":");
	ctl_json_text(stdout, r->queue_id);
	printf(",\"arrival_time\":%lld,\"next_try\":%lld,\"attempts\":%u,\"message_size\":%llu,\"sender\":",
	       (long long)(r->arrival_us / 1000000), (long long)(r->next_try_us / 1000000), r->attempts,
	       (unsigned long long)r->size);
	ctl_json_text(stdout, r->sender);
	printf(",\"recipients\":[");
	while (strs_next(&r->recipients, &at, &address) && strs_next(&r->recipients, &at, &state) &&
	       strs_next(&r->recipients, &at, &text)) {
		printf("%s{\"address\":", n++ ? "," : "");
		ctl_json_text(stdout, address);
		if (text.n > 0) {
			printf(",\"delay_reason\":");
			ctl_json_text(stdout, text);
		}
		printf("}");
	}
	printf("]}\n");
}

static void on_row(void *arg, const struct queue_row *r)
{
	struct listing *l = arg;

	if (l->rows++ == 0 && !l->json)
		printf("-Queue ID-         --Size-- ---Arrival Time---- -Sender/Recipient------\n");
	l->octets += r->size;
	l->json ? print_json(r) : print_row(r);
}

static int list(struct ctl *ctl, bool json)
{
	struct spool s;
	struct listing l = { .json = json };
	int status = spool_open(ctl, QUEUE_READ, &s);

	if (status == 0)
		status = spool_list(&s, on_row, &l);
	spool_close(&s);
	if (status || json)
		return status;
	if (l.rows == 0)
		printf("Mail queue is empty\n");
	else
		printf("-- %llu Kbytes in %zu Request%s.\n", (unsigned long long)(l.octets + 1023) / 1024, l.rows,
		       l.rows == 1 ? "" : "s");
	return 0;
}

static int act(struct ctl *ctl, const char *verb, const char *which, bool tell)
{
	struct spool s;
	uint32_t count = 0;
	int status = spool_open(ctl, QUEUE_OWN, &s);

	if (status == 0)
		status = spool_act(&s, verb, which, &count);
	spool_close(&s);
	if (status == 0 && tell)
		fprintf(stderr, "%s: %s: %u message%s\n", ctl->command, verb, count, count == 1 ? "" : "s");
	if (status == 0 && count == 0 && strcmp(verb, "flush") != 0 && strcmp(which, "ALL") != 0)
		return ctl_fail(ctl, 1, "%s: no such message, or nothing to %s", which, verb);
	return status;
}

int cmd_mailq(struct ctl *ctl, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "c:")) != -1) {
		if (option != 'c')
			return ctl_fail(ctl, EX_USAGE, "usage: mailq [-c FOLDER]");
		ctl->folder = optarg;
	}
	return list(ctl, false);
}

int cmd_postqueue(struct ctl *ctl, int argc, char **argv)
{
	const char *id = NULL, *site = NULL;
	int option, what = 0;

	while ((option = getopt(argc, argv, "c:pjfi:s:v")) != -1) {
		switch (option) {
		case 'c': ctl->folder = optarg; break;
		case 'p':
		case 'j':
		case 'f': what = option; break;
		case 'i': id = optarg; break;
		case 's': site = optarg; break;
		case 'v': break;
		default: return ctl_fail(ctl, EX_USAGE, "usage: postqueue [-c FOLDER] -p | -j | -f | -i QUEUE_ID | -s SITE");
		}
	}
	if (id)
		return act(ctl, "flush", id, false);
	if (site) {
		char which[300];
		snprintf(which, sizeof(which), "site:%s", site);
		return act(ctl, "flush", which, false);
	}
	if (what == 'f')
		return act(ctl, "flush", "ALL", false);
	if (what == 0)
		return ctl_fail(ctl, EX_USAGE, "usage: postqueue [-c FOLDER] -p | -j | -f | -i QUEUE_ID | -s SITE");
	return list(ctl, what == 'j');
}

static const char *superverb(int option)
{
	switch (option) {
	case 'd': return "delete";
	case 'h': return "hold";
	case 'H': return "release";
	case 'r': return "requeue";
	case 'e': return "expire";
	default: return NULL;
	}
}

/* "-d -": the ids come on standard input, one a line. */
static int act_on_list(struct ctl *ctl, const char *verb)
{
	char line[128];
	int status = 0;

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0] && act(ctl, verb, line, false))
			status = 1;
	}
	return status;
}

int cmd_postsuper(struct ctl *ctl, int argc, char **argv)
{
	int option, status = 0, n = 0;

	while ((option = getopt(argc, argv, "c:d:h:H:r:e:psv")) != -1) {
		const char *verb = superverb(option);
		if (option == 'c') {
			ctl->folder = optarg;
		} else if (verb) {
			int bad = strcmp(optarg, "-") == 0 ? act_on_list(ctl, verb) : act(ctl, verb, optarg, true);
			status = bad ? bad : status;
			n++;
		} else if (option != 'v' && option != 'p' && option != 's') {
			n = -1;
			break;
		}
	}
	if (n > 0)
		return status;
	return ctl_fail(ctl, EX_USAGE, "usage: postsuper [-c FOLDER] {-d|-h|-H|-r|-e} QUEUE_ID|ALL|-");
}

int cmd_postcat(struct ctl *ctl, int argc, char **argv)
{
	scoped_buf struct buf envelope = { 0 };
	bool want_envelope = false, want_message = false;
	struct spool s;
	char chunk[8192];
	int option, content = -1;
	ssize_t n;

	while ((option = getopt(argc, argv, "c:qebhv")) != -1) {
		if (option == 'c')
			ctl->folder = optarg;
		want_envelope = want_envelope || option == 'e';
		want_message = want_message || option == 'b' || option == 'h';
		if (option == '?')
			return ctl_fail(ctl, EX_USAGE, "usage: postcat [-c FOLDER] [-q] [-e] [-b] QUEUE_ID ...");
	}
	if (!want_envelope && !want_message)
		want_envelope = want_message = true;
	int status = spool_open(ctl, QUEUE_READ, &s);
	for (; status == 0 && optind < argc; optind++) {
		buf_reset(&envelope);
		status = spool_read(&s, argv[optind], &envelope, &content);
		if (status == 0 && want_envelope)
			printf("*** ENVELOPE %s ***\n%.*s%s", argv[optind], STR_ARG(buf_str(&envelope)),
			       want_message ? "*** MESSAGE CONTENTS ***\n" : "");
		while (status == 0 && want_message && (n = read(content, chunk, sizeof(chunk))) > 0)
			fwrite(chunk, 1, (size_t)n, stdout);
		fd_close(&content);
	}
	spool_close(&s);
	return status;
}

/* tayori queue list [--json] | hold|release|requeue|delete|expire|flush WHICH | show ID */
int tayori_queue(struct ctl *ctl, int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "list";
	static const char *const verbs[] = { "hold", "release", "requeue", "delete", "expire", "flush" };

	ctl->command = "tayori queue";
	if (strcmp(verb, "list") == 0)
		return list(ctl, argc > 2 && strcmp(argv[2], "--json") == 0);
	if (strcmp(verb, "show") == 0 && argc == 3) {
		optind = 0;
		return cmd_postcat(ctl, argc - 1, argv + 1);
	}
	for (size_t i = 0; i < COUNT(verbs); i++)
		if (strcmp(verb, verbs[i]) == 0 && argc == 3)
			return act(ctl, verb, argv[2], true);
	return ctl_fail(ctl, EX_USAGE, "usage: tayori queue list [--json] | show ID | hold|release|requeue|delete|expire|flush ID|ALL");
}
