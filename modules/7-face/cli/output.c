/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output — one answer as a table, as JSON or as YAML.
 */
#include "base/base.h"
#include "codec/codec.h"

#include "output.h"

#include <stdio.h>

enum { OUTPUT_BYTES = 512 << 20 };

enum err
output_parse(const char *text, enum output *out, struct fault *why)
{
	static const char *const names[] = {
	    [OUTPUT_TABLE] = "table",
	    [OUTPUT_JSON] = "json",
	    [OUTPUT_YAML] = "yaml",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!slice_eq(slice_str(text), slice_str(names[i])))
			continue;
		*out = (enum output)i;
		return OK;
	}
	return fault_set(why, ERR_INVALID,
	    "--output is table, json or yaml, not \"%s\"", text);
}

enum err
output_value(enum output how, const struct value *v, struct fault *why)
{
	AUTO(buf_fini) struct buf text = BUF_SECRET(OUTPUT_BYTES);
	struct slice s;
	enum err e = how == OUTPUT_JSON ? codec_json_emit_pretty(v, &text)
					: codec_yaml_emit(v, &text);

	if (e != OK)
		return fault_set(
		    why, e, "the answer cannot be printed: %s", err_text(e));
	s = buf_slice(&text);
	if (s.len > 0 && fwrite(s.ptr, 1, s.len, stdout) != s.len)
		return fault_set(why, ERR_IO, "cannot write the output");
	return OK;
}

void
output_line(const char *label, int width, struct slice text)
{
	if (text.len > 0)
		(void)printf("%-*s  %.*s\n", width, label, SLICE_ARG(text));
}
