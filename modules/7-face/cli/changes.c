/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changes — a command that changes configuration: asked, and what came of it.
 */
#include "base/base.h"
#include "model/model.h"

#include "api.h"
#include "changes.h"
#include "output.h"

#include <stdio.h>

static struct slice
text_of(const struct value *v, struct slice key)
{
	return value_get_string(v, key, SLICE_NONE);
}

static void
print_key(const struct value *change)
{
	const struct resource_key key = {SLICE_NONE,
	    text_of(change, S("kind")), text_of(change, S("namespace")),
	    text_of(change, S("name"))};
	char text[RESOURCE_KEY_MAX];

	(void)fputs(resource_key_format(&key, text), stdout);
}

static void
print_changes(const struct value *answer, bool dry_run)
{
	VALUE_EACH(value_get(answer, S("changes")), it)
	{
		print_key(it);
		(void)printf(" %s%.*s\n", dry_run ? "would be " : "",
		    SLICE_ARG(text_of(it, S("outcome"))));
	}
}

int
changes_ask(const struct options *o, const char *path, const struct body *body,
    bool dry_run)
{
	AUTO(api_answer_fini) struct api_answer a = {0};
	struct api_question q = {API_SERVER, "POST", path, body->map};
	struct fault why = {0};
	enum output how;
	int code;

	if (output_parse(options_text(o, "output"), &how, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "%s", why.text);
	if (body->map == NULL)
		return command_fail(
		    CLI_EXIT_FAILED, "the request is too large");
	if (api_ask(o, &q, &a, &why) != OK)
		return cli_fault(&why);
	code = api_refused(&a);
	if (code != CLI_EXIT_OK)
		return code;
	if (how == OUTPUT_TABLE)
		print_changes(a.body, dry_run);
	else if (output_value(how, a.body, &why) != OK)
		return cli_fault(&why);
	return CLI_EXIT_OK;
}
