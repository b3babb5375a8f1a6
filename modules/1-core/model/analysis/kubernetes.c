/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubernetes — what documents of a cluster tell of workloads, namespaces,
 * secrets and gateways.
 *
 * For whoever brings a dump from a cluster: these kinds are not the mesh's
 * own, only the few members are read that analyzers ask for.
 */
#include "inside.h"

enum { PEM_MAX = 256 << 10 };

static struct slice
text_at(const struct value *tree, struct slice path)
{
	const struct value *v = value_get_path(tree, path);

	return v != NULL && v->type == VALUE_STRING ? v->string : S("");
}

/* --- pods ----------------------------------------------------------------- */

static bool
has_proxy(const struct value *containers)
{
	VALUE_EACH(containers, it)
	{
		if (slice_eq(text_at(it, S("name")), S("istio-proxy")))
			return text_at(it, S("image")).len > 0;
	}
	return false;
}

/* As upstream: its own word, its labels, its annotations, its namespace. */
static unsigned
pod_flags(const struct value *meta, const struct value *spec)
{
	static const struct slice key = {"sidecar.istio.io/inject", 23};
	struct slice said =
	    value_get_string(value_get(meta, S("labels")), key, SLICE_NONE);
	const struct value *notes = value_get(meta, S("annotations"));
	unsigned flags = WORKLOAD_POD | WORKLOAD_HEALTHY;

	if (slice_eq(value_get_string(
			 notes, S("ambient.istio.io/redirection"), S("")),
		S("enabled")))
		flags |= WORKLOAD_AMBIENT;
	if (said.ptr == NULL)
		said = value_get_string(notes, key, SLICE_NONE);
	if (has_proxy(value_get(spec, S("containers"))) ||
	    has_proxy(value_get(spec, S("initContainers"))) ||
	    slice_eq(said, S("true")))
		return flags | WORKLOAD_IN_MESH;
	return said.ptr == NULL ? flags | WORKLOAD_UNDECIDED : flags;
}

static void
add_pod(struct analysis *a, const struct item *it, const struct value *pod)
{
	const struct value *meta = value_get(pod, S("metadata"));

	*FACTS_PUSH(&a->facts.workloads) = (struct workload){.ns = it->key.ns,
	    .name = it->key.name,
	    .labels = map_labels(a, value_get(meta, S("labels"))),
	    .item = it,
	    .flags = pod_flags(meta, value_get(pod, S("spec")))};
}

static void
read_pod(struct analysis *a, const struct item *it)
{
	add_pod(a, it, it->tree);
}

/* A Deployment and its kin: the pods that it would make. */
static void
read_template(struct analysis *a, const struct item *it)
{
	const struct value *pod = value_get_path(it->tree, S("spec.template"));

	if (pod != NULL)
		add_pod(a, it, pod);
}

void
facts_settle_pods(struct analysis *a)
{
	for (size_t i = 0; i < a->facts.workloads.count; i++) {
		struct workload *w = &a->facts.workloads.items[i];
		const struct namespace_fact *n;

		if (!(w->flags & WORKLOAD_UNDECIDED))
			continue;
		n = namespace_find(a, w->ns);
		if (n != NULL && (n->flags & NAMESPACE_INJECTED))
			w->flags |= WORKLOAD_IN_MESH;
	}
}

/* --- namespaces ----------------------------------------------------------- */

static void
read_namespace(struct analysis *a, const struct item *it)
{
	const struct value *labels =
	    value_get_path(it->tree, S("metadata.labels"));
	bool injected =
	    slice_eq(value_get_string(labels, S("istio-injection"), S("")),
		S("enabled"));
	bool ambient = slice_eq(
	    value_get_string(labels, S("istio.io/dataplane-mode"), S("")),
	    S("ambient"));

	/* What gets a proxy of its own is not ambient. */
	if (injected ||
	    value_get_string(labels, S("istio.io/rev"), S("")).len > 0)
		ambient = false;
	*FACTS_PUSH(&a->facts.namespaces) =
	    (struct namespace_fact){.name = it->key.name,
		.flags = (injected ? NAMESPACE_INJECTED : 0u) |
			 (ambient ? NAMESPACE_AMBIENT : 0u)};
}

