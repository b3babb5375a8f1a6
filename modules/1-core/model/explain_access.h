/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain_access — whether a workload may be called so, and which policy says
 * it, as a tree.
 *
 * Asks view_authn_decide() and view_access_decide(), as a proxy would; the
 * question is a map, the same from the command's options, from a line of a
 * file of questions and from the API.
 */
#ifndef MESHD_EXPLAIN_ACCESS_H
#define MESHD_EXPLAIN_ACCESS_H

#include "authn.h"

/*
 * The question:
 *
 *	to         the service, any form of its name
 *	port       the service's; its first
 *	labels     of the workload that is called; its Service's selector
 *	from       NAME.NAMESPACE, or spiffe://…; absent: no certificate
 *	sourceIp, remoteIp, sni
 *	tcp        true: bytes, no request
 *	method, host, path, headers: of the request; GET, `to`, /, none
 *	jwt        a token, or a map of its claims: as Authorization: Bearer
 *	metadata   filter → key → value
 *
 * Unknown keys are refused.
 */
struct explain_access {
	const struct value *question;
	resource_json_cb parse_json; /* for claims */
	int64_t now_ms;              /* for when tokens expire */
};

/*
 * The workload that is asked about, for a view that is compiled for the
 * question: as the Service of that name among the input's resources says it,
 * or else the records of those who serve it, with `labels` in place of theirs.
 * Borrows, or lies in the arena. ERR_INVALID; ERR_NOT_FOUND: nobody knows it,
 * and no labels are given.
 */
MUST_USE enum err explain_access_workload(const struct value *question,
    const struct view_input *in, struct arena *arena,
    struct view_exposed_input *out, struct fault *why);

/*
 * A map: workload {service, namespace, port, workloadPort, labels, policies};
 * call {from, sourceIp, …} as it was understood; token {status, why, issuer,
 * subject, origin}; outcome {allowed, status, reason}: 403, 401 or 400, 0 if
 * it is allowed or a connection is just closed; policy and rule (its number,
 * from 1) that decided, origin; ask {provider, rule}; audit; dryRun {allowed,
 * origin}; rules [{stage, policy, rule, origin, matched, why}] as they were
 * asked; enforced: false, and a note that says so. What has no value is left
 * out. *out is NULL only when the arena is full. ERR_INVALID: the question is
 * wrong; ERR_NOT_FOUND: nothing of that name is exposed here.
 */
MUST_USE enum err model_explain_access(const struct view *v,
    const struct explain_access *ask, struct arena *arena, struct value **out,
    struct fault *why);

#endif
