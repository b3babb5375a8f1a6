/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decide — what the policies of a workload say of one call.
 *
 *	CUSTOM ─► AUDIT ─► DENY ─► ALLOW
 *
 * A rule of CUSTOM only says that a provider is asked; what it answers comes
 * before the rest, so all of the rest is judged here as if it had agreed.
 */
#include "parts.h"

const char *
access_stage_name(enum access_stage s)
{
	static const char *const names[] = {
	    [ACCESS_CUSTOM] = "CUSTOM",
	    [ACCESS_AUDIT] = "AUDIT",
	    [ACCESS_DENY] = "DENY",
	    [ACCESS_ALLOW] = "ALLOW",
	    [ACCESS_DRY_DENY] = "DENY (dry run)",
	    [ACCESS_DRY_ALLOW] = "ALLOW (dry run)",
	};

	CHECK((unsigned)s < ARRAY_LEN(names));
	return names[s];
}

typedef const struct access_rule *(*finder)(
    const struct access_set *s, const struct access_question *q);

static const struct access_rule *
find_plainly(const struct access_set *s, const struct access_question *q)
{
	for (size_t i = 0; i < s->count; i++)
		if (rule_takes(s->rules[i], q, NULL, NULL))
			return s->rules[i];
	return NULL;
}

/* What was asked, up to the rule that took it. */
static void
tell(const struct access_trace *trace, enum access_stage stage,
    const struct access_set *s, const struct access_question *q)
{
	for (size_t i = 0; i < s->count; i++) {
		struct access_step step = {.stage = stage, .rule = s->rules[i]};
		char text[ADDR_TEXT_MAX];

		step.matched = rule_takes(s->rules[i], q, &step, text);
		trace->step(trace->arg, &step);
		if (step.matched)
			break;
	}
}

struct asking {
	const struct view_access *access;
	const struct access_question *q;
	const struct access_trace *trace; /* may be NULL */
	finder find;
};

static const struct access_set *
set_of(const struct asking *a, enum access_stage stage)
{
	return a->q->http != NULL ? &a->access->http[stage]
				  : &a->access->tcp[stage];
}

static const struct access_rule *
ask(const struct asking *a, enum access_stage stage)
{
	const struct access_set *s = set_of(a, stage);

	if (a->trace != NULL)
		tell(a->trace, stage, s, a->q);
	return a->find(s, a->q);
}

static struct access_decision
decided(struct access_decision d, enum access_reason reason,
    const struct access_rule *rule)
{
	d.reason = reason;
	d.rule = rule;
	d.allowed =
	    reason == ACCESS_NO_ALLOW_POLICY || reason == ACCESS_ALLOW_RULE;
	return d;
}

/* What dry runs say has no other effect. */
static void
run_dry(const struct asking *a, struct access_decision *d)
{
	const struct access_rule *deny = ask(a, ACCESS_DRY_DENY);

	if (deny != NULL) {
		d->dry_denied = true;
		d->dry = deny;
	} else if (set_of(a, ACCESS_DRY_ALLOW)->present) {
		d->dry = ask(a, ACCESS_DRY_ALLOW);
		d->dry_denied = d->dry == NULL;
	}
}

static struct access_decision
decide(const struct asking *a)
{
	struct access_decision d = {.allowed = false};
	const struct access_rule *r = ask(a, ACCESS_CUSTOM);

	if (r != NULL && a->access->provider->bad.len > 0)
		return decided(d, ACCESS_BAD_PROVIDER, r);
	d.ask = r;
	d.audit = ask(a, ACCESS_AUDIT);
	run_dry(a, &d);
	r = ask(a, ACCESS_DENY);
	if (r != NULL)
		return decided(d, ACCESS_DENY_RULE, r);
	if (!set_of(a, ACCESS_ALLOW)->present)
		return decided(d, ACCESS_NO_ALLOW_POLICY, NULL);
	r = ask(a, ACCESS_ALLOW);
	return decided(
	    d, r != NULL ? ACCESS_ALLOW_RULE : ACCESS_NO_ALLOW_RULE, r);
}

struct access_decision
view_access_decide(const struct view_access *access,
    const struct access_question *q, const struct access_trace *trace)
{
	const struct asking a = {access, q, trace, find_rule};

	if (access == NULL)
		return decided((struct access_decision){.allowed = true},
		    ACCESS_NO_ALLOW_POLICY, NULL);
	return decide(&a);
}

struct access_decision
view_access_decide_plainly(
    const struct view_access *access, const struct access_question *q)
{
	const struct asking a = {access, q, NULL, find_plainly};

	if (access == NULL)
		return view_access_decide(access, q, NULL);
	return decide(&a);
}
