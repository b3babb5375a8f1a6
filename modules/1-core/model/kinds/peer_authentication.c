/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer_authentication — the fields of PeerAuthentication.
 */
#include "kinds.h"
#include "resource.h"
#include "rows.h"
#include "validate.h"

static const struct field_word mode_words[] = {
    {"UNSET", MUTUAL_TLS_UNSET, 0},
    {"DISABLE", MUTUAL_TLS_DISABLE, 0},
    {"PERMISSIVE", MUTUAL_TLS_PERMISSIVE, 0},
    {"STRICT", MUTUAL_TLS_STRICT, 0},
    {NULL, 0, 0},
};

const char *
mutual_tls_mode_name(enum mutual_tls_mode m)
{
	CHECK((size_t)m < ARRAY_LEN(mode_words) - 1);
	return mode_words[m].word; /* they are in the order of the enum */
}

static const struct field mutual_tls_fields[] = {
    ROW(mutual_tls, "mode", mode, FIELD_ENUM, .words = mode_words,
	.otherwise = "UNSET",
	.doc = "STRICT takes mutual TLS only, PERMISSIVE plain text too, "
	       "DISABLE plain text; UNSET leaves it to the next wider policy."),
};

static const struct message mutual_tls_message = MESSAGE(mutual_tls,
    "MutualTLS", mutual_tls_fields, .doc = "What is taken from callers.");

static void
check_port_key(struct check *c, const void *value)
{
	const struct message_entry *e = value;
	uint64_t port;

	if (slice_to_u64(e->key, &port) != OK || port < 1 || port > UINT16_MAX)
		check_error(c, ERR_INVALID,
		    "\"%.*s\" is no port; it is a number from 1 to 65535",
		    SLICE_ARG(slice_sub(e->key, 0, NAME_LABEL_MAX)));
}

/* A policy of a whole namespace cannot know what a port is for. */
static void
check_peer_authentication(struct check *c, const void *message)
{
	const struct peer_authentication *p = message;
	struct check at = check_member(c, "portLevelMtls");

	if (!check_given(c, "portLevelMtls"))
		return;
	if (at.node->type == VALUE_MAP && at.node->count == 0)
		check_error(&at, ERR_INVALID,
		    "port level mTLS, if defined, must have at least one "
		    "element");
	else if (p->selector == NULL || p->selector->match_labels.count == 0)
		check_error(&at, ERR_INVALID,
		    "needs a selector: a policy of the mesh or a namespace "
		    "cannot have port level mTLS");
}

static const struct field peer_authentication_fields[] = {
    ROW_OF(peer_authentication, "selector", selector, policy_selector,
	.doc = "Workloads that it is for; absent: all of the namespace."),
    ROW_OF(peer_authentication, "mtls", mtls, mutual_tls,
	.doc = "For all ports; absent is UNSET."),
    ROW(peer_authentication, "portLevelMtls", port_level_mtls,
	FIELD_MESSAGE_MAP, .of = &mutual_tls_message, .check = check_port_key,
	.doc = "For single ports of the workload, by their number."),
};

const struct message peer_authentication_message =
    MESSAGE(peer_authentication, "PeerAuthentication",
	peer_authentication_fields, .check = check_peer_authentication,
	.doc = "Whether workloads take plain text, where that is captured.");

const struct resource_kind kind_peer_authentication = {
    .group = "security.istio.io",
    .kind = "PeerAuthentication",
    .plural = "peerauthentications",
    .alias = "pa",
    .versions = (const char *const[]){"v1", "v1beta1", NULL},
    .spec = &peer_authentication_message,
};
