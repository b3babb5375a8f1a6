/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings — what Telemetry, ProxyConfig, WasmPlugin and TrafficExtension make
 * of one workload, merged as Istio does it.
 *
 * What is wider is said first and what is narrower counts: the mesh, the root
 * namespace, the namespace, the workload. Nothing in the proxy acts on it yet.
 */
#ifndef MESHD_SETTINGS_H
#define MESHD_SETTINGS_H

#include "view.h"

enum settings_side {
	SETTINGS_CLIENT, /* what the workload sends */
	SETTINGS_SERVER, /* what it is sent */
	SETTINGS_SIDES
};

/* A name out of MeshConfig's extensionProviders. */
struct settings_provider {
	struct slice name; /* empty: nobody */
	bool known;        /* there is one of that name */
};

struct settings_tracing {
	bool disabled; /* spans are not reported; so too without a provider */
	struct settings_provider provider;
	bool has_sampling;
	double sampling;                  /* percent */
	const struct message_entry *tags; /* → struct telemetry_tag */
	size_t tag_count;
	bool use_request_id;
	bool istio_tags;
	bool no_propagation;
};

struct settings_log {
	struct settings_provider provider;
	bool disabled;
	struct slice filter; /* CEL; or empty */
};

struct settings_tag {
	struct slice name;
	bool remove;
	struct slice value; /* CEL */
};

struct settings_metric {
	struct slice name; /* "REQUEST_COUNT", or of an own metric */
	bool disabled;
	const struct settings_tag *tags; /* by name */
	size_t tag_count;
};

struct settings_metrics {
	struct settings_provider provider;
	struct slice interval; /* of reports; empty: the default */
	struct {
		bool disabled;                       /* all of them */
		const struct settings_metric *items; /* by name */
		size_t count;
	} side[SETTINGS_SIDES];
};

struct settings_proxy {
	bool has_concurrency;
	int64_t concurrency;       /* 0: as many as cores */
	struct labels environment; /* by key */
	struct slice image_type;
};

/* In the order in which they see a request. */
struct settings_extension {
	const struct resource *resource; /* either kind; the view holds it */
	int phase;                       /* enum extension_phase */
	bool has_priority;
	int64_t priority;
	struct origin origin;
};

struct view_settings {
	/* False: Telemetry says nothing; MeshConfig's old fields hold. */
	bool has_tracing;
	struct settings_tracing tracing[SETTINGS_SIDES];
	bool has_logs;                                   /* the same */
	const struct settings_log *logs[SETTINGS_SIDES]; /* by provider */
	size_t log_count[SETTINGS_SIDES];
	const struct settings_metrics *metrics; /* by provider */
	size_t metric_count;
	struct settings_proxy proxy;
	const struct settings_extension *extensions;
	size_t extension_count;
	const struct origin *telemetry; /* those that hold, wider first */
	size_t telemetry_count;
};

/* Borrows from the view and from the labels. NULL: the arena is full. */
const struct view_settings *view_settings_of(const struct view *v,
    struct slice ns, const struct labels *labels, struct arena *arena);

/*
 * As a tree: telemetry [origins]; tracing {client, server}; accessLogging
 * {client, server}; metrics [{provider, …}]; proxy; extensions [{phase,
 * priority, origin}]. Without what has no value. NULL: the arena is full.
 */
struct value *view_settings_value(
    const struct view_settings *s, struct arena *arena);

#endif
