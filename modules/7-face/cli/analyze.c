/* SPDX-License-Identifier: Apache-2.0 */
/*
 * analyze — the command: files by themselves, the store, or files on top of it.
 */
#include "base/base.h"
#include "codec/codec.h"
#include "files/files.h"
#include "model/model.h"
#include "tls/tls.h"

#include "api.h"
#include "body.h"
#include "command.h"
#include "findings.h"
#include "found.h"
#include "output.h"

#include <stdio.h>

enum { ANSWER_BYTES = 512 << 20 };

/* --- files by themselves -------------------------------------------------- */

/* What came of the documents, wrong ones as far as they can be read. */
struct decoded {
	struct analysis_document *docs;
	struct findings *found;
	size_t count;
	size_t wrong;
};

static void
decoded_fini(struct decoded *d)
{
	for (size_t i = 0; i < d->count; i++) {
		struct resource *r =
		    (struct resource *)(uintptr_t)d->docs[i].resource;

		resource_unref(&r);
		findings_fini(&d->found[i]);
	}
	mem_free(&d->docs);
	mem_free(&d->found);
}

static void
decode(struct decoded *d, const struct files *f, struct slice ns)
{
	d->count = f->count;
	d->docs = mem_new_array(MAX(f->count, 1), sizeof(*d->docs));
	d->found = mem_new_array(MAX(f->count, 1), sizeof(*d->found));
	for (size_t i = 0; i < f->count; i++) {
		const struct resource_source source = {
		    .parse_json = codec_json_parse,
		    .file = f->docs[i].file,
		    .ns = ns,
		    .keep_wrong = true};
		struct resource *r = NULL;

		/* What is wrong is among the findings. */
		d->wrong += resource_decode(f->docs[i].root, &source, &r,
				&d->found[i]) != OK;
		d->docs[i] = (struct analysis_document){.resource = r,
		    .tree = f->docs[i].root,
		    .file = f->docs[i].file,
		    .found = &d->found[i]};
	}
}

/* The findings as a list in `a`, or NULL when it is full. */
static struct value *
analyze_files(const struct files *f, struct slice ns, struct arena *a)
{
	AUTO(decoded_fini) struct decoded d = {0};
	AUTO(analysis_result_fini) struct analysis_result r = {0};
	struct analysis_input in = {.ns = ns,
	    .now_ms = clock_wall_ms(&clock_system),
	    .read_pem = tls_cert_validity,
	    .flags = ANALYSIS_USUAL_GATEWAYS};

	decode(&d, f, ns);
	in.documents = d.docs;
	in.document_count = d.count;
	analysis_run(&in, &r);
	return analysis_value(&r, a);
}

/* --- what the server has -------------------------------------------------- */

/* The answer lives as long as `answer`; `*out` is its list. */
static int
ask_server(const struct options *o, const struct files *f, struct slice ns,
    struct api_answer *answer, const struct value **out)
{
	AUTO(body_fini) struct body b;
	struct api_question ask = {API_SERVER, "POST", "/v1/analyze", NULL};
	struct value *docs;
	struct fault why = {0};

	body_init(&b);
	docs = value_new(&b.arena, VALUE_LIST);
	for (size_t i = 0; i < f->count; i++)
		value_push(&docs, value_copy(f->docs[i].root, &b.arena));
	body_set(&b, "documents", docs);
	body_slice(&b, "namespace", ns);
	if (b.map == NULL)
		return command_fail(CLI_EXIT_FAILED, "the files are too large");
	ask.body = b.map;
	if (api_ask(o, &ask, answer, &why) != OK)
		return cli_fault(&why);
	*out = value_get(answer->body, S("items"));
	return api_refused(answer);
}

/* --- the command ---------------------------------------------------------- */

/* Of a server it may be none. */
static int
read_files(struct files *f, const struct options *o)
{
	size_t named = options_list(o, "file")->count + o->arg_count;

	return named == 0 && !options_flag(o, "files-only")
		   ? CLI_EXIT_OK
		   : command_files(f, o, /* words */ true);
}

