/* SPDX-License-Identifier: Apache-2.0 */
/*
 * envelope — what all kinds have around their spec: apiVersion, kind, metadata.
 */
#include <stdio.h>

#include "envelope.h"
#include "metadata.h"
#include "validate.h"

/* --- apiVersion and kind -------------------------------------------------- */

static struct check
place(const struct value *doc, const struct resource_source *source,
    struct findings *found, struct arena *a)
{
	return (struct check){.file = source->file,
	    .parse_json = source->parse_json,
	    .trust_domain = source->trust_domain,
	    .found = found,
	    .arena = a,
	    .node = doc,
	    .line = doc->line,
	    .column = doc->column};
}

static bool
is_ours(struct slice group)
{
	return slice_ends(group, S(".istio.io")) ||
	       slice_eq(group, S("meshd.dev"));
}

/* What patches of Envoy are mostly for, and the kinds that say it. */
static const char instead_of_patches[] =
    "EnvoyFilter patches the insides of another proxy, which are not here. "
    "Say what it is for: limits of requests with RateLimitPolicy (meshd.dev), "
    "access logs and traces with Telemetry or MeshConfig, health checks with "
    "HealthCheckPolicy (meshd.dev), Lua and Wasm with TrafficExtension, "
    "timeouts, connections and retries with DestinationRule and "
    "VirtualService, headers and CORS with VirtualService";

/* "istio" or "meshd" between dots, or none at all: written by who means us. */
static bool
names_us(struct slice group)
{
	if (group.len == 0)
		return true;
	while (group.len > 0) {
		struct slice label = slice_split(&group, '.');

		if (slice_eq(label, S("istio")) || slice_eq(label, S("meshd")))
			return true;
	}
	return false;
}

static bool
is_meant(struct slice group, const char *ours)
{
	struct nearest near;

	nearest_init(&near, group);
	nearest_offer(&near, ours);
	return near.best != NULL || names_us(group);
}

/*
 * "; did you mean networking.istio.io/v1?" for a kind of that group under
 * another that was likely meant to be it; others have kinds of these names,
 * too. Core's are never meant.
 */
enum { GROUP_HINT_MAX = 128 };
static const char *
group_hint(const struct resource_key *key, char out[GROUP_HINT_MAX])
{
	size_t count;
	const struct resource_kind *const *all = resource_kinds(&count);

	out[0] = '\0';
	for (size_t i = 0; i < count; i++)
		if (slice_eq(key->kind, slice_str(all[i]->kind)) &&
		    all[i]->group[0] != '\0' &&
		    is_meant(key->group, all[i]->group))
			(void)snprintf(out, GROUP_HINT_MAX,
			    "; did you mean %s/%s?", all[i]->group,
			    all[i]->versions[0]); /* none is as long */
	return out;
}

static enum envelope_verdict
refuse_kind(struct check *c, const struct resource_key *key)
{
	char hint[NEAREST_TEXT_MAX], group[GROUP_HINT_MAX];
	struct nearest near;
	size_t count;
	const struct resource_kind *const *all = resource_kinds(&count);

	if (slice_eq(key->kind, S("EnvoyFilter"))) {
		check_error(c, ERR_UNSUPPORTED, "%s", instead_of_patches);
		return ENVELOPE_REFUSED;
	}
	if (group_hint(key, group)[0] != '\0') {
		check_error(c, ERR_INVALID,
		    "there is no kind \"%.*s\" of %.*s%s", SLICE_ARG(key->kind),
		    SLICE_ARG(slice_sub(key->group, 0, NAME_HOST_MAX)), group);
		return ENVELOPE_REFUSED;
	}
	nearest_init(&near, key->kind);
	for (size_t i = 0; i < count; i++)
		nearest_offer(&near, all[i]->kind);
	check_error(c, ERR_INVALID, "there is no kind \"%.*s\"%s",
	    SLICE_ARG(slice_sub(key->kind, 0, NAME_LABEL_MAX)),
	    nearest_text(&near, hint));
	return ENVELOPE_REFUSED;
}

/* Secrets of other types are not for TLS; they are nothing to the mesh. */
static bool
is_other_secret(const struct value *doc, const struct resource_kind *kind)
{
	return kind == &kind_tls_secret &&
	       !slice_eq(value_get_string(doc, S("type"), SLICE_NONE),
		   S("kubernetes.io/tls"));
}

