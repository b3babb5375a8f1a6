/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config — commands on the server's configuration: apply, get, delete, log.
 */
#include "base/base.h"
#include "model/model.h"

#include "api.h"
#include "command.h"
#include "files.h"
#include "findings.h"
#include "output.h"
#include "table.h"

#include <stdio.h>

enum { PATH_BYTES = 4096, ARENA_BYTES = 512 << 20 };

/* --- shared --- */

static struct slice
text_of(const struct value *v, struct slice key)
{
	return value_get_string(v, key, SLICE_NONE);
}

static int64_t
number_of(const struct value *v, struct slice key)
{
	const struct value *n = value_get(v, key);

	return n != NULL && n->type == VALUE_INT ? n->integer : 0;
}

static void
print_changes(const struct value *answer, bool dry_run)
{
	VALUE_EACH(value_get(answer, S("changes")), it)
	(void)printf("%.*s/%.*s/%.*s %s%.*s\n",
	    SLICE_ARG(text_of(it, S("kind"))),
	    SLICE_ARG(text_of(it, S("namespace"))),
	    SLICE_ARG(text_of(it, S("name"))), dry_run ? "would be " : "",
	    SLICE_ARG(text_of(it, S("outcome"))));
}

static void
print_warnings(const struct files *f)
{
	struct files only = {.found = {.warnings = f->found.warnings}};

	files_print_findings(&only);
}

/* --- apply --- */

static int
read_files(struct files *f, const struct options *o)
{
	const struct option_values *paths = options_list(o, "file");
	struct fault why = {0};

	if (paths->count == 0)
		return command_fail(CLI_EXIT_USAGE,
		    "nothing to read; name files with -f FILE, -f DIR or -f -");
	for (size_t i = 0; i < paths->count; i++)
		if (files_read(f, paths->text[i], &why) != OK)
			return cli_fault(&why);
	return CLI_EXIT_OK;
}

struct request {
	struct arena arena;
	struct value *list; /* NULL: no room */
};

static void
request_fini(struct request *r)
{
	arena_fini(&r->arena);
}

static void
let_go(void *arg)
{
	struct resource *r = arg;

	resource_unref(&r);
}

/*
 * What is sent is what was decoded, so that the server sees the same. The
 * tree borrows from the resource, which therefore goes with the arena.
 */
static void
add_resource(void *arg, struct resource *r)
{
	struct request *q = arg;
	struct value *doc = resource_encode(r, RESOURCE_WITH_STATE, &q->arena);

	if (arena_on_reset(&q->arena, let_go, r) != OK) {
		resource_unref(&r);
		doc = NULL;
	}
	if (q->list != NULL &&
	    (doc == NULL || value_append(q->list, doc) != OK))
		q->list = NULL;
}

/* What the change brings beside the rest, in force or refused for it. */
static void
tell_findings(
    const struct options *o, const struct api_answer *a, const struct files *f)
{
	if (f != NULL)
		findings_tell(value_get(a->body, S("findings")), f,
		    slice_str(options_text(o, "namespace")));
}

/* `f` is what is applied, or NULL. */
static int
send(const struct options *o, struct request *q, const char *path,
    struct slice member, const struct files *f)
{
	bool dry_run = f != NULL && options_flag(o, "dry-run");
	AUTO(api_answer_fini) struct api_answer a = {0};
	struct value *body = value_new(&q->arena, VALUE_MAP);
	struct fault why = {0};
	int code;

	if (body == NULL || q->list == NULL ||
	    value_set(body, member, q->list) != OK)
		return command_fail(
		    CLI_EXIT_FAILED, "the request is too large");
	if (api_call(api_socket(o, API_SERVER), "POST", path, body, &a, &why) !=
	    OK)
		return cli_fault(&why);
	tell_findings(o, &a, f);
	code = api_refused(&a);
	if (code == CLI_EXIT_OK)
		print_changes(a.body, dry_run);
	return code;
}

