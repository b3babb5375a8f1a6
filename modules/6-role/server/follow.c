/* SPDX-License-Identifier: Apache-2.0 */
/*
 * follow — the server keeps to what a folder holds.
 *
 *	IDLE --something happens--> SETTLING --quiet--> READING (a job)
 *	  | ^                                             ^ |
 *	  | |                                  a look ----' | all of it is right
 *	  | `------ the same, or a mistake ---------------. v
 *	  `-- a look, now and then                      APPLYING (the store)
 *
 * IDLE: nothing is under way; now and then the files' times are looked at,
 * for where the kernel tells nothing. SETTLING: waits until nobody writes.
 * The watches are renewed before each reading, so that a folder that is
 * replaced, or comes back, is watched again.
 */
#define LOG_MODULE "server"

#include "base/base.h"
#include "loop/loop.h"
#include "store/store.h"

#include "call.h"
#include "folder.h"
#include "follow.h"
#include "notice.h"

#include <inttypes.h>
#include <stdio.h>

enum { FOLLOW_MAGIC = 0x666f6c6c };

enum {
	SETTLE_US = 200000,      /* of quiet before it is read */
	SETTLE_MAX_US = 2000000, /* then it is read all the same */
	LOOK_US = 10000000,      /* between looks at the files' times */
	LOOK_BLIND_US = 1000000, /* the same where nothing is told */
	JOBS_QUEUE = 2,
	FOLLOW_TREE_BYTES = 32 * LIMIT_RESOURCE_BYTES
};

enum state { FOLLOW_IDLE, FOLLOW_SETTLING, FOLLOW_READING, FOLLOW_APPLYING };

static const struct sm_row rows[] = {
    [FOLLOW_IDLE] = {"idle", TO(FOLLOW_SETTLING) | TO(FOLLOW_READING)},
    [FOLLOW_SETTLING] = {"settling", TO(FOLLOW_READING)},
    [FOLLOW_READING] = {"reading", TO(FOLLOW_APPLYING) | TO(FOLLOW_IDLE)},
    [FOLLOW_APPLYING] = {"applying", TO(FOLLOW_IDLE)},
};

struct follow {
	uint32_t magic;
	struct server *server;
	const char *dir;
	struct sm sm;
	struct notice *notice;
	struct jobs *jobs;
	struct timer settle;
	struct timer look;
	uint64_t since_us; /* that something happens without a pause */
	bool more;         /* happened since it is being read */
	bool closing;
	struct server_actor actor;

	/* While READING and APPLYING. */
	struct folder folder;
	uint64_t only_if_not; /* a look: this fingerprint needs no reading */
	bool is_same;

	/* What came of it the last time. */
	bool known;
	uint8_t digest[CRYPTO_SHA256_LEN];
	uint64_t fingerprint;
	bool again; /* the files are right, but something was in the way */
	struct server_folder status;
	struct faults errors;
	char why[FAULT_TEXT_MAX];
};

static void settle(struct follow *f);

/* --- what came of it -------------------------------------------------------
 */

/* Nothing is under way. */
static void
follow_free(struct follow *f)
{
	struct server *s = f->server;

	jobs_free(&f->jobs);
	faults_fini(&f->errors);
	f->magic = 0;
	mem_free(&f);
	server_part_gone(s, PART_FOLLOW);
}

static void
end_turn(struct follow *f)
{
	folder_fini(&f->folder);
	f->folder = (struct folder){.path = f->dir};
	sm_go(&f->sm, FOLLOW_IDLE);
	if (f->closing) {
		follow_free(f);
		return;
	}
	timer_set(
	    &f->look, notice_is_blind(f->notice) ? LOOK_BLIND_US : LOOK_US);
	if (!f->more)
		return;
	f->more = false;
	settle(f);
}

static void
remember(struct follow *f, bool again)
{
	f->known = true;
	f->again = again;
	f->fingerprint = f->folder.fingerprint;
	memcpy(f->digest, f->folder.files.digest, sizeof(f->digest));
}

