/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml_emit — values to YAML that people read and that reads back the same.
 */
#include "codec.h"
#include "number.h"
#include "yaml_scalar.h"

static enum err emit_node(
    const struct value *v, unsigned indent, bool inl, struct buf *out);

#define TRY(call)                                                              \
	do {                                                                   \
		enum err try_e_ = (call);                                      \
		if (try_e_ != OK)                                              \
			return try_e_;                                         \
	} while (0)

static enum err
emit_indent(unsigned indent, struct buf *out)
{
	for (unsigned i = 0; i < indent; i++)
		TRY(buf_add_slice(out, S("  ")));
	return OK;
}

static enum err
emit_quoted(struct slice s, struct buf *out)
{
	TRY(buf_add_byte(out, '"'));
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c == '"' || c == '\\')
			TRY(buf_printf(out, "\\%c", c));
		else if (c == '\n')
			TRY(buf_add_slice(out, S("\\n")));
		else if (c == '\t')
			TRY(buf_add_slice(out, S("\\t")));
		else if (c < 0x20 || c == 0x7f)
			TRY(buf_printf(out, "\\x%02x", c));
		else
			TRY(buf_add_byte(out, c));
	}
	return buf_add_byte(out, '"');
}

/* Several lines of text that a literal block can hold without tricks. */
static bool
is_block(struct slice s)
{
	size_t newline = slice_find(s, '\n');

	if (newline >= s.len - 1 || s.len < 2)
		return false;
	if (s.ptr[0] == ' ' || s.ptr[0] == '\n' || s.ptr[0] == '\t')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		/* C1 controls and line separators begin with these. */
		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ||
		    c == 0xc2 || c == 0xe2 || c == 0xef)
			return false;
	}
	return true;
}

static enum err
emit_block(struct slice s, unsigned indent, struct buf *out)
{
	const char *mark = "|-";
	struct slice rest = s;

	if (s.ptr[s.len - 1] == '\n')
		mark = s.ptr[s.len - 2] == '\n' ? "|+" : "|";
	TRY(buf_add_slice(out, slice_str(mark)));
	while (rest.len > 0) {
		struct slice line = slice_split(&rest, '\n');

		TRY(buf_add_byte(out, '\n'));
		if (line.len > 0)
			TRY(emit_indent(indent, out));
		TRY(buf_add_slice(out, line));
	}
	return OK;
}

static enum err
emit_text(struct slice s, unsigned indent, bool block, struct buf *out)
{
	if (yaml_scalar_is_plain(s))
		return buf_add_slice(out, s);
	if (block && is_block(s))
		return emit_block(s, indent, out);
	return emit_quoted(s, out);
}

static enum err
emit_float(double d, struct buf *out)
{
	char text[NUMBER_TEXT_MAX];

	if (__builtin_isnan(d))
		return buf_add_slice(out, S(".nan"));
	if (__builtin_isinf(d))
		return buf_add_slice(out, d < 0 ? S("-.inf") : S(".inf"));
	return buf_add_slice(out, number_format(d, text));
}

static enum err
emit_scalar(const struct value *v, unsigned indent, struct buf *out)
{
	switch (v->type) {
	case VALUE_NULL:
		return buf_add_slice(out, S("null"));
	case VALUE_BOOL:
		return buf_add_slice(out, v->boolean ? S("true") : S("false"));
	case VALUE_INT:
		return buf_printf(out, "%lld", (long long)v->integer);
	case VALUE_FLOAT:
		return emit_float(v->real, out);
	case VALUE_STRING:
		return emit_text(v->string, indent, /* block */ true, out);
	case VALUE_LIST:
		return buf_add_slice(out, S("[]"));
	case VALUE_MAP:
		return buf_add_slice(out, S("{}"));
	}
	return ERR_INTERNAL;
}

/* `inl`: the first key stands behind a "- " that is there already. */
static enum err
emit_map(const struct value *v, unsigned indent, bool inl, struct buf *out)
{
	bool first = true;

	VALUE_EACH(v, it)
	{
		if (!(first && inl))
			TRY(emit_indent(indent, out));
		first = false;
		TRY(emit_text(it->key, indent, /* block */ false, out));
		TRY(buf_add_byte(out, ':'));
		if (it->count == 0) {
			TRY(buf_add_byte(out, ' '));
			TRY(emit_scalar(it, indent + 1, out));
			TRY(buf_add_byte(out, '\n'));
			continue;
		}
		TRY(buf_add_byte(out, '\n'));
		/* A list may stand at the level of its key. */
		TRY(emit_node(it, it->type == VALUE_LIST ? indent : indent + 1,
		    false, out));
	}
	return OK;
}

static enum err
emit_list(const struct value *v, unsigned indent, bool inl, struct buf *out)
{
	bool first = true;

	VALUE_EACH(v, it)
	{
		if (!(first && inl))
			TRY(emit_indent(indent, out));
		first = false;
		TRY(buf_add_slice(out, S("- ")));
		if (it->count > 0) {
			TRY(emit_node(it, indent + 1, true, out));
			continue;
		}
		TRY(emit_scalar(it, indent + 1, out));
		TRY(buf_add_byte(out, '\n'));
	}
	return OK;
}

/* Only called for what has children. */
static enum err
emit_node(const struct value *v, unsigned indent, bool inl, struct buf *out)
{
	if (v->type == VALUE_MAP)
		return emit_map(v, indent, inl, out);
	return emit_list(v, indent, inl, out);
}

enum err
codec_yaml_emit(const struct value *v, struct buf *out)
{
	if (v->count > 0)
		return emit_node(v, 0, false, out);
	TRY(emit_scalar(v, 1, out));
	return buf_add_byte(out, '\n');
}
