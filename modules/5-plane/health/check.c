/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check — a check in one line, as people give it on the command line.
 */
#include "health.h"

#include <stdio.h>

/* --- reading -------------------------------------------------------------- */

static enum err
no_check(struct slice text, struct fault *why)
{
	return fault_set(why, ERR_INVALID,
	    "\"%.*s\" is none of http[:PORT][/PATH], https[:PORT][/PATH], "
	    "tcp[:PORT], "
	    "grpc[:PORT][/SERVICE] and exec:COMMAND ARGUMENTS",
	    SLICE_ARG(slice_sub(text, 0, NAME_HOST_MAX)));
}

/* "exec:pg_isready -q" behind the colon. */
static enum err
read_command(struct slice rest, struct arena *arena, struct value *how,
    struct fault *why)
{
	struct value *words = value_new(arena, VALUE_LIST);
	size_t count = 0;

	while ((rest = slice_trim(rest)).len > 0) {
		struct slice word = slice_split(&rest, ' ');

		if (count++ == HEALTH_WORDS_MAX)
			return fault_set(why, ERR_INVALID,
			    "a command has at most %d words", HEALTH_WORDS_MAX);
		value_push(&words, value_new_string(arena, word));
	}
	if (count == 0)
		return fault_set(why, ERR_INVALID,
		    "say which command, e.g. exec:/usr/bin/pg_isready -q");
	return value_set(how, S("command"), words);
}

/* "[:PORT][/REST]" */
static enum err
read_place(struct slice rest, struct slice *out_port, struct slice *out_path)
{
	size_t slash = slice_find(rest, '/');
	struct slice port = slice_sub(rest, 0, slash);

	*out_path = slice_sub(rest, slash, rest.len);
	*out_port = slice_sub(port, 1, port.len);
	return port.len == 0 || (port.ptr[0] == ':' && port.len > 1)
		   ? OK
		   : ERR_INVALID;
}

static enum err
set_port(struct slice text, struct arena *arena, struct value *how,
    struct fault *why)
{
	uint16_t port;

	if (text.len == 0)
		return OK;
	if (addr_parse_port(text, &port) != OK)
		return fault_set(why, ERR_INVALID,
		    "\"%.*s\" is no port (1-65535)",
		    SLICE_ARG(slice_sub(text, 0, NAME_LABEL_MAX)));
	return value_set(how, S("port"), value_new_int(arena, port));
}

/* Its way, and where the rest of it begins; empty: it is none. */
static struct slice
read_way(struct slice text, struct slice *out_rest)
{
	static const char *const ways[] = {
	    "https", "http", "tcp", "grpc", "exec:"};

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct slice way = slice_str(ways[i]);

		if (!slice_starts(text, way))
			continue;
		*out_rest = slice_sub(text, way.len, text.len);
		return slice_ends(way, S(":")) ? slice_sub(way, 0, way.len - 1)
					       : way;
	}
	return SLICE_NONE;
}

static enum err
read_how(struct slice way, struct slice rest, struct arena *arena,
    struct value *how, struct fault *why)
{
	struct slice port, path;
	enum err e = read_place(rest, &port, &path);

	if (e != OK || (slice_eq(way, S("tcp")) && path.len > 0))
		return ERR_PARSE;
	e = set_port(port, arena, how, why);
	if (e != OK || path.len == 0)
		return e;
	if (slice_starts(way, S("http")))
		return value_set(how, S("path"), value_new_string(arena, path));
	return value_set(how, S("service"),
	    value_new_string(arena, slice_sub(path, 1, path.len)));
}

/* A line of text, as somebody types it. */
static bool
is_line(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 127)
			return false;
	return text.len <= HEALTH_CHECK_MAX && slice_is_utf8(text);
}

MUST_USE enum err
health_check_parse(struct slice text, struct arena *arena, struct value **out,
    struct fault *why)
{
	struct value *map = value_new(arena, VALUE_MAP);
	struct value *how = value_new(arena, VALUE_MAP);
	struct slice rest = text, way = read_way(text, &rest);
	enum err e;

	if (!is_line(text))
		return fault_set(why, ERR_INVALID,
		    "a check is a line of text of at most %d bytes",
		    HEALTH_CHECK_MAX);
	if (way.len == 0)
		return no_check(text, why);
	if (map == NULL || how == NULL)
		return fault_set(why, ERR_NO_MEMORY, "the check is too large");
	e = slice_eq(way, S("exec")) ? read_command(rest, arena, how, why)
				     : read_how(way, rest, arena, how, why);
	if (e == ERR_PARSE)
		return no_check(text, why);
	if (e == OK && slice_eq(way, S("https"))) {
		way = S("http");
		e = value_set(
		    how, S("scheme"), value_new_string(arena, S("HTTPS")));
	}
	if (e == ERR_NO_MEMORY || (e == OK && value_set(map, way, how) != OK))
		return fault_set(why, ERR_NO_MEMORY, "the check is too large");
	if (e == OK)
		*out = map;
	return e;
}

/* --- telling -------------------------------------------------------------- */

static size_t
add(char *out, size_t len, const char *before, struct slice text)
{
	int n = snprintf(out + len, HEALTH_REASON_MAX - len, "%s%.*s", before,
	    SLICE_ARG(text));

	return MIN(len + (size_t)MAX(n, 0), HEALTH_REASON_MAX - 1);
}

static size_t
add_place(char *out, size_t len, int64_t port, struct slice path)
{
	char text[SLICE_U64_MAX];

	if (port != 0)
		len = add(out, len, ":", slice_from_u64((uint64_t)port, text));
	return add(out, len, "", path);
}

static size_t
add_command(char *out, size_t len, const struct probe_exec *x)
{
	for (size_t i = 0; i < x->command.count; i++)
		len = add(out, len, i > 0 ? " " : ":", x->command.items[i]);
	return len;
}

struct slice
health_check_text(
    const struct health_check_policy *p, char out[HEALTH_REASON_MAX])
{
	struct slice root = S("/");
	size_t len = 0;

	out[0] = '\0';
	if (p->http != NULL)
		len = add_place(out,
		    add(out, 0, "",
			p->http->scheme == HEALTH_HTTPS ? S("https")
							: S("http")),
		    p->http->port,
		    slice_eq(p->http->path, root) ? S("") : p->http->path);
	else if (p->tcp != NULL)
		len = add_place(
		    out, add(out, 0, "", S("tcp")), p->tcp->port, S(""));
	else if (p->grpc != NULL)
		len = add(out,
		    add_place(
			out, add(out, 0, "", S("grpc")), p->grpc->port, S("")),
		    p->grpc->service.len > 0 ? "/" : "", p->grpc->service);
	else if (p->exec != NULL)
		len = add_command(out, add(out, 0, "", S("exec")), p->exec);
	slice_mend_utf8(out, len);
	return slice_of(out, len);
}
