/* SPDX-License-Identifier: Apache-2.0 */
/*
 * questions — many questions at once.
 */
#include "questions.h"

#include "codec/codec.h"

#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_BYTES = 64 << 20, ANSWER_BYTES = 64 << 20 };

struct run {
	question_cb answer;
	void *arg;
	struct arena arena;
	struct buf line;
	struct buf out;
	bool failed; /* any of them */
};

static void
run_fini(struct run *r)
{
	arena_fini(&r->arena);
	buf_fini(&r->line);
	buf_fini(&r->out);
}

/* False at the end; `line` is empty then. A line that is too long is cut. */
static bool
read_line(struct run *r, FILE *in)
{
	int c;

	buf_reset(&r->line);
	while ((c = getc(in)) != EOF && c != '\n')
		if (buf_add_byte(&r->line, (uint8_t)c) != OK)
			r->failed = true;
	return c != EOF || buf_len(&r->line) > 0;
}

static const struct value *
refusal(struct run *r, const struct fault *why, enum err e)
{
	struct value *m = value_new(&r->arena, VALUE_MAP);
	struct value *all = value_new(&r->arena, VALUE_MAP);

	value_put_text(&r->arena, &m, S("code"), slice_str(err_name(e)));
	value_put_text(&r->arena, &m, S("message"), slice_str(why->text));
	value_put(&all, S("fault"), m);
	r->failed = true;
	return all;
}

static const struct value *
answer_to(struct run *r)
{
	struct fault why = {0};
	const struct value *question;
	const struct value *a = NULL;
	enum err e =
	    codec_json_parse(buf_slice(&r->line), &r->arena, &question, &why);

	if (e == OK)
		a = r->answer(r->arg, question, &r->arena, &why);
	return a != NULL ? a : refusal(r, &why, e != OK ? e : why.code);
}

static int
answer_line(struct run *r)
{
	const struct value *a;
	struct slice s;

	arena_reset(&r->arena);
	buf_reset(&r->out);
	a = answer_to(r);
	if (a == NULL || codec_json_emit(a, &r->out) != OK ||
	    buf_add_byte(&r->out, '\n') != OK)
		return command_fail(
		    CLI_EXIT_FAILED, "an answer cannot be printed");
	s = buf_slice(&r->out);
	if (s.len > 0 && fwrite(s.ptr, 1, s.len, stdout) != s.len)
		return command_fail(CLI_EXIT_FAILED, "cannot write the output");
	return CLI_EXIT_OK;
}

static int
run_all(struct run *r, FILE *in)
{
	int code = CLI_EXIT_OK;

	while (code == CLI_EXIT_OK && read_line(r, in))
		if (slice_trim(buf_slice(&r->line)).len > 0)
			code = answer_line(r);
	if (code == CLI_EXIT_OK && ferror(in))
		return command_fail(
		    CLI_EXIT_FAILED, "the questions cannot be read");
	if (code == CLI_EXIT_OK && r->failed)
		return command_fail(CLI_EXIT_INVALID,
		    "there were questions that nobody can answer");
	return code;
}

int
questions_run(const char *path, question_cb answer, void *arg)
{
	AUTO(run_fini) struct run r = {.answer = answer, .arg = arg};
	bool standard = strcmp(path, "-") == 0;
	FILE *in = standard ? stdin : fopen(path, "re");
	int code;

	arena_init(&r.arena, ARENA_BYTES);
	buf_init(&r.line, QUESTION_BYTES_MAX);
	buf_init(&r.out, ANSWER_BYTES);
	if (in == NULL)
		return command_fail(CLI_EXIT_FAILED, "%s cannot be read: %s",
		    path, strerror(errno));
	code = run_all(&r, in);
	if (!standard)
		(void)fclose(in); /* was only read */
	return code;
}
