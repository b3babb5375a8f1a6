/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exposed — what this machine offers, checked against its voucher.
 */
#define LOG_MODULE "node"

#include "discovery/discovery.h"

#include "exposed.h"

enum { SERVICE_BYTES_MAX = 64 << 10 };

static void
service_free(struct service **sp)
{
	if (*sp == NULL)
		return;
	resource_unref(&(*sp)->check);
	arena_fini(&(*sp)->arena);
	mem_free(sp);
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

enum err
exposed_put(struct exposed *x, const struct node_expose *e, struct fault *why)
{
	struct service *s = NULL;
	size_t at = 0;
	bool is_there;
	enum err err = exposed_legal(e, why);

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

void
exposed_open(struct node *n)
{
	n->exposed = mem_new(sizeof(*n->exposed));
	exposed_load(n);
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
	struct node_expose full = exposed_complete(e);
	size_t before = n->exposed->count;
	enum err err;

	if (n->is_member && !is_granted(n, &full))
		return not_granted(n, &full, why);
	err = health_may_check(n, e->check, why);
	if (err == OK)
		err = exposed_put(n->exposed, &full, why);
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
		struct node_expose full = exposed_complete(&list[i]);
		struct fault why = {0};

		full.by = by;
		if (exposed_put(x, &full, &why) == OK)
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
	enum err err = exposed_legal_label("namespace", ns, why);

	if (err == OK)
		err = exposed_legal_label("account", account, why);
	if (err == OK && n->is_member && !is_granted(n, &e))
		err = not_granted(n, &e, why);
	return err;
}

enum err
exposed_check_all(
    const struct node *n, const struct node_expose *e, struct fault *why)
{
	const struct node_expose full = exposed_complete(e);
	struct resource *check = NULL;
	enum err err = exposed_legal(&full, why);

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
