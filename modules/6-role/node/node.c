/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node — opens and closes everything in order.
 *
 *	WAITING --token--> JOINING --granted--> RUNNING --close--> CLOSING
 *	   |  ^               |--refused--> WAITING                  ^
 *	   |  '---------------'                                      |
 *	   `------ a member from before --> RUNNING      any --------'
 *
 * WAITING: no membership. RUNNING: data plane, view, gossip and stream are
 * there, whether or not a server lives. CLOSING: they go, each says when.
 */
#define LOG_MODULE "node"

#include <ctype.h>
#include <unistd.h>

#include "inside.h"

enum {
	JOBS_QUEUE = 64,
	PARTS = 4 /* names, stream, gossip, plane */
};

static const struct sm_row node_rows[] = {
    [NODE_WAITING] = {"waiting",
	TO(NODE_JOINING) | TO(NODE_RUNNING) | TO(NODE_CLOSING)},
    [NODE_JOINING] = {"joining",
	TO(NODE_WAITING) | TO(NODE_RUNNING) | TO(NODE_CLOSING)},
    [NODE_RUNNING] = {"running", TO(NODE_CLOSING)},
    [NODE_CLOSING] = {"closing", 0},
};

const char *
node_state_name(enum node_state s)
{
	return node_rows[s].name;
}

int64_t
node_wall_ms(const struct node *n)
{
	return clock_wall_ms(loop_clock(n->loop));
}

/* --- membership ----------------------------------------------------------- */

static enum err
make_trust(struct node *n, struct fault *why)
{
	struct tls_root_set set = {
	    slice_str(n->member.bundle.trust_domain), n->member.bundle.roots};
	struct tls_trust *fresh;
	enum err err =
	    tls_trust_new(&set, 1, n->member.bundle.epoch, &fresh, why);

	if (err != OK)
		return err;
	tls_trust_unref(&n->trust);
	n->trust = fresh;
	return OK;
}

static enum err
write_member(const struct node *n, struct fault *why)
{
	AUTO(buf_fini) struct buf json = BUF_SECRET(WIRE_BODY_MAX);
	enum err err = wire_membership_encode(&n->member, &json);

	if (err != OK)
		err = fault_set(why, err, "%s", err_text(err));
	else
		err = state_write(
		    &n->state, STATE_MEMBERSHIP, buf_slice(&json), why);
	return err;
}

void
node_save_member(struct node *n)
{
	struct buf json = BUF_SECRET(WIRE_BODY_MAX);
	enum err err = wire_membership_encode(&n->member, &json);

	if (err == OK)
		state_write_later(&n->state, STATE_MEMBERSHIP, &json);
	else
		log_error("membership was not saved", "why=%s", err_text(err));
	buf_fini(&json);
}

static enum err
load_member(struct node *n, struct fault *why)
{
	AUTO(buf_fini) struct buf json = BUF_SECRET(WIRE_BODY_MAX);
	struct fault own = {0};
	enum err err = state_read(&n->state, STATE_MEMBERSHIP, &json, &own);

	if (err == ERR_NOT_FOUND)
		return OK;
	if (err == OK)
		err = wire_membership_decode(
		    buf_slice(&json), &n->member, NULL, &own);
	if (err == OK && n->member.server_count == 0)
		err = fault_set(&own, ERR_CORRUPT, "it names no server");
	if (err == OK)
		err = make_trust(n, &own);
	if (err != OK)
		return fault_set(why, err,
		    "%s/%s is not usable: %s; restore it, or remove it and "
		    "join anew",
		    n->state.dir, STATE_MEMBERSHIP, own.text);
	n->is_member = true;
	return OK;
}

void
node_set_bundle(struct node *n, struct wire_bundle *b)
{
	struct fault why = {0};

	wire_bundle_fini(&n->member.bundle);
	n->member.bundle = *b;
	*b = (struct wire_bundle){0};
	if (make_trust(n, &why) != OK)
		log_error("bundle is not used", "why=\"%s\"", why.text);
	node_save_member(n);
	peers_set_trust(n);
	plane_set_credentials(n);
}

void
node_identities_changed(struct node *n)
{
	plane_set_credentials(n);
	peers_offer(n);
	facts_refresh(n);
	publisher_touch(n);
}

void
node_revocations_changed(struct node *n)
{
	plane_set_credentials(n);
	publisher_touch(n);
}

/* --- running -------------------------------------------------------------- */

static void
want_identities(struct node *n)
{
	struct ca_wanted wanted[WIRE_WANTED_MAX];
	size_t count = exposed_wanted(n, wanted, WIRE_WANTED_MAX);

	upstreams_want_identities(n);
	for (size_t i = 0; i < count; i++)
		identities_want(n, wanted[i].ns, wanted[i].account);
}

static void
run(struct node *n)
{
	sm_go(&n->sm, NODE_RUNNING);
	log_info("member of the mesh", "node=%s trust_domain=%s network=%s",
	    n->member.name, n->member.bundle.trust_domain, n->member.network);
	plane_open(n);
	dns_open(n);
	publisher_open(n);
	health_open(n);
	revoked_open(n);
	peers_open(n);
	uplink_open(n);
	addresses_open(n);
	want_identities(n);
	plane_set_credentials(n);
	publisher_touch(n);
	uplink_start(n);
}

static void
tell(struct node *n, enum err e, const struct fault *why)
{
	if (n->told)
		return;
	n->told = true;
	if (n->on_ready != NULL)
		n->on_ready(n->arg, e, why);
}

void
node_published(struct node *n)
{
	/* Units that come after ours have their first call captured. */
	if (captured_restore(n))
		tell(n, OK, NULL);
}

/* --- joining -------------------------------------------------------------- */

static void
take_member(struct node *n, struct membership *m)
{
	membership_fini(&n->member);
	n->member = *m;
	m->bundle.roots = NULL; /* handed over */
}

static void
refresh(struct node *n)
{
	peers_set_trust(n);
	peers_set_keyring(n);
	peers_set_voucher(n);
	node_identities_changed(n);
	uplink_retry(n);
	uplink_start(n);
}

void
node_granted(struct node *n, struct membership *m, struct tls_chain *chain)
{
	struct fault why = {0};
	bool before = n->is_member;
	enum err err;

	take_member(n, m);
	err = make_trust(n, &why);
	if (err == OK)
		err = identities_set_node(n, chain, &why);
	if (err == OK && before)
		node_save_member(n); /* never before an older one's job */
	else if (err == OK)
		err = write_member(n, &why);
	if (err != OK) {
		node_refused(n, err, &why);
		return;
	}
	n->is_member = true;
	n->expiry_told = false;
	if (before)
		refresh(n);
	else
		run(n);
}

void
node_refused(struct node *n, enum err e, const struct fault *why)
{
	if (n->is_member) {
		struct fault words = *why;

		(void)fault_prefix(
		    &words, e, "the server does not take this node back: ");
		uplink_refused(n, &words);
		return;
	}
	log_error("joining failed", "why=\"%s\"", why->text);
	n->refusal = *why;
	sm_go(&n->sm, NODE_WAITING);
	tell(n, e, why);
}

void
node_reenrol(struct node *n)
{
	if (n->join != NULL || !sm_is(&n->sm, NODE_RUNNING))
		return;
	if (!n->expiry_told)
		log_warn("the node's certificate has expired; it enrols again "
			 "by its key",
		    "node=%s", n->member.name);
	n->expiry_told = true;
	join_begin(n, NULL);
}

void
node_retry(struct node *n)
{
	join_retry(n);
	identities_retry(n);
	uplink_retry(n);
	publisher_retry(n);
}

MUST_USE enum err
node_join(struct node *n, struct slice token, struct fault *why)
{
	struct ca_token t;
	enum err err;

	node_retry(n); /* perhaps that is what somebody waits for */
	if (n->is_member)
		return fault_set(why, ERR_EXISTS,
		    "this machine is node %s of %s already; leave first with: "
		    "meshd leave",
		    n->member.name, n->member.bundle.trust_domain);
	if (!sm_is(&n->sm, NODE_WAITING))
		return fault_set(why, ERR_BUSY, "this machine is %s already",
		    sm_name(&n->sm));
	err = ca_token_parse(token, CA_TOKEN_JOIN, &t, why);
	if (err != OK)
		return err;
	n->told = false;
	n->refusal = (struct fault){0};
	sm_go(&n->sm, NODE_JOINING);
	join_begin(n, &t);
	ca_token_fini(&t);
	return OK;
}

/* --- opening -------------------------------------------------------------- */

static void
on_start(void *arg)
{
	struct node *n;

	OBJ(n, arg, NODE_MAGIC);
	if (n->is_member) {
		if (n->has_token)
			log_info("the token is not used: this machine is a "
				 "member",
			    "node=%s", n->member.name);
		run(n);
	} else if (n->has_token) {
		sm_go(&n->sm, NODE_JOINING);
		join_begin(n, &n->token);
	} else {
		log_info("waits for a token", "hint=\"meshd join TOKEN\"");
	}
	ca_token_fini(&n->token);
}

static enum err
copy_label(struct slice from, const char *otherwise, char *out,
    const char *what, struct fault *why)
{
	struct slice s = from.len > 0 ? from : slice_str(otherwise);
	enum err err;

	if (s.len == 0)
		return OK;
	err = name_check_label(s, why);
	if (err != OK)
		return fault_prefix(why, err, "%s: ", what);
	return slice_to_cstr(s, out, NODE_LABEL_MAX);
}

/* The first label of the host's name, in lower case. */
static void
host_name(char out[NODE_LABEL_MAX])
{
	char name[NAME_HOST_MAX + 1] = "";
	size_t len = 0;

	if (gethostname(name, sizeof(name) - 1) != 0)
		name[0] = '\0'; /* refused in words by the caller's check */
	while (
	    len < NODE_LABEL_MAX - 1 && name[len] != '\0' && name[len] != '.') {
		out[len] = (char)tolower((unsigned char)name[len]);
		len++;
	}
	out[len] = '\0';
}

static enum err
copy_names(struct node *n, const struct node_spec *spec, struct fault *why)
{
	enum err err;

	err = copy_label(
	    spec->name, "", n->want_name, "the node's name, see --name", why);
	if (err == OK)
		err = copy_label(spec->network, "default", n->want_network,
		    "the network", why);
	if (err == OK)
		err = copy_label(
		    spec->ns, "default", n->ns, "the namespace", why);
	if (err == OK)
		err = copy_label(
		    spec->account, "", n->account, "the account", why);
	return err;
}

/* The host's name may be any once this machine is a member by another. */
static enum err
take_host_name(struct node *n, struct fault *why)
{
	char host[NODE_LABEL_MAX];

	if (n->is_member || n->want_name[0] != '\0')
		return OK;
	host_name(host);
	if (host[0] == '\0')
		return fault_set(why, ERR_INVALID,
		    "this machine has no host name; give it one with --name");
	return copy_label(slice_str(host), "", n->want_name,
	    "the node's name, see --name", why);
}

static enum err
copy_labels(struct node *n, const struct node_spec *spec, struct fault *why)
{
	struct label *items =
	    arena_alloc_array(&n->texts, spec->label_count + 1, sizeof(*items));
	enum err err = items != NULL && spec->label_count <= NODE_LABELS_MAX
			   ? OK
			   : ERR_LIMIT;

	for (size_t i = 0; err == OK && i < spec->label_count; i++) {
		const struct label *l = &spec->labels[i];

		err = l->key.len + l->value.len <= NODE_LABEL_BYTES_MAX
			  ? arena_copy(&n->texts, l->key, &items[i].key)
			  : ERR_LIMIT;
		if (err == OK)
			err = arena_copy(&n->texts, l->value, &items[i].value);
	}
	if (err != OK)
		return fault_set(why, err,
		    "a gateway has at most %d labels, each of %d bytes at most",
		    NODE_LABELS_MAX, NODE_LABEL_BYTES_MAX);
	n->labels = (struct labels){items, spec->label_count};
	return OK;
}

static struct addr
addr_or_any(const struct addr *asked, uint16_t port)
{
	return asked->family != ADDR_NONE ? *asked : net_any_addr(port);
}

static void
copy_addrs(struct node *n, const struct node_spec *spec)
{
	n->hbone = addr_or_any(&spec->hbone, VIEW_TUNNEL_PORT);
	n->gossip = addr_or_any(&spec->gossip, GOSSIP_PORT);
	addresses_take(n, spec->addrs, spec->addr_count);
}

static enum err
read_token(struct node *n, struct slice token, struct fault *why)
{
	enum err err;

	if (token.len == 0)
		return OK;
	n->has_token = true;
	if (n->is_member)
		return OK;
	err = ca_token_parse(token, CA_TOKEN_JOIN, &n->token, why);
	return err == OK ? OK : fault_prefix(why, err, "the token: ");
}

/* Name and network are the voucher's for as long as the membership lasts. */
static void
say_unused(const char *what, struct slice asked, const char *has)
{
	if (asked.len > 0 && !slice_eq(asked, slice_str(has)))
		log_warn("this stays as it was when this machine joined; to "
			 "change it, take it out first with: meshd leave",
		    "%s=%s asked=%.*s", what, has, SLICE_ARG(asked));
}

static enum err
open_parts(struct node *n, const struct node_spec *spec, struct fault *why)
{
	struct tls_config_spec tls = {
	    .role = TLS_CLIENT, .alpn = {"h2"}, .clock = loop_clock(n->loop)};
	enum err err = state_open(&n->state,
	    spec->state_dir != NULL ? spec->state_dir : NODE_STATE_DIR, why);

	if (err == OK)
		err = load_member(n, why);
	if (err == OK)
		err = take_host_name(n, why);
	if (err == OK && n->is_member) {
		say_unused("name", spec->name, n->member.name);
		say_unused("network", spec->network, n->member.network);
	}
	if (err == OK)
		err = read_token(n, spec->token, why);
	if (err == OK && tls_config_new(&tls, &n->client_tls) != OK)
		err = fault_set(why, ERR_TLS, "TLS could not be set up");
	if (err != OK)
		return err;
	n->jobs = jobs_new(/* threads */ 1, JOBS_QUEUE);
	state_save_with(&n->state, n->jobs, n->loop);
	identities_open(n);
	groups_open(n);
	settled_open(n);
	place_open(n, &spec->place);
	exposed_open(n);
	upstreams_open(n);
	captured_open(n, &spec->capture);
	units_open(n);
	return node_set_upstreams(
	    n, spec->upstreams, spec->upstream_count, why);
}

static void
node_free(struct node **np)
{
	struct node *n = *np;

	loop_later_cancel(&n->start);
	loop_later_cancel(&n->end);
	identities_close(n);
	exposed_close(n);
	groups_close(n);
	settled_close(n);
	place_close(n);
	upstreams_close(n);
	units_close(n);
	captured_close(n);
	revoked_close(n);
	state_save_no_more(&n->state);
	jobs_free(&n->jobs);
	tls_config_unref(&n->client_tls);
	tls_trust_unref(&n->trust);
	telemetry_lines_unref(&n->log.lines);
	membership_fini(&n->member);
	ca_token_fini(&n->token);
	state_close(&n->state);
	arena_fini(&n->texts);
	n->magic = 0;
	mem_free(np);
}

static void on_end(void *arg);

MUST_USE enum err
node_open(const struct node_spec *spec, struct node **out, struct fault *why)
{
	struct node *n = mem_new(sizeof(*n));
	enum err err;

	n->magic = NODE_MAGIC;
	n->loop = spec->loop;
	n->factory = spec->factory;
	n->on_ready = spec->on_ready;
	n->arg = spec->arg;
	n->log = spec->log;
	if (n->log.lines != NULL)
		(void)telemetry_lines_ref(n->log.lines);
	n->worker_count = spec->workers;
	n->began_us = loop_now_us(n->loop);
	sm_init(&n->sm, "node", 1, node_rows, ARRAY_LEN(node_rows),
	    NODE_WAITING, NULL, n);
	loop_later_init(&n->start, on_start, n);
	loop_later_init(&n->end, on_end, n);
	copy_addrs(n, spec);
	dns_keep(n, &spec->dns, &spec->wiring);
	n->proxy = spec->proxy;
	n->exec_checks = spec->exec_checks;
	arena_init(&n->texts, NODE_LABELS_MAX * 2 * NODE_LABEL_BYTES_MAX);
	err = copy_names(n, spec, why);
	if (err == OK)
		err = copy_labels(n, spec, why);
	if (err == OK)
		err = open_parts(n, spec, why);
	if (err != OK) {
		node_free(&n);
		return err;
	}
	loop_later(n->loop, &n->start);
	*out = n;
	return OK;
}

/* --- the end -------------------------------------------------------------- */

/* At a turn's end: nobody of the parts is further down the stack. */
static void
on_end(void *arg)
{
	struct node *n;
	void (*closed)(void *arg);

	OBJ(n, arg, NODE_MAGIC);
	if (!n->stopped) {
		n->stopped = true;
		dns_close(n);
		health_close(n);
		publisher_close(n);
		uplink_free(n);
		peers_free(n);
		plane_free(n);
		if (n->on_left != NULL) {
			exposed_forget(n);
			groups_forget(n);
			state_forget(&n->state);
			n->on_left(n->left_arg);
		}
	}
	if (n->on_closed == NULL)
		return;
	closed = n->on_closed;
	arg = n->closed_arg;
	node_free(&n);
	closed(arg);
}

void
node_part_closed(struct node *n)
{
	CHECK(n->closing > 0);
	if (--n->closing == 0)
		loop_later(n->loop, &n->end);
}

static void
stop(struct node *n, uint64_t drain_us)
{
	bool running = sm_is(&n->sm, NODE_RUNNING);

	if (sm_is(&n->sm, NODE_CLOSING)) {
		if (n->stopped)
			loop_later(n->loop, &n->end);
		return;
	}
	loop_later_cancel(&n->start);
	join_cancel(n);
	sm_go(&n->sm, NODE_CLOSING);
	if (!running) {
		loop_later(n->loop, &n->end);
		return;
	}
	units_stop(n);
	captured_stop(n);
	addresses_close(n);
	n->closing = PARTS;
	dns_unwire(n);
	peers_close(n);
	uplink_close(n);
	plane_close(n, drain_us);
}

void
node_close(
    struct node **np, uint64_t drain_us, void (*done)(void *arg), void *arg)
{
	struct node *n = *np;

	*np = NULL;
	n->on_closed = done;
	n->closed_arg = arg;
	stop(n, drain_us);
}

void
node_leave(struct node *n, void (*done)(void *arg), void *arg)
{
	n->on_left = done;
	n->left_arg = arg;
	stop(n, /* drain_us */ 0);
}
