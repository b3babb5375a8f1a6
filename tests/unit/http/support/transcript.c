/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transcript — pieces live in memory of their own, so that ASan sees a slice
 * that outlives its feed.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "transcript.h"

static void PRINTF_LIKE(2, 3) say(struct transcript *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->text + t->len, TRANSCRIPT_MAX - t->len, fmt, ap);
	va_end(ap);
	t->len = MIN(t->len + (size_t)n, (size_t)TRANSCRIPT_MAX - 1);
}

static void
end_body(struct transcript *t)
{
	if (t->in_body)
		say(t, "\n");
	t->in_body = false;
}

static void
say_fields(struct transcript *t, const struct http_head *h)
{
	for (size_t i = 0; i < h->count; i++)
		say(t, " [%.*s: %.*s]", SLICE_ARG(h->fields[i].name),
		    SLICE_ARG(h->fields[i].value));
}

static void
say_head(struct transcript *t, const char *what, const struct http_head *h)
{
	static const char *const framings[] = {
	    "none", "length", "chunked", "close", "tunnel"};

	if (h->status > 0)
		say(t, "%s %u %.*s", what, h->status, SLICE_ARG(h->reason));
	else
		say(t, "%s %.*s %.*s|%.*s|%.*s", what, SLICE_ARG(h->method),
		    SLICE_ARG(h->scheme), SLICE_ARG(h->authority),
		    SLICE_ARG(h->path));
	say_fields(t, h);
	say(t, " %s", framings[h->framing]);
	if (h->framing == HTTP_BODY_LENGTH)
		say(t, "=%llu", (unsigned long long)h->content_length);
	if (h->upgrade.len > 0)
		say(t, " upgrade=%.*s", SLICE_ARG(h->upgrade));
	if (h->expect_continue)
		say(t, " expect");
	say(t, "\n");
}

static void
maybe_pause(struct transcript *t)
{
	if (t->pause)
		http1_parser_pause(t->parser);
}

static void
on_interim(void *arg, struct http_head *h)
{
	say_head(arg, "interim", h);
	maybe_pause(arg);
}

static void
on_head(void *arg, struct http_head *h)
{
	say_head(arg, "head", h);
	maybe_pause(arg);
}

static void
on_body(void *arg, struct slice bytes)
{
	struct transcript *t = arg;

	if (!t->in_body)
		say(t, "body ");
	t->in_body = true;
	say(t, "%.*s", SLICE_ARG(bytes));
	maybe_pause(t);
}

static void
on_trailers(void *arg, struct http_head *h)
{
	end_body(arg);
	say(arg, "trailers");
	say_fields(arg, h);
	say(arg, "\n");
}

static void
on_complete(void *arg)
{
	end_body(arg);
	say(arg, "end\n");
}

static const struct http1_events events = {
    .on_interim = on_interim,
    .on_head = on_head,
    .on_body = on_body,
    .on_trailers = on_trailers,
    .on_complete = on_complete,
};

void
transcript_init(struct transcript *t, enum http1_side side)
{
	memset(t, 0, sizeof(*t));
	t->parser = http1_parser_new(side, &events, t);
}

void
transcript_fini(struct transcript *t)
{
	http1_parser_free(&t->parser);
}

/* One feed from memory that is gone after it; returns what was taken. */
static size_t
feed_once(struct transcript *t, struct slice bytes)
{
	char *copy = malloc(bytes.len + 1);
	size_t used = 0;

	if (bytes.len > 0)
		memcpy(copy, bytes.ptr, bytes.len);
	t->last =
	    http1_parser_feed(t->parser, slice_of(copy, bytes.len), &used);
	free(copy);
	t->used += used;
	return used;
}

void
transcript_feed(struct transcript *t, struct slice bytes, size_t piece)
{
	size_t used;

	do {
		used = feed_once(t, slice_sub(bytes, 0, piece));
		bytes = slice_sub(bytes, used, bytes.len);
		if (t->last == ERR_EOF) {
			t->keep_alive = http1_parser_keep_alive(t->parser);
			return;
		}
		if (t->last == ERR_PARSE) {
			end_body(t);
			say(t, "flaw %s\n",
			    http1_flaw_word(http1_parser_flaw(t->parser)));
			return;
		}
	} while (bytes.len > 0 || t->last == ERR_AGAIN);
}

const char *
transcript_of(struct transcript *t, enum http1_side side, struct slice bytes,
    size_t piece)
{
	bool pause = t->pause;

	transcript_init(t, side);
	t->pause = pause;
	transcript_feed(t, bytes, piece);
	transcript_fini(t);
	t->pause = pause;
	return t->text;
}
