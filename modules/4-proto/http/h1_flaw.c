/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_flaw — what was wrong, in words, by where llhttp stopped.
 *
 * llhttp's own errors are coarser than an operator needs: a space before the
 * colon, a folded line and a control byte are all one "invalid token" to it.
 */
#include <llhttp.h>

#include "h1_message.h"

static const struct {
	uint16_t status;
	const char *word;
	const char *text;
} flaws[] = {
#define X(id, status, word, text) [id] = {status, word, text},
    HTTP1_FLAW_TABLE(X)
#undef X
};

unsigned
http1_flaw_status(enum http1_flaw f)
{
	return flaws[f].status;
}

const char *
http1_flaw_word(enum http1_flaw f)
{
	return flaws[f].word;
}

const char *
http1_flaw_text(enum http1_flaw f)
{
	return flaws[f].text;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool
h1_is_behind_colon(bool already, struct slice read)
{
	size_t end = slice_rfind(read, '\n');
	struct slice line = slice_sub(read, end + 1, read.len);

	if (end == read.len)
		return already || slice_find(read, ':') < read.len;
	return slice_find(line, ':') < line.len;
}

static char
byte_before(const struct h1_place *p)
{
	return p->read.len > 0 ? p->read.ptr[p->read.len - 1] : p->last;
}

/*
 * What was wrong with a field line. llhttp points at the byte that it did not
 * like or, for names that it knows, one behind it.
 */
static enum http1_flaw
field_flaw(const struct h1_place *p)
{
	char before = byte_before(p);
	char c = p->rest.len > 0 ? p->rest.ptr[0] : '\0';

	if (before == '\n' && is_blank(c))
		return HTTP1_OBS_FOLD;
	if (is_blank(before) && c == ':')
		return HTTP1_SPACE_COLON;
	if (before != '\n' && h1_is_behind_colon(p->behind_colon, p->read))
		return HTTP1_BAD_VALUE;
	if (is_blank(before) || is_blank(c))
		return HTTP1_SPACE_COLON;
	if (before == '\n' &&
	    (p->rest.len == 0 || http_is_token(slice_of(p->rest.ptr, 1))))
		return HTTP1_BARE_LF;
	return HTTP1_BAD_NAME;
}

static enum http1_flaw
length_flaw(const struct h1_place *p)
{
	if (p->in_body)
		return HTTP1_BAD_TRAILER;
	return http_head_has(p->head, HTTP_TRANSFER_ENCODING)
		   ? HTTP1_TWO_FRAMINGS
		   : HTTP1_BAD_LENGTH;
}

static enum http1_flaw
coding_flaw(const struct h1_place *p)
{
	if (p->in_body)
		return HTTP1_BAD_TRAILER;
	return http_head_has(p->head, HTTP_CONTENT_LENGTH) ? HTTP1_TWO_FRAMINGS
							   : HTTP1_BAD_CODING;
}

enum http1_flaw
h1_flaw_of(int llhttp_error, const struct h1_place *p)
{
	switch ((llhttp_errno_t)llhttp_error) {
	case HPE_INVALID_METHOD:
		return HTTP1_BAD_METHOD;
	case HPE_INVALID_URL:
		return HTTP1_BAD_TARGET;
	case HPE_INVALID_VERSION:
		return byte_before(p) == '\n' ? HTTP1_BARE_LF
					      : HTTP1_BAD_VERSION;
	case HPE_PAUSED_H2_UPGRADE:
		return HTTP1_BAD_VERSION;
	case HPE_INVALID_STATUS:
		return HTTP1_BAD_STATUS;
	case HPE_INVALID_CONTENT_LENGTH:
	case HPE_UNEXPECTED_CONTENT_LENGTH:
		return length_flaw(p);
	case HPE_INVALID_TRANSFER_ENCODING:
		return coding_flaw(p);
	case HPE_INVALID_CHUNK_SIZE:
		return HTTP1_BAD_CHUNK;
	case HPE_UNEXPECTED_SPACE:
		return HTTP1_OBS_FOLD;
	case HPE_INVALID_HEADER_TOKEN:
		return field_flaw(p);
	case HPE_CR_EXPECTED:
	case HPE_LF_EXPECTED:
	case HPE_STRICT:
		return p->in_body ? HTTP1_BAD_CHUNK : HTTP1_BARE_LF;
	default:
		return HTTP1_BAD_START;
	}
}
