/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authorization_policy — the fields of AuthorizationPolicy.
 *
 * What its conditions may name is in conditions.c.
 */
#include "addresses.h"
#include "conditions.h"
#include "kinds.h"
#include "resource.h"
#include "rows.h"
#include "validate.h"

enum { ACCOUNTS_MAX = 16, ACCOUNT_MAX = 320, RULES_MAX = 512 };

/* --- values --------------------------------------------------------------- */

static void
check_text(struct check *c, const void *value)
{
	if (((const struct slice *)value)->len == 0)
		check_error(c, ERR_INVALID,
		    "is empty; a value that is there has to say something");
}

/* "account", or "namespace/account". */
static void
check_account(struct check *c, const void *value)
{
	const struct slice *s = value;
	struct slice rest = *s;

	check_text(c, value);
	if (slice_find(*s, '*') < s->len)
		check_error(c, ERR_INVALID,
		    "may not hold a \"*\": an account is named whole");
	(void)slice_split(&rest, '/'); /* what is behind the first counts */
	if (slice_find(rest, '/') < rest.len || slice_starts(*s, S("/")) ||
	    slice_ends(*s, S("/")))
		check_error(c, ERR_INVALID,
		    "\"%.*s\" is neither an account nor namespace/account",
		    SLICE_ARG(slice_sub(*s, 0, ACCOUNT_MAX)));
}

/* A wildcard may stand at one end. */
static void
check_trust_domain_pattern(struct check *c, const void *value)
{
	const struct slice *s = value;
	size_t first = slice_find(*s, '*');
	size_t last = slice_rfind(*s, '*');

	check_text(c, value);
	if (slice_find(*s, '/') < s->len)
		check_error(c, ERR_INVALID, "may not hold a \"/\"");
	if (first == s->len)
		return;
	if (first != last)
		check_error(c, ERR_INVALID, "at most one wildcard is allowed");
	else if (first != 0 && last != s->len - 1)
		check_error(c, ERR_INVALID,
		    "a wildcard stands at the beginning or at the end");
}

/* What a segment is made of (RFC 3986 §3.3), the wildcard apart. */
static bool
is_literal(struct slice s)
{
	const struct slice others = S("-._~%!$&'()+,;:@=");

	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.ptr[i]) &&
		    slice_find(others, s.ptr[i]) == others.len)
			return false;
	return s.len > 0;
}

/*
 * `{*}` is one segment and `{**}` the rest: each a segment of its own, and
 * nothing else of that kind behind `{**}`. Beside them there are texts only.
 */
static void
check_segments(struct check *c, struct slice path, bool is_template)
{
	bool ended = false;

	while (slice_ends(path, S("/")))
		path = slice_sub(path, 0, path.len - 1);
	while (slice_starts(path, S("/")))
		path = slice_sub(path, 1, path.len);
	while (path.len > 0) {
		struct slice s = slice_split(&path, '/');
		bool any = slice_eq(s, S("{**}"));

		if (!any && !slice_eq(s, S("{*}"))) {
			if (slice_find(s, '{') < s.len ||
			    slice_find(s, '}') < s.len ||
			    (is_template && !is_literal(s)))
				check_error(c, ERR_INVALID,
				    "{*} and {**} are whole segments of a "
				    "path, and no other wildcard stands "
				    "beside them");
			continue;
		}
		if (ended)
			check_error(c, ERR_INVALID,
			    "{**} has to be the last of its kind in a path");
		ended = ended || any;
	}
}

static bool
contains(struct slice s, struct slice part)
{
	for (size_t i = 0; i + part.len <= s.len; i++)
		if (slice_starts(slice_sub(s, i, s.len), part))
			return true;
	return false;
}

static void
check_path(struct check *c, const void *value)
{
	const struct slice *s = value;

	check_text(c, value);
	check_segments(
	    c, *s, contains(*s, S("{*}")) || contains(*s, S("{**}")));
}

/* --- sources -------------------------------------------------------------- */

#define TEXTS(of_struct, field_name, member, test, ...)                        \
	ROW(of_struct, field_name, member, FIELD_STRING,                       \
	    .flags = FIELD_REPEATED, .check = test, __VA_ARGS__)