static enum err
apply_path(const struct options *o, struct buf *path)
{
	static const char *const flags[][2] = {
	    {"dry-run", "dryRun"}, {"force", "force"}};
	enum err e = buf_add_slice(path, S("/v1/apply"));

	for (size_t i = 0; e == OK && i < ARRAY_LEN(flags); i++)
		if (options_flag(o, flags[i][0]))
			e = api_path_add(path, flags[i][1], "true");
	return e == OK ? buf_add_byte(path, 0) : e;
}

static int
apply(struct options *o)
{
	AUTO(files_fini) struct files f;
	AUTO(request_fini) struct request q = {0};
	AUTO(buf_fini) struct buf path = BUF(PATH_BYTES);
	enum err e;
	int code;

	files_init(&f);
	arena_init(&q.arena, ARENA_BYTES);
	q.list = value_new(&q.arena, VALUE_LIST);
	code = read_files(&f, o);
	if (code != CLI_EXIT_OK)
		return code;
	e = files_decode(
	    &f, slice_str(options_text(o, "namespace")), add_resource, &q);
	if (e != OK) {
		files_print_findings(&f);
		return command_fail(CLI_EXIT_INVALID,
		    "the configuration has mistakes; nothing was applied");
	}
	print_warnings(&f);
	if (apply_path(o, &path) != OK)
		return command_fail(CLI_EXIT_USAGE, "apply: out of room");
	return send(o, &q, buf_slice(&path).ptr, S("documents"), &f);
}

static const struct option_row apply_rows[] = {
    OPTION_FILES,
    OPTION_NAMESPACE,
    {"dry-run", 0, OPTION_FLAG, NULL, NULL, false,
	"only say what would change"},
    {"force", 0, OPTION_FLAG, NULL, NULL, false,
	"apply although that brings errors beside the rest"},
    OPTION_SOCKET,
};

const struct command command_apply = {
    .name = "apply",
    .args = "",
    .summary = "put configuration in force, all of it or none",
    .section = "cli",
    .rows = apply_rows,
    .row_count = ARRAY_LEN(apply_rows),
    .run = apply,
};

/* --- get --- */

static const char *const get_head[] = {
    "NAMESPACE", "KIND", "NAME", "REVISION", "CREATED"};

static void
print_items(const struct value *items)
{
	AUTO(table_fini) struct table t;

	table_init(&t, get_head, ARRAY_LEN(get_head));
	VALUE_EACH(items, it)
	{
		const struct value *meta = value_get(it, S("metadata"));

		table_cell(&t, text_of(meta, S("namespace")));
		table_cell(&t, text_of(it, S("kind")));
		table_cell(&t, text_of(meta, S("name")));
		table_cell(&t, text_of(meta, S("resourceVersion")));
		table_cell(&t, text_of(meta, S("creationTimestamp")));
	}
	table_print(&t, stdout);
}

/* Each as a document of its own, so that it can be applied again. */
static int
print_yaml(const struct value *items)
{
	struct fault why = {0};

	VALUE_EACH(items, it)
	{
		(void)printf("---\n");
		if (output_value(OUTPUT_YAML, it, &why) != OK)
			return cli_fault(&why);
	}
	return CLI_EXIT_OK;
}

static int
print_answer(const struct value *body, enum output how)
{
	const struct value *items = value_get(body, S("items"));
	struct fault why = {0};

	if (how == OUTPUT_YAML)
		return print_yaml(items);
	if (how == OUTPUT_JSON)
		return output_value(how, body, &why) == OK ? CLI_EXIT_OK
							   : cli_fault(&why);
	print_items(items);
	return CLI_EXIT_OK;
}

