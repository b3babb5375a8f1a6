/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exposed — what this machine offers, checked against its voucher, kept on
 * the disk.
 */
#define LOG_MODULE "node"

#include "codec/codec.h"
#include "discovery/discovery.h"

#include "inside.h"

enum {
	SERVICE_BYTES_MAX = 64 << 10,
	FILE_ARENA_MAX = 64 << 20,
	WEIGHT_DEFAULT = 100,
	LABEL_TEXT_MAX = 255
};

struct service {
	struct node_expose what; /* complete; text in the arena */
	struct arena arena;
	struct resource *check; /* a HealthCheckPolicy of its own, or NULL */
	uint64_t since;         /* the first view with it; 0: none yet */
};

struct exposed {
	struct service *items[NODE_EXPOSED_MAX]; /* by namespace, name, port */
	size_t count;
	uint64_t version; /* another one where services are */
};

static void
service_free(struct service **sp)
{
	if (*sp == NULL)
		return;
	resource_unref(&(*sp)->check);
	arena_fini(&(*sp)->arena);
	mem_free(sp);
}

/* --- is it legal? --------------------------------------------------------- */

static enum err
check_label(const char *what, struct slice s, struct fault *why)
{
	enum err err = name_check_label(s, why);

	return err == OK ? OK : fault_prefix(why, err, "%s: ", what);
}

static enum err
check_protocol(struct slice p, struct fault *why)
{
	static const char *const known[] = {
	    "tcp", "http", "http2", "grpc", "grpc-web"};
	struct nearest near;
	char text[NEAREST_TEXT_MAX];

	nearest_init(&near, p);
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (slice_eq(p, slice_str(known[i])))
			return OK;
		nearest_offer(&near, known[i]);
	}
	if (slice_eq(p, S("udp")))
		return fault_set(
		    why, ERR_UNSUPPORTED, "protocol udp is not supported yet");
	return fault_set(why, ERR_INVALID,
	    "protocol %.*s is not one of tcp, http, http2, grpc, grpc-web%s",
	    SLICE_ARG(p), nearest_text(&near, text));
}

static enum err
check_labels(const struct node_expose *e, struct fault *why)
{
	if (e->label_count >= GOSSIP_LABELS_MAX)
		return fault_set(why, ERR_LIMIT,
		    "a service may have at most %d labels",
		    GOSSIP_LABELS_MAX - 1);
	for (size_t i = 0; i < e->label_count; i++) {
		const struct label *l = &e->labels[i];

		if (l->key.len == 0 || l->key.len > LABEL_TEXT_MAX ||
		    l->value.len > LABEL_TEXT_MAX || !slice_is_utf8(l->key) ||
		    !slice_is_utf8(l->value))
			return fault_set(why, ERR_INVALID,
			    "label %zu is not key=value of at most %d bytes "
			    "each",
			    i + 1, LABEL_TEXT_MAX);
	}
	return OK;
}

static enum err
check_service(const struct node_expose *e, struct fault *why)
{
	enum err err = check_label("service name", e->name, why);

	if (err == OK)
		err = check_label("namespace", e->ns, why);
	if (err == OK)
		err = check_label("account", e->account, why);
	if (err == OK)
		err = check_protocol(e->protocol, why);
	if (err == OK)
		err = check_labels(e, why);
	if (err == OK && e->target.port == 0)
		err = fault_set(why, ERR_INVALID,
		    "the target has no port, e.g.: meshd expose web 8080");
	return err;
}

/* What was left out, filled in. */
static struct node_expose
complete(const struct node_expose *e)
{
	struct node_expose out = *e;

	if (out.ns.len == 0)
		out.ns = S("default");
	if (out.account.len == 0)
		out.account = S("default");
	if (out.protocol.len == 0)
		out.protocol = S("tcp");
	if (out.target.family == ADDR_NONE)
		out.target = (struct addr){.family = ADDR_V4,
		    .bytes = {127, 0, 0, 1},
		    .port = e->target.port};
	if (out.port == 0)
		out.port = out.target.port;
	if (out.weight == 0)
		out.weight = WEIGHT_DEFAULT;
	return out;
}

/* --- the list ------------------------------------------------------------- */

static int
service_cmp(const struct node_expose *a, const struct node_expose *b)
{
	int n = slice_cmp(a->ns, b->ns);

	if (n == 0)
		n = slice_cmp(a->name, b->name);
	return n != 0 ? n : (int)a->port - (int)b->port;
}

