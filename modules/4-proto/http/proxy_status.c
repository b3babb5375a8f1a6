/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy_status — words for a refusal, in a field that clients show.
 *
 * A structured field string is printable ASCII, with `"` and `\` escaped
 * (RFC 8941 §3.3.3); anything else becomes a question mark.
 */
#include "head.h"

static const char name[] = "meshd";
static const char error_key[] = "; error=";
static const char details_key[] = "; details=\"";

static char *
put_escaped(char *at, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '"' || c == '\\')
			*at++ = '\\';
		*at++ = c >= ' ' && c < 0x7f ? c : '?';
	}
	return at;
}

static char *
put(char *at, const char *text, size_t len)
{
	memcpy(at, text, len);
	return at + len;
}

struct slice
http_proxy_status(struct arena *a, struct slice error, struct slice details)
{
	char *mem =
	    arena_alloc(a, sizeof(name) + sizeof(error_key) + error.len +
			       sizeof(details_key) + 2 * details.len);
	char *at = mem;

	if (mem == NULL)
		return SLICE_NONE;
	at = put(at, name, sizeof(name) - 1);
	if (error.len > 0) {
		at = put(at, error_key, sizeof(error_key) - 1);
		at = put(at, error.ptr, error.len);
	}
	at = put(at, details_key, sizeof(details_key) - 1);
	at = put_escaped(at, details);
	*at++ = '"';
	return slice_of(mem, (size_t)(at - mem));
}

/* Behind `details="`, or empty. */
static struct slice
find_details(struct slice value)
{
	static const char key[] = "details=\"";
	size_t len = sizeof(key) - 1;

	for (size_t i = 0; i + len <= value.len; i++)
		if (memcmp(value.ptr + i, key, len) == 0)
			return slice_sub(value, i + len, value.len);
	return SLICE_NONE;
}

struct slice
http_proxy_status_details(struct arena *a, struct slice value)
{
	struct slice text = find_details(value);
	char *mem = text.len > 0 ? arena_alloc(a, text.len) : NULL;
	size_t n = 0;

	if (mem == NULL)
		return SLICE_NONE;
	for (size_t i = 0; i < text.len && text.ptr[i] != '"'; i++) {
		if (text.ptr[i] == '\\' && i + 1 < text.len)
			i++;
		mem[n++] = text.ptr[i];
	}
	return slice_of(mem, n);
}
