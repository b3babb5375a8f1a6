/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retries — what is tried again, how often, and where.
 */
#include "actions.h"
#include "retry_words.h"

enum { DEFAULT_ATTEMPTS = 2, CHOICES = 5 };

/* Upstream's, where neither a rule nor the mesh says anything. */
static const char default_words[] = "connect-failure,refused-stream,"
				    "unavailable,cancelled,"
				    "retriable-status-codes";

static void
add_word(struct builder *b, struct slice word, struct view_retry *out)
{
	out->words = out->words.len > 0
			 ? take_printf(b, "%.*s,%.*s", SLICE_ARG(out->words),
			       SLICE_ARG(word))
			 : word;
}

/* A status alone stands for the word that is needed for it. */
static void
compile_words(struct builder *b, struct slice list, struct view_retry *out)
{
	uint16_t *statuses = take(b, list.len, sizeof(*statuses));
	bool said = false;

	out->statuses = statuses;
	while (statuses != NULL && list.len > 0) {
		struct slice word = slice_trim(slice_split(&list, ','));
		uint16_t status;
		uint32_t bit;

		if (!retry_word_parse(word, &bit, &status))
			continue;
		out->on |= bit;
		if (status != 0)
			statuses[out->status_count++] = status;
		else
			add_word(b, word, out);
		said = said || (status == 0 && bit == VIEW_RETRY_STATUS_CODES);
	}
	if (out->status_count > 0 && !said)
		add_word(
		    b, slice_str(retry_word(VIEW_RETRY_STATUS_CODES)), out);
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
	out->attempts = DEFAULT_ATTEMPTS;
	out->avoid_tried = !hashed;
	out->choices = CHOICES;
	if (r == NULL || r->retry_on.len == 0)
		compile_words(b, slice_str(default_words), out);
	else
		compile_words(b, r->retry_on, out);
	if (r == NULL)
		return;
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
