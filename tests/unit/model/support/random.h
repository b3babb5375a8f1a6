/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random — resources made at random, out of few names, so that they meet.
 */
#ifndef MESHD_TEST_RANDOM_H
#define MESHD_TEST_RANDOM_H

#include "model/model.h"

/*
 * One of any kind that a view looks at; valid, maybe with the key of another
 * one that was made before. The caller's to unref.
 */
struct resource *random_resource(struct rng *rng);

/*
 * A VirtualService with rules for requests, or of an even `head` a
 * DestinationRule; of one head they have the same key, and are about the same
 * hosts and subsets for the same callers.
 */
struct resource *random_again(struct rng *rng, uint64_t head);

/* A policy, or another kind that is not about routes; of one head they have the
 * same key. The head is not 0. */
struct resource *random_own(struct rng *rng, uint64_t head);

/* A PeerAuthentication, which mostly turns mutual TLS off somewhere; of one
 * head with one key. */
struct resource *random_peers(struct rng *rng, uint64_t head);

/* The MeshConfig, mostly with what no row of the mesh is made of. */
struct resource *random_mesh(struct rng *rng);

/* The Network "far", or of an odd `head` "near". */
struct resource *random_network(struct rng *rng, uint64_t head);

/* A WorkloadEntry, of one head with one key. */
struct resource *random_workload(struct rng *rng, uint64_t head);

/* A Service or a ServiceEntry; of one head with one key, mostly of the same
 * hosts and ports. */
struct resource *random_service(struct rng *rng, uint64_t head);

/* The same, mostly such that is called at its endpoints. */
struct resource *random_headless(struct rng *rng, uint64_t head);

/* A VirtualService with rules for connections, of one head with one key and
 * mostly of the same hosts. */
struct resource *random_wired(struct rng *rng, uint64_t head);

/* A VirtualService for one host, which a service may have; of one head with one
 * key and for the same host. */
struct resource *random_named(struct rng *rng, uint64_t head);

/* A VirtualService for several hosts, which services may have or not; of one
 * head with one key and for the same hosts. */
struct resource *random_hosts(struct rng *rng, uint64_t head);

/* A ServiceEntry that is resolved by names if 3 is what `head` leaves of 4,
 * else what is said of such; of one head with one key, for the same of two
 * hosts, which a quarter of the head says. */
struct resource *random_resolved(struct rng *rng, uint64_t head);

/* A VirtualService with delegates, or of an even `head` one that others may
 * name as theirs; of one head with one key, and of the same hosts. */
struct resource *random_delegation(struct rng *rng, uint64_t head);

/* A Sidecar with listeners of several kinds; of one head with one key, and for
 * the same workloads. */
struct resource *random_scoping(struct rng *rng, uint64_t head);

/* The Gateway "web" of a namespace, shop or pay; and a VirtualService for them,
 * of one head with one key. */
struct resource *random_door(struct rng *rng, const char *ns);
struct resource *random_bound(struct rng *rng, uint64_t head);

/* A Gateway, mostly for gateways here, that shares ports with others; and a
 * VirtualService for some of them, of one head mostly of the same hosts. Each
 * has one key of one head. */
struct resource *random_gate(struct rng *rng, uint64_t head);
struct resource *random_passed(struct rng *rng, uint64_t head);

/* A Service that mostly stands before gateways; a WorkloadGroup that says what
 * does; and a Gateway that mostly is AUTO_PASSTHROUGH, or names Services. */
struct resource *random_front(struct rng *rng, uint64_t head);
struct resource *random_group(struct rng *rng, uint64_t head);
struct resource *random_passing(struct rng *rng, uint64_t head);

/* Some places of callers, gateways too; `in` has room for no other inputs. */
void random_place(struct rng *rng, struct view_input *in);

/* What it exposes, of which there may be none. */
void random_exposed(struct rng *rng, struct view_input *in);

/* Some of what a machine says of itself: addresses, upstreams, exposed ports.
 */
void random_machine(struct rng *rng, struct view_input *in);

#endif