/* --- secrets -------------------------------------------------------------- */

/* Base64 (RFC 4648 §4) into the run's memory; empty if it is none. */
static struct slice
unpack(struct analysis *a, struct slice text)
{
	char *digits = arena_alloc(&a->arena, text.len + 1);
	uint8_t *bytes = arena_alloc(&a->arena, text.len + 1);
	size_t n = 0, len;

	if (digits == NULL || bytes == NULL || text.len > PEM_MAX)
		return S("");
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '=' || c == '\n' || c == '\r' || c == ' ')
			continue;
		digits[n++] = c;
		if (c == '+')
			digits[n - 1] = '-';
		if (c == '/')
			digits[n - 1] = '_';
	}
	if (crypto_base64url_decode(
		slice_of(digits, n), bytes, text.len + 1, &len) != OK)
		return S("");
	return slice_of(bytes, len);
}

/* The certificate under one of the two names that upstream looks for. */
static struct slice
certificate_of(struct analysis *a, const struct value *tree)
{
	static const struct slice names[][2] = {
	    {{"cert", 4}, {"key", 3}}, {{"tls.crt", 7}, {"tls.key", 7}}};
	const struct value *data = value_get(tree, S("data"));
	const struct value *plain = value_get(tree, S("stringData"));

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct slice cert = value_get_string(data, names[i][0], S(""));
		struct slice key = value_get_string(data, names[i][1], S(""));
		struct slice text = value_get_string(plain, names[i][0], S(""));

		if (text.len > 0 &&
		    value_get_string(plain, names[i][1], S("")).len > 0)
			return text;
		if (cert.len > 0 && key.len > 0)
			return unpack(a, cert);
	}
	return S("");
}

static void
read_secret(struct analysis *a, const struct item *it)
{
	/* What lies in the store is sealed, and nobody reads it here. */
	*FACTS_PUSH(&a->facts.secrets) = (struct secret_fact){.ns = it->key.ns,
	    .name = it->key.name,
	    .pem = it->tree == NULL ? S("") : certificate_of(a, it->tree),
	    .sealed = it->tree == NULL,
	    .item = it};
}

/* --- the Gateway API ------------------------------------------------------ */

static void
read_gateway(struct analysis *a, const struct item *it)
{
	const struct value *all = value_get_path(it->tree, S("spec.listeners"));
	struct gateway_fact *f = FACTS_PUSH(&a->facts.gateways);
	struct slice *hosts = NULL;

	*f = (struct gateway_fact){
	    .ns = it->key.ns, .name = it->key.name, .item = it};
	if (all != NULL)
		hosts = arena_alloc_array(
		    &a->arena, all->count + 1, sizeof(*hosts));
	f->hosts = hosts;
	VALUE_EACH(hosts == NULL ? NULL : all, l)
	{
		hosts[f->host_count++] =
		    value_get_string(l, S("hostname"), S("*"));
	}
}

/* --- which document tells what -------------------------------------------- */

static const struct {
	const char *group; /* NULL: any */
	const char *kind;
	void (*read)(struct analysis *a, const struct item *it);
} readers[] = {
    {"", "Pod", read_pod},
    {"apps", "Deployment", read_template},
    {"apps", "StatefulSet", read_template},
    {"apps", "DaemonSet", read_template},
    {"apps", "ReplicaSet", read_template},
    {"", "Namespace", read_namespace},
    {"", "Secret", read_secret},
    {"gateway.networking.k8s.io", "Gateway", read_gateway},
    {NULL, "MeshConfig", facts_add_mesh},
};

void
facts_add_foreign(struct analysis *a, const struct item *it)
{
	for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
		if (!slice_eq(it->key.kind, slice_str(readers[i].kind)))
			continue;
		if (readers[i].group == NULL ||
		    slice_eq(it->key.group, slice_str(readers[i].group)))
			readers[i].read(a, it);
	}
}