/* Once for each change, and when the reason is another. */
static void
refuse(struct follow *f, const struct fault *why, const struct faults *errors,
    bool again)
{
	bool is_news =
	    !f->known || strcmp(f->why, why->text) != 0 ||
	    memcmp(f->digest, f->folder.files.digest, sizeof(f->digest)) != 0;
	char first[FAULT_TEXT_MAX + FAULT_FIELD_MAX + FAULT_FILE_MAX] = "";

	(void)snprintf(f->why, sizeof(f->why), "%s", why->text);
	faults_fini(&f->errors);
	for (size_t i = 0; errors != NULL && i < errors->count; i++)
		faults_add(&f->errors, &errors->items[i]);
	f->status.state = SERVER_FOLDER_REFUSED;
	remember(f, again);
	if (!is_news)
		return;
	if (f->errors.count > 0)
		fault_format(&f->errors.items[0], first, sizeof(first));
	log_error("the folder of configuration is refused",
	    "dir=%s why=\"%s\" errors=%zu first=\"%s\"", f->dir, why->text,
	    f->errors.count, first);
}

static void
accept(struct follow *f, const struct server_apply_result *r)
{
	size_t changed = 0;

	for (size_t i = 0; i < r->count; i++)
		changed += strcmp(r->changes[i].outcome,
			       store_outcome_name(STORE_UNCHANGED)) != 0;
	f->why[0] = '\0';
	faults_fini(&f->errors);
	f->status.state = SERVER_FOLDER_IN_FORCE;
	f->status.revision = r->revision;
	f->status.since_ms = server_now_ms(f->server);
	f->status.resources = f->folder.count;
	remember(f, /* again */ false);
	log_info("the folder of configuration is in force",
	    "dir=%s resources=%zu changed=%zu revision=%" PRIu64, f->dir,
	    f->folder.count, changed, r->revision);
}

static void
add_objection(const struct map *index, const struct analysis_finding *o,
    struct faults *errors)
{
	const struct files_doc *doc = files_find(index, &o->key);
	char name[RESOURCE_KEY_MAX];
	struct fault why = {0};

	(void)fault_set(&why, ERR_INVALID, "%s: %s",
	    resource_key_format(&o->key, name), o->message);
	if (doc != NULL)
		fault_at(&why, doc->file,
		    value_line(doc->root, slice_str(o->field)), 0);
	fault_in(&why, o->field);
	why.id = o->code->id;
	faults_add(errors, &why);
}

/* Its own mistakes, and those that it would bring beside the rest. */
static void
refuse_applied(struct follow *f, const struct server_apply_result *r)
{
	struct faults errors = {0};
	struct map index;

	files_index(&f->folder.files, S("default"), &index);
	for (size_t i = 0; i < r->found->errors.count; i++)
		faults_add(&errors, &r->found->errors.items[i]);
	for (size_t i = 0; i < r->analysis->count && i < FAULTS_MAX; i++)
		if (analysis_objects(&r->analysis->items[i]))
			add_objection(&index, &r->analysis->items[i], &errors);
	map_fini(&index, NULL);
	refuse(f, r->why, &errors, /* again */ true);
	faults_fini(&errors);
}

static void
on_applied(void *arg, const struct server_apply_result *r)
{
	struct follow *f;

	OBJ(f, arg, FOLLOW_MAGIC);
	if (r->err == OK)
		accept(f, r);
	else
		refuse_applied(f, r);
	end_turn(f);
}

/* --- one mutation ----------------------------------------------------------
 */

/* What others brought is theirs, unless it is the same to the letter. */
static enum err
check_owner(
    struct call *c, const struct resource *r, const struct resource *old)
{
	char text[RESOURCE_KEY_MAX];
	struct fault why = {0};
	AUTO(arena_fini) struct arena a;

	arena_init(&a, FOLLOW_TREE_BYTES);
	a.secret = r->kind->sealed;
	if (call_is_same(r, old, &a))
		return OK;
	(void)fault_set(&why, ERR_CONFLICT,
	    "%s is there already, and another, from somebody else; take it "
	    "out of the folder, or `meshd delete` the other",
	    resource_key_format(&r->key, text));
	fault_at(&why, arena_printf(&c->arena, "%.*s", SLICE_ARG(r->file)).ptr,
	    r->line, 0);
	faults_add(&c->found.errors, &why);
	return ERR_CONFLICT;
}

