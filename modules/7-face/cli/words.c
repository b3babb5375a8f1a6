/* SPDX-License-Identifier: Apache-2.0 */
/*
 * words — what many commands share: files, a kind and a name, and grammar.
 */
#include "base/base.h"
#include "files/files.h"
#include "model/model.h"

#include "command.h"

int
command_files(struct files *f, const struct options *o, bool words)
{
	const struct option_values *paths = options_list(o, "file");
	size_t count = words ? o->arg_count : 0;
	struct fault why = {0};

	if (paths->count + count == 0)
		return command_fail(CLI_EXIT_USAGE,
		    "nothing to read; name files with -f FILE, -f DIR or -f -");
	for (size_t i = 0; i < paths->count; i++)
		if (files_read(f, paths->text[i], &why) != OK)
			return cli_fault(&why);
	for (size_t i = 0; i < count; i++)
		if (files_read(f, o->args[i], &why) != OK)
			return cli_fault(&why);
	return CLI_EXIT_OK;
}

enum err
command_key(const struct options *o, const char *kind, const char *name,
    struct resource_key *out, struct fault *why)
{
	const struct resource_kind *k = resource_kind_find(slice_str(kind));

	if (k == NULL)
		return fault_set(why, ERR_INVALID,
		    "there is no kind \"%s\" here; get all shows what there "
		    "is",
		    kind);
	*out = (struct resource_key){slice_str(k->group), slice_str(k->kind),
	    slice_str(k->mesh_wide ? "" : options_text(o, "namespace")),
	    slice_str(name)};
	return OK;
}

struct value *
command_key_value(const struct resource_key *k, struct arena *a)
{
	struct value *m = value_new(a, VALUE_MAP);

	value_put_text(a, &m, S("group"), k->group);
	value_put_text(a, &m, S("kind"), k->kind);
	value_put_text(a, &m, S("namespace"), k->ns);
	value_put_text(a, &m, S("name"), k->name);
	return m;
}

const char *
command_plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

enum err
command_authority(
    struct slice text, struct slice *host, uint16_t *port, struct fault *why)
{
	struct slice rest = text;
	bool bracket = slice_starts(text, S("["));

	*port = 0;
	if (bracket) {
		rest = slice_sub(text, 1, text.len);
		*host = slice_split(&rest, ']');
	} else {
		*host = slice_split(&rest, ':');
	}
	if (host->len == 0 || (bracket && rest.len > 0 && rest.ptr[0] != ':'))
		return fault_set(why, ERR_INVALID,
		    "\"%.*s\" names no host; write NAME, ADDRESS or "
		    "[ADDRESS], and :PORT",
		    SLICE_ARG(text));
	rest = slice_sub(rest, bracket, rest.len);
	if (rest.len > 0 && addr_parse_port(rest, port) != OK)
		return fault_set(why, ERR_INVALID,
		    "\"%.*s\" is no port (1-65535)", SLICE_ARG(rest));
	return OK;
}

enum err
command_label(const char *text, struct label *out, struct fault *why)
{
	struct slice value = slice_str(text);
	struct slice key = slice_split(&value, '=');

	if (key.len == 0 || key.len == strlen(text))
		return fault_set(why, ERR_INVALID,
		    "a label is written key=value, not \"%s\"", text);
	*out = (struct label){key, value};
	return OK;
}

static enum err
read_header(const char *text, struct label *out, struct fault *why)
{
	struct slice value = slice_str(text);
	struct slice name = slice_trim(slice_split(&value, ':'));

	if (name.len == 0 || name.len == strlen(text))
		return fault_set(why, ERR_INVALID,
		    "a header is written \"name: value\", not \"%s\"", text);
	*out = (struct label){name, slice_trim(value)};
	return OK;
}

static enum err
read_pairs(const struct option_values *list,
    enum err (*read)(const char *text, struct label *out, struct fault *why),
    struct arena *a, struct value **out, struct fault *why)
{
	struct value *map = value_new(a, VALUE_MAP);

	*out = NULL;
	for (size_t i = 0; i < list->count; i++) {
		struct label l;
		enum err e = read(list->text[i], &l, why);

		if (e != OK)
			return e;
		if (value_get(map, l.key) == NULL)
			value_put_text(a, &map, l.key, l.value);
	}
	if (map == NULL)
		return fault_set(why, ERR_LIMIT, "the words are too long");
	if (map->count > 0)
		*out = map;
	return OK;
}

enum err
command_labels(const struct option_values *list, struct arena *a,
    struct value **out, struct fault *why)
{
	return read_pairs(list, command_label, a, out, why);
}

enum err
command_headers(const struct option_values *list, struct arena *a,
    struct value **out, struct fault *why)
{
	return read_pairs(list, read_header, a, out, why);
}
