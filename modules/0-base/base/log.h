/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log — an event in words, then key=value.
 *
 * error: an operator must act. warn: goes on, and says so. info: the life of
 * the process. debug: ours. Levels are per module and may change live; a
 * module is named by LOG_MODULE, defined before this header is included.
 * Thread-safe; one line is one write. Values that are not plain words are
 * quoted by the caller through %s of an already safe text.
 */
#ifndef MESHD_LOG_H
#define MESHD_LOG_H

#include "slice.h"

enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

/* Where lines go and how they look; before threads start. Copies nothing. */
void log_setup(int fd, enum log_format format);

/* Every module, or one ("gossip"); ERR_NOT_FOUND for an unknown name. */
MUST_USE enum err log_set_level(struct slice module, enum log_level level);

/* "debug" → LOG_DEBUG; ERR_INVALID. */
MUST_USE enum err log_level_parse(struct slice text, enum log_level *out);
const char *log_level_name(enum log_level level);

/* Calls `each` with every module that has logged or been set. */
void log_levels(void (*each)(const char *module, enum log_level, void *arg),
    void *arg);

bool log_enabled(const char *module, enum log_level level);

void log_write(const char *module, enum log_level level, const char *event,
    const char *fmt, ...) PRINTF_LIKE(4, 5);

#ifndef LOG_MODULE
#define LOG_MODULE "meshd"
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
