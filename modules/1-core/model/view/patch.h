/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch — what the steps that make a patch have in common, see patch.c.
 *
 *	patch_changes.c   which resources are others than the base's
 *	patch_records.c   which services nobody wrote are others
 *	patch_servings.c  ─► who serves which
 *	patch_headless.c  ─► services that are called where their endpoints are
 *	patch_services.c  ─► Services and ServiceEntries, and who names them
 *	patch_naming.c    ─► who names these
 *	patch_sidecars.c  ─► and which listeners of Sidecars have them
 *	patch_policies.c  ─► services that obey another DestinationRule
 *	patch_delegates.c ─► VirtualServices whose delegates are others
 *	patch_owners.c    ─► hosts about which another VirtualService may decide
 *	patch_rules.c     ─► their routes
 *	patch_sets.c      ─► and those of names that no service has
 *	patch_gateways.c  ─► what gateways are made of
 *	patch_doors.c     ─► what they listen to
 *	patch_virtual_hosts.c ► and whose requests they take
 *	patch_connections.c ► services that other rules for connections name
 *	patch_workloads.c ─► services that choose other WorkloadEntries
 *	patch_service.c   ─► clusters of services with other endpoints or rules
 *	patch_arrivals.c  ─► clusters and virtual hosts of other services
 *	patch_front.c     ─► listeners of these (patch_outbound.c)
 *	patch_peers.c     ─► those that are called in plain text, or no more
 *	patch_networks.c  ─► those that have endpoints in other networks
 *	patch_mesh.c      ─► whether another MeshConfig is none for the rows
 *	patch_own.c       ─► what is said of workloads of this machine
 *	patch_here.c      ─► and which are served here
 *	patch_lists.c     ─► the lists
 */
#ifndef MESHD_VIEW_PATCH_H
#define MESHD_VIEW_PATCH_H

#include "inside.h"

enum {
	RENEWALS_MAX = 64,
	DUE_MAX = 1000, /* more services are as well made from nothing */
	WEB_PORT = 80
};

/* Which hosts a VirtualService is about and leads to; struct slice. */
struct named {
	struct rows hosts, led_to;
};

/* A patch while it is made. */
struct patching {
	struct builder b; /* the base's, but for what is filled */
	const struct view *base;
	const struct view *before;
	const struct view_input *in;
	struct arena arena; /* until it is made */
	struct renewal items[RENEWALS_MAX];
	struct {
		struct slice old, fresh;
	} hosts[RENEWALS_MAX]; /* of DestinationRules, of each of them */
	size_t count;
	size_t next_cluster, next_host; /* see free_slot() */
	struct rows
	    records; /* struct resource, a reference: see find_records() */
	struct rule_index rules[RULES_COUNT];
	struct rows ruled; /* struct ruled */
	struct map moved; /* hosts about which others may decide → anything */
	bool rules_anew;  /* those for requests: what others say moved */
	struct map services; /* host → struct service_now */
	struct map rewired;  /* host → struct service_row: the base's */
	struct rows changed; /* struct slice: hosts that have, or had in the
			      * view before alone, another service than there */
	struct named named[RENEWALS_MAX]; /* by each of them, if it is a rule */
	bool anew[RENEWALS_MAX]; /* their boxes of before are of no use */
	bool keeps_doors;        /* of a gateway, as they were */
	/* PeerAuthentications that are others than in the base, and those that
	 * are others than in the view before; struct resource. */
	bool other_peers;
	struct rows moved_peers;
	/* Any of them, or of the rest, turns mutual TLS off, or did: then what
	 * was said before is looked up here. */
	bool disarms;
	struct builder of_before;
	/* What is served here is another than in the base, or than in the view
	 * before. */
	bool is_here, moves_here;
	/* Networks that are others than in the view before, struct resource;
	 * rows of those that are others than in the base, if any is. */
	struct rows moved_networks, new_networks;
	bool other_networks;
	uint64_t offered; /* to whom: of servings that are others */
};

/* What is made goes there from now on, and no more. */
struct box *open_box(struct builder *b);
void enter_box(struct patching *p, struct box *box);
void leave_box(struct patching *p);
struct box *box_ref(struct box *box);
void box_unref(struct box **bp);

/* Does the box at hand have all that it should? */
bool is_done(const struct builder *b);

/* --- services that nobody wrote (patch_records.c) ------------------------- */

extern const struct resource_kind kind_record;

/* Those that are others: behind find_changes(). False: too many, or such that
 * more follows from them. */
MUST_USE bool find_records(struct patching *p);
void forget_records(struct patching *p);