static const struct resource_kind *
find_kind(struct slice group, struct slice kind)
{
	size_t count;
	const struct resource_kind *const *all = resource_kinds(&count);

	for (size_t i = 0; i < count; i++)
		if (slice_eq(group, slice_str(all[i]->group)) &&
		    slice_eq(kind, slice_str(all[i]->kind)))
			return all[i];
	return NULL;
}

/* That of the kind; the newest in place of one that is not there. */
static const char *
read_version(
    struct check *c, const struct resource_kind *k, struct slice version)
{
	struct check at = check_member(c, "apiVersion");

	for (size_t i = 0; k->versions[i] != NULL; i++)
		if (slice_eq(version, slice_str(k->versions[i])))
			return k->versions[i];
	check_error(&at, ERR_INVALID,
	    "%s has no version \"%.*s\"; the newest is %s", k->kind,
	    SLICE_ARG(slice_sub(version, 0, NAME_LABEL_MAX)), k->versions[0]);
	return k->versions[0];
}

/* "networking.istio.io/v1" → group and version; "v1" is core's. */
static void
split_version(struct slice text, struct slice *group, struct slice *version)
{
	size_t slash = slice_rfind(text, '/');

	*group = slash < text.len ? slice_sub(text, 0, slash) : S("");
	*version =
	    slash < text.len ? slice_sub(text, slash + 1, text.len) : text;
}

static bool
read_text(struct check *c, const char *member, struct slice *out)
{
	struct check at = check_member(c, "%s", member);

	if (at.node != NULL && at.node->type == VALUE_STRING) {
		*out = at.node->string;
		return true;
	}
	if (at.node == NULL || at.node->type == VALUE_NULL)
		check_error(&at, ERR_INVALID, "is required");
	else
		check_error(&at, ERR_PARSE, "is no text");
	return false;
}

static enum envelope_verdict
read_kind(struct check *c, struct resource *r)
{
	struct check at = check_member(c, "kind");
	char hint[GROUP_HINT_MAX];
	struct resource_key written = {0}; /* not one of ours, maybe */
	struct slice text, version;
	bool has_version = read_text(c, "apiVersion", &text);
	bool has_kind = read_text(c, "kind", &written.kind);

	if (!has_version || !has_kind)
		return ENVELOPE_REFUSED;
	split_version(text, &written.group, &version);
	r->kind = find_kind(written.group, written.kind);
	if (is_other_secret(c->node, r->kind)) {
		check_warning(&at,
		    "skipped: only a Secret of type kubernetes.io/tls means "
		    "something to the mesh");
		return ENVELOPE_SKIP;
	}
	if (r->kind != NULL) {
		r->key.group = slice_str(r->kind->group);
		r->key.kind = slice_str(r->kind->kind);
		r->version = read_version(c, r->kind, version);
		return ENVELOPE_OK;
	}
	if (is_ours(written.group))
		return refuse_kind(&at, &written);
	check_warning(&at,
	    "skipped: kind %.*s of %.*s means nothing to the mesh%s",
	    SLICE_ARG(slice_sub(written.kind, 0, NAME_LABEL_MAX)),
	    SLICE_ARG(slice_sub(text, 0, NAME_LABEL_MAX)),
	    group_hint(&written, hint));
	return ENVELOPE_SKIP;
}

/* --- the rest ------------------------------------------------------------- */

enum { MEMBER_SPEC = 3 };

static const char *const members[] = {
    "apiVersion", "kind", "metadata", [MEMBER_SPEC] = "spec"};

/* Which of the envelope's members it is; ARRAY_LEN(members) if none. */
static size_t
find_member(struct slice key)
{
	size_t i = 0;

	while (i < ARRAY_LEN(members) && !slice_eq(key, slice_str(members[i])))
		i++;
	return i;
}

static void
check_members(struct check *c)
{
	VALUE_EACH(c->node, it)
	{
		struct check at = *c;
		char hint[NEAREST_TEXT_MAX];
		struct nearest near;

		if (find_member(it->key) < ARRAY_LEN(members))
			continue;
		nearest_init(&near, it->key);
		for (size_t i = 0; i < ARRAY_LEN(members); i++)
			nearest_offer(&near, members[i]);
		at.line = it->line > 0 ? it->line : c->line;
		at.column = it->line > 0 ? it->column : c->column;
		(void)snprintf(at.path, sizeof(at.path), "%.*s",
		    SLICE_ARG(slice_sub(it->key, 0, NAME_LABEL_MAX)));
		if (slice_eq(it->key, S("status")))
			check_warning(&at, "is a cluster's own; ignored");
		else
			check_error(&at, ERR_INVALID, "no such field%s",
			    nearest_text(&near, hint));
	}
}