static enum err
copy_labels(struct service *s, const struct node_expose *from, struct slice app)
{
	bool has_app = false;
	struct label *l =
	    arena_alloc_array(&s->arena, from->label_count + 1, sizeof(*l));
	enum err err = l != NULL ? OK : ERR_NO_MEMORY;
	size_t count = from->label_count;

	for (size_t i = 0; err == OK && i < count; i++) {
		has_app |= slice_eq(from->labels[i].key, S("app"));
		err = arena_copy(&s->arena, from->labels[i].key, &l[i].key);
		if (err == OK)
			err = arena_copy(
			    &s->arena, from->labels[i].value, &l[i].value);
	}
	if (err != OK)
		return err;
	if (!has_app)
		l[count++] = (struct label){S("app"), app};
	s->what.labels = l;
	s->what.label_count = count;
	return OK;
}

static enum err
copy_texts(struct service *s, const struct node_expose *e)
{
	enum err err;

	s->what = *e;
	s->what.check = NULL; /* s->check has it */
	arena_init(&s->arena, SERVICE_BYTES_MAX);
	err = arena_copy(&s->arena, e->name, &s->what.name);
	if (err == OK)
		err = arena_copy(&s->arena, e->origin, &s->what.origin);
	if (err == OK)
		err = arena_copy(&s->arena, e->leaves, &s->what.leaves);
	if (err == OK)
		err = arena_copy(&s->arena, e->ns, &s->what.ns);
	if (err == OK)
		err = arena_copy(&s->arena, e->account, &s->what.account);
	if (err == OK)
		err = arena_copy(&s->arena, e->protocol, &s->what.protocol);
	return err == OK ? copy_labels(s, e, s->what.name) : err;
}

static enum err
service_new(
    const struct node_expose *e, struct service **out, struct fault *why)
{
	AUTO(service_free) struct service *s = mem_new(sizeof(*s));

	if (copy_texts(s, e) != OK)
		return fault_set(
		    why, ERR_LIMIT, "the service's texts are too long");
	if (e->check != NULL) {
		enum err err = health_read_check(e, &s->check, why);

		if (err != OK)
			return err;
	}
	*out = TAKE(s);
	return OK;
}

static void
remove_at(struct exposed *x, size_t at)
{
	service_free(&x->items[at]);
	x->version++;
	x->count--;
	memmove(&x->items[at], &x->items[at + 1],
	    (x->count - at) * sizeof(x->items[0]));
}

/* A call names address and port only: a port belongs to one service. */
static enum err
check_port(
    const struct exposed *x, const struct node_expose *e, struct fault *why)
{
	for (size_t i = 0; i < x->count; i++) {
		const struct node_expose *other = &x->items[i]->what;

		if (other->port == e->port && service_cmp(other, e) != 0)
			return fault_set(why, ERR_EXISTS,
			    "port %u is exposed as %.*s.%.*s already; choose "
			    "another port for callers, e.g.: meshd expose "
			    "%.*s PORT:%u",
			    (unsigned)e->port, SLICE_ARG(other->name),
			    SLICE_ARG(other->ns), SLICE_ARG(e->name),
			    (unsigned)e->target.port);
	}
	return OK;
}

/* Who says it first has it: no other way changes it behind that one's back. */
static enum err
not_ours(const struct node_expose *e, struct fault *why)
{
	if (e->by == NODE_BY_COMMAND)
		return fault_set(why, ERR_EXISTS,
		    "%.*s.%.*s:%u is exposed by command already; see: meshd "
		    "unexpose",
		    SLICE_ARG(e->name), SLICE_ARG(e->ns), (unsigned)e->port);
	return fault_set(why, ERR_EXISTS,
	    "%.*s.%.*s:%u is exposed by %.*s; change it there",
	    SLICE_ARG(e->name), SLICE_ARG(e->ns), (unsigned)e->port,
	    SLICE_ARG(e->origin));
}

/* What is exposed as long as a program lives is that program's. */
static enum err
already_there(const struct node_expose *e, const struct node_expose *other,
    struct fault *why)
{
	return fault_set(why, ERR_EXISTS, "%.*s.%.*s:%u is exposed already, %s",
	    SLICE_ARG(e->name), SLICE_ARG(e->ns), (unsigned)e->port,
	    other->is_passing
		? "as long as a program lives that meshd run or a unit began"
		: "for good; take that back with: meshd unexpose");
}

