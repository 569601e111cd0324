/*
 * conf - parameters: each is declared once, in its daemon's conf.h, and this gives the struct, the parser, postconf
 * and the manual's section.
 *
 *	#define SMTPD_CONF(CONF)                                                                   \
 *		CONF(smtpd_timeout, time, "5m", "10s", "1h", "Wait this long for the next command.")
 *	CONF_DECLARE(smtpd, SMTPD_CONF)       conf.h: struct smtpd_conf
 *	CONF_DEFINE(smtpd, SMTPD_CONF)        conf.c: smtpd_params[]
 *
 * The default is text, read by the user's own parser; it may hold $name like any value.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/arena.h"
#include "base/err.h"

enum conf_type {
	CONF_bool,   /* yes or no */
	CONF_count,  /* a number; K and M multiply by 1,000s */
	CONF_size,   /* octets; K, M, G multiply by 1,024s */
	CONF_time,   /* s m h d w, seconds without a unit; kept in milliseconds */
	CONF_text,
	CONF_choice, /* one word of `least`, a list divided by '|'; kept as its index */
	CONF_tables, /* type:name, ... ; the daemon opens them */
	CONF_folder, /* an absolute path of a folder; the daemon is given a descriptor */
	CONF_checks, /* restrictions; house looks at their words */
	CONF_networks, /* addresses and networks, "!" before those that are not meant */
	CONF_file,   /* absolute paths of files, divided by commas; the daemon is given their folders */
};

typedef bool conf_bool;
typedef int64_t conf_count, conf_size, conf_time, conf_choice;
typedef struct str conf_text, conf_tables, conf_folder, conf_file, conf_checks, conf_networks;

struct conf_param {
	const char *name;
	enum conf_type type;
	const char *preset; /* the default */
	const char *least, *most;
	const char *meaning;
};

#define CONF_MEMBER(name, type, preset, least, most, meaning) conf_##type name;
#define CONF_ROW(name, type, preset, least, most, meaning) { #name, CONF_##type, preset, least, most, meaning },
#define CONF_DECLARE(daemon, LIST)                                                                                     \
	struct daemon##_conf {                                                                                         \
		LIST(CONF_MEMBER)                                                                                      \
	};                                                                                                             \
	extern const struct conf_param daemon##_params[];                                                              \
	extern const size_t daemon##_params_n;
#define CONF_DEFINE(daemon, LIST)                                                                                      \
	const struct conf_param daemon##_params[] = { LIST(CONF_ROW) };                                                \
	const size_t daemon##_params_n = COUNT(daemon##_params);

/* What the type is called in manuals and errors: "a time such as 30s, 5m or 1h". */
const char *conf_type_name(enum conf_type type);

/*
 * Checks and reads one effective value (all $names replaced) into *at, a field of the type. Texts are copied into
 * `arena`. The err names what would be right, without the parameter's name.
 */
bool conf_value(const struct conf_param *param, struct str text, struct arena *arena, void *at, struct err *err);

/*
 * Fills a daemon's struct from effective values, one for each row of its table, in that order. False at the first bad
 * one, with its name in err.
 */
bool conf_fill(const struct conf_param params[], size_t n, const struct str values[], struct arena *arena, void *out,
	       struct err *err);

/* The items of a list value, divided by commas or blanks; braces { } keep a text together. False at the end. */
bool conf_list_next(struct str *rest, struct str *item);
/* Is the word one of them? */
bool conf_list_has(struct str list, struct str word);

#endif
