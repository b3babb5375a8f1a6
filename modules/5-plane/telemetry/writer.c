/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer — text and JSON of which a peer chose some bytes.
 */
#include "writer.h"

#include <inttypes.h>
#include <stdio.h>

void
writer_put(struct writer *w, struct slice s)
{
	if (w->err == OK)
		w->err = buf_add_slice(w->out, s);
}

void
writer_put_escaped(struct writer *w, struct slice s)
{
	static const char hex[] = "0123456789abcdef";
	size_t plain = 0;

	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = (uint8_t)s.ptr[i];
		char code[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

		if (c >= 0x20 && c != '"' && c != '\\' && c < 0x7f)
			continue;
		writer_put(w, slice_sub(s, plain, i - plain));
		writer_put(w, slice_of(code, sizeof(code)));
		plain = i + 1;
	}
	writer_put(w, slice_sub(s, plain, s.len - plain));
}

void
writer_key(struct writer *w, const char *key)
{
	writer_put(w, w->inside ? S(",\"") : S("\""));
	writer_put(w, slice_str(key));
	writer_put(w, S("\":"));
	w->inside = true;
}

void
writer_text(struct writer *w, const char *key, struct slice value)
{
	if (value.len == 0)
		return;
	writer_key(w, key);
	writer_put(w, S("\""));
	writer_put_escaped(w, value);
	writer_put(w, S("\""));
}

void
writer_number(struct writer *w, const char *key, uint64_t n)
{
	char text[SLICE_U64_MAX];

	writer_key(w, key);
	writer_put(w, slice_from_u64(n, text));
}

void
writer_ms(struct writer *w, const char *key, uint64_t us)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%" PRIu64 ".%03u", us / 1000,
	    (unsigned)(us % 1000));

	writer_key(w, key);
	writer_put(w, slice_of(text, (size_t)n));
}

void
writer_addr(struct writer *w, const char *key, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	if (a->family != ADDR_NONE)
		writer_text(w, key, slice_str(addr_format(a, text)));
}

void
writer_open(struct writer *w, char bracket)
{
	writer_put(w, slice_of(&bracket, 1));
	w->inside = false;
}

void
writer_close(struct writer *w, char bracket)
{
	writer_put(w, slice_of(&bracket, 1));
	w->inside = true;
}
