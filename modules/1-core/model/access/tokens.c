/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens — what the tokens of a request make of it.
 *
 * A rule takes the request if it finds a token and every token that it finds
 * is good. If none takes it and any found one, it is refused for the first
 * that is not good; with no token anywhere it goes on.
 */
#include "parts.h"

struct asking {
	const struct http_attrs *http;
	authn_verify_cb verify;
	void *arg;
	const struct authn_rule *rule;
	/* What the rule at hand found. */
	struct authn_decision found;
	size_t tokens;
};

const char *
authn_verdict_words(enum authn_verdict v)
{
	static const char *const words[] = {
	    [AUTHN_VALID] = "is valid",
	    [AUTHN_MALFORMED] = "is no token",
	    [AUTHN_EXPIRED] = "is expired, or not valid yet",
	    [AUTHN_BAD_SIGNATURE] = "has a wrong signature",
	    [AUTHN_NO_KEYS] = "cannot be verified: there are no keys",
	    [AUTHN_OTHER_ISSUER] = "is of another issuer",
	    [AUTHN_OTHER_AUDIENCE] = "is for another audience",
	};

	CHECK((unsigned)v < ARRAY_LEN(words));
	return words[v];
}

/* --- one token ------------------------------------------------------------ */

static bool
has_audience(const struct authn_rule *r, const struct value *claims)
{
	const struct value *aud = value_get(claims, S("aud"));

	if (r->audience_count == 0)
		return true;
	if (aud != NULL && aud->type == VALUE_STRING)
		return slice_is_among(
		    aud->string, r->audiences, r->audience_count);
	if (aud == NULL || aud->type != VALUE_LIST)
		return false;
	VALUE_EACH(aud, it)
	{
		if (it->type == VALUE_STRING &&
		    slice_is_among(it->string, r->audiences, r->audience_count))
			return true;
	}
	return false;
}

/* In the order in which upstream looks: issuer, time, audience, signature. */
static enum authn_verdict
judge(const struct asking *a, struct slice token, const struct value **claims)
{
	const struct authn_rule *r = a->rule;
	enum authn_verdict v = a->verify(a->arg, r, token, claims);

	if (*claims == NULL)
		return v != AUTHN_VALID ? v : AUTHN_MALFORMED;
	if (r->issuer.len > 0 &&
	    !slice_eq(r->issuer, value_get_string(*claims, S("iss"), S(""))))
		return AUTHN_OTHER_ISSUER;
	if (v != AUTHN_EXPIRED && !has_audience(r, *claims))
		return AUTHN_OTHER_AUDIENCE;
	return v;
}

static void
on_token(struct asking *a, struct slice token)
{
	const struct value *claims = NULL;
	enum authn_verdict v = judge(a, token, &claims);

	a->tokens++;
	if (a->found.status != 0 || (v == AUTHN_VALID && a->tokens > 1))
		return; /* the first bad one tells, or the first good one */
	a->found.rule = a->rule;
	a->found.token = token;
	a->found.why = v;
	a->found.claims = (struct access_claims){NULL, NULL, 0};
	if (v != AUTHN_VALID)
		a->found.status = v == AUTHN_OTHER_AUDIENCE ? 403 : 401;
	else
		a->found.claims = (struct access_claims){
		    claims, a->rule->spaced, a->rule->spaced_count};
}

/* --- where they are ------------------------------------------------------- */

static bool
is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/* Behind the prefix there may be more than the token. */
static struct slice
cut_token(struct slice s)
{
	size_t first = 0, n = 0;

	while (first < s.len && !is_token_char(s.ptr[first]))
		first++;
	while (first + n < s.len && is_token_char(s.ptr[first + n]))
		n++;
	return slice_sub(s, first, n);
}

static void
find_in_header(struct asking *a, const struct authn_header *h)
{
	struct slice value, token;
	const char *at;

	if (!http_header_of(a->http, h->name, &value))
		return;
	at = h->prefix.len > 0
		 ? memmem(value.ptr, value.len, h->prefix.ptr, h->prefix.len)
		 : value.ptr;
	if (at == NULL)
		return;
	token = slice_sub(
	    value, (size_t)(at - value.ptr) + h->prefix.len, value.len);
	if (h->prefix.len > 0)
		token = cut_token(token);
	on_token(a, token);
}

static void
find_in_query(struct asking *a, struct slice name)
{
	struct slice query = a->http->path;

	(void)slice_split(&query, '?'); /* the path alone */
	query = slice_sub(query, 0, slice_find(query, '#'));
	while (query.len > 0) {
		struct slice value = slice_split(&query, '&');

		if (slice_eq(slice_split(&value, '='), name)) {
			on_token(a, value);
			return; /* the first of a name */
		}
	}
}

static void
find_in_cookie(struct asking *a, struct slice name)
{
	struct slice cookies;

	if (!http_header_of(a->http, S("cookie"), &cookies))
		return;
	while (cookies.len > 0) {
		struct slice value = slice_trim(slice_split(&cookies, ';'));

		if (slice_eq(slice_split(&value, '='), name)) {
			on_token(a, value);
			return;
		}
	}
}

static void
ask_rule(struct asking *a, const struct authn_rule *r)
{
	a->rule = r;
	a->found = (struct authn_decision){.status = 0};
	a->tokens = 0;
	for (size_t i = 0; i < r->header_count; i++)
		find_in_header(a, &r->headers[i]);
	for (size_t i = 0; i < r->param_count; i++)
		find_in_query(a, r->params[i]);
	for (size_t i = 0; i < r->cookie_count; i++)
		find_in_cookie(a, r->cookies[i]);
}

/* --- the request ---------------------------------------------------------- */

static bool
has_header(const struct http_attrs *http, struct slice name)
{
	struct slice value;

	return http_header_of(http, name, &value) && value.len > 0;
}

/* A browser asks without the token that it is going to send. */
static bool
is_preflight(const struct http_attrs *http)
{
	return slice_eq(http->method, S("OPTIONS")) &&
	       has_header(http, S("origin")) &&
	       has_header(http, S("access-control-request-method"));
}

struct authn_decision
view_authn_decide(const struct view_authn *v, const struct http_attrs *http,
    authn_verify_cb verify, void *arg)
{
	struct asking a = {.http = http, .verify = verify, .arg = arg};
	struct authn_decision refused = {.status = 0};

	if (v == NULL || is_preflight(http))
		return refused;
	for (size_t i = 0; i < v->count; i++) {
		ask_rule(&a, &v->rules[i]);
		if (a.tokens > 0 && a.found.status == 0)
			return a.found;
		/* Another's token is the least that can be said of it. */
		if (a.found.status != 0 &&
		    (refused.status == 0 || refused.why == AUTHN_OTHER_ISSUER))
			refused = a.found;
	}
	return refused;
}
