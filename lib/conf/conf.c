#include "conf/conf.h"

#include <stdio.h>

#include "base/net.h"

static const struct {
	const char *name;
	uint8_t size, align; /* of the field */
} types[] = {
	[CONF_bool] = { "yes or no", sizeof(bool), _Alignof(bool) },
	[CONF_count] = { "a number such as 20 or 10K", 8, 8 },
	[CONF_size] = { "a size such as 512K, 50M or 2G", 8, 8 },
	[CONF_time] = { "a time such as 30s, 5m, 1h or 5d", 8, 8 },
	[CONF_text] = { "text", sizeof(struct str), _Alignof(struct str) },
	[CONF_choice] = { "one of the listed words", 8, 8 },
	[CONF_tables] = { "lookup tables such as lmdb:/etc/tayori/virtual", sizeof(struct str), _Alignof(struct str) },
	[CONF_folder] = { "the absolute path of a folder", sizeof(struct str), _Alignof(struct str) },
	[CONF_checks] = { "restrictions such as permit_mynetworks, reject", sizeof(struct str), _Alignof(struct str) },
	[CONF_networks] = { "networks such as 192.0.2.0/24 [2001:db8::]/32", sizeof(struct str), _Alignof(struct str) },
	[CONF_file] = { "absolute paths of files", sizeof(struct str), _Alignof(struct str) },
};

const char *conf_type_name(enum conf_type type)
{
	return types[type].name;
}

struct unit {
	char letter;
	int64_t times;
};
static const struct unit count_units[] = { { 'k', 1000 }, { 'm', 1000000 }, { 0, 0 } };
static const struct unit size_units[] = { { 'k', 1 << 10 }, { 'm', 1 << 20 }, { 'g', 1 << 30 }, { 0, 0 } };
static const struct unit time_units[] = { { 's', 1000 },     { 'm', 60000 },	 { 'h', 3600000 },
					  { 'd', 86400000 }, { 'w', 604800000 }, { 0, 0 } };

static bool number(enum conf_type type, struct str text, int64_t *out)
{
	const struct unit *units = type == CONF_count ? count_units : type == CONF_size ? size_units : time_units;
	int64_t times = type == CONF_time ? 1000 : 1;
	uint64_t v;

	if (text.n > 0 && ascii_alpha(text.p[text.n - 1])) {
		while (units->letter && units->letter != ascii_lower(text.p[text.n - 1]))
			units++;
		if (!units->letter)
			return false;
		times = units->times;
		text.n--;
	}
	return str_u64(text, INT64_MAX, &v) && !__builtin_mul_overflow((int64_t)v, times, out);
}

static bool read_number(const struct conf_param *param, struct str text, int64_t *out, struct err *err)
{
	int64_t least = 0, most = INT64_MAX;

	if (!number(param->type, text, out))
		return err_set(err, "'%.*s' is not %s", STR_ARG(text), conf_type_name(param->type));
	number(param->type, str_from(param->least), &least);
	number(param->type, str_from(param->most), &most);
	if (*out < least || *out > most)
		return err_set(err, "'%.*s' is not between %s and %s", STR_ARG(text), param->least, param->most);
	return true;
}

static bool read_bool(struct str text, bool *out, struct err *err)
{
	*out = str_ieq(text, STR("yes"));
	if (!*out && !str_ieq(text, STR("no")))
		return err_set(err, "'%.*s' is neither yes nor no", STR_ARG(text));
	return true;
}

static bool read_choice(const struct conf_param *param, struct str text, int64_t *out, struct err *err)
{
	struct str words = str_from(param->least);

	for (int64_t i = 0; words.n > 0; i++)
		if (str_ieq(str_cut(&words, '|'), text)) {
			*out = i;
			return true;
		}
	return err_set(err, "'%.*s' is not one of %s", STR_ARG(text), param->least);
}

static bool check_tables(struct str text, struct err *err)
{
	struct str item;

	while (conf_list_next(&text, &item)) {
		ptrdiff_t colon = str_find(item, ':');
		if (colon <= 0)
			return err_set(err, "'%.*s' is not a table: write type:name, such as lmdb:/etc/tayori/virtual",
				       STR_ARG(item));
	}
	return true;
}

static bool check_networks(struct str text, struct err *err)
{
	struct str item;
	struct net net;

	while (conf_list_next(&text, &item)) {
		struct str whole = item;
		str_eat(&item, '!');
		const char *why = net_parse(item, &net);
		if (why)
			return err_set(err, "'%.*s' %s", STR_ARG(whole), why);
	}
	return true;
}

static bool check_paths(struct str text, struct err *err)
{
	struct str item;

	while (conf_list_next(&text, &item))
		if (item.p[0] != '/')
			return err_set(err, "'%.*s' is not an absolute path", STR_ARG(item));
	return true;
}

static bool read_text(const struct conf_param *param, struct str text, struct arena *arena, struct str *out,
		      struct err *err)
{
	int64_t least = 0;

	if (param->type == CONF_tables && !check_tables(text, err))
		return false;
	if (param->type == CONF_networks && !check_networks(text, err))
		return false;
	if ((param->type == CONF_folder || param->type == CONF_file) && !check_paths(text, err))
		return false;
	if (number(CONF_count, str_from(param->least), &least) && text.n < (size_t)least)
		return err_set(err, "it must not be empty");
	*out = arena_str(arena, text);
	return out->p ? true : err_set(err, "too long");
}

bool conf_value(const struct conf_param *param, struct str text, struct arena *arena, void *at, struct err *err)
{
	switch (param->type) {
	case CONF_bool: return read_bool(text, at, err);
	case CONF_count:
	case CONF_size:
	case CONF_time: return read_number(param, text, at, err);
	case CONF_choice: return read_choice(param, text, at, err);
	default: return read_text(param, text, arena, at, err);
	}
}

bool conf_fill(const struct conf_param params[], size_t n, const struct str values[], struct arena *arena, void *out,
	       struct err *err)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		struct err why = { 0 };
		size_t align = types[params[i].type].align;
		at = (at + align - 1) / align * align;
		if (!conf_value(&params[i], values[i], arena, (char *)out + at, &why))
			return err_set(err, "%s: %s", params[i].name, why.text);
		at += types[params[i].type].size;
	}
	return true;
}

static bool is_divider(char c)
{
	return c == ',' || c == ' ' || c == '\t' || c == '\n';
}

bool conf_list_next(struct str *rest, struct str *item)
{
	size_t depth = 0, n = 0;

	while (rest->n > 0 && is_divider(rest->p[0]))
		*rest = str_skip(*rest, 1);
	for (; n < rest->n; n++) {
		char c = rest->p[n];
		if (c == '{')
			depth++;
		else if (c == '}' && depth > 0)
			depth--;
		else if (depth == 0 && is_divider(c))
			break;
	}
	*item = str_head(*rest, n);
	*rest = str_skip(*rest, n);
	return n > 0;
}

bool conf_list_has(struct str list, struct str word)
{
	struct str item;

	while (conf_list_next(&list, &item))
		if (str_eq(item, word))
			return true;
	return false;
}
