/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name — the grammar of labels, hosts, service names and identities.
 */
#include "name.h"

static bool
is_lower_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool
is_trust_domain_byte(char c)
{
	return is_lower_or_digit(c) || c == '.' || c == '-' || c == '_';
}

static bool
is_segment_byte(char c)
{
	return is_trust_domain_byte(c) || (c >= 'A' && c <= 'Z');
}

/* SPIFFE ID §2.2: a path segment. */
static bool
is_segment(struct slice s)
{
	if (s.len == 0 || slice_eq(s, S(".")) || slice_eq(s, S("..")))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_segment_byte(s.ptr[i]))
			return false;
	return true;
}

enum err
name_check_label(struct slice s, struct fault *why)
{
	if (s.len == 0)
		return fault_set(why, ERR_INVALID, "a name may not be empty");
	if (s.len > NAME_LABEL_MAX)
		return fault_set(why, ERR_LIMIT,
		    "a name has at most %d characters", NAME_LABEL_MAX);
	for (size_t i = 0; i < s.len; i++)
		if (!is_lower_or_digit(s.ptr[i]) && s.ptr[i] != '-')
			return fault_set(why, ERR_INVALID,
			    "a name consists of a-z, 0-9 and '-'");
	if (s.ptr[0] == '-' || s.ptr[s.len - 1] == '-')
		return fault_set(why, ERR_INVALID,
		    "a name neither starts nor ends with '-'");
	return OK;
}

enum err
name_check_subdomain(struct slice s, struct fault *why)
{
	enum err e;

	if (s.len > NAME_HOST_MAX)
		return fault_set(why, ERR_LIMIT,
		    "a host has at most %d characters", NAME_HOST_MAX);
	if (slice_ends(s, S(".")))
		return fault_set(
		    why, ERR_INVALID, "a host does not end with '.'");
	do {
		e = name_check_label(slice_split(&s, '.'), why);
	} while (e == OK && s.len > 0);
	return e;
}

enum err
name_check_trust_domain(struct slice s, struct fault *why)
{
	if (s.len == 0)
		return fault_set(
		    why, ERR_INVALID, "a trust domain may not be empty");
	if (s.len > NAME_TRUST_DOMAIN_MAX)
		return fault_set(why, ERR_LIMIT,
		    "a trust domain has at most %d characters",
		    NAME_TRUST_DOMAIN_MAX);
	for (size_t i = 0; i < s.len; i++)
		if (!is_trust_domain_byte(s.ptr[i]))
			return fault_set(why, ERR_INVALID,
			    "a trust domain consists of a-z, 0-9, '.', '-' "
			    "and '_'");
	return OK;
}

enum err
name_service_parse(struct slice host, struct slice ns, struct slice domain,
    struct service_name *out)
{
	struct slice rest = host, name, in, svc;
	bool absolute = slice_ends(host, S("."));

	if (absolute)
		rest = host = slice_sub(host, 0, host.len - 1);
	if (name_check_subdomain(host, NULL) != OK)
		return ERR_PARSE;
	name = slice_split(&rest, '.');
	in = rest.len > 0 ? slice_split(&rest, '.') : ns;
	svc = slice_split(&rest, '.');
	if (svc.len > 0 && !slice_eq(svc, S("svc")))
		return ERR_NOT_FOUND;
	if (rest.len > 0
		? !slice_eq(rest, domain) && !slice_eq(rest, S("cluster.local"))
		: absolute)
		return ERR_NOT_FOUND;
	*out = (struct service_name){name, in};
	return OK;
}

enum err
name_identity_parse(struct slice uri, struct identity *out, struct fault *why)
{
	static const struct slice scheme = {"spiffe://", 9};
	struct slice rest = slice_sub(uri, scheme.len, uri.len);
	struct slice trust_domain, ns_word, ns, sa_word;

	if (uri.len > NAME_SPIFFE_MAX)
		return fault_set(why, ERR_PARSE,
		    "an identity has at most %d characters", NAME_SPIFFE_MAX);
	if (!slice_starts(uri, scheme))
		return fault_set(
		    why, ERR_PARSE, "an identity starts with spiffe://");
	trust_domain = slice_split(&rest, '/');
	if (name_check_trust_domain(trust_domain, why) != OK)
		return ERR_PARSE;
	ns_word = slice_split(&rest, '/');
	ns = slice_split(&rest, '/');
	sa_word = slice_split(&rest, '/');
	if (!slice_eq(ns_word, S("ns")) || !slice_eq(sa_word, S("sa")) ||
	    !is_segment(ns) || !is_segment(rest))
		return fault_set(why, ERR_PARSE,
		    "an identity is spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/"
		    "ACCOUNT");
	*out = (struct identity){trust_domain, ns, rest};
	return OK;
}

struct slice
name_identity_format(struct arena *a, const struct identity *id)
{
	return arena_join(a, SLICES(S("spiffe://"), id->trust_domain, S("/ns/"),
				 id->ns, S("/sa/"), id->account));
}
