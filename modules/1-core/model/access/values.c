/* SPDX-License-Identifier: Apache-2.0 */
/*
 * values — one attribute of a policy and its values as a condition.
 */
#include "parts.h"

static const struct attribute {
	const char *key; /* with "[": it names something in brackets */
	enum access_subject subject;
	const char *claim; /* the one that it stands for */
} attributes[] = {
    {"source.principal", ACCESS_ON_PRINCIPAL, NULL},
    {"source.namespace", ACCESS_ON_NAMESPACE, NULL},
    {"source.serviceAccount", ACCESS_ON_ACCOUNT, NULL},
    {"source.trustDomain", ACCESS_ON_TRUST_DOMAIN, NULL},
    {"source.ip", ACCESS_ON_SOURCE, NULL},
    {"remote.ip", ACCESS_ON_REMOTE, NULL},
    {"request.auth.principal", ACCESS_ON_TOKEN, NULL},
    {"request.auth.audiences", ACCESS_ON_CLAIM, "aud"},
    {"request.auth.presenter", ACCESS_ON_CLAIM, "azp"},
    {"request.auth.claims[", ACCESS_ON_CLAIM, NULL},
    {"request.headers[", ACCESS_ON_HEADER, NULL},
    {"destination.ip", ACCESS_ON_ADDRESS, NULL},
    {"destination.port", ACCESS_ON_PORT, NULL},
    {"connection.sni", ACCESS_ON_SNI, NULL},
    {"experimental.envoy.filters.", ACCESS_ON_METADATA, NULL},
    {"request.host", ACCESS_ON_HOST, NULL},
    {"request.method", ACCESS_ON_METHOD, NULL},
    {"request.path", ACCESS_ON_PATH, NULL},
};

/* Those of `when` were validated, the rest is ours. */
static const struct attribute *
find_attribute(struct slice key)
{
	size_t i = 0;

	for (; i + 1 < ARRAY_LEN(attributes); i++) {
		struct slice k = slice_str(attributes[i].key);
		char last = k.ptr[k.len - 1];

		if (last == '[' || last == '.' ? slice_starts(key, k)
					       : slice_eq(key, k))
			break;
	}
	return &attributes[i];
}

/* --- what is in brackets -------------------------------------------------- */

/* The names of "[a][b]"; 0 if it is not such a list. */
static size_t
split_brackets(struct slice s, struct slice *out)
{
	size_t n = 0;

	while (s.len > 0) {
		size_t end = slice_find(s, ']');
		struct slice name = slice_sub(s, 1, end - 1);

		if (s.ptr[0] != '[' || end == s.len ||
		    slice_find(name, '[') < name.len)
			return 0;
		if (out != NULL)
			out[n] = name;
		n++;
		s = slice_sub(s, end + 1, s.len);
	}
	return n;
}

/* What does not split is one name, brackets and all. */
static void
put_claims(struct builder *b, struct slice brackets, struct access_condition *c)
{
	size_t n = split_brackets(brackets, NULL);
	struct slice *path = take(b, MAX(n, 1), sizeof(*path));

	if (path == NULL)
		return;
	if (n > 0)
		(void)split_brackets(brackets, path);
	else
		path[0] = slice_sub(brackets, 1, brackets.len - 2);
	c->path = path;
	c->path_count = MAX(n, 1);
}

static void
put_names(struct builder *b, struct slice first, struct slice second,
    struct access_condition *c)
{
	struct slice *path = take(b, 2, sizeof(*path));

	if (path == NULL)
		return;
	path[0] = first;
	path[1] = second;
	c->path = path;
	c->path_count = second.len > 0 ? 2 : 1;
}

static void
put_path(
    struct builder *b, const struct attribute *a, struct access_condition *c)
{
	size_t open = slice_find(c->name, '[');
	struct slice in = slice_sub(c->name, open, c->name.len);
	struct slice name = in.len > 1 ? slice_sub(in, 1, in.len - 2) : S("");

	if (a->claim != NULL)
		put_names(b, slice_str(a->claim), S(""), c);
	else if (a->subject == ACCESS_ON_CLAIM)
		put_claims(b, in, c);
	else if (a->subject == ACCESS_ON_HEADER)
		put_names(b, take_lower(b, name), S(""), c);
	else if (a->subject == ACCESS_ON_METADATA)
		put_names(b,
		    slice_sub(c->name, strlen("experimental."),
			open - MIN(open, strlen("experimental."))),
		    name, c);
}

