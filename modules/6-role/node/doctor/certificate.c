/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certificate — is there one, for how long, by whom, and for our key?
 *
 * An agent's is the node's; a server's is the intermediate that it signs by.
 */
#include <stdio.h>

#include "ca/ca.h"

#include "checks.h"

/* Of its life; renewal begins at a fifth to a third. */
enum { LATE_PERCENT = 60 };

struct pair {
	struct tls_key *key;
	struct tls_chain *chain;
	struct tls_cert_info leaf;
	const char *name; /* of the certificate's file */
};

static void
pair_fini(struct pair *p)
{
	tls_key_unref(&p->key);
	tls_chain_unref(&p->chain);
}

static enum err
load(struct doctor *d, const char *key, struct pair *p, struct fault *why)
{
	AUTO(buf_fini) struct buf text = BUF(TLS_CHAIN_BYTES_MAX);
	char path[STATE_PATH_MAX];
	enum err e = state_read(&d->state, p->name, &text, why);

	if (e == OK)
		e = tls_chain_parse(buf_slice(&text), &p->chain, why);
	if (e == OK)
		e = state_path(&d->state, key, path);
	if (e == OK)
		e = tls_key_load(path, &p->key, why);
	if (e == OK)
		tls_cert_inspect(p->chain, 0, &p->leaf);
	return e;
}

/* Renewing needs a server; being known there is enough. */
static void
mend_by_server(struct doctor *d)
{
	if (d->spec.is_server)
		doctor_mend(d, "systemctl restart meshd-server");
	else
		doctor_mend(d, "systemctl restart meshd-agent; meshd status");
}

static bool
judge_life(struct doctor *d, const struct pair *p)
{
	int64_t now = doctor_now_ms(d);
	int64_t life = p->leaf.not_after_ms - p->leaf.not_before_ms;
	char span[DOCTOR_SPAN_MAX], date[CLOCK_RFC3339_LEN];

	if (now < p->leaf.not_before_ms) {
		clock_format_rfc3339(now, date);
		doctor_mend(d, "timedatectl set-ntp true");
		doctor_say(d, DOCTOR_PROBLEM,
		    "%s begins in %s: the clock, which says %s, is behind",
		    p->name, doctor_span(p->leaf.not_before_ms - now, span),
		    date);
		return false;
	}
	if (now > p->leaf.not_after_ms) {
		mend_by_server(d);
		doctor_say(d, DOCTOR_PROBLEM,
		    "%s ended %s ago: no server renewed it, or the clock is "
		    "ahead",
		    p->name, doctor_span(now - p->leaf.not_after_ms, span));
		return false;
	}
	if (now - p->leaf.not_before_ms < life / 100 * LATE_PERCENT)
		return true;
	mend_by_server(d);
	doctor_say(d, DOCTOR_WARNING,
	    "%s ends in %s and should have been renewed by now", p->name,
	    doctor_span(p->leaf.not_after_ms - now, span));
	return false;
}

static bool
is_valid_now(const struct doctor *d, const struct pair *p)
{
	int64_t now = doctor_now_ms(d);

	return now >= p->leaf.not_before_ms && now <= p->leaf.not_after_ms;
}

/* Of an agent: what it was given when it joined says whom it trusts. */
static bool
judge_issuer(struct doctor *d, const struct pair *p)
{
	AUTO(tls_trust_unref) struct tls_trust *trust = NULL;
	struct tls_root_set set = {
	    slice_str(d->member.bundle.trust_domain), d->member.bundle.roots};
	struct fault why = {0};
	enum err e;

	if (!d->is_member || !is_valid_now(d, p))
		return true;
	e = tls_trust_new(&set, 1, d->member.bundle.epoch, &trust, &why);
	if (e == OK)
		e = tls_chain_verify(
		    p->chain, trust, doctor_now_ms(d), NULL, &why);
	if (e == OK)
		return true;
	doctor_mend(d, "meshd leave; meshd join TOKEN");
	doctor_say(d, DOCTOR_PROBLEM, "%s is not by the mesh's roots: %s",
	    p->name, why.text);
	return false;
}

static bool
judge_key(struct doctor *d, const struct pair *p)
{
	struct tls_pin pin;

	tls_key_pin(p->key, &pin);
	if (tls_pin_eq(&pin, &p->leaf.pin))
		return true;
	if (d->spec.is_server)
		doctor_mend(d, "rm %s/%s; systemctl restart meshd-server",
		    d->state.dir, p->name);
	else
		doctor_mend(d, "meshd leave; meshd join TOKEN");
	doctor_say(
	    d, DOCTOR_PROBLEM, "%s is for another key than ours", p->name);
	return false;
}

static void
judge(struct doctor *d, const struct pair *p)
{
	char span[DOCTOR_SPAN_MAX];
	bool good = judge_life(d, p);

	good = judge_issuer(d, p) && good;
	good = judge_key(d, p) && good;
	if (good)
		doctor_say(d, DOCTOR_OK, "%s is %s, for another %s", p->name,
		    p->leaf.uri[0] != '\0' ? p->leaf.uri : p->leaf.subject,
		    doctor_span(p->leaf.not_after_ms - doctor_now_ms(d), span));
}

static void
say_none(struct doctor *d)
{
	if (d->spec.is_starting || d->has_token || d->spec.token.len > 0) {
		doctor_say(d, DOCTOR_OK, "this machine has not joined yet");
		return;
	}
	doctor_mend(
	    d, d->spec.is_server ? "meshd server init" : "meshd join TOKEN");
	doctor_say(d, DOCTOR_WARNING, "%s has no certificate: %s", d->state.dir,
	    d->spec.is_server ? "there is no mesh in it yet"
			      : "this machine has not joined a mesh");
}

bool
check_certificate(struct doctor *d)
{
	AUTO(pair_fini)
	struct pair p = {
	    .name = d->spec.is_server ? "signer.pem" : STATE_NODE_CERT};
	struct fault why = {0};
	enum err e =
	    load(d, d->spec.is_server ? "signer.key" : "node.key", &p, &why);

	if (e == OK) {
		judge(d, &p);
	} else if (e == ERR_NOT_FOUND) {
		say_none(d);
	} else if (e == ERR_PERMISSION) {
		/* Of a file that is too open the folder's check has told. */
		doctor_say(
		    d, DOCTOR_OK, "%s is not looked at: %s", p.name, why.text);
	} else {
		doctor_mend(d, d->spec.is_server
				   ? "journalctl -u meshd-server"
				   : "meshd leave; meshd join TOKEN");
		doctor_say(d, DOCTOR_PROBLEM, "%s cannot be used: %s", p.name,
		    why.text);
	}
	return true;
}