static const struct field source_fields[] = {
    TEXTS(authz_source, "principals", principals, check_text,
	.doc = "Identities as td/ns/NAMESPACE/sa/ACCOUNT; `*` at one end."),
    TEXTS(authz_source, "notPrincipals", not_principals, check_text,
	.doc = "Identities that it must not be."),
    TEXTS(authz_source, "requestPrincipals", request_principals, check_text,
	.doc = "End users as ISSUER/SUBJECT of their token."),
    TEXTS(authz_source, "notRequestPrincipals", not_request_principals,
	check_text, .doc = "End users that it must not be."),
    TEXTS(authz_source, "namespaces", namespaces, check_text,
	.doc = "Namespaces of the caller's identity."),
    TEXTS(authz_source, "notNamespaces", not_namespaces, check_text,
	.doc = "Namespaces that it must not be of."),
    TEXTS(authz_source, "serviceAccounts", service_accounts, check_account,
	.most = ACCOUNTS_MAX, .longest = ACCOUNT_MAX,
	.doc = "Accounts as ACCOUNT of the policy's namespace, or "
	       "NAMESPACE/ACCOUNT."),
    TEXTS(authz_source, "notServiceAccounts", not_service_accounts,
	check_account, .most = ACCOUNTS_MAX, .longest = ACCOUNT_MAX,
	.doc = "Accounts that it must not be."),
    TEXTS(authz_source, "trustDomains", trust_domains,
	check_trust_domain_pattern,
	.doc = "Trust domains of the caller's identity; `*` at one end."),
    TEXTS(authz_source, "notTrustDomains", not_trust_domains,
	check_trust_domain_pattern,
	.doc = "Trust domains that it must not be of."),
    TEXTS(authz_source, "ipBlocks", ip_blocks, check_ip_or_subnet,
	.doc = "Addresses of the peer that is connected, as 10.0.0.0/8."),
    TEXTS(authz_source, "notIpBlocks", not_ip_blocks, check_ip_or_subnet,
	.doc = "Addresses that the peer must not have."),
    TEXTS(authz_source, "remoteIpBlocks", remote_ip_blocks, check_ip_or_subnet,
	.doc = "Addresses of the client, as headers and PROXY protocol tell "
	       "it."),
    TEXTS(authz_source, "notRemoteIpBlocks", not_remote_ip_blocks,
	check_ip_or_subnet, .doc = "Addresses that the client must not have."),
};

/* True if one of the lists says something; an empty list is as good as none. */
static bool
says_something(const struct message *m, const void *decoded)
{
	for (size_t i = 0; i < m->field_count; i++)
		if (message_has(m, decoded, m->fields[i].name))
			return true;
	return false;
}

static void
check_source(struct check *c, const void *message)
{
	const struct authz_source *s = message;

	if ((s->service_accounts.count > 0 ||
		s->not_service_accounts.count > 0) &&
	    (s->principals.count > 0 || s->not_principals.count > 0 ||
		s->namespaces.count > 0 || s->not_namespaces.count > 0))
		check_error(c, ERR_INVALID,
		    "cannot set serviceAccounts with namespaces or "
		    "principals");
}

static const struct message source_message = MESSAGE(authz_source, "Source",
    source_fields, .check = check_source, .doc = "Who calls.");

static void
check_from(struct check *c, const void *message)
{
	const struct authz_from *f = message;

	if (f->source == NULL || !says_something(&source_message, f->source))
		check_error(c, ERR_INVALID,
		    "source must not be empty; it names who may call");
}

static const struct field from_fields[] = {
    ROW_OF(authz_from, "source", source, source,
	.doc = "Who calls; all of it has to hold."),
};

static const struct message from_message = MESSAGE(authz_from, "From",
    from_fields, .check = check_from, .doc = "One kind of caller.");

/* --- operations ----------------------------------------------------------- */

static const struct field operation_fields[] = {
    TEXTS(authz_operation, "hosts", hosts, check_text,
	.doc = "Hosts that the request names, whatever their case; `*` at one "
	       "end."),
    TEXTS(authz_operation, "notHosts", not_hosts, check_text,
	.doc = "Hosts that it must not name."),
    TEXTS(authz_operation, "ports", ports, check_port_text,
	.doc = "Ports of the workload, as texts."),
    TEXTS(authz_operation, "notPorts", not_ports, check_port_text,
	.doc = "Ports that it must not be."),
    TEXTS(authz_operation, "methods", methods, check_text,
	.doc = "Methods; of gRPC it is always POST."),
    TEXTS(authz_operation, "notMethods", not_methods, check_text,
	.doc = "Methods that it must not be."),
    TEXTS(authz_operation, "paths", paths, check_path,
	.doc = "Paths without the query; `*` at one end, or {*} and {**} for "
	       "a segment and the rest."),
    TEXTS(authz_operation, "notPaths", not_paths, check_path,
	.doc = "Paths that it must not be."),
};