/* Its row, without endpoints; into the box at hand. */
void add_record_again(struct builder *b, const struct resource *r);

/* --- whom records tell of (servings.c, patch_servings.c) ------------------ */

/* Those of the view before, whose slots stay theirs. */
void share_servings(struct view *v, const struct view *before);

/* To be written, while the view is made. */
struct serving_state *own_serving(struct view *v, size_t slot);

/* For so many slots, and so many of the input. */
struct places *places_new(size_t slots, size_t servings);
void place_serving(struct places *p, size_t place, size_t slot);
void places_unref(struct places **pp);

/* The greatest version of all; 0: nobody knows. */
uint64_t newest_serving(const struct view_input *in);

/* Which of the input is of which slot; false: too many came. */
MUST_USE bool find_servings(struct patching *p);

/* By slot, those that are others than in the view before; before any of these
 * is made. And is the one of a row another than in `of`, the base or this view?
 */
void mark_other_servings(const struct patching *p, bool *due);
bool is_served_otherwise(const struct patching *p, const struct view *of,
    const struct service_row *s);

/* Does the input list the same services and servings as for the view before? */
bool has_same_lists(const struct patching *p);

/* If it does: is any of them, or any name, another? */
bool has_other_servings(const struct patching *p);

/* NULL: it is not there, or none. */
const struct view_serving *serving_at(const struct patching *p, size_t slot);

/* The number of now of a slot. */
uint64_t version_now(const struct patching *p, size_t slot);

/* Its clusters are those of the base, or of a row that is gone. */
void forget_serving(struct patching *p, size_t slot);

/* The first slot that is due from there on; the count: none is. */
size_t next_due(const struct patching *p, const bool *due, size_t slot);

/* Clusters with the endpoints of now; false: more follows from them. */
MUST_USE bool patch_servings(struct patching *p);

/* --- what is another one (patch_changes.c) -------------------------------- */

/* False: too many, or such that more follows from them. */
MUST_USE bool find_changes(struct patching *p);

/* Is it the pattern, or ends as that does? */
bool host_is_within(struct slice host, struct slice pattern);

/* One more; either may be NULL. False: too many. */
MUST_USE bool add_change(struct patching *p, const struct resource *old,
    const struct resource *fresh);

/* The one of both that is there, and its kind. */
const struct resource *any_of(const struct renewal *r);
const struct resource_kind *kind_of(const struct renewal *r);

/* By key; for rows of pointers. */
int compare_resources(const void *a, const void *b);

bool is_all_the_same(const struct patching *p);

/* What hangs on a resource of the base is made anew as well. False: that would
 * be too many. */
MUST_USE bool renew_too(struct patching *p, const struct resource *r);

/* The same of the view before; NULL: it had none. */
const struct renewal *renewal_before(
    const struct patching *p, const struct renewal *r);

/* The other way round. */
bool is_still_there(const struct patching *p, const struct renewal *r);

/* Is what is known of names what it was for the view before? */
bool has_same_names(const struct patching *p);

/* Is any of the kind another than in the base? */
bool has_any_of(const struct patching *p, const struct resource_kind *kind);

/* Those of the kind that are others than in the view before, as they were and
 * as they are. */
void list_moved(const struct patching *p, const struct resource_kind *kind,
    struct rows *out);

/* May another VirtualService decide about any host than in the base? */
bool is_moving(const struct patching *p);

/* Does anything move that did not before, or the other way round? */
bool moves_anew(const struct patching *p);

/* --- delegates (patch_delegates.c) ---------------------------------------- */

bool is_delegate(const struct resource *r); /* it has no hosts */

/* What names those that are others is made anew. False: that is too many. */
MUST_USE bool find_delegated(struct patching *p);

/* Its rules for requests in the base. */
const struct http_rules *rules_before(
    struct patching *p, const struct resource *old);

/* Into the box at hand. */
void report_delegates_of(struct patching *p, const struct renewal *r);

/* --- services (patch_services.c) ------------------------------------------ */

bool is_about_services(const struct renewal *r);

/* Its hosts, which a Service or what records tell of has one of. */
size_t count_hosts(const struct resource *r);
struct slice service_host(
    struct builder *b, const struct resource *r, size_t i);

/* Those that are others, and who names them; false: more follows from them. */
MUST_USE bool find_services(struct patching *p);

/* After all that is another is known: which are made anew, and which rules. */
MUST_USE bool decide_services(struct patching *p);