static enum err
put(struct exposed *x, const struct node_expose *e, struct fault *why)
{
	struct service *s = NULL;
	size_t at = 0;
	bool is_there;
	enum err err = check_service(e, why);

	if (err == OK)
		err = check_port(x, e, why);
	if (err != OK)
		return err;
	while (at < x->count && service_cmp(&x->items[at]->what, e) < 0)
		at++;
	is_there = at < x->count && service_cmp(&x->items[at]->what, e) == 0;
	if (is_there && (e->is_passing || x->items[at]->what.is_passing))
		return already_there(e, &x->items[at]->what, why);
	if (is_there && x->items[at]->what.by != e->by)
		return not_ours(&x->items[at]->what, why);
	if (!is_there && x->count == NODE_EXPOSED_MAX)
		return fault_set(why, ERR_LIMIT,
		    "a node may offer at most %d services", NODE_EXPOSED_MAX);
	err = service_new(e, &s, why);
	if (err != OK)
		return err;
	if (is_there) { /* until the next view that one is served */
		s->since = x->items[at]->since;
		remove_at(x, at);
	}
	memmove(&x->items[at + 1], &x->items[at],
	    (x->count - at) * sizeof(x->items[0]));
	x->items[at] = s;
	x->count++;
	x->version++;
	return OK;
}

/* --- the file ------------------------------------------------------------- */

static enum err
set_item(struct value *map, struct slice key, struct value *item)
{
	return item != NULL ? value_set(map, key, item) : ERR_NO_MEMORY;
}

static struct value *
labels_value(const struct node_expose *e, struct arena *a)
{
	struct value *map = value_new(a, VALUE_MAP);

	for (size_t i = 0; map != NULL && i < e->label_count; i++)
		if (set_item(map, e->labels[i].key,
			value_new_string(a, e->labels[i].value)) != OK)
			return NULL;
	return map;
}

static struct value *
addr_value(const struct addr *addr, struct arena *a)
{
	char text[ADDR_TEXT_MAX];
	struct slice copy;

	return arena_copy(a, slice_str(addr_format(addr, text)), &copy) == OK
		   ? value_new_string(a, copy)
		   : NULL;
}

/* A tree that lies in the resource and in the arena. */
static enum err
set_check(struct value *v, const struct service *s, struct arena *a)
{
	struct value *doc;

	if (s->check == NULL)
		return OK;
	doc = resource_encode(s->check, RESOURCE_AS_WRITTEN, a);
	return doc == NULL ? ERR_NO_MEMORY
			   : set_item(v, S("check"),
				 value_share(value_get(doc, S("spec")), a));
}

static struct value *
service_value(const struct service *s, struct arena *a)
{
	const struct node_expose *e = &s->what;
	struct value *v = value_new(a, VALUE_MAP);

	if (v == NULL ||
	    set_item(v, S("name"), value_new_string(a, e->name)) != OK ||
	    set_item(v, S("namespace"), value_new_string(a, e->ns)) != OK ||
	    set_item(v, S("account"), value_new_string(a, e->account)) != OK ||
	    set_item(v, S("protocol"), value_new_string(a, e->protocol)) !=
		OK ||
	    set_item(v, S("port"), value_new_int(a, e->port)) != OK ||
	    set_item(v, S("weight"), value_new_int(a, e->weight)) != OK ||
	    set_item(v, S("target"), addr_value(&e->target, a)) != OK ||
	    set_item(v, S("labels"), labels_value(e, a)) != OK ||
	    set_check(v, s, a) != OK)
		return NULL;
	return v;
}

static enum err
encode(const struct node *n, struct buf *out)
{
	const struct exposed *x = n->exposed;
	AUTO(arena_fini) struct arena a = {0};
	struct value *root, *list;
	enum err err;

	arena_init(&a, FILE_ARENA_MAX);
	root = value_new(&a, VALUE_MAP);
	list = value_new(&a, VALUE_LIST);
	if (root == NULL)
		return ERR_NO_MEMORY;
	err = set_item(root, S("services"), list);
	for (size_t i = 0; err == OK && i < x->count; i++)
		if (x->items[i]->what.by == NODE_BY_COMMAND &&
		    !x->items[i]->what.is_passing)
			err =
			    value_append(list, service_value(x->items[i], &a));
	if (err == OK)
		err = set_item(root, S("groups"), groups_encode(n, &a));
	return err != OK ? err : codec_json_emit_pretty(root, out);
}

