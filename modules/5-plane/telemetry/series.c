/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series — Istio's standard metrics, and the way from a flow to its series.
 *
 * Names and labels are Istio's, so that dashboards work. The number of series
 * is bounded by metric.h: a port scan ends in one series called "other".
 */
#include "base/base.h"

#include "series.h"

#include <string.h>

enum { TABLE_LEN = 512 };

/* The order of these is the order of label_names. */
enum column {
	L_REPORTER,
	L_SOURCE_WORKLOAD,
	L_SOURCE_NAMESPACE,
	L_SOURCE_PRINCIPAL,
	L_SOURCE_APP,
	L_SOURCE_VERSION,
	L_SOURCE_CLUSTER,
	L_SOURCE_CANONICAL_SERVICE,
	L_SOURCE_CANONICAL_REVISION,
	L_DESTINATION_WORKLOAD,
	L_DESTINATION_WORKLOAD_NAMESPACE,
	L_DESTINATION_PRINCIPAL,
	L_DESTINATION_APP,
	L_DESTINATION_VERSION,
	L_DESTINATION_SERVICE,
	L_DESTINATION_SERVICE_NAME,
	L_DESTINATION_SERVICE_NAMESPACE,
	L_DESTINATION_CLUSTER,
	L_DESTINATION_CANONICAL_SERVICE,
	L_DESTINATION_CANONICAL_REVISION,
	L_PROTOCOL,
	L_FLAGS,
	L_SECURITY,
	L_GRPC, /* from here on: TCP has none */
	L_CODE,
	LABELS
};

static const char *const label_names[LABELS] = {
    [L_REPORTER] = "reporter",
    [L_SOURCE_WORKLOAD] = "source_workload",
    [L_SOURCE_NAMESPACE] = "source_workload_namespace",
    [L_SOURCE_PRINCIPAL] = "source_principal",
    [L_SOURCE_APP] = "source_app",
    [L_SOURCE_VERSION] = "source_version",
    [L_SOURCE_CLUSTER] = "source_cluster",
    [L_SOURCE_CANONICAL_SERVICE] = "source_canonical_service",
    [L_SOURCE_CANONICAL_REVISION] = "source_canonical_revision",
    [L_DESTINATION_WORKLOAD] = "destination_workload",
    [L_DESTINATION_WORKLOAD_NAMESPACE] = "destination_workload_namespace",
    [L_DESTINATION_PRINCIPAL] = "destination_principal",
    [L_DESTINATION_APP] = "destination_app",
    [L_DESTINATION_VERSION] = "destination_version",
    [L_DESTINATION_SERVICE] = "destination_service",
    [L_DESTINATION_SERVICE_NAME] = "destination_service_name",
    [L_DESTINATION_SERVICE_NAMESPACE] = "destination_service_namespace",
    [L_DESTINATION_CLUSTER] = "destination_cluster",
    [L_DESTINATION_CANONICAL_SERVICE] = "destination_canonical_service",
    [L_DESTINATION_CANONICAL_REVISION] = "destination_canonical_revision",
    [L_PROTOCOL] = "request_protocol",
    [L_FLAGS] = "response_flags",
    [L_SECURITY] = "connection_security_policy",
    [L_GRPC] = "grpc_response_status",
    [L_CODE] = "response_code",
};

static const double bounds[] = {0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000,
    2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000};

static struct {
	struct metric_family *requests;
	struct metric_family *duration;
	struct metric_family *request_bytes;
	struct metric_family *response_bytes;
	struct metric_family *copies;
	struct metric_family *opened;
	struct metric_family *closed;
	struct metric_family *received;
	struct metric_family *sent;
} families;

struct series_entry {
	uint64_t key; /* of what the labels are made of */
	/* Requests, or connections opened and closed; bytes; time. */
	struct metric_series *count;
	struct metric_series *opened;
	struct metric_series *received;
	struct metric_series *sent;
	struct metric_series *duration;
};

/* Direct mapped: a clash only costs putting the labels together again. */
struct series_table {
	struct series_entry entries[TABLE_LEN];
};

