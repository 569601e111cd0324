/* main.cf, master.cf and the expansion of values from the same bytes. */
#include "conf/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void tell(void *arg, bool fatal, const char *file, size_t line, const char *text)
{
	(void)arg, (void)fatal, (void)file, (void)line, (void)text;
}

static bool find(void *arg, struct str name, struct str *value)
{
	for (const struct conf_assignment *a = arg; a; a = a->next)
		if (str_eq(a->name, name)) {
			*value = a->value;
			return true;
		}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf out = { 0 };
	struct conf_report report = { tell, NULL };
	struct conf_assignment *list;
	struct conf_service *services;
	struct str text = str_of(data, size);

	conf_read_main(text, "main.cf", &arena, &report, &list);
	size_t n = 0;
	for (struct conf_assignment *a = list; a && n < 8; a = a->next, n++) {
		buf_reset(&out);
		conf_expand(a->value, find, list, &out, NULL);
	}
	conf_read_master(text, "master.cf", &arena, &report, &services);
	return 0;
}