/* Is it of a host that has, or had in the view before, another one? */
bool is_changed_service(const struct builder *b, const struct service_row *s);
bool names_changed(const struct patching *p, struct slice pattern);

/* Is it what is written there, in the namespace (patch_services.c)? */
bool is_spelled(struct builder *b, struct slice written, struct slice ns,
    struct slice host);

bool is_named_listener_for(struct patching *p, struct slice host);

/* Does who knows the host find its service where it was? */
bool is_there_as_before(struct patching *p, const struct service_now *now);

/* Is any VirtualService or DestinationRule another than in the view before? */
bool has_other_rules(const struct patching *p);

/* Of where names of its services lead. */
uint64_t names_of_box(const struct view_input *in, const struct box *box);

void forget_services(struct patching *p);

/* Rows without clusters and hosts; in a box (patch_arrivals.c). */
struct box *make_services(struct patching *p, size_t item);
MUST_USE bool fill_clusters(struct patching *p, size_t item);
MUST_USE bool fill_hosts(struct patching *p, size_t item);
void list_hosts_now(struct patching *p);

/* Listeners, and the names that they need (patch_front.c). */
MUST_USE bool patch_front(struct patching *p);

/* --- which listeners have them (patch_sidecars.c) ------------------------- */

/* Is the VirtualService one for any listener of the scope at hand, or of any?
 */
bool is_obeyed_here(struct builder *b, const struct resource *r);
bool is_obeyed_anywhere(const struct builder *b, const struct resource *r);

/* Where a service has a virtual host. */
struct host_place {
	struct egress *egress;
	const struct port_row *port;
};

/* All of the scope at hand, in their order; as many as are told. */
size_t host_places(
    struct builder *b, const struct service_row *s, struct host_place **out);
bool has_host_place(struct builder *b, const struct service_row *s,
    const struct egress *e, uint16_t port);

/* Have the same listeners of all scopes both, and is it seen from the same? */
bool is_had_alike(struct patching *p, const struct service_row *x,
    const struct service_row *y);

/* Is all of it that rules of the egress at hand may lead to there without them?
 */
bool is_imported_whole(const struct builder *b, const struct service_row *s,
    const struct import *i);

/* Is nothing of it there only because rules lead to it, nor, if it is called
 * elsewhere now, of what rules for it lead on to? After list_named(). */
bool is_led_to_whole(
    struct patching *p, const struct service_now *now, struct slice host);

/* --- who names them (patch_naming.c) -------------------------------------- */

/* What each VirtualService that is another names, before and now. */
void list_named(struct patching *p);
bool is_among_hosts(const struct rows *hosts, struct slice host);
bool names_host(const struct named *n, struct slice host);

/* Is any for the host that is another than in the base? */
bool is_ruled_now(const struct patching *p, struct slice host);

/* Those of the base that are for the host, in one scope; and all, that lead to
 * it, too. Is any for it? False: that would be too many. */
MUST_USE bool renew_owners(struct patching *p, const struct scope *s,
    struct slice host, bool *is_ruled);
MUST_USE bool renew_rules_for(
    struct patching *p, struct slice host, bool *is_ruled);
MUST_USE bool renew_policies_for(struct patching *p, struct slice host);

/* --- what hangs on DestinationRules (patch_policies.c) -------------------- */

/* False: more follows from them. */
MUST_USE bool find_ruled(struct patching *p);
MUST_USE bool patch_policies(struct patching *p, size_t item);

/* May the box of before stay? */
bool keeps_policies(const struct patching *p, size_t item);

/* Are routes to what they rule the same (patch_hashes.c)? */
bool balance_alike(
    const struct merged_rule *old, const struct merged_rule *now);

/* After the last step. */
void forget_ruled(struct patching *p);

/* What holds now where that held; the same if no other does. */
const struct merged_rule *rule_now(
    const struct service_row *s, const struct merged_rule *old);

/* --- who decides about hosts (patch_owners.c) ----------------------------- */

/* False: more follows from VirtualServices that are others. */
MUST_USE bool find_moved(struct patching *p);

/* Does any that moves name a service that is another than in the view before,
 * beside other hosts? */
bool shifts_anew(struct patching *p);

struct slice host_at(struct builder *b, const struct resource *r, size_t i);

/* In the scope at hand: may others decide about it, and who does; NULL: none.
 */
bool is_moved(const struct patching *p, struct slice host);

/* All that name the host, the first to be asked first, in the scope and the
 * egress at hand. */
void find_rulings(struct patching *p, struct slice host, struct rows *out);
const struct resource *owner_of_port(
    struct patching *p, struct slice host, uint16_t port);

