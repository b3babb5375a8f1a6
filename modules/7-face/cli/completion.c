/* SPDX-License-Identifier: Apache-2.0 */
/*
 * completion — what a shell may offer for the word that is being typed.
 *
 * The scripts ask `meshd completion words`, so that they need not know what
 * there is: the tables of commands, options, kinds and fields say it. A
 * command whose arguments name a KIND is offered kinds, one whose arguments
 * name a FIELD paths of fields; where nothing is offered, the shell offers
 * files.
 */
#include "base/base.h"
#include "model/model.h"

#include "command.h"
#include "fields.h"

#include <stdio.h>

static const char bash_script[] = "_meshd() {\n"
				  "    local IFS=$'\\n'\n"
				  "    COMPREPLY=($(meshd completion words -- "
				  "\"${COMP_WORDS[@]:1:COMP_CWORD}\"))\n"
				  "}\n"
				  "complete -o default -F _meshd meshd\n";

static const char zsh_script[] =
    "#compdef meshd\n"
    "_meshd() {\n"
    "    local -a found\n"
    "    found=(${(f)\"$(meshd completion words -- "
    "\"${(@)words[2,CURRENT]}\")\"})\n"
    "    if (( $#found )); then compadd -- $found; else _files; fi\n"
    "}\n"
    /* As a file of $fpath it is the function's body, the first time. */
    "if [[ $funcstack[1] = _meshd ]]; then _meshd; else compdef _meshd meshd; "
    "fi\n";

static const char fish_script[] =
    "complete -c meshd -a '(meshd completion words -- "
    "(commandline -opc)[2..-1] (commandline -ct))'\n";

/* The words behind `meshd`; the last is being typed. */
struct typed {
	const char *const *words;
	size_t count;
	struct slice last;
};

static void
offer(const struct typed *t, struct slice word)
{
	if (slice_starts(word, t->last))
		(void)printf("%.*s\n", SLICE_ARG(word));
}

/* --- commands and options ------------------------------------------------- */

/*
 * How many words of the command's name were typed whole. Its next word is put
 * into `next`, which is empty when the name is whole.
 */
static size_t
words_of_name(
    const struct typed *t, const struct command *c, struct slice *next)
{
	struct slice rest = slice_str(c->name);
	size_t n = 0;

	for (;;) {
		*next = slice_split(&rest, ' ');
		if (next->len == 0 || n + 1 >= t->count ||
		    !slice_eq(slice_str(t->words[n]), *next))
			return n;
		n++;
	}
}

static void
offer_commands(const struct typed *t)
{
	size_t count;
	const struct command *const *all = command_all(&count);
	struct slice before = S("");

	for (size_t i = 0; i < count; i++) {
		struct slice next;

		if (words_of_name(t, all[i], &next) != t->count - 1 ||
		    next.len == 0 || slice_eq(next, before))
			continue;
		before = next;
		offer(t, next);
	}
}

static const struct command *
find_command(const struct typed *t)
{
	size_t count;
	const struct command *const *all = command_all(&count);

	for (size_t i = 0; i < count; i++) {
		struct slice next;

		if (words_of_name(t, all[i], &next) > 0 && next.len == 0)
			return all[i];
	}
	return NULL;
}

static void
offer_options(const struct typed *t, const struct command *c)
{
	char name[64];

	for (size_t i = 0; i < c->row_count; i++) {
		int n = snprintf(name, sizeof(name), "--%s", c->rows[i].name);

		offer(t, slice_of(name, (size_t)n));
	}
	offer(t, S("--help"));
}

/* The option whose value is being typed, or NULL. */
static const struct option_row *
option_before(const struct typed *t, const struct command *c)
{
	struct slice word =
	    t->count > 1 ? slice_str(t->words[t->count - 2]) : S("");

	for (size_t i = 0; i < c->row_count; i++) {
		const struct option_row *o = &c->rows[i];

		if (o->type == OPTION_FLAG)
			continue;
		if (word.len == 2 && word.ptr[0] == '-' && o->letter != 0 &&
		    word.ptr[1] == o->letter)
			return o;
		if (slice_starts(word, S("--")) &&
		    slice_eq(slice_sub(word, 2, word.len), slice_str(o->name)))
			return o;
	}
	return NULL;
}

