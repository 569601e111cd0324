#include <fcntl.h>
#include <string.h>

#include "dict/dict.h"
#include "dns_inner.h"
#include "io/fd.h"

/* ---- other routes ---- */

static struct dict *open_table(struct ctl *ctl, struct str spec)
{
	struct arena *arena = &ctl->config.arena;
	struct str path = spec;
	struct err err = { 0 };

	str_cut(&path, ':');
	ptrdiff_t slash = str_rfind(path, '/');
	bool file = path.n > 0 && path.p[0] == '/';
	const char *name = file ? arena_str(arena, str_skip(path, (size_t)slash + 1)).p : NULL;
	scoped_fd int folder = file ? open(slash ? arena_str(arena, str_head(path, (size_t)slash)).p : "/",
					   O_RDONLY | O_DIRECTORY | O_CLOEXEC)
				    : -1;
	struct dict *d = dict_open(spec, folder, name, STR(""), &err);

	if (!d)
		ctl_fail(ctl, 0, "warning: %.*s: %s", STR_ARG(spec), err.text);
	return d;
}

/* The domain, its parents as ".parent", then "*", as lookupd(8) looks. */
static bool find_transport(struct dict *d, struct str domain, struct buf *value)
{
	struct str rest = domain;

	if (dict_get(d, domain, value, NULL) == DICT_FOUND)
		return true;
	for (ptrdiff_t dot; (dot = str_find(rest, '.')) >= 0; rest = str_skip(rest, 1)) {
		rest = str_skip(rest, (size_t)dot);
		if (dict_get(d, rest, value, NULL) == DICT_FOUND)
			return true;
	}
	return dict_get(d, STR("*"), value, NULL) == DICT_FOUND;
}

static void set_route(json_t *facts, const char *parameter, struct str way)
{
	json_object_set_new(facts, "route",
			    json_pack("{s:s, s:o}", "parameter", parameter, "next_hop", json_stringn(way.p, way.n)));
}

void dns_tell_route(struct ctl *ctl, struct str domain, json_t *facts)
{
	struct str tables = ctl_value(ctl, "transport_maps"), relayhost = ctl_value(ctl, "relayhost"), spec;
	scoped_buf struct buf value = { 0 };
	bool found = false;

	while (!found && conf_list_next(&tables, &spec)) {
		struct dict *d = open_table(ctl, spec);
		found = d && find_transport(d, domain, &value);
		dict_close(d);
	}
	if (found)
		set_route(facts, "transport_maps", buf_str(&value));
	else if (relayhost.n > 0)
		set_route(facts, "relayhost", relayhost);
}

/* ---- for people ---- */

static const char *word(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

static void print_address(const json_t *row)
{
	const json_t *names = json_object_get(row, "ptr");
	size_t n = json_array_size(names);

	printf("        %-24s", word(row, "address"));
	for (size_t i = 0; i < n; i++)
		printf(" %s", json_string_value(json_array_get(names, i)));
	printf(n == 0						 ? " (no PTR: it has no name)\n"
	       : json_is_true(json_object_get(row, "confirmed")) ? "\n"
								 : " (PTR does not lead back)\n");
}

static void print_host(const json_t *host, bool implicit)
{
	const json_t *list = json_object_get(host, "addresses");

	if (implicit)
		printf("    no MX  %s", word(host, "name"));
	else
		printf("    MX %-3lld %s", (long long)json_integer_value(json_object_get(host, "preference")),
		       word(host, "name"));
	if (word(host, "alias_of")[0])
		printf(" (an alias of %s%s)", word(host, "alias_of"),
		       implicit ? "" : ", which RFC 5321 forbids for an MX");
	if (json_integer_value(json_object_get(host, "tlsa")) > 0)
		printf(" (TLSA)");
	printf("\n");
	for (size_t i = 0; i < json_array_size(list); i++)
		print_address(json_array_get(list, i));
	if (json_array_size(list) == 0)
		printf("        no address%s%s\n", word(host, "error")[0] ? ": " : "", word(host, "error"));
}

void dns_print(const json_t *facts)
{
	const json_t *hosts = json_object_get(facts, "hosts"),
		     *first = json_array_get(json_object_get(facts, "order"), 0),
		     *route = json_object_get(facts, "route");

	printf("%s%s%s%s\n", word(facts, "domain"), word(facts, "alias_of")[0] ? ", an alias of " : "",
	       word(facts, "alias_of"),
	       json_is_true(json_object_get(facts, "dnssec")) ? ", validated by DNSSEC" : ", not validated by DNSSEC");
	for (size_t i = 0; i < json_array_size(hosts); i++)
		print_host(json_array_get(hosts, i), json_is_true(json_object_get(facts, "implicit_mx")));
	if (first)
		printf("first: %s[%s]: %s\n", word(first, "host"), word(first, "address"), word(first, "why"));
	else
		printf("%s: %s\n", word(facts, "result"), word(facts, "why"));
	if (route)
		printf("But mail for it goes to %s, says %s.\n", word(route, "next_hop"), word(route, "parameter"));
}