/* --- values --------------------------------------------------------------- */

static struct slice
printed(struct builder *b, struct slice text)
{
	b->full = b->full || text.ptr == NULL;
	return text.ptr != NULL ? text : S("");
}

/* "account" of the policy's namespace, or "namespace/account". */
static void
put_account(struct access_value *v, struct slice ns)
{
	struct slice account = v->written;
	struct slice first = slice_split(&account, '/');
	bool bare = first.len == v->written.len;

	v->text = (struct access_text){ACCESS_EXACT, bare ? first : account};
	v->also = (struct access_text){ACCESS_EXACT, bare ? ns : first};
}

/*
 * "issuer/subject", cut at the last slash, since an issuer may be a URL. Its
 * wildcard may stand for one of the two altogether.
 */
static void
put_token(struct access_value *v)
{
	struct slice s = v->written;
	size_t at = slice_rfind(s, '/');
	struct slice iss = slice_sub(s, 0, at);
	struct slice sub = slice_sub(s, at + 1, s.len);
	const struct access_text any = {ACCESS_ANY, S("")};

	if (slice_eq(s, S("*"))) {
		v->text = v->also = any;
	} else if (slice_starts(s, S("*"))) {
		bool cut = at < s.len;

		v->text = cut ? text_of(iss) : any;
		v->also =
		    cut ? (struct access_text){ACCESS_EXACT, sub} : text_of(s);
	} else if (slice_ends(s, S("*"))) {
		bool cut = at < s.len;

		v->text =
		    cut ? (struct access_text){ACCESS_EXACT, iss} : text_of(s);
		v->also = cut ? text_of(sub) : any;
	} else {
		v->text = (struct access_text){ACCESS_EXACT, iss};
		v->also = (struct access_text){ACCESS_EXACT, sub};
	}
}

/* "[value]" is an item of a list. */
static void
put_metadata(struct access_value *v)
{
	struct slice s = v->written;

	v->in_list = slice_starts(s, S("[")) && slice_ends(s, S("]"));
	while (v->in_list && s.len > 0 && (s.ptr[0] == '[' || s.ptr[0] == ']'))
		s = slice_sub(s, 1, s.len);
	while (v->in_list && s.len > 0 &&
	       (s.ptr[s.len - 1] == '[' || s.ptr[s.len - 1] == ']'))
		s = slice_sub(s, 0, s.len - 1);
	v->text = text_of(s);
}

static bool
has_template(struct slice path)
{
	return memmem(path.ptr, path.len, "{*}", 3) != NULL ||
	       memmem(path.ptr, path.len, "{**}", 4) != NULL;
}

static void
put_value(struct builder *b, enum access_subject subject, struct slice ns,
    struct access_value *v)
{
	uint64_t port;

	switch (subject) {
	case ACCESS_ON_NAMESPACE:
		v->text = (struct access_text){ACCESS_GLOB,
		    printed(b, arena_printf(b->arena, "*/ns/%.*s/*",
				   SLICE_ARG(v->written)))};
		break;
	case ACCESS_ON_ACCOUNT:
		put_account(v, ns);
		break;
	case ACCESS_ON_TOKEN:
		put_token(v);
		break;
	case ACCESS_ON_METADATA:
		put_metadata(v);
		break;
	case ACCESS_ON_SOURCE:
	case ACCESS_ON_REMOTE:
	case ACCESS_ON_ADDRESS:
		if (cidr_parse(v->written, &v->range) != OK)
			v->range = (struct cidr){.bits = 0}; /* validated */
		break;
	case ACCESS_ON_PORT:
		if (slice_to_u64(v->written, &port) == OK)
			v->port = (uint16_t)port; /* was validated */
		break;
	case ACCESS_ON_PATH:
		v->text =
		    has_template(v->written)
			? (struct access_text){ACCESS_TEMPLATE, v->written}
			: text_of(v->written);
		break;
	default:
		v->text = text_of(v->written);
	}
}

/* --- aliases of the trust domain ------------------------------------------ */

