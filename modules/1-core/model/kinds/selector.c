/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selector — which workloads a resource is for (type.istio.io/v1beta1).
 */
#include "selector.h"
#include "rows.h"
#include "validate.h"

enum { LABELS_MAX = 4096, TARGET_NAME_MAX = 253, LABEL_VALUE_MAX = 63 };

/* A selector is looser than a label: a name that no workload has is no slip. */
static void
check_selector_label(struct check *c, const void *value)
{
	const struct label *l = value;

	if (l->key.len == 0)
		check_error(c, ERR_INVALID, "the name of a label is missing");
	if (slice_find(l->key, '*') < l->key.len ||
	    slice_find(l->value, '*') < l->value.len)
		check_error(c, ERR_INVALID,
		    "a wildcard means nothing in a selector; name the label "
		    "and its whole value");
}

static const struct field workload_selector_fields[] = {
    ROW(workload_selector, "labels", labels, FIELD_STRING_MAP,
	.check = check_selector_label, .most = LABELS_MAX,
	.doc = "Labels that a workload must all have; none: every workload."),
};

const struct message workload_selector_message =
    MESSAGE(workload_selector, "WorkloadSelector", workload_selector_fields,
	.doc = "Workloads, by their labels.");

static void
check_has_labels(struct check *c, const void *message)
{
	const struct policy_selector *s = message;

	if (s->match_labels.count == 0)
		check_warning(c,
		    "has no labels, so every workload of the namespace is "
		    "selected");
}

static const struct field policy_selector_fields[] = {
    ROW(policy_selector, "matchLabels", match_labels, FIELD_STRING_MAP,
	.check = check_selector_label, .most = LABELS_MAX,
	.doc = "Labels that a workload must all have."),
};

const struct message policy_selector_message =
    MESSAGE(policy_selector, "WorkloadSelector", policy_selector_fields,
	.check = check_has_labels, .doc = "Workloads, by their labels.");

/* --- references ----------------------------------------------------------- */

static const struct {
	const char *group;
	const char *kind;
} targets[] = {
    {"", "Service"},
    {"core", "Service"},
    {"networking.istio.io", "ServiceEntry"},
    {"gateway.networking.k8s.io", "Gateway"},
    {"gateway.networking.k8s.io", "GatewayClass"},
};

static void
check_target_ref(struct check *c, const void *message)
{
	const struct target_ref *r = message;
	struct check at = check_member(c, "namespace");

	if (r->ns.len > 0)
		check_error(&at, ERR_INVALID,
		    "must not be given: a reference stays in the policy's own "
		    "namespace");
	for (size_t i = 0; i < ARRAY_LEN(targets); i++)
		if (slice_eq(r->group, slice_str(targets[i].group)) &&
		    slice_eq(r->kind, slice_str(targets[i].kind)))
			return;
	check_error(c, ERR_INVALID,
	    "%.*s of group \"%.*s\" is no target; it may be a Service, a "
	    "ServiceEntry of networking.istio.io, or a Gateway or "
	    "GatewayClass of gateway.networking.k8s.io",
	    SLICE_ARG(slice_sub(r->kind, 0, LABEL_VALUE_MAX)),
	    SLICE_ARG(slice_sub(r->group, 0, TARGET_NAME_MAX)));
}

static const struct field target_ref_fields[] = {
    ROW(target_ref, "group", group, FIELD_STRING, .longest = TARGET_NAME_MAX,
	.doc = "API group of the target; empty for a Service."),
    ROW(target_ref, "kind", kind, FIELD_STRING, .longest = LABEL_VALUE_MAX,
	.doc = "Kind of the target."),
    ROW(target_ref, "name", name, FIELD_STRING,
	.flags = FIELD_REQUIRED | FIELD_NON_EMPTY, .longest = TARGET_NAME_MAX,
	.doc = "Name of the target."),
    ROW(target_ref, "namespace", ns, FIELD_STRING,
	.doc = "Not to be given: it is the policy's own."),
};

const struct message target_ref_message = MESSAGE(target_ref,
    "PolicyTargetReference", target_ref_fields, .check = check_target_ref,
    .doc = "A resource that a policy is attached to.");

void
check_policy_scope(struct check *c, const struct policy_scope *s)
{
	bool refers = s->target_refs.count > 0 || s->target_ref != NULL;
	struct check at = check_member(c, "targetRefs");

	if (s->selector != NULL && refers)
		check_error(c, ERR_INVALID,
		    "only one of selector and targetRefs may be given");
	if (s->target_refs.count > 0 && s->target_ref != NULL)
		check_error(&at, ERR_INVALID,
		    "only one of targetRef and targetRefs may be given");
}
