/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selector — which workloads a resource is for (type.istio.io/v1beta1).
 */
#ifndef MESHD_SELECTOR_H
#define MESHD_SELECTOR_H

#include "../field.h"

/* `workloadSelector: {labels: …}` of the networking kinds. */
struct workload_selector {
	struct message_head head;
	struct labels labels; /* all of them; empty: every workload */
};

/* `selector: {matchLabels: …}` of policies, and DestinationRule's. */
struct policy_selector {
	struct message_head head;
	struct labels match_labels;
};

struct target_ref {
	struct message_head head;
	struct slice group;
	struct slice kind;
	struct slice name;
	struct slice ns; /* always empty: it is the policy's */
};

/* How policies say whom they are for; at most one of the three is there. */
struct policy_scope {
	const struct policy_selector *selector;
	const struct target_ref *target_ref; /* the older form of the next */
	LIST_OF(struct target_ref) target_refs;
};

extern const struct message workload_selector_message;
extern const struct message policy_selector_message;
extern const struct message target_ref_message;

/* The rules between a policy's selector and its references. */
void check_policy_scope(struct check *c, const struct policy_scope *s);

#endif