static int
get(struct options *o)
{
	AUTO(buf_fini) struct buf path = BUF(PATH_BYTES);
	AUTO(api_answer_fini) struct api_answer a = {0};
	struct fault why = {0};
	enum output how;
	bool all = o->arg_count == 0 || strcmp(o->args[0], "all") == 0;

	if (output_parse(options_text(o, "output"), &how, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "get: %s", why.text);
	if (buf_add_slice(&path, S("/v1/resources")) != OK ||
	    api_path_add(&path, "kind", all ? NULL : o->args[0]) != OK ||
	    api_path_add(&path, "name", o->arg_count > 1 ? o->args[1] : NULL) !=
		OK ||
	    api_path_add(&path, "namespace", options_text(o, "namespace")) !=
		OK ||
	    buf_add_byte(&path, 0) != OK)
		return command_fail(CLI_EXIT_USAGE, "get: names too long");
	if (api_call(api_socket(o, API_SERVER), "GET", buf_slice(&path).ptr,
		NULL, &a, &why) != OK)
		return cli_fault(&why);
	return a.status == 200 ? print_answer(a.body, how) : api_refused(&a);
}

static const struct option_row get_rows[] = {
    {"namespace", 'n', OPTION_TEXT, "NAME", NULL, false,
	"only of this namespace"},
    OPTION_OUTPUT,
    OPTION_SOCKET,
};

const struct command command_get = {
    .name = "get",
    .args = "[all | KIND [NAME]]",
    .summary = "show configuration",
    .section = "cli",
    .rows = get_rows,
    .row_count = ARRAY_LEN(get_rows),
    .run = get,
};

/* --- delete --- */

static enum err
add_key(struct request *q, const struct resource_key *k)
{
	struct arena *a = &q->arena;
	struct value *m = value_new(a, VALUE_MAP);

	if (m == NULL ||
	    value_set(m, S("group"), value_new_string(a, k->group)) != OK ||
	    value_set(m, S("kind"), value_new_string(a, k->kind)) != OK ||
	    value_set(m, S("namespace"), value_new_string(a, k->ns)) != OK ||
	    value_set(m, S("name"), value_new_string(a, k->name)) != OK)
		return ERR_NO_MEMORY;
	return value_append(q->list, m);
}

static enum err
add_named(struct request *q, const struct options *o, struct fault *why)
{
	const struct resource_kind *kind =
	    resource_kind_find(slice_str(o->args[0]));
	enum err e = OK;

	if (kind == NULL)
		return fault_set(
		    why, ERR_INVALID, "there is no kind \"%s\"", o->args[0]);
	for (size_t i = 1; e == OK && i < o->arg_count; i++) {
		struct resource_key k = {slice_str(kind->group),
		    slice_str(kind->kind),
		    slice_str(options_text(o, "namespace")),
		    slice_str(o->args[i])};

		e = add_key(q, &k);
	}
	return e == OK ? OK : fault_set(why, e, "too many names");
}

static enum err
add_from_files(struct request *q, const struct files *f,
    const struct options *o, struct fault *why)
{
	struct slice ns = slice_str(options_text(o, "namespace"));

	for (size_t i = 0; i < f->count; i++) {
		struct resource_key k;
		enum err e = resource_key_read(f->docs[i].root, ns, &k, why);

		if (e == OK)
			e = add_key(q, &k);
		if (e != OK) {
			fault_at(
			    why, f->docs[i].file, f->docs[i].root->line, 0);
			return e;
		}
	}
	return OK;
}

static int delete (struct options *o)
{
	AUTO(files_fini) struct files f;
	AUTO(request_fini) struct request q = {0};
	struct fault why = {0};
	enum err e;
	int code;

	files_init(&f);
	arena_init(&q.arena, ARENA_BYTES);
	q.list = value_new(&q.arena, VALUE_LIST);
	if (o->arg_count == 1)
		return command_fail(CLI_EXIT_USAGE,
		    "say which %s: delete KIND NAME...", o->args[0]);
	if (o->arg_count > 1) {
		e = add_named(&q, o, &why);
	} else {
		code = read_files(&f, o);
		if (code != CLI_EXIT_OK)
			return code;
		e = add_from_files(&q, &f, o, &why);
	}
	if (e != OK)
		return cli_fault(&why);
	return send(o, &q, "/v1/delete", S("keys"), NULL);
}

static const struct option_row delete_rows[] = {
    OPTION_FILES,
    OPTION_NAMESPACE,
    OPTION_SOCKET,
};

const struct command command_delete = {
    .name = "delete",
    .args = "[KIND NAME...]",
    .summary = "take configuration away, all of it or none",
    .section = "cli",
    .rows = delete_rows,
    .row_count = ARRAY_LEN(delete_rows),
    .run = delete,
};

/* --- log --- */

static const char *const log_head[] = {"REVISION", "TIME", "WHO", "WHAT"};

static void
print_log(const struct value *body)
{
	const struct value *items = value_get(body, S("items"));
	AUTO(table_fini) struct table t;

	table_init(&t, log_head, ARRAY_LEN(log_head));
	VALUE_EACH(items, it)
	{
		table_cellf(
		    &t, "%lld", (long long)number_of(it, S("revision")));
		table_cell(&t, text_of(it, S("time")));
		table_cell(&t, text_of(it, S("actor")));
		table_cell(&t, text_of(it, S("what")));
	}
	table_print(&t, stdout);
}

static int
show_log(struct options *o)
{
	AUTO(buf_fini) struct buf path = BUF(PATH_BYTES);

	if (buf_add_slice(&path, S("/v1/log")) != OK ||
	    api_path_add(&path, "limit", options_text(o, "limit")) != OK ||
	    buf_add_byte(&path, 0) != OK)
		return command_fail(CLI_EXIT_USAGE, "log: limit too long");
	return api_show(o, API_SERVER, buf_slice(&path).ptr, print_log);
}

static const struct option_row log_rows[] = {
    {"limit", 0, OPTION_NUMBER, "N", "20", false, "how many, at most 1000"},
    OPTION_OUTPUT,
    OPTION_SOCKET,
};

const struct command command_log = {
    .name = "log",
    .args = "",
    .summary = "show who changed what",
    .section = "cli",
    .rows = log_rows,
    .row_count = ARRAY_LEN(log_rows),
    .run = show_log,
};

/* --- log level --- */

static void
print_levels(const struct value *body)
{
	static const char *const head[] = {"MODULE", "LEVEL"};
	AUTO(table_fini) struct table t;

	table_init(&t, head, ARRAY_LEN(head));
	VALUE_EACH(value_get(body, S("items")), it)
	{
		table_value(&t, value_get(it, S("module")));
		table_value(&t, value_get(it, S("level")));
	}
	table_print(&t, stdout);
}

/* "MODULE=LEVEL", or a level for all. */
static int
set_log_level(const struct options *o, struct slice level)
{
	AUTO(arena_fini) struct arena arena;
	struct slice module = SLICE_NONE;
	struct value *body;

	arena_init(&arena, 4096);
	if (slice_find(level, '=') < level.len)
		module = slice_split(&level, '=');
	body = value_new(&arena, VALUE_MAP);
	value_put_text(&arena, &body, S("module"), module);
	value_put_text(&arena, &body, S("level"), level);
	if (body == NULL)
		return command_fail(CLI_EXIT_USAGE, "log level: too long");
	return api_do(o, API_EITHER, "/v1/log-levels", body, "changed");
}

static int
log_level(struct options *o)
{
	if (o->arg_count == 0)
		return api_show(o, API_EITHER, "/v1/log-levels", print_levels);
	if (o->arg_count == 1)
		return set_log_level(o, slice_str(o->args[0]));
	return command_fail(
	    CLI_EXIT_USAGE, "log level: give one [MODULE=]LEVEL");
}

static const struct option_row log_level_rows[] = {
    OPTION_OUTPUT,
    OPTION_SOCKET,
};

const struct command command_log_levels = {
    .name = "log level",
    .args = "[[MODULE=]LEVEL]",
    .summary = "show or change how much a server or agent logs",
    .section = "cli",
    .rows = log_level_rows,
    .row_count = ARRAY_LEN(log_level_rows),
    .run = log_level,
};
