/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inquiry — a question by a person, who wants to know why, too.
 *
 * It goes the way of all others, and comes back with the reason as text, since
 * the view that it is of may be gone when it is read.
 */
#include "inside.h"

enum { ORIGIN_TEXT = ORIGIN_TEXT_MAX };

struct inquiry {
	struct resolver *resolver; /* a reference */
	void (*done)(void *arg, const struct resolver_report *report);
	void *arg;
	struct buf question;
	struct buf answer;
	struct resolver_report report;
	char host[NAME_HOST_MAX + 1];
	char origin[ORIGIN_TEXT];
};

/* On the control loop. */
static void
on_told(void *arg)
{
	struct inquiry *i = arg;

	i->report.message = buf_slice(&i->answer);
	i->done(i->arg, &i->report);
	resolver_unref(i->resolver);
	buf_fini(&i->question);
	buf_fini(&i->answer);
	mem_free(&i);
}

static void
take_service(struct inquiry *i, const struct view_service *s)
{
	if (slice_to_cstr(s->host, i->host, sizeof(i->host)) == OK)
		i->report.host = slice_str(i->host);
	i->report.origin = slice_str(origin_format(&s->origin, i->origin));
}

void
inquiry_told(struct resolver *r, struct inquiry *i, struct slice message,
    const struct outcome *o)
{
	const struct decided *d = o->decided;

	if (buf_add_slice(&i->answer, message) != OK)
		buf_reset(&i->answer);
	i->report.result = result_name(o->result);
	i->report.form = d != NULL ? d->form : NULL;
	i->report.why = o->why != NULL ? o->why : d != NULL ? d->why : "";
	if (d != NULL && d->service != NULL)
		take_service(i, d->service);
	if (o->upstream != NULL)
		i->report.upstream = *o->upstream;
	i->report.took_us = o->took_us;
	loop_post(r->spec.control, on_told, i);
}

static void
on_ask(void *arg)
{
	struct inquiry *i = arg;
	struct asker who = {.kind = ASKER_INSIDE, .inquiry = i};
	struct outcome late = {
	    .result = RESULT_FAILED, .why = "this agent is stopping"};

	if (i->resolver->stopping) {
		inquiry_told(i->resolver, i, SLICE_NONE, &late);
		return;
	}
	answer_question(i->resolver, &who, buf_slice(&i->question));
}

enum err
resolver_query(struct resolver *r, struct slice name, uint16_t type,
    void (*done)(void *arg, const struct resolver_report *report), void *arg)
{
	struct dns_question q = {
	    .flags = DNS_RD, .type = type, .class = DNS_IN, .has_edns = true};
	struct inquiry *i;

	if (dns_name_parse(name, &q.name) != OK)
		return ERR_PARSE;
	i = mem_new(sizeof(*i));
	i->resolver = r;
	i->done = done;
	i->arg = arg;
	buf_init(&i->question, DNS_QUESTION_BYTES);
	buf_init(&i->answer, DNS_MESSAGE_MAX);
	CHECK(dns_question_write(&q, &i->question) == OK);
	atomic_fetch_add(&r->refs, 1);
	loop_post(r->loop, on_ask, i);
	return OK;
}
