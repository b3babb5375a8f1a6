/* SPDX-License-Identifier: Apache-2.0 */
/*
 * questions — many questions in one run: JSON in, JSON out, a line each.
 */
#include "base/base.h"
#include "codec/codec.h"

#include "command.h"
#include "questions.h"

#include <stdio.h>

enum { QUESTIONS_BYTES = 256 << 20, ANSWER_BYTES = 64 << 20 };

struct run {
	questions_answer_cb answer;
	void *arg;
	struct arena arena; /* of one question */
	int exit;
};

static struct value *
error_of(struct run *r, enum err e, const struct fault *why)
{
	struct arena *a = &r->arena;
	struct value *m = value_new(a, VALUE_MAP);
	struct value *error = value_new(a, VALUE_MAP);

	if (r->exit == CLI_EXIT_OK)
		r->exit = CLI_EXIT_FAILED;
	value_put_text(a, &error, S("code"), slice_str(err_name(e)));
	value_put_text(a, &error, S("message"),
	    slice_str(why->text[0] != '\0' ? why->text : err_text(e)));
	value_put(&m, S("error"), error);
	return m;
}

static enum err
answer_line(
    struct run *r, struct slice line, struct value **out, struct fault *why)
{
	const struct value *question;
	enum err e = codec_json_parse(line, &r->arena, &question, why);

	if (e == OK)
		e = r->answer(r->arg, question, &r->arena, out, why);
	if (e == OK && *out == NULL)
		e = fault_set(why, ERR_LIMIT, "the answer is too large");
	return e;
}

static enum err
write_line(const struct value *v, struct fault *why)
{
	AUTO(buf_fini) struct buf text = BUF(ANSWER_BYTES);
	enum err e = codec_json_emit(v, &text);
	struct slice s;

	if (e == OK)
		e = buf_add_byte(&text, '\n');
	if (e != OK)
		return fault_set(
		    why, e, "the answer cannot be printed: %s", err_text(e));
	s = buf_slice(&text);
	if (fwrite(s.ptr, 1, s.len, stdout) != s.len)
		return fault_set(why, ERR_IO, "cannot write the output");
	return OK;
}

static enum err
on_line(struct run *r, struct slice line, struct fault *why)
{
	struct fault of_line = {0};
	struct value *v = NULL;
	enum err e;

	arena_reset(&r->arena);
	e = answer_line(r, line, &v, &of_line);
	if (e != OK)
		v = error_of(r, e, &of_line);
	if (v == NULL)
		return fault_set(why, ERR_LIMIT, "an answer is too large");
	return write_line(v, why);
}

int
questions_run(const char *path, questions_answer_cb answer, void *arg)
{
	AUTO(buf_fini) struct buf text = BUF(QUESTIONS_BYTES);
	struct run r = {.answer = answer, .arg = arg, .exit = CLI_EXIT_OK};
	struct fault why = {0};
	enum err e = file_read(path, &text, &why);
	struct slice rest = buf_slice(&text);

	arena_init(&r.arena, ANSWER_BYTES);
	while (e == OK && rest.len > 0) {
		struct slice line = slice_trim(slice_split(&rest, '\n'));

		if (line.len > 0)
			e = on_line(&r, line, &why);
	}
	arena_fini(&r.arena);
	return e == OK ? r.exit : cli_fault(&why);
}
