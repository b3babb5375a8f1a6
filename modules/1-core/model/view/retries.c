/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retries — what is tried again, how often, and where.
 */
#include "actions.h"
#include "retry_words.h"

enum { DEFAULT_ATTEMPTS = 2, CHOICES = 5 };

#define DEFAULT_WORDS                                                          \
	"connect-failure,refused-stream,unavailable,cancelled,"                \
	"retriable-status-codes"

/*
 * Upstream's, where neither a rule nor the mesh says anything; very many
 * routes have it in common.
 */
static const struct view_retry by_default = {
    .attempts = DEFAULT_ATTEMPTS,
    .on = VIEW_RETRY_CONNECT_FAILURE | VIEW_RETRY_REFUSED_STREAM |
	  VIEW_RETRY_GRPC_UNAVAILABLE | VIEW_RETRY_GRPC_CANCELLED |
	  VIEW_RETRY_STATUS_CODES,
    .words = {DEFAULT_WORDS, sizeof(DEFAULT_WORDS) - 1},
    .choices = CHOICES,
};

/* How many members a list has that is separated by commas. */
static size_t
count_words(struct slice list)
{
	size_t n = 1;

	for (size_t i = 0; i < list.len; i++)
		n += list.ptr[i] == ',';
	return n;
}

/* A status alone stands for the word that is needed for it. */
static void
compile_words(struct builder *b, struct slice list, struct view_retry *out)
{
	size_t most = count_words(list) + 1, n = 0;
	uint16_t *statuses = take(b, most, sizeof(*statuses));
	struct slice *words = take(b, most, sizeof(*words));
	bool said = false;

	out->on = 0;
	while (!b->full && list.len > 0) {
		struct slice word = slice_trim(slice_split(&list, ','));
		uint16_t status;
		uint32_t bit;

		if (!retry_word_parse(word, &bit, &status))
			continue;
		out->on |= bit;
		if (status != 0)
			statuses[out->status_count++] = status;
		else
			words[n++] = word;
		said = said || (status == 0 && bit == VIEW_RETRY_STATUS_CODES);
	}
	if (out->status_count > 0 && !said)
		words[n++] = slice_str(retry_word(VIEW_RETRY_STATUS_CODES));
	out->statuses = statuses;
	out->words = take_joined(b, words, n);
}

static bool
has(const struct http_retry *r, const char *field)
{
	return message_has(&http_retry_message, r, field);
}

void
compile_retry(struct builder *b, const struct http_retry *rule, bool hashed,
    struct view_retry *out)
{
	const struct http_retry *r = rule != NULL ? rule : b->mesh->http_retry;

	*out = (struct view_retry){0};
	if (r != NULL && r->attempts == 0)
		return;
	*out = by_default;
	out->avoid_tried = !hashed;
	if (r == NULL)
		return;
	if (r->retry_on.len > 0)
		compile_words(b, r->retry_on, out);
	out->attempts = (uint32_t)r->attempts;
	out->per_try_timeout_us = r->per_try_timeout;
	if (has(r, "retryIgnorePreviousHosts"))
		out->avoid_tried = r->ignore_previous_hosts;
	out->avoid_priorities = r->remote_localities;
	if (has(r, "backoff"))
		out->backoff_us = r->backoff;
}

void
compile_inbound_retry(struct builder *b, bool is_grpc, struct view_retry *out)
{
	const struct http_retry *r = b->mesh->inbound_http_retry;

	*out = (struct view_retry){0};
	if (is_grpc || (r != NULL && r->attempts == 0))
		return;
	out->attempts = r != NULL ? (uint32_t)r->attempts : DEFAULT_ATTEMPTS;
	if (r != NULL && has(r, "backoff"))
		out->backoff_us = r->backoff;
	compile_words(b,
	    r != NULL && r->retry_on.len > 0 ? r->retry_on
					     : S("reset-before-request"),
	    out);
}
