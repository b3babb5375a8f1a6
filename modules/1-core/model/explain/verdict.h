/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verdict — what policies say of one call, as a tree.
 *
 * Asks view_authn_decide() and view_access_decide(), as a proxy would.
 */
#ifndef MESHD_VERDICT_H
#define MESHD_VERDICT_H

#include "authn.h"
#include "tree.h"

/* Of a caller as people name it: access_call_identity(). */
struct slice verdict_identity(
    struct tree *t, const struct view *v, struct slice name);

struct verdict_ask {
	const struct view *v;
	const struct view_access *access; /* NULL: no policy */
	const struct view_authn *authn;   /* NULL: tokens are not looked at */
	struct access_question call;      /* its path as it came, no claims */
	resource_json_cb parse_json;      /* NULL: no token can be read */
	int64_t now_ms;                   /* for when tokens expire */
	/* Instead of the token at this very place; claims may be NULL. */
	struct slice given;
	const struct value *claims;
};

struct verdict {
	bool allowed;
	unsigned status; /* of a request that is refused; else 0 */
	struct slice reason;
	struct slice policy;         /* "shop/web", that decided; or empty */
	const struct origin *origin; /* likewise of its rule, or of the rule of
					a token; or NULL */
};

/*
 * Puts token, outcome, policy, rule, origin, ask, audit, dryRun, rules,
 * enforced and note into the map, as explain_access.h has them.
 */
struct verdict verdict_tell(
    struct tree *t, const struct verdict_ask *ask, struct value *map);

#endif
