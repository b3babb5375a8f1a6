/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log — levels by module, and lines as text or as JSON.
 *
 * The table of modules only grows, and grows behind `module_count`; so
 * readers take no lock. A line is built on the stack and written at once, so
 * that lines of several threads do not mix (pipe(7): up to 4 KiB).
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "check.h"
#include "clock.h"
#include "log.h"

enum {
	LOG_EVENT_MAX = 128,
	LOG_NAME_MAX = 32,
	LOG_ESCAPE_MAX = 6, /* one byte as "\u001b"; a field costs no more */
	LOG_LINE_MAX = (LOG_TEXT_MAX + LOG_EVENT_MAX) * LOG_ESCAPE_MAX + 512
};

struct log_module {
	const char *name;
	_Atomic int level;
};

/* A line under construction; the largest that can be made fits. */
struct line {
	char bytes[LOG_LINE_MAX];
	size_t len;
};

static const char *const level_names[] = {
    [LOG_TRACE] = "trace",
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_WARN] = "warn",
    [LOG_ERROR] = "error",
};

_Atomic int log_floor = LOG_INFO;

static struct log_module modules[LOG_MODULES_MAX];
static _Atomic size_t module_count;
static _Atomic int level_of_others = LOG_INFO;
static pthread_mutex_t modules_lock = PTHREAD_MUTEX_INITIALIZER;
static int out_fd = STDERR_FILENO;
static enum log_format out_format = LOG_TEXT;

static struct log_module *
find(struct slice name)
{
	size_t count =
	    atomic_load_explicit(&module_count, memory_order_acquire);

	for (size_t i = 0; i < count; i++)
		if (modules[i].name == name.ptr ||
		    slice_eq(slice_str(modules[i].name), name))
			return &modules[i];
	return NULL;
}

/* Under the lock. */
static void
update_floor(void)
{
	size_t count = atomic_load(&module_count);
	int floor = atomic_load(&level_of_others);

	for (size_t i = 0; i < count; i++)
		floor = MIN(floor, atomic_load(&modules[i].level));
	atomic_store(&log_floor, floor);
}

static void
put(struct line *l, struct slice s)
{
	CHECK(s.len <= sizeof(l->bytes) - l->len);
	if (s.len > 0)
		memcpy(l->bytes + l->len, s.ptr, s.len);
	l->len += s.len;
}

static void
put_str(struct line *l, const char *s)
{
	put(l, slice_str(s));
}

/* Control bytes as \xNN or \u00NN; JSON escapes its own two as well. */
static void
put_escaped(struct line *l, struct slice s)
{
	bool json = out_format == LOG_JSON;
	bool ascii_only = !slice_is_utf8(s);
	char escape[LOG_ESCAPE_MAX + 1];

	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = (uint8_t)s.ptr[i];
		int n = 0;

		if (c < 0x20 || c == 0x7f || (c >= 0x80 && ascii_only))
			n = snprintf(escape, sizeof(escape),
			    json ? "\\u%04x" : "\\x%02x", c);
		else if (json && (c == '"' || c == '\\'))
			n = snprintf(escape, sizeof(escape), "\\%c", c);
		put(l,
		    n > 0 ? slice_of(escape, (size_t)n) : slice_sub(s, i, 1));
	}
}

static void
put_member(
    struct line *l, const char *before, struct slice name, struct slice value)
{
	put_str(l, before);
	put_escaped(l, name);
	put_str(l, "\":\"");
	put_escaped(l, value);
	put_str(l, "\"");
}

/* Cuts one word, or one key="several words", off *rest. */
static struct slice
next_word(struct slice *rest)
{
	bool quoted = false;
	size_t n = 0;
	struct slice word;

	for (; n < rest->len && (quoted || rest->ptr[n] != ' '); n++)
		if (rest->ptr[n] == '"')
			quoted = !quoted;
	word = slice_sub(*rest, 0, n);
	*rest = slice_sub(*rest, n + 1, rest->len);
	return word;
}