static const struct message operation_message = MESSAGE(
    authz_operation, "Operation", operation_fields, .doc = "What is called.");

static void
check_to(struct check *c, const void *message)
{
	const struct authz_to *t = message;

	if (t->operation == NULL ||
	    !says_something(&operation_message, t->operation))
		check_error(c, ERR_INVALID,
		    "operation must not be empty; it names what may be "
		    "called");
}

static const struct field to_fields[] = {
    ROW_OF(authz_to, "operation", operation, operation,
	.doc = "What is called; all of it has to hold."),
};

static const struct message to_message = MESSAGE(
    authz_to, "To", to_fields, .check = check_to, .doc = "One kind of call.");

/* --- rules ---------------------------------------------------------------- */

static const struct field rule_fields[] = {
    ROWS_OF(authz_rule, "from", from, from, 0, .most = RULES_MAX,
	.doc = "Callers, any of these; none: everybody."),
    ROWS_OF(authz_rule, "to", to, to, 0,
	.doc = "Calls, any of these; none: every one."),
    ROWS_OF(authz_rule, "when", when, authz_condition, 0,
	.doc = "Further conditions, all of these."),
};

static const struct message rule_message = MESSAGE(authz_rule, "Rule",
    rule_fields, .doc = "Which calls it is about; `{}` is all of them.");

static const struct field provider_fields[] = {
    ROW(authz_provider, "name", name, FIELD_STRING,
	.doc = "One of the mesh's extensionProviders."),
};

static const struct message provider_message = MESSAGE(authz_provider,
    "ExtensionProvider", provider_fields, .doc = "Who decides.");

static bool
has_ports(const struct authz_rule *r)
{
	for (size_t i = 0; i < r->to.count; i++) {
		const struct authz_operation *o = r->to.items[i].operation;

		if (o != NULL && (o->ports.count > 0 || o->not_ports.count > 0))
			return true;
	}
	return false;
}

/* Of what a TCP connection tells. */
static bool
has_peer(const struct authz_rule *r)
{
	for (size_t i = 0; i < r->from.count; i++) {
		const struct authz_source *s = r->from.items[i].source;

		if (s != NULL &&
		    (s->principals.count > 0 || s->not_principals.count > 0 ||
			s->namespaces.count > 0 ||
			s->not_namespaces.count > 0 ||
			s->service_accounts.count > 0 ||
			s->not_service_accounts.count > 0 ||
			s->trust_domains.count > 0 ||
			s->not_trust_domains.count > 0 ||
			s->ip_blocks.count > 0 || s->not_ip_blocks.count > 0))
			return true;
	}
	return false;
}

static bool
has_source(const struct authz_rule *r)
{
	size_t i = 0;

	while (i < r->from.count && r->from.items[i].source == NULL)
		i++;
	return i < r->from.count;
}

static bool
has_operation(const struct authz_rule *r)
{
	size_t i = 0;

	while (i < r->to.count && r->to.items[i].operation == NULL)
		i++;
	return i < r->to.count;
}

/* On TCP an HTTP attribute of a DENY rule is left out, so it gets wider. */
static void
warn_of_denied_tcp(struct check *c, const struct authorization_policy *p)
{
	for (size_t i = 0; i < p->rules.count; i++) {
		const struct authz_rule *r = &p->rules.items[i];
		struct check at = check_member(c, "rules[%zu]", i);

		if (has_ports(r) ||
		    (!has_operation(r) && (has_peer(r) || !has_source(r))))
			continue;
		check_warning(&at,
		    "denies all traffic to TCP ports as well, since a TCP "
		    "connection has no HTTP attributes; name the ports");
		return;
	}
}

