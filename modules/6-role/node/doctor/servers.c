/* SPDX-License-Identifier: Apache-2.0 */
/*
 * servers — are they reached, are they who they have to be, and what time is it
 * there?
 *
 *	next server --name, TCP, TLS--> a question --its Date--> next server
 *	     `------------- failure, in words ----------------------^
 *
 * Those of the token if there is one, known by its pin; else those of the
 * mesh, known by its roots. The question is one that everybody may ask: what
 * counts is when it is answered.
 */
#include <stdio.h>

#include "http/http.h"

#include "checks.h"
#include "link.h"

enum { CALL_US = 5000000 };

struct errand {
	struct doctor *d;
	struct tls_config *config;
	struct tls_trust *trust; /* NULL: the token's pin */
	struct link *link;
	struct http_call *call;
	size_t next;
	size_t reached;
};

static bool
by_token(const struct doctor *d)
{
	return d->has_token;
}

static size_t
server_count(const struct doctor *d)
{
	return by_token(d) ? d->token.server_count : d->member.server_count;
}

/* The one that is asked. */
static const char *
server_of(const struct errand *a)
{
	const struct doctor *d = a->d;

	return by_token(d) ? d->token.servers[a->next]
			   : d->member.servers[a->next];
}

void
errand_cancel(struct errand **ap)
{
	struct errand *a = *ap;

	if (a == NULL)
		return;
	link_cancel(&a->link);
	http_call_cancel(&a->call);
	tls_config_unref(&a->config);
	tls_trust_unref(&a->trust);
	mem_free(ap);
}

static void errand_next(struct errand *a);

static void
go_to_next(struct errand *a)
{
	a->next++;
	errand_next(a);
}

/* --- failures ------------------------------------------------------------- */

static void
mend(const struct errand *a, enum err e)
{
	struct doctor *d = a->d;
	struct slice server = slice_str(server_of(a));
	struct slice host = slice_sub(server, 0, slice_rfind(server, ':'));

	if (e == ERR_EXPIRED)
		doctor_mend(d, "timedatectl set-ntp true");
	else if (e == ERR_AUTH)
		doctor_mend(
		    d, by_token(d) ? "meshd token create" : "meshd join TOKEN");
	else if (e == ERR_NOT_FOUND)
		doctor_mend(
		    d, "echo 'ADDRESS %.*s' >>/etc/hosts", SLICE_ARG(host));
	else
		doctor_mend(d, "systemctl start meshd-server");
}

static const char *
advice(enum err e)
{
	if (e == ERR_EXPIRED)
		return "; is this machine's clock right?";
	if (e == ERR_AUTH)
		return "; somebody else answers there";
	if (e == ERR_NOT_FOUND)
		return "; ask the name server for it, or write it down";
	return "; does meshd-server run there, and may this machine reach it?";
}

static void
say_failure(const struct errand *a, enum err e, const char *words)
{
	mend(a, e);
	doctor_say(a->d,
	    server_count(a->d) > 1 ? DOCTOR_WARNING : DOCTOR_PROBLEM, "%s%s",
	    words, advice(e));
}

/* --- one server ----------------------------------------------------------- */

static void
on_answer(void *arg, const struct http_result *r)
{
	struct errand *a = arg;
	struct slice date;
	int64_t server_ms;

	a->call = NULL;
	a->reached++;
	if (r->err != OK) {
		say_failure(a, r->err,
		    "a server took the connection and does not answer");
	} else if (http_head_get_id(r->head, HTTP_DATE, &date) &&
		   http_date_parse(date, &server_ms) == OK) {
		judge_time(a->d, server_of(a), server_ms);
	} else {
		doctor_say(a->d, DOCTOR_OK,
		    "%s answers, and does not say the time", server_of(a));
	}
	go_to_next(a);
}

static void
on_link(void *arg, struct stream *open, enum err e, const struct fault *why)
{
	struct errand *a = arg;
	struct http_call_spec spec = {.loop = a->d->loop,
	    .conn = open,
	    .proto = HTTP_PROTO_2,
	    .method = S("GET"),
	    .authority = slice_str(server_of(a)),
	    .path = S("/v1/time"),
	    .timeout_us = CALL_US,
	    .on_done = on_answer,
	    .arg = a};

	a->link = NULL;
	if (e == OK) {
		a->call = http_call_open(&spec);
		return;
	}
	say_failure(a, e, why->text);
	go_to_next(a);
}

static void
finish(struct errand *a)
{
	struct doctor *d = a->d;

	if (a->reached == 0 && server_count(d) > 1) {
		doctor_mend(d, "systemctl start meshd-server");
		doctor_say(d, DOCTOR_PROBLEM,
		    "none of the %zu servers is reached", server_count(d));
	}
	judge_sync(d);
	errand_cancel(&d->errand);
	doctor_go_on(d);
}

static void
errand_next(struct errand *a)
{
	struct doctor *d = a->d;
	struct link_spec spec = {.loop = d->loop,
	    .config = a->config,
	    .trust = a->trust,
	    .root_pin = a->trust == NULL ? &d->token.root_pin : NULL,
	    .trust_domain =
		slice_str(by_token(d) ? d->token.trust_domain
				      : d->member.bundle.trust_domain),
	    .done = on_link,
	    .arg = a};

	if (a->next == server_count(d)) {
		finish(a);
		return;
	}
	spec.server = slice_str(server_of(a));
	a->link = link_dial(&spec);
}

static enum err
prepare(struct errand *a)
{
	const struct doctor *d = a->d;
	struct tls_config_spec spec = {.role = TLS_CLIENT, .alpn = {"h2"}};
	struct tls_root_set set = {
	    slice_str(d->member.bundle.trust_domain), d->member.bundle.roots};
	enum err e = tls_init();

	if (e == OK)
		e = tls_config_new(&spec, &a->config);
	if (e == OK && !by_token(d))
		e = tls_trust_new(
		    &set, 1, d->member.bundle.epoch, &a->trust, NULL);
	return e;
}

bool
check_servers(struct doctor *d)
{
	if (server_count(d) == 0) {
		judge_sync(d);
		return true;
	}
	d->errand = mem_new(sizeof(*d->errand));
	d->errand->d = d;
	if (prepare(d->errand) != OK) {
		errand_cancel(&d->errand);
		return true; /* no TLS at all: nothing else works either */
	}
	errand_next(d->errand);
	return false;
}