static struct slice
unquote(struct slice s)
{
	if (s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"')
		return slice_sub(s, 1, s.len - 2);
	return s;
}

static bool
is_all_fields(struct slice text)
{
	while (text.len > 0) {
		struct slice word = next_word(&text);

		if (slice_find(word, '=') == word.len)
			return false;
	}
	return true;
}

/* "a=1 b=\"two words\"" as members of one object, other text as it is. */
static void
put_fields(struct line *l, struct slice text)
{
	const char *before = ",\"fields\":{\"";

	if (!is_all_fields(text)) {
		put_member(l, ",\"", S("text"), text);
		return;
	}
	while (text.len > 0) {
		struct slice value = next_word(&text);
		struct slice key = slice_split(&value, '=');

		put_member(l, before, key, unquote(value));
		before = ",\"";
	}
	put_str(l, "}");
}

static void
format_json(struct line *l, const char *time, const char *module,
    enum log_level level, struct slice event, struct slice text)
{
	put_member(l, "{\"", S("time"), slice_str(time));
	put_member(l, ",\"", S("level"), slice_str(level_names[level]));
	put_member(l, ",\"", S("module"),
	    slice_sub(slice_str(module), 0, LOG_NAME_MAX));
	put_member(l, ",\"", S("event"), event);
	if (text.len > 0)
		put_fields(l, text);
	put_str(l, "}");
}

static void
format_text(struct line *l, const char *time, const char *module,
    enum log_level level, struct slice event, struct slice text)
{
	char head[80];
	int n = snprintf(head, sizeof(head), "%s %-5s %.32s: ", time,
	    level_names[level], module);

	put(l, slice_of(head, (size_t)n));
	put_escaped(l, event);
	if (text.len > 0)
		put_str(l, " ");
	put_escaped(l, text);
}

void
log_setup(int fd, enum log_format format)
{
	out_fd = fd;
	out_format = format;
}

void
log_module_add(const char *module)
{
	size_t n;

	if (find(slice_str(module)) != NULL)
		return;
	CHECK(pthread_mutex_lock(&modules_lock) == 0);
	n = atomic_load(&module_count);
	if (find(slice_str(module)) == NULL && n < LOG_MODULES_MAX) {
		modules[n].name = module;
		atomic_store(&modules[n].level, atomic_load(&level_of_others));
		atomic_store_explicit(
		    &module_count, n + 1, memory_order_release);
	}
	CHECK(pthread_mutex_unlock(&modules_lock) == 0);
}

enum err
log_set_level(struct slice module, enum log_level level)
{
	struct log_module *one = module.len > 0 ? find(module) : NULL;
	size_t count;

	if (module.len > 0 && one == NULL)
		return ERR_NOT_FOUND;
	CHECK(pthread_mutex_lock(&modules_lock) == 0);
	count = atomic_load(&module_count);
	if (one != NULL)
		atomic_store(&one->level, (int)level);
	else
		atomic_store(&level_of_others, (int)level);
	for (size_t i = 0; one == NULL && i < count; i++)
		atomic_store(&modules[i].level, (int)level);
	update_floor();
	CHECK(pthread_mutex_unlock(&modules_lock) == 0);
	return OK;
}

enum err
log_level_parse(struct slice text, enum log_level *out)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++)
		if (slice_eq(text, slice_str(level_names[i]))) {
			*out = (enum log_level)i;
			return OK;
		}
	return ERR_INVALID;
}

const char *
log_level_name(enum log_level level)
{
	CHECK((unsigned)level < ARRAY_LEN(level_names));
	return level_names[level];
}

void
log_levels(
    void (*each)(const char *module, enum log_level, void *arg), void *arg)
{
	size_t count =
	    atomic_load_explicit(&module_count, memory_order_acquire);

	for (size_t i = 0; i < count; i++)
		each(modules[i].name,
		    (enum log_level)atomic_load(&modules[i].level), arg);
}

bool
log_module_enabled(const char *module, enum log_level level)
{
	struct log_module *m = find(slice_str(module));

	return (int)level >=
	       atomic_load_explicit(m != NULL ? &m->level : &level_of_others,
		   memory_order_relaxed);
}

void
log_write(const char *module, enum log_level level, const char *event,
    const char *fmt, ...)
{
	struct line l;
	char time[CLOCK_RFC3339_LEN], text[LOG_TEXT_MAX];
	va_list args;
	int n;

	log_module_add(module);
	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (n >= (int)sizeof(text))
		memcpy(text + sizeof(text) - 4, "...", 4);
	l.len = 0;
	clock_format_rfc3339(clock_wall_ms(&clock_system), time);
	(out_format == LOG_JSON ? format_json : format_text)(&l, time, module,
	    level, slice_sub(slice_str(event), 0, LOG_EVENT_MAX),
	    slice_str(n < 0 ? "" : text));
	put_str(&l, "\n");
	/* A log that cannot be written has nobody to tell. */
	if (write(out_fd, l.bytes, l.len) < 0)
		return;
}
