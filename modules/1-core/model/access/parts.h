/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parts — how policies become rows, and how rows are asked.
 *
 *	policies ─ select.c ─► rules ─ rules.c, values.c ─► sets ─► index.c
 *	                                                     │
 *	a question ─ decide.c ─ find.c: which may take it ───┘
 *	                └─ matches.c, texts.c: does the rule take it?
 */
#ifndef MESHD_ACCESS_PARTS_H
#define MESHD_ACCESS_PARTS_H

#include "../kinds/mesh_config.h"
#include "../kinds/security.h"
#include "../view/inside.h"
#include "access.h"
#include "authn.h"

/* --- texts (texts.c) ------------------------------------------------------ */

/* "abc", "abc*", "*abc", "*"; elsewhere a star is a star. */
struct access_text text_of(struct slice written);

/* `fold`: without regard to ASCII case. */
bool text_holds(const struct access_text *t, struct slice actual, bool fold);

/* How much of a template stands before its first wildcard. */
struct slice template_start(struct slice template);

/* --- whom a policy is for (select.c) -------------------------------------- */

/* The workload that is compiled for. */
struct policy_target {
	struct slice ns;
	struct labels labels;
};

/* Whether a policy of a namespace that counts for it is for the workload. */
bool is_policy_for(const struct resource *r, const struct policy_scope *s,
    const struct policy_target *w);

/*
 * Those of a kind that are for the workload: of the root namespace and of its
 * own, by namespace and name.
 */
void select_policies(const struct view *v, const struct policy_target *w,
    const struct resource_kind *kind, struct rows *out);

/* --- rows (values.c, rules.c) --------------------------------------------- */

/* What the trust domain of a principal may be called. */
struct trust {
	struct slice own;
	const struct slice *aliases;
	size_t alias_count;
};

/* Values of one attribute, as written. */
struct written {
	const struct slice *items;
	size_t count;
};

/*
 * The condition that the attribute is one of these (negated: none of these);
 * `key` is as `when` has it: "source.ip", "request.headers[x]". `ns` is the
 * policy's.
 */
struct access_condition condition_of(struct builder *b, const struct trust *t,
    struct slice key, struct slice ns, const struct written *values);

/* The rules of one policy, appended to the rows. */
void compile_rules(struct builder *b, const struct trust *t,
    const struct resource *r, const struct access_policy *policy,
    struct rows *out);

/* True if it asks for anything that only a request has. */
bool rule_is_about_requests(const struct access_rule *r);

/* True if no connection without requests meets the rule of such a stage. */
bool rule_skips_tcp(const struct access_rule *r, enum access_stage stage);

/* The rules about tokens (authn.c); NULL: there is none. */
const struct view_authn *authn_of(
    struct builder *b, const struct policy_target *w);

/* --- asking (matches.c) --------------------------------------------------- */

/* Fills failed, others, has_actual, actual; `text` is for what is made. */
bool rule_takes(const struct access_rule *r, const struct access_question *q,
    struct access_step *why, char text[ADDR_TEXT_MAX]);

/* Issuer or subject as a text; empty if there is none. */
struct slice claim_text(const struct access_question *q, struct slice name);

/* --- the index (index.c, find.c) ------------------------------------------ */

/* NULL for few rules, or when the arena is full; `http`: of requests. */
const struct access_index *index_of(
    struct builder *b, const struct access_set *s, bool http);

/* The first rule in order that takes it; NULL: none does. */
const struct access_rule *find_rule(
    const struct access_set *s, const struct access_question *q);

#endif
