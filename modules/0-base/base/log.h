/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log — an event in words, then key=value.
 *
 * error: an operator must act. warn: goes on, and says so. info: the life of
 * the process. debug: ours. Levels are per module (info at first) and may
 * change live. A .c file names its module by LOG_MODULE, a literal, defined
 * before base.h is included; that alone makes the name known.
 * Thread-safe; one line is one write, fields are cut at LOG_TEXT_MAX. Bytes
 * that would break a line or a terminal are escaped. A value with spaces in it
 * is put in double quotes by the caller: "path=\"%s\"".
 */
#ifndef MESHD_LOG_H
#define MESHD_LOG_H

#include "slice.h"

#include <stdatomic.h>

enum { LOG_MODULES_MAX = 64, LOG_TEXT_MAX = 2048 };

enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

/* Where lines go and how they look; before threads start. At first stderr. */
void log_setup(int fd, enum log_format format);

/*
 * One module ("gossip"), or all of them if the name is empty, those to come
 * included. ERR_NOT_FOUND for an unknown name.
 */
MUST_USE enum err log_set_level(struct slice module, enum log_level level);

/* "debug" → LOG_DEBUG; ERR_INVALID. */
MUST_USE enum err log_level_parse(struct slice text, enum log_level *out);
const char *log_level_name(enum log_level level);

/* Calls `each` with every known module. */
void log_levels(
    void (*each)(const char *module, enum log_level, void *arg), void *arg);

/* Makes a module known; the name is borrowed for good. Twice is harmless. */
void log_module_add(const char *module);

/* The lowest level that any module logs at; private to log_enabled(). */
extern _Atomic int log_floor;

/* What log_enabled() asks when the level is not below all modules' levels. */
bool log_module_enabled(const char *module, enum log_level level);

/* Cheap when no module is that talkative: one load and a comparison. */
static inline bool
log_enabled(const char *module, enum log_level level)
{
	return UNLIKELY((int)level >= atomic_load_explicit(
					  &log_floor, memory_order_relaxed)) &&
	       log_module_enabled(module, level);
}

void log_write(const char *module, enum log_level level, const char *event,
    const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Without it a file that logs does not compile. */
#ifdef LOG_MODULE
/* So that an operator can set the level of a module that was silent so far. */
__attribute__((constructor)) static void
log_module_here(void)
{
	log_module_add(LOG_MODULE);
}
#endif

#define LOG_AT_(level, event, ...)                                             \
	do {                                                                   \
		if (log_enabled(LOG_MODULE, level))                            \
			log_write(LOG_MODULE, level, event, __VA_ARGS__);      \
	} while (0)

#define log_trace(event, ...) LOG_AT_(LOG_TRACE, event, __VA_ARGS__)
#define log_debug(event, ...) LOG_AT_(LOG_DEBUG, event, __VA_ARGS__)
#define log_info(event, ...) LOG_AT_(LOG_INFO, event, __VA_ARGS__)
#define log_warn(event, ...) LOG_AT_(LOG_WARN, event, __VA_ARGS__)
#define log_error(event, ...) LOG_AT_(LOG_ERROR, event, __VA_ARGS__)

#endif