enum err
exposed_save(const struct node *n, struct fault *why)
{
	AUTO(buf_fini) struct buf text = BUF(STATE_FILE_MAX);
	enum err err = encode(n, &text);

	if (err != OK)
		return fault_set(
		    why, err, "the list of services: %s", err_text(err));
	return state_write(&n->state, STATE_EXPOSED, buf_slice(&text), why);
}

static uint16_t
read_number(const struct value *v, struct slice key)
{
	const struct value *n = value_get(v, key);

	if (n == NULL || n->type != VALUE_INT || n->integer < 0 ||
	    n->integer > UINT16_MAX)
		return 0;
	return (uint16_t)n->integer;
}

void
exposed_decode(const struct value *v, struct label labels[GOSSIP_LABELS_MAX],
    struct node_expose *out)
{
	*out = (struct node_expose){
	    .name = value_get_string(v, S("name"), SLICE_NONE),
	    .ns = value_get_string(v, S("namespace"), SLICE_NONE),
	    .account = value_get_string(v, S("account"), SLICE_NONE),
	    .protocol = value_get_string(v, S("protocol"), SLICE_NONE),
	    .port = read_number(v, S("port")),
	    .weight = read_number(v, S("weight")),
	    .labels = labels,
	    .check = value_get(v, S("check"))};

	VALUE_EACH(value_get(v, S("labels")), it)
	if (it->type == VALUE_STRING &&
	    out->label_count < GOSSIP_LABELS_MAX - 1)
		labels[out->label_count++] =
		    (struct label){it->key, it->string};
	if (addr_parse(value_get_string(v, S("target"), SLICE_NONE),
		&out->target) != OK)
		out->target.port = 0; /* refused with words below */
}

static void
load_one(struct exposed *x, const struct value *v)
{
	struct label labels[GOSSIP_LABELS_MAX];
	struct fault why = {0};
	struct node_expose e;

	exposed_decode(v, labels, &e);
	e = complete(&e);
	if (put(x, &e, &why) != OK)
		log_warn("exposed service is left out", "why=\"%s\"", why.text);
}

static void
load(struct node *n)
{
	AUTO(buf_fini) struct buf text = BUF(STATE_FILE_MAX);
	AUTO(arena_fini) struct arena a = {0};
	const struct value *root;
	struct fault why = {0};
	enum err err = state_read(&n->state, STATE_EXPOSED, &text, &why);

	arena_init(&a, FILE_ARENA_MAX);
	if (err == ERR_NOT_FOUND)
		return;
	if (err == OK)
		err = codec_json_parse(buf_slice(&text), &a, &root, &why);
	if (err != OK) {
		log_error(
		    "exposed services are not known", "why=\"%s\"", why.text);
		return;
	}
	VALUE_EACH(value_get(root, S("services")), it)
	load_one(n->exposed, it);
	groups_load(n, value_get(root, S("groups")));
}

void
exposed_open(struct node *n)
{
	n->exposed = mem_new(sizeof(*n->exposed));
	load(n);
}

void
exposed_forget(struct node *n)
{
	while (n->exposed->count > 0)
		remove_at(n->exposed, n->exposed->count - 1);
}

void
exposed_close(struct node *n)
{
	if (n->exposed == NULL)
		return;
	exposed_forget(n);
	mem_free(&n->exposed);
}

/* --- may it be announced? ------------------------------------------------- */

static bool
is_granted(const struct node *n, const struct node_expose *e)
{
	struct gossip_voucher v;

	return gossip_voucher_parse(
		   slice_of(n->member.voucher, n->member.voucher_len), &v) ==
		   OK &&
	       gossip_voucher_grants(&v, e->ns, e->account);
}

/* Empty: it may. */
static struct slice
waits_for(const struct node *n, const struct node_expose *e)
{
	if (!n->is_member)
		return S("this machine has not joined a mesh");
	if (!is_granted(n, e))
		return S("its namespace or account was not granted to this "
			 "machine");
	if (!identities_have(n, e->ns, e->account))
		return identities_problem(n, e->ns, e->account);
	return SLICE_NONE;
}

/* Who is told of it may call at once. */
static bool
is_in_force(const struct node *n, const struct service *s)
{
	return s->since != 0 && s->since <= publisher_generation(n);
}

void
exposed_compiled(struct node *n, uint64_t generation)
{
	struct exposed *x = n->exposed;

	for (size_t i = 0; i < x->count; i++) {
		struct service *s = x->items[i];

		if (waits_for(n, &s->what).len > 0)
			s->since = 0;
		else if (s->since == 0)
			s->since = generation;
	}
}