static enum err
put(struct follow *f, struct call *c, struct resource *r)
{
	const struct resource *old = cache_find(&f->server->cache, &r->key);
	char text[CACHE_KEY_MAX];
	int64_t expected =
	    old != NULL ? (int64_t)old->revision : STORE_EXPECT_ABSENT;

	if (old != NULL &&
	    !owned_has(&f->server->owned, cache_key_text(&r->key, text))) {
		enum err e = check_owner(c, r, old);

		if (e != OK)
			return e;
	}
	return call_put(c, resource_ref(r), expected, &f->actor);
}

static enum err
put_all(struct follow *f, struct call *c)
{
	enum err first = OK;

	if (f->folder.count > SERVER_APPLY_MAX)
		return fault_set(&c->why, ERR_LIMIT,
		    "%zu documents in the folder; %d is the most",
		    f->folder.count, SERVER_APPLY_MAX);
	for (size_t i = 0; i < f->folder.count; i++) {
		enum err e = put(f, c, f->folder.resources[i]);

		first = first == OK ? e : first;
	}
	if (first != OK && c->why.code == OK)
		(void)fault_set(&c->why, first,
		    "the folder %s has what is not its own; what it brought "
		    "stays",
		    f->dir);
	return first;
}

/* What it brought before and no longer holds. */
static enum err
take_away(struct follow *f, struct call *c)
{
	const struct cache *cache = &f->server->cache;
	struct slice text;
	void *mark;
	enum err e = OK;

	for (size_t i = 0;
	     e == OK && map_next(&f->server->owned.keys, &i, &text, &mark);) {
		const struct resource *r = map_get(&cache->by_key, text);

		if (r != NULL && !call_has(c, &r->key))
			e = call_delete(
			    c, &r->key, (int64_t)r->revision, &f->actor);
	}
	return e;
}

/* From now on these are the folder's, and no others. */
static enum err
own(struct follow *f, struct call *c)
{
	struct slice *keys =
	    arena_alloc_array(&c->arena, f->folder.count + 1, sizeof(*keys));
	enum err e = keys == NULL ? ERR_LIMIT : OK;

	for (size_t i = 0; e == OK && i < f->folder.count; i++) {
		char text[CACHE_KEY_MAX];

		e = arena_copy(&c->arena,
		    cache_key_text(&f->folder.resources[i]->key, text),
		    &keys[i]);
	}
	if (e == OK)
		e = owned_op(keys, f->folder.count, &c->arena, &c->extra);
	c->has_extra = e == OK;
	if (e == OK)
		return OK;
	return fault_set(&c->why, e, "the folder holds too many resources");
}

static void
apply(struct follow *f)
{
	struct call *c = call_new(f->server, on_applied, f);
	enum err e;

	sm_go(&f->sm, FOLLOW_APPLYING);
	c->of_folder = true;
	e = put_all(f, c);
	if (e == OK)
		e = take_away(f, c);
	if (e == OK)
		e = call_look_around(c, f->server->spec.config_force);
	if (e == OK)
		e = own(f, c);
	if (e == OK)
		call_propose(c, &f->actor, SLICE_NONE);
	else
		call_end(c, e, 0);
}

/* --- reading ---------------------------------------------------------------
 */

/* On a job's thread. */
static void
work(void *arg)
{
	struct follow *f = arg;

	f->is_same =
	    f->only_if_not != 0 && folder_fingerprint(f->dir) == f->only_if_not;
	if (!f->is_same)
		folder_read(&f->folder);
}

/* The files are as they were when they were last dealt with. */
static bool
is_dealt_with(const struct follow *f)
{
	return f->known && !f->again &&
	       memcmp(f->digest, f->folder.files.digest, sizeof(f->digest)) ==
		   0 &&
	       (f->folder.err == OK ? f->why[0] == '\0'
				    : strcmp(f->why, f->folder.why.text) == 0);
}

/* What limits access and is not in force, as errors. */
static void
refuse_guards(struct follow *f)
{
	const struct faults *inert = &f->folder.files.found.inert;
	struct faults errors = {0};
	struct fault why = {0};

	for (size_t i = 0; i < inert->count; i++)
		if (finding_guards(&inert->items[i]))
			faults_add(&errors, &inert->items[i]);
	(void)fault_set(&why, ERR_UNSUPPORTED,
	    "what limits access is not in force yet; what the folder %s "
	    "brought stays",
	    f->dir);
	refuse(f, &why, &errors, /* again */ false);
	faults_fini(&errors);
}

