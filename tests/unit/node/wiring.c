/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wiring — a resolv.conf of ours, and the one of before again.
 */
#include "wiring.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#define BEFORE "search corp\nnameserver 192.0.2.1\n nameserver 192.0.2.2\n"

struct place {
	char dir[64];
	char conf[96];
	char other[96];
	struct loop *loop;
	enum err e;
	struct fault why;
	unsigned done;
};

static void
on_done(void *arg, enum err e, const struct fault *why)
{
	struct place *p = arg;

	p->e = e;
	p->why = *why;
	p->done++;
}

static void
place_init(struct place *p)
{
	*p = (struct place){.dir = "/tmp/meshd-wiring-XXXXXX"};
	CHECK(mkdtemp(p->dir) != NULL);
	(void)snprintf(p->conf, sizeof(p->conf), "%s/etc", p->dir);
	(void)snprintf(p->other, sizeof(p->other), "%s/run", p->dir);
	EXPECT_OK(file_replace(p->conf, S(BEFORE), 0644, NULL));
	p->loop = loop_new(NULL);
}

static void
place_fini(struct place *p)
{
	static const char *const files[] = {
	    "etc", "run", "wiring.json", "resolv.conf"};
	char path[128];

	loop_free(&p->loop);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", p->dir, files[i]);
		(void)unlink(path); /* not each is there */
	}
	CHECK(rmdir(p->dir) == 0);
}

static enum err
set(struct place *p, enum wiring_kind kind, uint16_t port)
{
	const struct wiring_spec spec = {.loop = p->loop,
	    .state_dir = p->dir,
	    .kind = kind,
	    .link = "no-such-link",
	    .conf = p->conf,
	    .bus = "/nowhere/bus",
	    .server = {ADDR_V4, {127, 0, 0, 54}, port},
	    .domain = S("mesh.internal"),
	    .ns = S("default")};

	wiring_set(&spec, on_done, p);
	return p->e;
}

static enum err
restore(struct place *p)
{
	wiring_restore(p->loop, p->dir, on_done, p);
	return p->e;
}

static const char *
text_of(const char *path)
{
	static char text[1024];
	AUTO(buf_fini) struct buf b = BUF(sizeof(text) - 1);

	EXPECT_OK(file_read(path, &b, NULL));
	(void)snprintf(text, sizeof(text), "%.*s", SLICE_ARG(buf_slice(&b)));
	return text;
}

TEST(our_server_is_in_front_and_other_lines_stay)
{
	AUTO(place_fini) struct place p;

	place_init(&p);
	EXPECT_OK(set(&p, WIRING_RESOLV_CONF, 53));
	EXPECT_STR(strchr(text_of(p.conf), '\n') + 1,
	    "nameserver 127.0.0.54\nsearch corp\n");
	EXPECT_OK(set(&p, WIRING_RESOLV_CONF, 53)); /* a restart */
	EXPECT_OK(restore(&p));
	EXPECT_STR(text_of(p.conf), BEFORE);
	EXPECT_ERR(restore(&p), ERR_NOT_FOUND);
	EXPECT_EQ(p.done, 4);
}

TEST(a_link_leads_again_where_it_led)
{
	AUTO(place_fini) struct place p;
	char to[96] = "";

	place_init(&p);
	CHECK(rename(p.conf, p.other) == 0 && symlink("run", p.conf) == 0);
	EXPECT_OK(set(&p, WIRING_RESOLV_CONF, 53));
	EXPECT_EQ(readlink(p.conf, to, sizeof(to)), -1);
	EXPECT_STR(text_of(p.other), BEFORE);
	EXPECT_OK(restore(&p));
	EXPECT_EQ(readlink(p.conf, to, sizeof(to) - 1), 3);
	EXPECT_STR(to, "run");
}

TEST(what_somebody_else_wrote_since_stays)
{
	AUTO(place_fini) struct place p;

	place_init(&p);
	EXPECT_OK(set(&p, WIRING_RESOLV_CONF, 53));
	EXPECT_OK(file_replace(p.conf, S("nameserver 9.9.9.9\n"), 0644, NULL));
	EXPECT_OK(restore(&p));
	EXPECT_STR(text_of(p.conf), "nameserver 9.9.9.9\n");
}

TEST(what_cannot_be_is_said_and_changes_nothing)
{
	AUTO(place_fini) struct place p;
	char kept[WIRING_PATH_MAX];

	place_init(&p);
	EXPECT_ERR(set(&p, WIRING_RESOLV_CONF, 15053), ERR_INVALID);
	EXPECT_STR(text_of(p.conf), BEFORE);
	EXPECT_ERR(set(&p, WIRING_RESOLVED, 15053), ERR_NOT_FOUND);
	EXPECT_TRUE(strstr(p.why.text, "ip link add no-such-link") != NULL);
	EXPECT_ERR(restore(&p), ERR_NOT_FOUND);
	CHECK(unlink(p.conf) == 0);
	EXPECT_ERR(set(&p, WIRING_RESOLV_CONF, 53), ERR_NOT_FOUND);
	EXPECT_ERR(wiring_keep_conf(p.dir, p.conf, kept, NULL), ERR_NOT_FOUND);
}

TEST(a_note_that_is_damaged_is_said)
{
	AUTO(place_fini) struct place p;
	char note[128];

	place_init(&p);
	(void)snprintf(note, sizeof(note), "%s/wiring.json", p.dir);
	EXPECT_OK(file_replace(note, S("{"), 0600, NULL));
	EXPECT_ERR(restore(&p), ERR_CORRUPT);
	EXPECT_TRUE(strstr(p.why.text, "wiring.json") != NULL);
}
