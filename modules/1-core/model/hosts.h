/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosts — one spelling for each host, and which hosts a resource speaks of.
 *
 * Who wants to know what concerns whom asks here and needs to understand no
 * kind: a resource is about some hosts, and what is about those may lead on
 * to others.
 */
#ifndef MESHD_HOSTS_H
#define MESHD_HOSTS_H

#include "resource.h"

/* Bytes of a host as it is spelled here; twice what a name may have. */
enum { HOST_TEXT_MAX = 1024 };

/*
 * "reviews", "reviews.default", …: "reviews.default.svc.<domain>", with `ns`
 * for a name that has none. Any other host, and wildcards, in lower case and
 * without the last dot; "*.cluster.local", "*.<ns>.svc.cluster.local" are the
 * mesh's own. Lies in `out`. Empty if there is no room.
 */
struct slice host_spell(struct slice host, struct slice ns, struct slice domain,
    char out[HOST_TEXT_MAX]);

/* Two labels: "reviews.default", or "example.com". */
bool host_may_be_outside(struct slice host);

/* As host_spell(), but two labels stay as they are. */
struct slice host_spell_written(struct slice host, struct slice ns,
    struct slice domain, char out[HOST_TEXT_MAX]);

/*
 * The spellings under which a host may be looked for: of two labels that are
 * written, and a service's; else one. Returns how many.
 */
struct host_spellings {
	struct slice names[2]; /* in `texts` */
	char texts[2][HOST_TEXT_MAX];
};

size_t host_spellings(struct slice host, struct slice ns, struct slice domain,
    struct host_spellings *out);

/* "*" or "*.rest" */
bool host_is_pattern(struct slice host);

/* "*x.rest": a wildcard that is a part of a label, which no map finds. */
bool host_is_odd(struct slice host);

/*
 * What matches a host: itself, then "*.rest" from long to short, then "*". The
 * first call begins with `*at` 0; false after the last. Lies in `out`.
 */
bool host_next_pattern(struct slice host, size_t *at, char out[HOST_TEXT_MAX],
    struct slice *out_pattern);

enum host_part {
	HOST_ABOUT, /* the resource says something of it; maybe a pattern */
	HOST_REFERS /* traffic may go on to it; never a pattern */
};

/*
 * What is about no host is about one of these, which nobody's name is, since
 * no host has a slash:
 *
 *	HOST_MESH	MeshConfig; leads to the root namespace's space
 *	HOST_NETWORKS	Networks
 *	HOST_ALL	everything is, for who calls by addresses
 *	space/<ns>	what holds for the workloads of a namespace
 *	peers/<ns>	of that, what callers of its services have to know
 *	workload/<ns>, workload/<ns>/<key>=<value>	WorkloadEntries
 *	delegate/<ns>/<name>	a VirtualService without hosts
 *	gateway/, gateway/<key>=<value>	Gateways, by whom they select
 *	bound/<ns>/<name>	VirtualServices of a Gateway
 *	front/<ns>/<key>=<value>	Services, by what they select
 *	group/<ns>/<name>	a WorkloadGroup
 */
#define HOST_MESH "mesh/config"
#define HOST_NETWORKS "mesh/networks"
#define HOST_ALL "mesh/all"

struct slice host_space(struct slice ns, char out[HOST_TEXT_MAX]);

/* Gateways for those with this label; NULL: for all. Lies in `out`. */
struct slice host_gateway(const struct label *l, char out[HOST_TEXT_MAX]);
/* Services in front of a gateway with it. */
struct slice host_front(
    struct slice ns, const struct label *l, char out[HOST_TEXT_MAX]);
/* A WorkloadGroup, for who is a workload of it. */
struct slice host_group(
    struct slice ns, struct slice name, char out[HOST_TEXT_MAX]);
/* Of host_space(); false if it is none. */
bool host_is_space(struct slice host, struct slice *out_ns);

/*
 * What a host leads to by its name alone; false: nothing. A service's to its
 * namespace's peers; HOST_MESH, if nothing is about it (`bare`), to the root
 * namespace that a mesh has where no MeshConfig says it. Lies in `out`.
 */
bool host_leads_to(struct slice host, bool bare, struct slice domain,
    char out[HOST_TEXT_MAX], struct slice *out_next);

/*
 * Each host of the resource, in all its spellings; one that is named twice
 * comes twice. A Service is about its name, a DestinationRule about its host,
 * a VirtualService about its hosts, if it is for callers in the mesh, and
 * refers to its destinations' and to its delegates; a selector refers to
 * workloads, a Gateway to what is bound to it.
 */
void resource_each_host(const struct resource *r, struct slice domain,
    void (*each)(void *arg, enum host_part part, struct slice host), void *arg);

#endif