/* What is of the whole mesh is in no namespace, whatever -n says. */
static void
check_mesh_wide(struct check *c, const struct metadata *m, struct resource *r)
{
	struct check at = check_member(c, "namespace");

	if (m->ns.len > 0)
		check_error(&at, ERR_INVALID,
		    "a %s is for the whole mesh; leave the namespace out",
		    r->kind->kind);
	r->key.ns = S("");
}

static void
read_metadata(
    struct check *c, const struct resource_source *source, struct resource *r)
{
	struct check at = check_member(c, "metadata");
	const struct metadata *m;
	uint64_t revision;

	if (at.node == NULL || at.node->type == VALUE_NULL) {
		check_error(&at, ERR_INVALID, "is required");
		return;
	}
	m = message_decode(&metadata_message, at.node, c->file,
	    source->place != NULL ? source->place : "metadata", c->arena,
	    c->found);
	if (m == NULL)
		return;
	r->key.name = m->name;
	if (r->kind->mesh_wide)
		check_mesh_wide(&at, m, r);
	else if (m->ns.len > 0)
		r->key.ns = m->ns;
	r->labels = m->labels;
	r->annotations = m->annotations;
	metadata_check_reserved(&at, r);
	if (source->revision != 0)
		r->revision = source->revision;
	else if (slice_to_u64(m->version, &revision) == OK)
		r->revision = revision; /* a cluster's own may be no number */
	if (source->created_ms != 0)
		r->created_ms = source->created_ms;
	else
		(void)metadata_time(m->created, &r->created_ms); /* checked */
}

static bool
read_source(
    struct check *c, const struct resource_source *source, struct resource *r)
{
	struct slice ns = source->ns.len > 0 ? source->ns : S("default");

	r->line = c->node->line;
	return arena_copy(c->arena, ns, &r->key.ns) == OK &&
	       arena_copy(c->arena, slice_str(source->file), &r->file) == OK;
}

enum envelope_verdict
envelope_read(const struct value *doc, const struct resource_source *source,
    struct arena *a, struct resource *r, struct findings *found)
{
	struct check c = place(doc, source, found, a);
	enum envelope_verdict verdict;

	if (doc->type != VALUE_MAP) {
		check_error(&c, ERR_PARSE,
		    "a resource is a map with apiVersion, kind, metadata and "
		    "spec");
		return ENVELOPE_REFUSED;
	}
	verdict = read_kind(&c, r);
	if (verdict != ENVELOPE_OK)
		return verdict;
	if (!read_source(&c, source, r)) {
		check_error(&c, ERR_LIMIT, "the resource is too large");
		return ENVELOPE_REFUSED;
	}
	if (r->kind->shape == RESOURCE_NESTED)
		check_members(&c);
	read_metadata(&c, source, r);
	return ENVELOPE_OK;
}

/* The document without its envelope: what a flat kind has for a spec. */
static const struct value *
flat_spec(const struct value *doc, struct arena *a)
{
	struct value *spec = value_new(a, VALUE_MAP);

	if (spec == NULL)
		return NULL;
	spec->line = doc->line;
	spec->column = doc->column;
	VALUE_EACH(doc, it)
	if (find_member(it->key) >= MEMBER_SPEC)
		value_put(&spec, it->key, value_share(it, a));
	return spec;
}

/* A spec that is not there is an empty one: a policy may say nothing. */
static const struct value *
find_spec(const struct check *c, const struct resource *r)
{
	const struct value *spec;
	struct value *none;

	if (r->kind->shape == RESOURCE_FLAT)
		return flat_spec(c->node, c->arena);
	spec = value_get(c->node, S("spec"));
	if (spec != NULL && spec->type != VALUE_NULL)
		return spec;
	none = value_new(c->arena, VALUE_MAP);
	if (none != NULL) {
		none->line = c->line;
		none->column = c->column;
	}
	return none;
}

static const char *
place_of(const struct resource_source *source, const struct resource *r)
{
	if (source->place != NULL)
		return source->place;
	return r->kind->shape == RESOURCE_NESTED ? "spec" : "";
}

