/* The commands of Tayori, under the names by which they are called. See tayori.1. */
#include <string.h>

#include "ctl.h"

static const struct command commands[] = {
	{ "tayori", cmd_tayori },	{ "sendmail", cmd_sendmail }, { "mailq", cmd_mailq },
	{ "postqueue", cmd_postqueue }, { "postsuper", cmd_postsuper }, { "postcat", cmd_postcat },
	{ "postconf", cmd_postconf },	{ "postmap", cmd_postmap },   { "newaliases", cmd_newaliases },
	{ "postalias", cmd_postmap },
};

int main(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "tayori";
	static struct ctl ctl;

	ctl = (struct ctl){ .command = name, .folder = "/etc/tayori" };
	for (size_t i = 0; i < COUNT(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return commands[i].run(&ctl, argc, argv);
	return ctl_fail(&ctl, EX_USAGE, "not one of Tayori's commands");
}
