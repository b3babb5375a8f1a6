/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access — who may call a workload: AuthorizationPolicies as rows and look-up.
 *
 * Compiled once for a workload and for both ways to be called, HTTP and bytes,
 * since a rule about requests means something else where there are none
 * (Istio: ALLOW never takes a connection by it, DENY and the others leave it
 * out and get wider). A decision neither allocates nor locks; what it costs
 * depends on the rules that name the caller, the host or the path, and not on
 * how many there are.
 */
#ifndef MESHD_ACCESS_H
#define MESHD_ACCESS_H

#include "view.h"

/* --- rows ----------------------------------------------------------------- */

enum access_subject {
	ACCESS_ON_PRINCIPAL,    /* "spiffe://…" of the caller's certificate */
	ACCESS_ON_NAMESPACE,    /* in it */
	ACCESS_ON_ACCOUNT,      /* in it, with its namespace */
	ACCESS_ON_TRUST_DOMAIN, /* in it */
	ACCESS_ON_SOURCE,       /* the address that is connected */
	ACCESS_ON_REMOTE,       /* the address that the call comes from */
	ACCESS_ON_PORT,         /* the workload's */
	ACCESS_ON_ADDRESS,      /* the workload's */
	ACCESS_ON_SNI,
	ACCESS_ON_METADATA, /* what a filter knows */
	/* Of requests only: */
	ACCESS_ON_HOST,
	ACCESS_ON_METHOD,
	ACCESS_ON_PATH, /* without the query */
	ACCESS_ON_HEADER,
	ACCESS_ON_TOKEN, /* issuer and subject of an end user's token */
	ACCESS_ON_CLAIM
};

static inline bool
access_subject_is_http(enum access_subject s)
{
	return s >= ACCESS_ON_HOST;
}

enum access_test {
	ACCESS_EXACT,
	ACCESS_PREFIX,
	ACCESS_SUFFIX,
	ACCESS_ANY,     /* is there, and is not empty where text is meant */
	ACCESS_GLOB,    /* each "*" is any text */
	ACCESS_TEMPLATE /* of a path: {*} is a segment, {**} any text */
};

struct access_text {
	enum access_test test;
	struct slice text; /* without the wildcard, but in the last two */
};

struct access_value {
	struct slice written; /* as the policy has it; of an alias: that */
	struct access_text text;
	struct access_text also; /* the account's namespace, the subject */
	bool in_list;            /* of metadata: an item of a list */
	struct cidr range;
	uint16_t port;
};

/* Holds if one of the values does; negated, if none does. */
struct access_condition {
	enum access_subject subject;
	bool negated;
	struct slice name;        /* of the attribute, for people */
	const struct slice *path; /* header; claim in claim; filter and key */
	size_t path_count;
	const struct access_value *values;
	size_t count;
};

/* All of its conditions have to hold; none: it holds. */
struct access_all {
	const struct access_condition *conditions;
	size_t count;
};

struct access_policy {
	struct slice provider; /* of CUSTOM */
	struct origin origin;
};

struct access_rule {
	const struct access_policy *policy;
	size_t index;                  /* in the policy */
	const struct access_all *from; /* any of them; none: everybody */
	size_t from_count;
	const struct access_all *to; /* any of them; none: everything */
	size_t to_count;
	struct access_all when;
	struct slice never; /* words: why it takes nothing; or empty */
	struct origin origin;
};

/* In the order in which they are asked. */
enum access_stage {
	ACCESS_CUSTOM,
	ACCESS_AUDIT,
	ACCESS_DENY,
	ACCESS_ALLOW,
	ACCESS_DRY_DENY, /* what would be */
	ACCESS_DRY_ALLOW,
	ACCESS_STAGES
};

/* "CUSTOM", "AUDIT", "DENY", "ALLOW", "DENY (dry run)", … */
const char *access_stage_name(enum access_stage s);

struct access_index; /* private */

/* Rules of one stage by namespace, name and number of their policy. */
struct access_set {
	bool present; /* a policy of this stage is for the workload */
	const struct access_rule *const *rules;
	size_t count;
	const struct access_index *index;
};

/* Who is asked about what CUSTOM takes. */
struct access_provider {
	struct slice name;
	struct slice bad; /* words: why nobody can be asked, so that all that
			     CUSTOM takes is denied; or empty */
	bool grpc;
	struct slice host;
	uint16_t port;
	bool fail_open;
};

struct view_access {
	struct access_set http[ACCESS_STAGES];
	struct access_set tcp[ACCESS_STAGES];
	const struct access_provider *provider; /* NULL: no CUSTOM policy */
	size_t policies;                        /* that are for it */
};

/* --- the question --------------------------------------------------------- */

struct access_claims {
	const struct value *tree;   /* a map; NULL: no token was accepted */
	const struct slice *spaced; /* claims that are lists with spaces */
	size_t spaced_count;
};

struct access_question {
	struct slice identity; /* of the caller's certificate; empty: none */
	struct addr source;
	struct addr remote;      /* family 0: the same as `source` */
	struct addr destination; /* the workload's, with its port */
	struct slice sni;
	/* NULL: bytes. The path is as view_normalize_path() gave it. */
	const struct http_attrs *http;
	struct access_claims claims;
	/* filter → key → what it knows; NULL: nothing. */
	const struct value *metadata;
};

/* --- the answer ----------------------------------------------------------- */

enum access_reason {
	ACCESS_NO_ALLOW_POLICY, /* so it may */
	ACCESS_ALLOW_RULE,
	ACCESS_NO_ALLOW_RULE, /* though there is an ALLOW policy: denied */
	ACCESS_DENY_RULE,
	ACCESS_BAD_PROVIDER /* a CUSTOM rule takes it, nobody can be asked */
};

struct access_decision {
	bool allowed;
	enum access_reason reason;
	const struct access_rule *rule; /* that decided; or NULL */
	/* The rule for which the provider is asked first; NULL: nobody is. */
	const struct access_rule *ask;
	const struct access_rule *audit; /* NULL: not marked */
	bool dry_denied;                 /* what the dry runs would have said */
	const struct access_rule *dry;   /* which of them; or NULL */
};

/* One rule that was looked at. */
struct access_step {
	enum access_stage stage;
	const struct access_rule *rule;
	bool matched;
	const struct access_condition *failed; /* the first; NULL: see never */
	size_t others; /* alternatives beside the one that failed is of */
	bool has_actual;
	struct slice actual; /* what the call has there; for this call only */
};

struct access_trace {
	void (*step)(void *arg, const struct access_step *step);
	void *arg;
};

/*
 * `a` NULL: nothing is said of the workload, it may be called. The trace (may
 * be NULL) is told each rule up to the one that took the call, stage by stage.
 */
struct access_decision view_access_decide(const struct view_access *a,
    const struct access_question *q, const struct access_trace *trace);

/* The same by asking every rule: what the index has to agree with. */
struct access_decision view_access_decide_plainly(
    const struct view_access *a, const struct access_question *q);

#endif