static void
offer_values(const struct typed *t, const struct option_row *o)
{
	static const char *const formats[] = {"table", "json", "yaml"};

	for (size_t i = 0;
	     strcmp(o->name, "output") == 0 && i < ARRAY_LEN(formats); i++)
		offer(t, slice_str(formats[i]));
}

/* --- kinds and fields ----------------------------------------------------- */

static void
offer_kinds(const struct typed *t, bool as_written)
{
	size_t count;
	const struct resource_kind *const *all = resource_kinds(&count);

	for (size_t i = 0; i < count; i++)
		offer(t, slice_str(as_written ? all[i]->kind : all[i]->plural));
}

struct stepping {
	const struct typed *typed;
	struct slice kind; /* as it was typed */
	struct slice path; /* what was typed behind it */
	char before[FIELD_PATH_MAX];
};

/* One step beyond what was typed; places come in the order of their paths. */
static void
offer_step(void *arg, const struct field_place *p)
{
	struct stepping *s = arg;
	struct slice path = slice_str(p->path);
	struct slice rest;
	char word[2 * FIELD_PATH_MAX];
	int n;

	if (p->field == NULL || !slice_starts(path, s->path))
		return;
	rest = slice_sub(path, s->path.len, path.len);
	path.len = s->path.len + slice_find(rest, '.');
	if (slice_eq(path, slice_str(s->before)))
		return;
	(void)snprintf(s->before, sizeof(s->before), "%.*s", SLICE_ARG(path));
	n = snprintf(word, sizeof(word), "%.*s.%.*s", SLICE_ARG(s->kind),
	    SLICE_ARG(path));
	if (n > 0 && (size_t)n < sizeof(word))
		offer(s->typed, slice_of(word, (size_t)n));
}

static void
offer_fields(const struct typed *t)
{
	struct stepping s = {.typed = t, .path = t->last};
	const struct resource_kind *k;

	s.kind = slice_split(&s.path, '.');
	k = resource_kind_find(s.kind);
	if (s.kind.len == t->last.len)
		offer_kinds(t, /* as_written */ true);
	else if (k != NULL)
		fields_each(k, offer_step, &s);
}

/* --- the command ---------------------------------------------------------- */

static void
offer_words(const struct typed *t)
{
	const struct command *c = find_command(t);
	const struct option_row *o;
	struct slice next;
	bool first; /* behind the command's name */

	offer_commands(t); /* `log` is one, and `log level` too */
	if (c == NULL)
		return;
	first = words_of_name(t, c, &next) == t->count - 1;
	o = option_before(t, c);
	if (o != NULL)
		offer_values(t, o);
	else if (slice_starts(t->last, S("-")))
		offer_options(t, c);
	else if (first && strstr(c->args, "FIELD") != NULL)
		offer_fields(t);
	else if (first && strstr(c->args, "KIND") != NULL)
		offer_kinds(t, /* as_written */ false);
}

static int
completion(struct options *o)
{
	static const struct {
		const char *shell;
		const char *script;
	} scripts[] = {
	    {"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};
	const char *what = o->arg_count > 0 ? o->args[0] : "";
	struct typed t = {.words = o->args + 1, .last = S("")};

	for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
		if (strcmp(what, scripts[i].shell) == 0) {
			(void)fputs(scripts[i].script, stdout);
			return CLI_EXIT_OK;
		}
	if (strcmp(what, "words") != 0)
		return command_fail(CLI_EXIT_USAGE,
		    "say for which shell: completion bash, zsh or fish");
	if (o->arg_count < 2)
		return CLI_EXIT_OK;
	t.count = o->arg_count - 1;
	t.last = slice_str(t.words[t.count - 1]);
	offer_words(&t);
	return CLI_EXIT_OK;
}

const struct command command_completion = {
    .name = "completion",
    .args = "bash | zsh | fish",
    .words = OPTION_ARGS_MAX,
    .summary = "print what teaches a shell the words of meshd",
    .run = completion,
};
