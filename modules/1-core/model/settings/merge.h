/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merge — the steps that make the settings of a workload.
 */
#ifndef MESHD_SETTINGS_MERGE_H
#define MESHD_SETTINGS_MERGE_H

#include "../access/parts.h"
#include "../kinds/extension.h"
#include "../kinds/mesh_proxy.h"
#include "../kinds/proxy_config.h"
#include "../kinds/telemetry.h"
#include "settings.h"

struct merging {
	const struct view *v;
	struct policy_target workload;
	struct arena *arena;
	struct rows telemetry; /* const struct resource, wider first */
	struct view_settings *out;
	bool full;
};

/* Names of providers. */
struct names {
	const struct slice *items;
	size_t count;
};

/* Zeroed; NULL and m->full when the arena is full. */
void *merging_take(struct merging *m, size_t count, size_t size);

struct settings_provider merging_provider(
    const struct merging *m, struct slice name);

/* Those that are named, else `otherwise`. */
struct names merging_names(struct merging *m,
    const struct telemetry_provider *items, size_t count,
    struct names otherwise);

/* The sides that a match is for. */
bool is_for_side(int mode, enum settings_side side);

/* The kind's resources of a namespace, the oldest first. */
void merging_list(struct merging *m, const struct resource_kind *kind,
    struct slice ns, struct rows *out);

void merge_tracing(struct merging *m);
void merge_logs(struct merging *m);
void merge_metrics(struct merging *m);
void merge_proxy(struct merging *m);
void merge_extensions(struct merging *m);

#endif