static void
check_custom(struct check *c, const struct authorization_policy *p)
{
	static const char *const unknown[] = {"principals", "notPrincipals",
	    "requestPrincipals", "notRequestPrincipals", "namespaces",
	    "notNamespaces", "serviceAccounts", "notServiceAccounts",
	    "trustDomains", "notTrustDomains"};

	if (p->provider == NULL || p->provider->name.len == 0)
		check_error(c, ERR_INVALID,
		    "provider.name is missing: CUSTOM asks a provider");
	for (size_t i = 0; i < p->rules.count; i++) {
		const struct authz_rule *r = &p->rules.items[i];

		for (size_t j = 0; j < r->from.count; j++)
			for (size_t k = 0; k < ARRAY_LEN(unknown); k++) {
				const void *s = r->from.items[j].source;
				struct check at = check_member(c,
				    "rules[%zu].from[%zu].source.%s", i, j,
				    unknown[k]);

				if (s != NULL &&
				    message_has(&source_message, s, unknown[k]))
					check_error(&at, ERR_INVALID,
					    "a provider is not told this, so "
					    "CUSTOM may not use it");
			}
		for (size_t j = 0; j < r->when.count; j++) {
			struct check at =
			    check_member(c, "rules[%zu].when[%zu].key", i, j);

			check_custom_key(&at, r->when.items[j].key);
		}
	}
}

static void
check_authorization_policy(struct check *c, const void *message)
{
	const struct authorization_policy *p = message;
	struct check provider = check_member(c, "provider");
	bool needs_rules = p->action == AUTHZ_DENY || p->action == AUTHZ_CUSTOM;

	check_policy_scope(c, &p->scope);
	if (needs_rules && p->rules.count == 0)
		check_error(c, ERR_INVALID,
		    "without rules it never matches and means nothing; the "
		    "rule {} is about every request");
	if (p->action == AUTHZ_CUSTOM)
		check_custom(c, p);
	else if (p->provider != NULL)
		check_error(
		    &provider, ERR_INVALID, "goes with the action CUSTOM only");
	if (p->action == AUTHZ_DENY)
		warn_of_denied_tcp(c, p);
}

static const struct field_word action_words[] = {
    {"ALLOW", AUTHZ_ALLOW, 0},
    {"DENY", AUTHZ_DENY, 0},
    {"AUDIT", AUTHZ_AUDIT, 0},
    {"CUSTOM", AUTHZ_CUSTOM, 0},
    {NULL, 0, 0},
};

static const struct field authorization_policy_fields[] = {
    POLICY_SCOPE_ROWS(authorization_policy),
    ROWS_OF(authorization_policy, "rules", rules, rule, 0, .most = RULES_MAX,
	.doc = "Which calls it is about, any of these; none: no call, so that "
	       "ALLOW allows nothing."),
    ROW(authorization_policy, "action", action, FIELD_ENUM,
	.words = action_words, .otherwise = "ALLOW",
	.doc = "What becomes of them: ALLOW, DENY, AUDIT, or CUSTOM, which "
	       "asks a provider."),
    ROW_OF(authorization_policy, "provider", provider, provider,
	.doc = "Who is asked; with CUSTOM only."),
};

const struct message authorization_policy_message = MESSAGE(
    authorization_policy, "AuthorizationPolicy", authorization_policy_fields,
    .check = check_authorization_policy, .doc = "Who may call what.");

#define DRY_RUN "istio.io/dry-run"

/* A dry run says in the log what it would have done. */
static void
check_dry_run(struct check *c, const struct resource *r)
{
	const struct authorization_policy *p = r->spec;
	struct slice value = labels_get(&r->annotations, S(DRY_RUN));
	struct check at = check_member(c, "metadata.annotations");

	at = check_entry(&at, S(DRY_RUN));
	if (value.ptr == NULL)
		return;
	if (p->action != AUTHZ_ALLOW && p->action != AUTHZ_DENY)
		check_error(
		    &at, ERR_INVALID, "a dry run is of ALLOW or DENY only");
	if (!is_bool_text(value))
		check_error(&at, ERR_INVALID,
		    "\"%.*s\" is neither \"true\" nor \"false\"",
		    SLICE_ARG(slice_sub(value, 0, NAME_LABEL_MAX)));
}

const struct resource_kind kind_authorization_policy = {
    .group = "security.istio.io",
    .kind = "AuthorizationPolicy",
    .plural = "authorizationpolicies",
    .alias = "ap",
    .versions = (const char *const[]){"v1", "v1beta1", NULL},
    .spec = &authorization_policy_message,
    .flags = FIELD_GUARD,
    .check = check_dry_run,
};