static struct metric_family *
family(const char *name, const char *help, enum metric_type type, size_t labels)
{
	bool histogram = type == METRIC_HISTOGRAM;

	return metric_family_new(name, help, type, label_names, labels,
	    histogram ? bounds : NULL, histogram ? ARRAY_LEN(bounds) : 0);
}

/* Which program counts: dashboards join by it. */
static void
tell_build(void)
{
	static const char *const names[] = {"component", "tag"};
	const struct slice values[] = {S("proxy"), S(MESHD_VERSION)};

	metric_gauge_set(
	    metric_series_get(
		metric_family_new("istio_build", "Always 1; the version.",
		    METRIC_GAUGE, names, ARRAY_LEN(names), NULL, 0),
		values),
	    1);
}

void
series_register(void)
{
	families.requests = family("istio_requests_total",
	    "Requests that were finished.", METRIC_COUNTER, LABELS);
	families.duration = family("istio_request_duration_milliseconds",
	    "Time from the first byte of a request to the last of its answer.",
	    METRIC_HISTOGRAM, LABELS);
	families.request_bytes = family("istio_request_bytes",
	    "Body bytes of requests.", METRIC_HISTOGRAM, LABELS);
	families.response_bytes = family("istio_response_bytes",
	    "Body bytes of answers.", METRIC_HISTOGRAM, LABELS);
	families.copies = family("meshd_mirrored_requests_total",
	    "Copies of requests that rules send elsewhere.", METRIC_COUNTER,
	    LABELS);
	families.opened = family("istio_tcp_connections_opened_total",
	    "TCP connections that were opened.", METRIC_COUNTER, L_GRPC);
	families.closed = family("istio_tcp_connections_closed_total",
	    "TCP connections that were closed.", METRIC_COUNTER, L_GRPC);
	families.received = family("istio_tcp_received_bytes_total",
	    "Bytes from clients of TCP connections.", METRIC_COUNTER, L_GRPC);
	families.sent = family("istio_tcp_sent_bytes_total",
	    "Bytes to clients of TCP connections.", METRIC_COUNTER, L_GRPC);
	tell_build();
}

size_t
series_label(const char *name)
{
	size_t i = 0;

	while (strcmp(label_names[i], name) != 0) {
		i++;
		CHECK(i < LABELS);
	}
	return i;
}

struct series_table *
series_table_new(void)
{
	return mem_new(sizeof(struct series_table));
}

/* What a series counted stays until another needs its place. */
static void
entry_drop(struct series_entry *e)
{
	struct metric_series *held[] = {
	    e->count, e->opened, e->received, e->sent, e->duration};

	for (size_t i = 0; i < ARRAY_LEN(held); i++)
		if (held[i] != NULL)
			metric_series_release(held[i]);
	*e = (struct series_entry){0};
}

void
series_table_free(struct series_table **tp)
{
	for (size_t i = 0; *tp != NULL && i < TABLE_LEN; i++)
		entry_drop(&(*tp)->entries[i]);
	mem_free(tp);
}

static struct slice
known(struct slice s)
{
	return s.len > 0 ? s : S("unknown");
}

static void
source_labels(const struct flow_party *p, struct slice out[LABELS])
{
	out[L_SOURCE_WORKLOAD] = known(p->workload);
	out[L_SOURCE_NAMESPACE] = known(p->ns);
	out[L_SOURCE_PRINCIPAL] = known(p->identity);
	out[L_SOURCE_APP] = known(p->app);
	out[L_SOURCE_VERSION] = known(p->version);
	out[L_SOURCE_CLUSTER] = known(p->cluster);
	out[L_SOURCE_CANONICAL_SERVICE] = known(p->canonical_name);
	out[L_SOURCE_CANONICAL_REVISION] = known(p->canonical_revision);
}

static void
destination_labels(const struct flow_party *p, struct slice out[LABELS])
{
	out[L_DESTINATION_WORKLOAD] = known(p->workload);
	out[L_DESTINATION_WORKLOAD_NAMESPACE] = known(p->ns);
	out[L_DESTINATION_PRINCIPAL] = known(p->identity);
	out[L_DESTINATION_APP] = known(p->app);
	out[L_DESTINATION_VERSION] = known(p->version);
	out[L_DESTINATION_SERVICE] = known(p->service);
	out[L_DESTINATION_SERVICE_NAME] = known(p->service_name);
	out[L_DESTINATION_SERVICE_NAMESPACE] = known(p->service_ns);
	out[L_DESTINATION_CLUSTER] = known(p->cluster);
	out[L_DESTINATION_CANONICAL_SERVICE] = known(p->canonical_name);
	out[L_DESTINATION_CANONICAL_REVISION] = known(p->canonical_revision);
}