/* All that may be, or those of them that are in force. */
static size_t
list_locals(const struct node *n, bool all, struct arena *arena,
    const struct discovery_local **out)
{
	const struct exposed *x = n->exposed;
	struct discovery_local *l =
	    arena_alloc_array(arena, MAX(x->count, 1), sizeof(*l));
	size_t count = 0;

	for (size_t i = 0; l != NULL && i < x->count; i++) {
		const struct node_expose *e = &x->items[i]->what;

		if (waits_for(n, e).len > 0 ||
		    (!all && !is_in_force(n, x->items[i])))
			continue;
		l[count++] = (struct discovery_local){.name = e->name,
		    .ns = e->ns,
		    .account = e->account,
		    .protocol = e->protocol,
		    .labels = {e->labels, e->label_count},
		    .port = e->port,
		    .weight = e->weight,
		    .target = e->target,
		    .unhealthy = health_why_not(n, e, arena)};
	}
	*out = l;
	return count;
}

size_t
exposed_locals(const struct node *n, struct arena *arena,
    const struct discovery_local **out)
{
	return list_locals(n, /* all */ true, arena, out);
}

size_t
exposed_offers(const struct node *n, struct arena *arena,
    const struct discovery_local **out)
{
	return list_locals(n, /* all */ false, arena, out);
}

size_t
exposed_wanted(const struct node *n, struct ca_wanted *out, size_t max)
{
	const struct exposed *x = n->exposed;
	size_t count = 0;

	for (size_t i = 0; i < x->count && count < max; i++) {
		const struct node_expose *e = &x->items[i]->what;
		size_t j = 0;

		while (j < count && !(slice_eq(out[j].ns, e->ns) &&
					slice_eq(out[j].account, e->account)))
			j++;
		if (j == count)
			out[count++] = (struct ca_wanted){e->ns, e->account};
	}
	return count;
}

size_t
exposed_count(const struct node *n)
{
	return n->exposed->count;
}

uint64_t
exposed_version(const struct node *n)
{
	return n->exposed->version;
}

struct exposed_check
exposed_check(const struct node *n, size_t index)
{
	const struct service *s = n->exposed->items[index];

	return (struct exposed_check){
	    .what = &s->what, .own = s->check, .serves = is_in_force(n, s)};
}

/* --- the local API -------------------------------------------------------- */

static enum err
not_granted(
    const struct node *n, const struct node_expose *e, struct fault *why)
{
	struct slice bytes = slice_of(n->member.voucher, n->member.voucher_len);
	struct gossip_voucher v;

	if (gossip_voucher_parse(bytes, &v) != OK)
		return fault_set(why, ERR_DENIED,
		    "this machine's voucher is not readable; it may offer "
		    "services again once it has reached a server");
	return fault_set(why, ERR_DENIED,
	    "this machine may not offer services in namespace %.*s as account "
	    "%.*s: its join token granted namespaces \"%.*s\" and accounts "
	    "\"%.*s\"; join with a token made with: meshd token create "
	    "--namespaces %.*s --accounts %.*s",
	    SLICE_ARG(e->ns), SLICE_ARG(e->account), SLICE_ARG(v.namespaces),
	    SLICE_ARG(v.accounts), SLICE_ARG(e->ns), SLICE_ARG(e->account));
}

enum err
exposed_not_kept(enum err err, struct fault *why)
{
	return fault_prefix(why, err,
	    "it is so until the agent starts again, for it was not saved: ");
}

/* Who is new, and was not saved, is refused whole. */
static void
take_back(struct exposed *x, const struct node_expose *e)
{
	for (size_t i = x->count; i-- > 0;)
		if (service_cmp(&x->items[i]->what, e) == 0)
			remove_at(x, i);
}

MUST_USE enum err
node_expose(struct node *n, const struct node_expose *e, struct fault *why)
{
	struct node_expose full = complete(e);
	size_t before = n->exposed->count;
	enum err err;

	if (n->is_member && !is_granted(n, &full))
		return not_granted(n, &full, why);
	err = health_may_check(n, e->check, why);
	if (err == OK)
		err = put(n->exposed, &full, why);
	if (err != OK)
		return err;
	err = exposed_save(n, why);
	if (err != OK && n->exposed->count > before) {
		take_back(n->exposed, &full);
		return err;
	}
	if (err != OK)
		err = exposed_not_kept(err, why);
	identities_want(n, full.ns, full.account);
	node_identities_changed(n);
	return err;
}