/* In every scope. */
void report_all_conflicts(struct patching *p, const struct resource *r);

/* --- hosts that only they know (patch_sets.c) ----------------------------- */

/* Who has what was the old one's, and is no service; NULL: nobody. False: not
 * known. */
MUST_USE bool find_bare_owner(struct patching *p, const struct renewal *r,
    const struct host_row *h, const struct resource **out);

/* Those of its hosts that the base has not. */
MUST_USE bool add_bare_hosts(struct patching *p, const struct resource *r);

/* Is a row of the base there no more? After those who decide about it. */
bool is_dropped(const struct view *v, const struct view_host *h);

/* Does anybody listen yet where they are? Where a view is made there is no set
 * else. After all listeners. */
MUST_USE bool keeps_sets(const struct patching *p);

/* For who looks for a host of any port; after those of services. */
void list_bare_hosts(struct patching *p);

/* --- rules for connections (patch_connections.c) -------------------------- */

/* After all that is another is known: which services these name; false: more
 * follows from them. */
MUST_USE bool find_rewired(struct patching *p);

/* By nobody's rule, nor by listeners that tell all that they hide once more
 * where they are made again (patch_outbound.c). */
bool is_told_of_itself(const struct teller *t);

/* Their virtual hosts, into the box at hand; then for who looks for them. */
MUST_USE bool fill_rewired(struct patching *p);
void list_rewired(struct patching *p);

/* --- what hangs on VirtualServices (patch_rules.c) ------------------------ */

/* Nobody here knows it by its hosts. */
bool is_nothing(const struct builder *b, const struct resource *r);

/* Is its host one that it has before, in another spelling? */
bool is_named_before(struct builder *b, const struct resource *r, size_t at);

/* In the place of the row. */
void stand_at(struct builder *b, const struct host_row *h);

/* Is it there without rules for requests, too? */
bool is_kept_cluster(const struct view_cluster *c);

/* Does whoever decided before do so now? */
bool is_alike(struct patching *p, const struct renewal *r);

/* Is this one of the tellers? NULL: nobody. */
bool is_told_by(const struct teller *t, const struct resource *owner);

/* Is anything told of it but by its owner? That names its revision. */
bool is_told_of(const struct patching *p, const struct resource *r);

/* False: more follows from it. */
MUST_USE bool patch_rules(struct patching *p, size_t item);

/* --- gateways (patch_gateways.c) ------------------------------------------ */

/* Nobody inside the mesh knows it. */
bool is_for_gateways(const struct resource *r);

/* Is it a base's that leads to a gateway here by where its endpoints are? */
bool is_served_at_gateway(
    const struct patching *p, const struct service_row *s);

/* The rules of one of the base, if it is the same now; else NULL. */
const struct http_rules *rules_of_base(
    const struct patching *p, const struct resource *r);

/* That of before, if all in it would be the same; what is another is known. */
void keep_doors(struct patching *p);

/* After all that requests are led to; false: more follows from it. */
MUST_USE bool patch_gateways(struct patching *p);

/* --- their ports (patch_doors.c) ------------------------------------------ */

struct served_port;

/* A VirtualService that Gateways may have; a Gateway. */
bool is_bound(const struct resource *r);
bool is_door_kind(const struct resource *r);

/* Is a Gateway another that is for this machine? A service that leads to it?
 * Is either so? */
bool has_other_doors(struct patching *p);
bool has_other_targets(struct patching *p);
bool merges_anew(struct patching *p);

/* Has it a server that is AUTO_PASSTHROUGH? Is any service another, or has it
 * other subsets? */
bool passes_on_alone(const struct served_port *port);
bool has_other_clusters(const struct patching *p);

/* Into the box at hand. False: more follows from it. */
MUST_USE bool fill_doors(struct patching *p);

/* Is it a box's that tells it, if it is still so? */
bool tells_doors(const struct view *v, uint32_t door);

/* --- their virtual hosts (patch_virtual_hosts.c) -------------------------- */

struct gateway_set;
struct bindings;

/* Of a set of the base, whose servers now (struct served) have the same rows;
 * into the box at hand. */
MUST_USE bool patch_gateway_set(struct patching *p,
    const struct gateway_set *set, const struct rows *servers,
    const struct bindings *g);

/* All that it has in the base is gone. */
void drop_gateway_set(struct patching *p, const struct gateway_set *set);

/* --- what hangs on WorkloadEntries (patch_workloads.c) -------------------- */

bool is_patched_workload(const struct view *base, const struct resource *r);