/* Only the destination can vouch for how it was reached. */
static struct slice
security(const struct flow_record *r)
{
	if (r->reporter == FLOW_SOURCE)
		return S("unknown");
	return r->mutual_tls ? S("mutual_tls") : S("none");
}

/* Where labels lie that are numbers. */
struct texts {
	char letters[FLOW_LETTERS_MAX];
	char code[SLICE_U64_MAX];
	char grpc[SLICE_U64_MAX];
};

static void
labels_of(
    const struct flow_record *r, struct texts *texts, struct slice out[LABELS])
{
	source_labels(&r->source, out);
	destination_labels(&r->destination, out);
	out[L_REPORTER] =
	    r->reporter == FLOW_SOURCE ? S("source") : S("destination");
	out[L_PROTOCOL] = known(r->protocol);
	out[L_FLAGS] = slice_str(flow_letters(r, texts->letters));
	out[L_SECURITY] = security(r);
	out[L_CODE] = slice_from_u64(r->status, texts->code);
	out[L_GRPC] =
	    r->has_grpc ? slice_from_u64(r->grpc, texts->grpc) : S("");
}

static void
fill(struct series_entry *e, const struct flow_record *r)
{
	struct slice labels[LABELS];
	struct texts texts;

	labels_of(r, &texts, labels);
	if (r->kind == FLOW_HTTP) {
		e->count = metric_series_get(families.requests, labels);
		e->duration = metric_series_get(families.duration, labels);
		e->received = metric_series_get(families.request_bytes, labels);
		e->sent = metric_series_get(families.response_bytes, labels);
		return;
	}
	if (r->kind == FLOW_COPY) {
		e->count = metric_series_get(families.copies, labels);
		return;
	}
	if (r->kind != FLOW_TCP_CLOSED)
		e->opened = metric_series_get(families.opened, labels);
	if (r->kind == FLOW_TCP_OPENED)
		return;
	e->count = metric_series_get(families.closed, labels);
	e->received = metric_series_get(families.received, labels);
	e->sent = metric_series_get(families.sent, labels);
}

/* Everything that labels_of() looks at has its part in it; never 0. */
static uint64_t
key_of(const struct flow_record *r)
{
	const uint64_t parts[] = {r->source.key, r->destination.key,
	    slice_hash(r->protocol), r->status, (uint64_t)r->kind,
	    (uint64_t)r->flag, r->retries_spent, r->delayed,
	    (uint64_t)r->reporter, r->mutual_tls, r->has_grpc, r->grpc};
	uint64_t h = 0;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		h = (h ^ (h >> 29) ^ parts[i]) * UINT64_C(0x9e3779b97f4a7c15);
	return h | 1;
}

const struct series_entry *
series_table_find(struct series_table *t, const struct flow_record *r)
{
	uint64_t key = key_of(r);
	struct series_entry *e = &t->entries[(key >> 32) % TABLE_LEN];

	if (e->key == key)
		return e;
	entry_drop(e);
	e->key = key;
	fill(e, r);
	return e;
}

void
series_count(const struct series_entry *e, const struct flow_record *r)
{
	if (e->opened != NULL)
		metric_add(e->opened, 1);
	if (r->kind == FLOW_TCP_OPENED)
		return;
	metric_add(e->count, 1);
	if (r->kind == FLOW_COPY)
		return;
	if (r->kind != FLOW_HTTP) {
		metric_add(e->received, r->bytes_received);
		metric_add(e->sent, r->bytes_sent);
		return;
	}
	metric_observe(e->duration, (double)r->duration_us / 1000.0);
	metric_observe(e->received, (double)r->bytes_received);
	metric_observe(e->sent, (double)r->bytes_sent);
}
