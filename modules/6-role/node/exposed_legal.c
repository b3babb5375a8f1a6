/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exposed_legal — what a service has to be so that it may be offered.
 */
#include "exposed.h"

enum { WEIGHT_DEFAULT = 100, LABEL_TEXT_MAX = 255 };

enum err
exposed_legal_label(const char *what, struct slice s, struct fault *why)
{
	enum err err = name_check_label(s, why);

	return err == OK ? OK : fault_prefix(why, err, "%s: ", what);
}

static enum err
check_protocol(struct slice p, struct fault *why)
{
	static const char *const known[] = {
	    "tcp", "http", "http2", "grpc", "grpc-web"};
	struct nearest near;
	char text[NEAREST_TEXT_MAX];

	nearest_init(&near, p);
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (slice_eq(p, slice_str(known[i])))
			return OK;
		nearest_offer(&near, known[i]);
	}
	if (slice_eq(p, S("udp")))
		return fault_set(
		    why, ERR_UNSUPPORTED, "protocol udp is not supported yet");
	return fault_set(why, ERR_INVALID,
	    "protocol %.*s is not one of tcp, http, http2, grpc, grpc-web%s",
	    SLICE_ARG(p), nearest_text(&near, text));
}

static enum err
check_labels(const struct node_expose *e, struct fault *why)
{
	if (e->label_count >= GOSSIP_LABELS_MAX)
		return fault_set(why, ERR_LIMIT,
		    "a service may have at most %d labels",
		    GOSSIP_LABELS_MAX - 1);
	for (size_t i = 0; i < e->label_count; i++) {
		const struct label *l = &e->labels[i];

		if (l->key.len == 0 || l->key.len > LABEL_TEXT_MAX ||
		    l->value.len > LABEL_TEXT_MAX || !slice_is_utf8(l->key) ||
		    !slice_is_utf8(l->value))
			return fault_set(why, ERR_INVALID,
			    "label %zu is not key=value of at most %d bytes "
			    "each",
			    i + 1, LABEL_TEXT_MAX);
	}
	return OK;
}

enum err
exposed_legal(const struct node_expose *e, struct fault *why)
{
	enum err err = exposed_legal_label("service name", e->name, why);

	if (err == OK)
		err = exposed_legal_label("namespace", e->ns, why);
	if (err == OK)
		err = exposed_legal_label("account", e->account, why);
	if (err == OK)
		err = check_protocol(e->protocol, why);
	if (err == OK)
		err = check_labels(e, why);
	if (err == OK && e->target.port == 0)
		err = fault_set(why, ERR_INVALID,
		    "the target has no port, e.g.: meshd expose web 8080");
	return err;
}

struct node_expose
exposed_complete(const struct node_expose *e)
{
	struct node_expose out = *e;

	if (out.ns.len == 0)
		out.ns = S("default");
	if (out.account.len == 0)
		out.account = S("default");
	if (out.protocol.len == 0)
		out.protocol = S("tcp");
	if (out.target.family == ADDR_NONE)
		out.target = (struct addr){.family = ADDR_V4,
		    .bytes = {127, 0, 0, 1},
		    .port = e->target.port};
	if (out.port == 0)
		out.port = out.target.port;
	if (out.weight == 0)
		out.weight = WEIGHT_DEFAULT;
	return out;
}
