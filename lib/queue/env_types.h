/* env_types - the record types of envelope files, for encoder and decoder alone. See README. */
#ifndef QUEUE_ENV_TYPES_H
#define QUEUE_ENV_TYPES_H

enum { ENV_HEAD = 1, ENV_RECIPIENTS, ENV_RESULT, ENV_SCHEDULE, ENV_HOLD, ENV_REPLACE, ENV_WARNED, ENV_TYPES };
enum { MARK_HELD = 1, MARK_ACKNOWLEDGED = 2, MARK_WARNED = 4 };

#endif