static int
print_list(enum output how)
{
	AUTO(arena_fini) struct arena a;
	struct fault why = {0};
	struct value *all;

	arena_init(&a, ANSWER_BYTES);
	if (how == OUTPUT_TABLE) {
		found_print_codes();
		return CLI_EXIT_OK;
	}
	all = found_codes(&a);
	if (all == NULL || output_value(how, all, &why) != OK)
		return cli_fault(&why);
	return CLI_EXIT_OK;
}

static int
print_found(struct found_shown *s, const struct files *f, enum output how,
    struct arena *a)
{
	struct value *all = value_new(a, VALUE_MAP);
	struct fault why = {0};

	if (how == OUTPUT_TABLE) {
		findings_print(&f->found);
		found_print(s->items, stdout);
		if (s->items->count > 0 || f->found.errors.count == 0)
			found_print_counts(s, stdout);
		return CLI_EXIT_OK;
	}
	value_put(&all, S("items"), s->items);
	value_put(&all, S("syntax"), faults_value(&f->found.errors, a));
	if (all == NULL)
		return command_fail(CLI_EXIT_FAILED, "the answer is too large");
	return output_value(how, all, &why) == OK ? CLI_EXIT_OK
						  : cli_fault(&why);
}

static int
run(const struct options *o, struct found_wish *wish, enum output how)
{
	AUTO(files_fini) struct files f;
	AUTO(arena_fini) struct arena a;
	AUTO(api_answer_fini) struct api_answer answer = {0};
	struct slice ns = slice_str(options_text(o, "namespace"));
	const struct value *found = NULL;
	struct found_shown shown;
	int code;

	files_init(&f, FILES_BYTES);
	arena_init(&a, ANSWER_BYTES);
	wish->ns = wish->default_ns = ns;
	code = read_files(&f, o);
	if (code == CLI_EXIT_OK && options_flag(o, "files-only"))
		found = analyze_files(&f, ns, &a);
	else if (code == CLI_EXIT_OK)
		code = ask_server(o, &f, ns, &answer, &found);
	if (code != CLI_EXIT_OK)
		return code;
	found_choose(found, wish, &f, &a, &shown);
	if (found == NULL || shown.items == NULL)
		return command_fail(CLI_EXIT_FAILED, "the answer is too large");
	code = print_found(&shown, &f, how, &a);
	if (code != CLI_EXIT_OK)
		return code;
	return shown.failed || f.found.errors.count > 0 ? CLI_EXIT_INVALID
							: CLI_EXIT_OK;
}

static enum err
read_level(const struct options *o, const char *name, enum analysis_level *out,
    struct fault *why)
{
	struct slice text = slice_str(options_text(o, name));

	if (analysis_level_parse(text, out) == OK)
		return OK;
	return fault_set(why, ERR_INVALID,
	    "--%s: there is no level \"%.*s\"; info, warning or error", name,
	    SLICE_ARG(text));
}

static int
analyze(struct options *o)
{
	struct found_wish wish = {0};
	struct fault why = {0};
	enum output how;

	if (output_parse(options_text(o, "output"), &how, &why) != OK ||
	    read_level(o, "level", &wish.level, &why) != OK ||
	    read_level(o, "failure-threshold", &wish.failure, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "analyze: %s", why.text);
	return options_flag(o, "list") ? print_list(how) : run(o, &wish, how);
}

static const struct option_row analyze_rows[] = {
    OPTION_FILES,
    {"files-only", 0, OPTION_FLAG, NULL, NULL, false,
	"look at the files by themselves, without a server"},
    {"namespace", 'n', OPTION_TEXT, "NAME", NULL, false,
	"tell only of this one; documents that name none are in it"},
    {"level", 0, OPTION_TEXT, "LEVEL", "info", false,
	"the least that is told: info, warning or error"},
    {"failure-threshold", 0, OPTION_TEXT, "LEVEL", "error", false,
	"the least that makes the command end with 3"},
    {"list", 0, OPTION_FLAG, NULL, NULL, false,
	"say which codes there are instead"},
    OPTION_OUTPUT,
    OPTION_SOCKET,
    OPTION_TOKEN,
};

const struct command command_analyze = {
    .name = "analyze",
    .args = "[FILE...]",
    .words = OPTION_ARGS_MAX,
    .summary = "say what is wrong or unwise among valid configuration",
    .section = "cli",
    .rows = analyze_rows,
    .row_count = ARRAY_LEN(analyze_rows),
    .run = analyze,
};