static struct slice
trust_domain_at(const struct trust *t, size_t i)
{
	return i == 0 ? t->own : t->aliases[i - 1];
}

static bool
has_start(struct slice s, struct slice pattern)
{
	return slice_ends(pattern, S("*")) &&
	       slice_starts(s, slice_sub(pattern, 0, pattern.len - 1));
}

static bool
has_end(struct slice s, struct slice pattern)
{
	return slice_starts(pattern, S("*")) &&
	       slice_ends(s, slice_sub(pattern, 1, pattern.len));
}

/* "cluster.local" is whatever the mesh is called. */
static bool
is_ours(const struct trust *t, struct slice domain)
{
	if (slice_eq(domain, S("cluster.local")))
		return true;
	for (size_t i = 0; i <= t->alias_count; i++) {
		struct slice d = trust_domain_at(t, i);

		if (slice_eq(d, domain) || has_start(domain, d) ||
		    has_start(d, domain) || has_end(domain, d) ||
		    has_end(d, domain))
			return true;
	}
	return false;
}

static void
add_text(struct builder *b, struct rows *out, struct slice text)
{
	struct slice *s = take(b, 1, sizeof(*s));

	if (s == NULL)
		return;
	*s = text;
	rows_add(out, s);
}

static bool
has_text(const struct rows *r, size_t first, struct slice text)
{
	for (size_t i = first; i < r->count; i++)
		if (slice_eq(*(const struct slice *)r->items[i], text))
			return true;
	return false;
}

/* The principal under each name of the mesh that it means. */
static void
add_principal(struct builder *b, const struct trust *t, struct slice written,
    struct rows *out)
{
	struct slice rest = written;
	struct slice domain = slice_split(&rest, '/');
	size_t first = out->count, slashes = 0;

	for (size_t i = 0; i < written.len; i++)
		slashes += written.ptr[i] == '/';
	if (slashes != 4 || slice_eq(domain, S("*")) || !is_ours(t, domain)) {
		add_text(b, out, written);
		return;
	}
	for (size_t i = 0; i <= t->alias_count; i++) {
		struct slice d = trust_domain_at(t, i);
		struct slice name =
		    has_end(d, domain)
			? written
			: printed(b, arena_printf(b->arena, "%.*s/%.*s",
					 SLICE_ARG(d), SLICE_ARG(rest)));

		if (!has_text(out, first, name))
			add_text(b, out, name);
	}
}

static void
add_trust_domain(struct builder *b, const struct trust *t, struct slice written,
    struct rows *out)
{
	bool ours = false;

	for (size_t i = 0; i <= t->alias_count; i++)
		ours = ours || slice_eq(trust_domain_at(t, i), written);
	for (size_t i = 0; ours && i <= t->alias_count; i++)
		if (!has_text(out, 0, trust_domain_at(t, i)))
			add_text(b, out, trust_domain_at(t, i));
	if (!ours && !has_text(out, 0, written))
		add_text(b, out, written);
}

/* --- the condition -------------------------------------------------------- */

static void
put_values(struct builder *b, const struct rows *texts, struct slice ns,
    struct access_condition *c)
{
	struct access_value *values = take(b, texts->count, sizeof(*values));

	if (values == NULL)
		return;
	for (size_t i = 0; i < texts->count; i++) {
		values[i].written = *(const struct slice *)texts->items[i];
		put_value(b, c->subject, ns, &values[i]);
	}
	c->values = values;
	c->count = texts->count;
}

struct access_condition
condition_of(struct builder *b, const struct trust *t, struct slice key,
    struct slice ns, const struct written *values)
{
	const struct attribute *a = find_attribute(key);
	struct access_condition c = {.subject = a->subject, .name = key};
	struct rows texts = {0};

	for (size_t i = 0; i < values->count; i++)
		if (c.subject == ACCESS_ON_PRINCIPAL)
			add_principal(b, t, values->items[i], &texts);
		else if (c.subject == ACCESS_ON_TRUST_DOMAIN)
			add_trust_domain(b, t, values->items[i], &texts);
		else
			add_text(b, &texts, values->items[i]);
	put_path(b, a, &c);
	put_values(b, &texts, ns, &c);
	rows_fini(&texts);
	return c;
}