/* Those of now beside the base's, for who chooses; once. */
void list_workloads(struct patching *p);

/* Services that choose another one than in the view before, by `serving`. */
void mark_selecting(struct patching *p, bool *due);

/* To whom the serving is offered, and was: it is another than before. */
void note_offers(struct patching *p, size_t slot);

/* --- what hangs on Networks (patch_networks.c) -----------------------------
 */

/* From now on those of now are looked at; false: more follows from them. */
MUST_USE bool find_networks(struct patching *p);
void forget_networks(struct patching *p);

/* Services with endpoints in one that is another than in the view before, by
 * `serving`; false: too many. */
MUST_USE bool mark_in_networks(struct patching *p, bool *due);

/* Does a gateway of any Network go by the name? */
bool is_named_as_gateway(struct patching *p, struct slice host);

/* --- MeshConfig (patch_mesh.c) -------------------------------------------- */

/* Is any of them another one? */
bool has_other_mesh(const struct renewal *all, size_t count);

/* Does it say the same of all that rows are made of which are not renewed for
 * it? */
bool is_mesh_alike(struct patching *p);

/* --- what hangs on PeerAuthentications (patch_peers.c) -------------------- */

/* From now on those of now are asked. */
void find_peers(struct patching *p);
void forget_peers(struct patching *p);

/* Services of which any endpoint is called in plain text now and was not in
 * the view before, or the other way round, by `serving`; false: too many. */
MUST_USE bool mark_disarmed(struct patching *p, bool *due);

/* --- what hangs on endpoints (patch_service.c) ---------------------------- */

/* Into the box at hand; `from` is NULL where names lead elsewhere. False: more
 * follows from it. */
MUST_USE bool patch_service(
    struct builder *b, struct service_row *s, const struct view_serving *from);

/* The row once more, with the endpoints of now; `from` may be NULL. False: it
 * is full. */
MUST_USE bool read_again(struct builder *b, const struct service_row *s,
    const struct view_serving *from, struct service_row *out);

/* Does anybody call it? */
bool has_clusters(const struct service_row *s);

/* Its clusters are those of the base again. */
void reset_service(struct patching *p, const struct service_row *s);

/* --- services without an address (patch_headless.c) ----------------------- */

/* Those of the base whose endpoints are elsewhere are renewed. False: too many.
 */
MUST_USE bool find_headless(struct patching *p);

/* Are those of a box others than in the view before? */
bool is_headless_touched(const struct patching *p, const struct service_row *s);

/* Are the endpoints of the row where those of its ports of now are? */
bool has_same_places(const struct service_row *s, const struct port_row *fresh);

/* Never 0 (patch_service.c). */
uint64_t address_hash(const struct addr *a, uint16_t port);

/* --- what is served here (patch_here.c) ----------------------------------- */

/* After services and servings that are others are known: is it another? False:
 * more follows from it. */
MUST_USE bool find_here(struct patching *p);

/* Once their endpoints are known. */
bool is_here_as_before(struct patching *p);

/* Into the box at hand. */
void fill_here(struct patching *p);

/* Is it the box's that tells it, if it is still so? */
bool tells_here(const struct view *v, uint32_t door);

/* --- workloads of this machine (patch_own.c) ------------------------------ */

/* May there be a patch where it is another? */
bool is_patched(const struct view *base, const struct resource *r);

/* Is any resource another that is found by who asks for it? The same ones as
 * in the view before? */
bool has_own(const struct patching *p);
bool is_own_as_before(const struct patching *p);

/* Those of now, without kinds that have rows of their own; into `out`. */
void list_resources(const struct patching *p, struct rows *out);

/* Into the box at hand. */
void fill_own(struct patching *p);

/* Slots of the base have its rows again, until others take them (patch.c). */
void give_back(struct patching *p, const struct box *box);

/* In the place of the base's. */
void use_own(struct view *v);

/* Is it the box that tells it, if it is still so? */
bool tells_own(const struct view *v, const struct view_problem *problem);

/* --- the lists (patch_lists.c) -------------------------------------------- */

/* A place for one that the base has not, if it is put there; later it may be
 * another's. What is before `next` was asked for already. */
size_t free_slot(
    const struct pages *all, const struct pages *of_base, size_t *next);

/* What stays is in its slot; before others are given away. */
void begin_hosts(struct patching *p);

/* One more, into the box at hand. */
void put_more_host(struct patching *p, struct more_host *h);

/* False: there may be problems that nobody wrote down. */
MUST_USE bool put_lists(struct patching *p);

#endif
