/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bounds — what a token allows, and whether that makes sense.
 */
#include "authority.h"

/* True if a name of that list text ("a,b", "*") is `name`. */
static bool
list_has(const char *list, struct slice name)
{
	struct slice rest = slice_str(list);

	while (rest.len > 0) {
		struct slice item = slice_split(&rest, ',');

		if (slice_eq(item, S("*")) || slice_eq(item, name))
			return true;
	}
	return false;
}

static bool
is_reserved(struct slice ns)
{
	return slice_eq(ns, S(CA_NS_NODES)) || slice_eq(ns, S(CA_NS_SERVERS));
}

bool
ca_grant_has_namespace(const struct ca_grant *g, struct slice ns)
{
	return !is_reserved(ns) && list_has(g->namespaces, ns);
}

bool
ca_grant_allows(const struct ca_grant *g, struct slice ns, struct slice account)
{
	return ca_grant_has_namespace(g, ns) && list_has(g->accounts, account);
}

/* --- roles --- */

static const char *const roles[] = {
    [CA_ROLE_NONE] = "machine",
    [CA_ROLE_VIEWER] = "viewer",
    [CA_ROLE_EDITOR] = "editor",
    [CA_ROLE_ADMIN] = "admin",
};

const char *
ca_role_name(enum ca_role r)
{
	return roles[r];
}

enum err
ca_role_parse(struct slice text, enum ca_role *out, struct fault *why)
{
	for (enum ca_role r = CA_ROLE_VIEWER; r <= CA_ROLE_ADMIN; r++)
		if (slice_eq(text, slice_str(roles[r]))) {
			*out = r;
			return OK;
		}
	return fault_set(why, ERR_INVALID,
	    "a role is viewer, editor or admin, not \"%.*s\"",
	    (int)MIN(text.len, (size_t)NAME_LABEL_MAX), text.ptr);
}

/* --- bounds --- */

void
ca_bounds_default(enum ca_role role, struct ca_bounds *out)
{
	if (role == CA_ROLE_NONE)
		*out = (struct ca_bounds){
		    .grant = {.namespaces = "default", .accounts = "*"},
		    .uses = 1,
		    .lifetime_ms = CA_TOKEN_MS,
		};
	else
		*out = (struct ca_bounds){
		    .role = role,
		    .grant.namespaces = "*",
		    .lifetime_ms = CA_OPERATOR_MS,
		};
	if (role == CA_ROLE_EDITOR)
		memcpy(out->grant.namespaces, "default", sizeof("default"));
}

static enum err
check_list(const char *list, const char *what, struct fault *why)
{
	struct slice rest = slice_str(list);

	if (rest.len == 0)
		return fault_set(why, ERR_INVALID,
		    "a token grants at least one %s, or * for all", what);
	while (rest.len > 0) {
		struct slice item = slice_split(&rest, ',');
		struct fault own = {0};

		if (slice_eq(item, S("*")))
			continue;
		if (name_check_label(item, &own) != OK)
			return fault_set(why, ERR_INVALID,
			    "'%.*s' is no name of a%s %s: %.200s",
			    SLICE_ARG(item), what[0] == 'a' ? "n" : "", what,
			    own.text);
		if (is_reserved(item))
			return fault_set(why, ERR_INVALID,
			    "the namespace %.*s is meshd's own",
			    SLICE_ARG(item));
	}
	return OK;
}

static enum err
check_glob(const char *glob, struct fault *why)
{
	for (const char *c = glob; *c != '\0'; c++)
		if (!(*c >= 'a' && *c <= 'z') && !(*c >= '0' && *c <= '9') &&
		    *c != '-' && *c != '*' && *c != '?')
			return fault_set(why, ERR_INVALID,
			    "a name pattern has a-z, 0-9, '-', '*' and '?', "
			    "as in web-*");
	return OK;
}

static enum err
check_machine(const struct ca_bounds *b, struct fault *why)
{
	enum err e = check_glob(b->name_glob, why);

	if (e == OK)
		e = check_list(b->grant.accounts, "account", why);
	if (e == OK && (b->uses < 1 || b->uses > CA_USES_MAX))
		e = fault_set(why, ERR_INVALID,
		    "a token is good for 1 to %d machines", CA_USES_MAX);
	return e;
}

static enum err
check_operator(const struct ca_bounds *b, struct fault *why)
{
	if (b->name_glob[0] != '\0' || b->cidr_count > 0 || b->uses != 0 ||
	    b->grant.accounts[0] != '\0')
		return fault_set(why, ERR_INVALID,
		    "a token with a role is for an operator: uses, names, "
		    "addresses and accounts are bounds of machines that join");
	if (b->role != CA_ROLE_EDITOR && strcmp(b->grant.namespaces, "*") != 0)
		return fault_set(why, ERR_INVALID,
		    "the role %s is for all namespaces; only an editor is "
		    "bounded by them",
		    ca_role_name(b->role));
	return OK;
}

enum err
ca_bounds_check(const struct ca_bounds *b, struct fault *why)
{
	enum err e = check_list(b->grant.namespaces, "namespace", why);

	if (e == OK)
		e = b->role == CA_ROLE_NONE ? check_machine(b, why)
					    : check_operator(b, why);
	if (e != OK)
		return e;
	if (b->lifetime_ms < 1000 || b->lifetime_ms > CA_TOKEN_MAX_MS)
		return fault_set(why, ERR_INVALID,
		    "a token lives from 1s to 8760h (365 days)");
	return OK;
}
