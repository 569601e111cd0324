/* Path and command grammar: what is accepted has a canonical text that is accepted too, and stays itself. */
#include "base/err.h"
#include "smtp/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_canonical(const struct path *path)
{
	scoped_buf struct buf first = { 0 }, second = { 0 };
	struct path again;

	ASSERT(buf_addc(&first, '<') && path_canonical(path, &first) && buf_addc(&first, '>'));
	struct str text = buf_str(&first);
	ASSERT(text.n <= PATH_OCTETS_MAX);
	ASSERT(path_parse(&text, PATH_NULL | PATH_POSTMASTER | PATH_UTF8, &again, NULL) && text.n == 0);
	ASSERT(buf_addc(&second, '<') && path_canonical(&again, &second) && buf_addc(&second, '>'));
	ASSERT(str_eq(buf_str(&first), buf_str(&second)));
}

static void check_path(struct str in, unsigned flags)
{
	struct err err = { .at = -1, .start = in.p };
	struct str rest = in;
	struct path path;

	if (path_parse(&rest, flags, &path, &err)) {
		ASSERT(path.local.n <= PATH_LOCAL_MAX && path.domain.n <= PATH_DOMAIN_MAX);
		check_canonical(&path);
	} else {
		ASSERT(err.at >= 0 && (size_t)err.at <= in.n && err.text[0]);
	}
}

static void check_reply(const struct reply *why)
{
	scoped_buf struct buf wire = { 0 };

	ASSERT((why->code == 501 || why->code == 555) && reply_write(why, &wire));
	for (size_t i = 0; i < wire.n; i++)
		ASSERT(wire.p[i] == '\r' || wire.p[i] == '\n' || (wire.p[i] >= ' ' && wire.p[i] <= '~'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_of(data, size), name;
	struct command_mail mail;
	struct path rcpt;
	struct reply why;

	for (unsigned flags = 0; flags < 8; flags++)
		check_path(in, flags);
	if (command_mail_parse(in, &mail, &why))
		check_canonical(&mail.from);
	else
		check_reply(&why);
	if (command_rcpt_parse(in, &rcpt, &why))
		check_canonical(&rcpt);
	else
		check_reply(&why);
	if (!command_helo_parse(in, &name, &why))
		check_reply(&why);
	return 0;
}
