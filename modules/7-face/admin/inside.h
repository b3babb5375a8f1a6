/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inside — what the handlers of the API share.
 */
#ifndef MESHD_ADMIN_INSIDE_H
#define MESHD_ADMIN_INSIDE_H

#include "codec/codec.h"
#include "http/http.h"
#include "model/model.h"

#include "admin.h"

enum { ADMIN_MAGIC = 0x61646d6e, ADMIN_LABELS_MAX = GOSSIP_LABELS_MAX };

struct ports;   /* what is open over TCP on this machine */
struct remote;  /* what is open to operators elsewhere */
struct install; /* what is open to machines that are to join */

struct admin {
	uint32_t magic;
	struct admin_spec spec;
	struct net_listener *listener; /* NULL once closed */
	struct http_server *http;
	char path[108]; /* sun_path's length */
	struct ports *ports;
	struct remote *remote;
	struct install *install;       /* NULL: off */
	struct http_exchange *joining; /* waits for admin_joined() */
	struct http_exchange *leaving;
	bool told;    /* on_open was called */
	bool bound;   /* the socket in the file system is ours */
	bool closing; /* freed with the listener's end */
};

/* One connection's peer, first in whatever a listener keeps of it. */
struct admin_peer {
	struct admin *admin;
	struct server_actor actor;
	bool is_here; /* a user of this machine, at the socket */
};

/* The ports of the spec; ports_close() NULLs *pp. */
struct ports *ports_open(struct admin *a);
void ports_close(struct ports **pp);
/* Those that are taken. */
void ports_each_problem(const struct ports *ps,
    void (*each)(void *arg, const struct node_problem *p), void *arg);

/* Ends in admin_open_socket() or admin_tell(); remote_close() NULLs *rp. */
struct remote *remote_open(struct admin *a);
void remote_close(struct remote **rp);
uint16_t remote_port(const struct remote *r); /* 0 for NULL */

/* What is opened last: whoever gets an answer there finds the rest open. */
void admin_open_socket(struct admin *a);

/* Calls on_open, once. The owner may close the API inside. */
void admin_tell(struct admin *a, enum err e, const struct fault *why);

/* Of one machine: it has one IPv4 address, but a whole /64 of IPv6. */
bool admin_is_near(const struct addr *a, const struct addr *b);

/* A stream between its making and the server that takes it. */
extern const struct stream_events admin_early;

/* Finds who answers, and lets it. */
void admin_dispatch(struct admin *a, struct http_exchange *x);

/* A handler answers the exchange, now or later. */
typedef void (*admin_handler)(struct admin *a, struct http_exchange *x);

struct admin_route {
	const char *method;
	const char *path;
	enum ca_role needs; /* nobody with less gets to the handler */
	admin_handler handle;
};

/*
 * Of both roles. Of a server: configuration, what it was, and the mesh. Of an
 * agent.
 */
extern const struct admin_route admin_process_routes[];
extern const size_t admin_process_route_count;
extern const struct admin_route admin_service_routes[];
extern const size_t admin_service_route_count;
extern const struct admin_route admin_proxy_routes[];
extern const size_t admin_proxy_route_count;
extern const struct admin_route admin_config_routes[];
extern const size_t admin_config_route_count;
extern const struct admin_route admin_past_routes[];
extern const size_t admin_past_route_count;
extern const struct admin_route admin_mesh_routes[];
extern const size_t admin_mesh_route_count;
extern const struct admin_route admin_agent_routes[];
extern const size_t admin_agent_route_count;
extern const struct admin_route admin_capture_routes[];
extern const size_t admin_capture_route_count;
extern const struct admin_route admin_run_routes[];
extern const size_t admin_run_route_count;
extern const struct admin_route admin_flow_routes[];
extern const size_t admin_flow_route_count;

/* Programs that call as accounts of their own, under "programs". */
void admin_put_runs(
    const struct admin *a, struct arena *arena, struct value **m);

/* What /v1/expose is asked; borrows. In words, if it is none. */
MUST_USE enum err admin_read_expose(const struct value *body,
    struct label labels[ADMIN_LABELS_MAX], struct node_expose *out,
    struct fault *why);

/* Of a server: its agents under this key, and what they refuse. */
void admin_put_agents(const struct admin *a, struct arena *arena,
    struct slice key, struct value **m);

const struct server_actor *admin_actor(struct http_exchange *x);

/* 200 and the tree; NULL (arena full) becomes 500. */
void admin_answer(struct http_exchange *x, const struct value *v);

/* {"code","message","hint"}, and the status. */
void admin_refuse_decision(
    struct http_exchange *x, const struct ca_decision *d);

/* The status that fits the code, and {"code","message"}. */
void admin_refuse(struct http_exchange *x, enum err e, const struct fault *why);

/* The same with a tree of the handler's, for more than a sentence. */
void admin_answer_status(
    struct http_exchange *x, unsigned status, const struct value *v);
unsigned admin_status_of(enum err e);

/* The same, or {} if it is OK; the exchange is its argument. */
void admin_done(void *exchange, enum err e, const struct fault *why);

/* What came of a change of configuration; the exchange is its argument. */
void admin_applied(void *arg, const struct server_apply_result *r);

/* {"group", "kind", "namespace", "name"}; what is missing is empty. */
struct resource_key admin_key(const struct value *v);

/* ?dryRun=true, ?blast=true; neither: to change it. */
enum server_intent admin_intent(struct http_exchange *x);

/* A query parameter, or SLICE_NONE; whether it is "true". */
bool admin_is_set(struct http_exchange *x, struct slice name);
struct slice admin_param(struct http_exchange *x, struct slice name);

/* {"items": list} */
void admin_answer_items(struct http_exchange *x, struct value *list);

/* The body as a tree; answers by itself and returns NULL if it is none. */
const struct value *admin_body(struct http_exchange *x);

/* --- building answers: a failure sticks to the map as NULL ------------------
 */

struct value *json_map(struct arena *a);
struct value *json_list(struct arena *a);

/* Text is copied and made UTF-8. All do nothing if `m` is NULL. */
void json_text(
    struct arena *a, struct value **m, struct slice key, struct slice text);
void json_number(
    struct arena *a, struct value **m, struct slice key, int64_t n);
void json_bool(struct arena *a, struct value **m, struct slice key, bool b);
void json_put(struct value **m, struct slice key, struct value *v);
void json_push(struct value **list, struct value *v);

#endif
