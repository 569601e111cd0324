#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void (*panic_hook)(const char *text);

bool err_set(struct err *err, const char *format, ...)
{
	va_list ap;

	if (!err)
		return false;
	va_start(ap, format);
	vsnprintf(err->text, sizeof(err->text), format, ap);
	va_end(ap);
	return false;
}

bool err_errno(struct err *err, const char *format, ...)
{
	int saved = errno;
	va_list ap;

	if (!err)
		return false;
	va_start(ap, format);
	vsnprintf(err->text, sizeof(err->text), format, ap);
	va_end(ap);
	size_t n = strlen(err->text);
	snprintf(err->text + n, sizeof(err->text) - n, ": %s", strerror(saved));
	errno = saved;
	return false;
}

bool err_at(struct err *err, struct str rest, const char *what)
{
	if (!err)
		return false;
	err->at = err->start && rest.p ? rest.p - err->start : 0;
	snprintf(err->text, sizeof(err->text), "%s", what);
	return false;
}

void panic(const char *format, ...)
{
	char text[240];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (panic_hook)
		panic_hook(text);
	fprintf(stderr, "panic: %s\n", text);
	abort();
}