static void
on_read(void *arg)
{
	struct follow *f;
	bool allow;

	OBJ(f, arg, FOLLOW_MAGIC);
	allow = f->server->spec.config_allow_inert;
	if (f->closing || f->is_same) {
		end_turn(f);
	} else if (is_dealt_with(f)) {
		f->fingerprint = f->folder.fingerprint;
		end_turn(f);
	} else if (f->folder.err != OK) {
		refuse(f, &f->folder.why, &f->folder.files.found.errors,
		    /* again */ false);
		end_turn(f);
	} else if (f->folder.files.found.guards > 0 && !allow) {
		refuse_guards(f);
		end_turn(f);
	} else {
		apply(f);
	}
}

static void
begin(struct follow *f, uint64_t only_if_not)
{
	sm_go(&f->sm, FOLLOW_READING);
	timer_clear(&f->settle);
	timer_clear(&f->look);
	notice_renew(f->notice);
	f->only_if_not = only_if_not;
	/* One at a time: there is room. */
	CHECK(
	    jobs_submit(f->jobs, f->server->spec.loop, work, on_read, f) == OK);
}

/* --- when ------------------------------------------------------------------
 */

static void
on_settled(void *arg)
{
	struct follow *f;

	OBJ(f, arg, FOLLOW_MAGIC);
	begin(f, /* only_if_not */ 0);
}

static void
on_look(void *arg)
{
	struct follow *f;

	OBJ(f, arg, FOLLOW_MAGIC);
	begin(f, f->again ? 0 : f->fingerprint);
}

static void
settle(struct follow *f)
{
	uint64_t now = loop_now_us(f->server->spec.loop);

	if (sm_is(&f->sm, FOLLOW_IDLE)) {
		sm_go(&f->sm, FOLLOW_SETTLING);
		timer_clear(&f->look);
		f->since_us = now;
	}
	if (!sm_is(&f->sm, FOLLOW_SETTLING))
		f->more = true;
	else if (now - f->since_us < SETTLE_MAX_US)
		timer_set(&f->settle, SETTLE_US);
	else if (!timer_is_set(&f->settle))
		timer_set(&f->settle, 0);
}

static void
on_notice(void *arg)
{
	struct follow *f;

	OBJ(f, arg, FOLLOW_MAGIC);
	settle(f);
}

void
follow_changed(struct follow *f)
{
	if (f->again && sm_is(&f->sm, FOLLOW_IDLE))
		settle(f);
}

/* --- open and close --------------------------------------------------------
 */

struct follow *
follow_open(struct server *s)
{
	struct follow *f = mem_new(sizeof(*f));

	f->magic = FOLLOW_MAGIC;
	f->server = s;
	f->dir = s->spec.config_dir;
	f->folder.path = f->dir;
	f->actor.role = CA_ROLE_ADMIN;
	(void)snprintf(
	    f->actor.name, sizeof(f->actor.name), "folder %s", f->dir);
	f->status.path = slice_str(f->dir);
	sm_init(
	    &f->sm, "follow", 1, rows, ARRAY_LEN(rows), FOLLOW_IDLE, NULL, f);
	f->jobs = jobs_new(/* threads */ 1, JOBS_QUEUE);
	f->notice = notice_open(s->spec.loop, f->dir, on_notice, f);
	timer_init(&f->settle, s->spec.loop, on_settled, f);
	timer_init(&f->look, s->spec.loop, on_look, f);
	s->parts |= PART_FOLLOW;
	begin(f, /* only_if_not */ 0);
	return f;
}

void
follow_close(struct follow **fp)
{
	struct follow *f = TAKE(*fp);

	if (f == NULL)
		return;
	notice_close(&f->notice);
	timer_clear(&f->settle);
	timer_clear(&f->look);
	f->closing = true;
	if (sm_is(&f->sm, FOLLOW_IDLE) || sm_is(&f->sm, FOLLOW_SETTLING))
		follow_free(f);
}

void
follow_status(const struct follow *f, struct server_folder *out)
{
	*out = f->status;
	out->errors = &f->errors;
	out->why = slice_str(f->why);
}
