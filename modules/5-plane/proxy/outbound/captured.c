/* SPDX-License-Identifier: Apache-2.0 */
/*
 * captured — listeners to which rules of the machine lead, and who comes in by
 * them.
 */
#define LOG_MODULE "proxy"

#include "outbound/inside.h"

#include "snapshot.h"

bool
listener_is_captured(const struct listener *l)
{
	return l->kind == CAPTURED_OUT || listener_is_inbound(l);
}

bool
listener_is_inbound(const struct listener *l)
{
	return l->kind == CAPTURED_IN || l->kind == MUTUAL;
}

bool
listener_leads_on(const struct listener *l, const struct view_destination *d)
{
	if (!listener_is_captured(l))
		return false;
	return d->cluster != NULL
		   ? d->cluster->type == VIEW_CLUSTER_ORIGINAL_DST
		   : d->passes;
}

/* Where it meant to get. Whoever called this very port was led by no rule, and
 * would come back to it for ever. */
bool
captured_find_called(struct listener *l, struct stream *s)
{
	struct addr peer = stream_peer(s), called;

	if (net_original_destination(net_stream_fd(s), &called) != OK) {
		worker_refused(l->worker, REFUSED_CLIENT, "not_captured");
		listener_refused(
		    l, S("what was not captured is not served at this port"));
		stream_close(s, ERR_RESET);
		return false;
	}
	net_stream_set_ends(s, &peer, &called);
	return true;
}

void
listener_make_caller(struct listener *l)
{
	struct slice uri = slice_str(l->identity);
	struct flow_party p = {
	    .identity = uri, .cluster = slice_str(l->cluster)};
	struct identity id;

	if (name_identity_parse(uri, &id, NULL) == OK) {
		p.workload = id.account;
		p.ns = id.ns;
	}
	flow_party_label(&p, &(struct labels){0});
	flow_party_seal(&p);
	l->caller = (struct view_caller){uri, p};
}

/* What peers of the mesh say that they speak, the best first. */
static const char *const mesh_alpns[] = {
    "istio-h2", "istio-http/1.1", "istio", "istio-peer-exchange"};

struct listener *
listener_new_mutual(struct worker *w, const char *identity, struct slice alpn)
{
	const struct listener_spec u = {.kind = MUTUAL,
	    .name = S("captured-in, mutual TLS"),
	    .identity = slice_str(identity)};
	struct listener *l = listener_new(w, &u);

	for (size_t i = 0; i < ARRAY_LEN(mesh_alpns); i++)
		if (slice_eq(alpn, slice_str(mesh_alpns[i])))
			l->alpn = slice_str(mesh_alpns[i]);
	return l;
}

struct tls_config *
listeners_mutual_tls(const struct listener *l)
{
	struct worker *w = l->worker;
	struct tls_config_spec spec = {.role = TLS_SERVER,
	    .ask = TLS_ASK_REQUIRED,
	    .clock = loop_clock(w->loop),
	    .check = credentials_check,
	    .check_arg = w};

	if (w->listeners->mutual != NULL)
		return w->listeners->mutual;
	memcpy(spec.alpn, mesh_alpns, sizeof(mesh_alpns));
	CHECK(tls_config_new(&spec, &w->listeners->mutual) == OK);
	return w->listeners->mutual;
}

void
listener_name_inbound(const struct listener *l, struct flow_record *f)
{
	const struct view_exposed *e =
	    view_find_exposed(l->worker->now->view, &f->downstream_local);
	struct identity id;

	f->reporter = FLOW_DESTINATION;
	f->source = (struct flow_party){0};
	if (l->kind == MUTUAL &&
	    name_identity_parse(slice_str(l->identity), &id, NULL) == OK) {
		f->mutual_tls = true;
		f->source.identity = slice_str(l->identity);
		f->source.ns = id.ns;
		f->source.workload = id.account;
	}
	flow_party_seal(&f->source);
	if (e != NULL)
		f->destination = e->party;
}
