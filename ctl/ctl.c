#include "ctl.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/utf8.h"
#include "io/fd.h"

int ctl_fail(const struct ctl *ctl, int status, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fprintf(stderr, "%s: ", ctl->command);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	return status;
}

static void hear_nothing(void *arg, bool fatal, const char *file, size_t line, const char *text)
{
	(void)arg, (void)fatal, (void)file, (void)line, (void)text;
}

bool ctl_load(struct ctl *ctl)
{
	struct conf_report quiet = { hear_nothing, NULL };

	if (ctl->loaded)
		return true;
	/* Mistakes are 'tayori check's business; here only the values count. */
	config_read(ctl->folder, &quiet, &ctl->config);
	ctl->loaded = ctl->config.main != NULL || ctl->config.lines != NULL;
	if (!ctl->loaded)
		ctl_fail(ctl, 0, "no configuration in %s: use -c FOLDER", ctl->folder);
	return ctl->loaded;
}

struct str ctl_value(struct ctl *ctl, const char *name)
{
	scoped_buf struct buf text = { 0 };

	if (!config_value(&ctl->config, str_from(name), &text, NULL))
		return STR("");
	return arena_str(&ctl->config.arena, buf_str(&text));
}

const char *ctl_path(struct ctl *ctl, const char *name)
{
	struct str folder = ctl_value(ctl, "control_directory");

	return arena_printf(&ctl->config.arena, "%.*s/%s", STR_ARG(folder), name);
}

int ctl_connect(struct ctl *ctl, const char *name, int kind)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	const char *path = ctl_path(ctl, name);
	scoped_fd int fd = socket(AF_UNIX, kind | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	/* A long path is entered, so that the rest of it fits. */
	if (strlen(path) >= sizeof(un.sun_path)) {
		const char *slash = strrchr(path, '/');
		char *folder = strndup(path, (size_t)(slash - path));
		int bad = !folder || chdir(folder) < 0;
		free(folder);
		if (bad)
			return -1;
		path = slash + 1;
	}
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0)
		return -1;
	return fd_take(&fd);
}

void ctl_json_text(FILE *out, struct str text)
{
	bool readable = utf8_valid(text);

	fputc('"', out);
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < ' ' || c == 0x7f || (!readable && c >= 0x80))
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}
