/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authn — whose tokens a workload takes: RequestAuthentications as rows.
 *
 * All that are for a workload count together. A request with a token where a
 * rule looks for one has to satisfy a rule with it; one without passes as
 * nobody. Signatures are for who asks: the look-up finds the tokens, hands
 * each to a callback, and says what that makes of the request.
 */
#ifndef MESHD_AUTHN_H
#define MESHD_AUTHN_H

#include "access.h"

struct authn_header {
	struct slice name;   /* in lower case */
	struct slice prefix; /* "Bearer " */
};

struct authn_claim_header {
	struct slice header; /* in lower case */
	struct slice claim;  /* "a.b" is inside of a */
};

struct authn_rule {
	struct slice issuer;           /* empty: any */
	const struct slice *audiences; /* one of them; none: any */
	size_t audience_count;
	struct slice jwks;     /* the keys as JSON; or empty */
	struct slice jwks_uri; /* where they are; both empty: the issuer's */
	uint64_t timeout_us;   /* of fetching them */
	/* Where tokens are, the defaults put in. */
	const struct authn_header *headers;
	size_t header_count;
	const struct slice *params;
	size_t param_count;
	const struct slice *cookies;
	size_t cookie_count;
	bool forward;                /* the service is sent the token, too */
	struct slice payload_header; /* in lower case; or empty */
	const struct authn_claim_header *claim_headers;
	size_t claim_header_count;
	const struct slice *spaced; /* claims that are lists with spaces */
	size_t spaced_count;
	struct origin origin;
};

struct view_authn {
	const struct authn_rule *rules; /* by issuer; the first one decides */
	size_t count;
};

/* What is said of a token against one rule's keys. */
enum authn_verdict {
	AUTHN_VALID,
	AUTHN_MALFORMED,
	AUTHN_EXPIRED, /* or not valid yet */
	AUTHN_BAD_SIGNATURE,
	AUTHN_NO_KEYS,
	/* What the look-up itself finds: */
	AUTHN_OTHER_ISSUER,
	AUTHN_OTHER_AUDIENCE
};

/* "is expired", …: what a token of such a verdict is. */
const char *authn_verdict_words(enum authn_verdict v);

/*
 * Reads and verifies a token; sets *out_claims (a map), which has to live as
 * long as the answer, if it could be read.
 */
typedef enum authn_verdict (*authn_verify_cb)(void *arg,
    const struct authn_rule *rule, struct slice token,
    const struct value **out_claims);

struct authn_decision {
	unsigned status;               /* 0: goes on; 401, 403 (audience) */
	enum authn_verdict why;        /* if it does not */
	const struct authn_rule *rule; /* that took or refused; or NULL */
	struct slice token;            /* that was taken or refused */
	struct access_claims claims;   /* of the one that was taken */
};

/*
 * What the request's tokens make of it. A preflight of CORS is not asked. No
 * allocation or lock of its own; `a` may be NULL.
 */
struct authn_decision view_authn_decide(const struct view_authn *a,
    const struct http_attrs *http, authn_verify_cb verify, void *arg);

/* --- what policies say ---------------------------------------------------- */

/* Of one workload of this machine. */
struct view_guard {
	struct slice ns;
	struct labels labels;
	const struct view_access *access; /* NULL: nothing of who may call */
	const struct view_authn *authn;   /* NULL: nothing of tokens */
	size_t slot;
};

/* What they say in this view of whom a row of another one may be about, as
 * view_host_now() has it; nothing of NULL. Never NULL. */
const struct view_guard *view_guard_now(
    const struct view *v, const struct view_guard *g);

/* All of them, each once. */
const struct view_guard *const *view_guards(
    const struct view *v, size_t *out_count);

#endif