MUST_USE enum err
node_unexpose(struct node *n, struct slice name, struct slice ns, uint16_t port,
    struct fault *why)
{
	struct exposed *x = n->exposed;
	struct fault other = {0};
	size_t before = x->count;
	enum err err;

	if (ns.len == 0)
		ns = S("default");
	for (size_t i = x->count; i-- > 0;) {
		const struct node_expose *e = &x->items[i]->what;

		if (!slice_eq(e->name, name) || !slice_eq(e->ns, ns) ||
		    (port != 0 && e->port != port))
			continue;
		if (e->by == NODE_BY_COMMAND)
			remove_at(x, i);
		else
			(void)not_ours(e, &other); /* its words */
	}
	if (x->count == before && other.text[0] != '\0')
		return fault_set(why, ERR_EXISTS, "%s", other.text);
	if (x->count == before)
		return fault_set(why, ERR_NOT_FOUND,
		    "%.*s.%.*s is not exposed here; see: meshd status",
		    SLICE_ARG(name), SLICE_ARG(ns));
	err = exposed_save(n, why);
	if (err != OK)
		err = exposed_not_kept(err, why);
	node_identities_changed(n);
	return err;
}

/* Of one that is not granted a server would be asked in vain. */
static void
want_identity(struct node *n, const struct node_expose *e)
{
	if (is_granted(n, e))
		identities_want(n, e->ns, e->account);
}

static bool
is_listed(
    const struct node_expose *list, size_t count, const struct node_expose *e)
{
	for (size_t i = 0; i < count; i++)
		if (service_cmp(&list[i], e) == 0)
			return true;
	return false;
}

bool
exposed_set(struct node *n, enum node_exposer by,
    const struct node_expose *list, size_t count, exposed_refused_cb refused,
    void *arg)
{
	struct exposed *x = n->exposed;
	uint64_t before = x->version;

	for (size_t i = x->count; i-- > 0;)
		if (x->items[i]->what.by == by &&
		    !is_listed(list, count, &x->items[i]->what))
			remove_at(x, i);
	for (size_t i = 0; i < count; i++) {
		struct node_expose full = complete(&list[i]);
		struct fault why = {0};

		full.by = by;
		if (put(x, &full, &why) == OK)
			want_identity(n, &full);
		else
			refused(arg, &list[i], &why);
	}
	return x->version != before;
}

enum err
node_may_be(const struct node *n, struct slice ns, struct slice account,
    struct fault *why)
{
	const struct node_expose e = {.ns = ns, .account = account};
	enum err err = check_label("namespace", ns, why);

	if (err == OK)
		err = check_label("account", account, why);
	if (err == OK && n->is_member && !is_granted(n, &e))
		err = not_granted(n, &e, why);
	return err;
}

enum err
exposed_check_all(
    const struct node *n, const struct node_expose *e, struct fault *why)
{
	const struct node_expose full = complete(e);
	struct resource *check = NULL;
	enum err err = check_service(&full, why);

	if (err == OK && n->is_member && !is_granted(n, &full))
		err = not_granted(n, &full, why);
	if (err == OK)
		err = health_may_check(n, e->check, why);
	if (err == OK && e->check != NULL)
		err = health_read_check(&full, &check, why);
	resource_unref(&check);
	return err;
}

void
exposed_end(struct node *n, struct slice name, struct slice ns, uint16_t port)
{
	struct exposed *x = n->exposed;

	for (size_t i = x->count; i-- > 0;) {
		const struct node_expose *e = &x->items[i]->what;

		if (e->is_passing && slice_eq(e->name, name) &&
		    slice_eq(e->ns, ns) && e->port == port)
			remove_at(x, i);
	}
	node_identities_changed(n);
}

void
node_each_exposed(const struct node *n,
    void (*each)(void *arg, const struct node_exposed *e), void *arg)
{
	for (size_t i = 0; i < n->exposed->count; i++) {
		const struct node_expose *e = &n->exposed->items[i]->what;
		struct node_exposed row = {
		    .what = e, .waits_for = waits_for(n, e)};

		if (row.waits_for.len == 0 &&
		    !is_in_force(n, n->exposed->items[i]))
			row.waits_for = S("it is about to be in force");
		if (e->leaves.len > 0)
			row.waits_for = e->leaves;
		row.announced = row.waits_for.len == 0;
		health_fill(n, &row);
		each(arg, &row);
	}
	groups_each_waiting(n, each, arg);
}