void
envelope_read_spec(const struct value *doc,
    const struct resource_source *source, struct arena *a, struct resource *r,
    struct findings *found)
{
	struct check c = place(doc, source, found, a);
	struct check kind = check_member(&c, "kind");
	const struct value *spec = find_spec(&c, r);

	if (spec == NULL) {
		check_error(&c, ERR_LIMIT, "the resource is too large");
		return;
	}
	check_in_force(&kind, r->kind->flags);
	c.inert = kind.inert;
	r->spec =
	    message_decode_at(&c, r->kind->spec, spec, place_of(source, r));
	if (r->spec != NULL && r->kind->check != NULL)
		r->kind->check(&c, r);
}

enum err
resource_key_read(const struct value *doc, struct slice default_ns,
    struct resource_key *out, struct fault *why)
{
	const struct value *metadata = value_get(doc, S("metadata"));
	const struct resource_kind *kind;
	struct resource_key k = {0};
	struct slice version;

	split_version(
	    value_get_string(doc, S("apiVersion"), S("")), &k.group, &version);
	k.kind = value_get_string(doc, S("kind"), S(""));
	k.name = value_get_string(metadata, S("name"), S(""));
	k.ns = value_get_string(metadata, S("namespace"),
	    default_ns.len > 0 ? default_ns : S("default"));
	kind = find_kind(k.group, k.kind);
	if (kind != NULL && kind->mesh_wide)
		k.ns = S("");
	if (version.len == 0 || k.kind.len == 0 || k.name.len == 0)
		return fault_set(why, ERR_INVALID,
		    "apiVersion, kind and metadata.name are needed");
	*out = k;
	return OK;
}

/* --- the document again --------------------------------------------------- */

static struct value *
encode_metadata(const struct resource *r, unsigned flags, struct arena *a)
{
	struct metadata m = {.name = r->key.name,
	    .ns = r->key.ns,
	    .labels = r->labels,
	    .annotations = r->annotations};
	char time[CLOCK_RFC3339_LEN];

	/* The rows' order is that of the bits. */
	m.head.present[0] = 1 | (r->key.ns.len > 0 ? 2 : 0) |
			    (r->labels.count > 0 ? 4 : 0) |
			    (r->annotations.count > 0 ? 8 : 0);
	if ((flags & RESOURCE_WITH_STATE) && r->created_ms != 0) {
		clock_format_rfc3339(r->created_ms, time);
		m.created = arena_printf(a, "%s", time);
		m.head.present[0] |= 16;
	}
	if ((flags & RESOURCE_WITH_STATE) && r->revision != 0) {
		m.version =
		    arena_printf(a, "%llu", (unsigned long long)r->revision);
		m.head.present[0] |= 32;
	}
	return message_encode(&metadata_message, &m, a);
}

static struct value *
encode_version(const struct resource *r, struct arena *a)
{
	struct slice text = arena_printf(a, "%s%s%s", r->kind->group,
	    r->key.group.len > 0 ? "/" : "", r->version);

	return text.ptr != NULL ? value_new_string(a, text) : NULL;
}

/* The names of what is secret stay. */
static void
seal(struct value *spec, const struct message *m)
{
	for (size_t i = 0; spec != NULL && i < m->field_count; i++) {
		const struct value *map =
		    m->fields[i].flags & FIELD_SECRET
			? value_get(spec, slice_str(m->fields[i].name))
			: NULL;

		for (struct value *it = map != NULL ? map->child : NULL;
		     it != NULL; it = it->next)
			it->string = S("(sealed)");
	}
}

struct value *
resource_encode(const struct resource *r, unsigned flags, struct arena *arena)
{
	struct value *doc = value_new(arena, VALUE_MAP);
	struct value *spec = message_encode(r->kind->spec, r->spec, arena);
	struct value *next;

	value_put(&doc, S("apiVersion"), encode_version(r, arena));
	value_put(&doc, S("kind"), value_new_string(arena, r->key.kind));
	value_put(&doc, S("metadata"), encode_metadata(r, flags, arena));
	if (spec == NULL)
		return NULL;
	if (doc != NULL)
		doc->line = r->line;
	if (flags & RESOURCE_SEALED)
		seal(spec, r->kind->spec);
	if (r->kind->shape == RESOURCE_NESTED) {
		value_put(&doc, S("spec"), spec);
		return doc;
	}
	for (struct value *it = spec->child; it != NULL; it = next) {
		next = it->next;
		it->next = NULL;
		value_put(&doc, it->key, it);
	}
	return doc;
}
