/* SPDX-License-Identifier: Apache-2.0 */
/*
 * many — several streams over one source: who is looked at, what is shared.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xds.h"

#define TYPE "type.googleapis.com/meshd.v1.Resource"

enum { STREAMS = 3, TEXT_MAX = 256 };

/* One client, as the server sees it. */
struct peer {
	struct xds_server_stream *stream;
	char concerned[TEXT_MAX]; /* names, a space behind each */
	char got[TEXT_MAX];       /* "name=body ", "-name " of the last */
	char nonce[32];
	bool got_patch;
	size_t sent;
	size_t asked;   /* whether something concerns it */
	size_t flushes; /* that looked at it */
	char status[TEXT_MAX];
	uint64_t stamp;
};

static struct xds_source *source;
static struct peer peers[STREAMS];
static size_t made;

static bool
concerns(void *arg, const struct xds_resource *r)
{
	struct peer *p = arg;
	char name[TEXT_MAX];

	p->asked++;
	(void)snprintf(name, sizeof(name), "%.*s ", SLICE_ARG(r->name));
	return strstr(p->concerned, name) != NULL;
}

static void
send(void *arg, const struct codec_delta_response *m)
{
	struct peer *p = arg;
	size_t len = 0;

	p->sent++;
	p->got[0] = '\0';
	p->got_patch = m->resource_count > 0 &&
		       slice_ends(m->resources[0].type_url, S("Patch"));
	for (size_t i = 0; i < m->resource_count; i++)
		len += (size_t)snprintf(p->got + len, TEXT_MAX - len,
		    "%.*s=%.*s ", SLICE_ARG(m->resources[i].name),
		    SLICE_ARG(m->resources[i].body));
	for (size_t i = 0; i < m->removed_count; i++)
		len += (size_t)snprintf(p->got + len, TEXT_MAX - len, "-%.*s ",
		    SLICE_ARG(m->removed[i]));
	EXPECT_OK(slice_to_cstr(m->nonce, p->nonce, sizeof(p->nonce)));
}

static void
on_status(void *arg, const struct xds_status *s)
{
	struct peer *p = arg;

	(void)snprintf(p->status, sizeof(p->status), "%.*s@%.*s %s",
	    SLICE_ARG(s->name), SLICE_ARG(s->version),
	    xds_state_name(s->state));
	p->stamp = s->stamp;
}

static void
on_flushed(void *arg)
{
	struct peer *p = arg;

	p->flushes++;
}

static const struct xds_server_ops ops = {.concerns = concerns,
    .send = send,
    .on_status = on_status,
    .on_flushed = on_flushed};

static enum err
make_body(void *arg, const struct xds_resource *r, struct buf *out)
{
	(void)arg;
	return buf_printf(out, "%.*s%zu", SLICE_ARG(r->name), ++made);
}

static void
put(const char *name, const char *version)
{
	struct xds_resource r = {.type_url = S(TYPE),
	    .name = slice_str(name),
	    .version = slice_str(version)};

	EXPECT_OK(xds_source_put(source, &r));
}

static void
ack(struct peer *p)
{
	struct codec_delta_request m = {
	    .type_url = S(TYPE), .response_nonce = slice_str(p->nonce)};

	EXPECT_OK(xds_server_stream_request(p->stream, &m, NULL));
}

static void
refuse(struct peer *p)
{
	struct codec_delta_request m = {.type_url = S(TYPE),
	    .response_nonce = slice_str(p->nonce),
	    .refused = true};

	EXPECT_OK(xds_server_stream_request(p->stream, &m, NULL));
}

/* Streams that have asked for all, and have nothing due. */
static void
begin(enum xds_audience who)
{
	struct codec_delta_request all = {.type_url = S(TYPE)};

	made = 0;
	source = xds_source_new(make_body, NULL);
	xds_source_add_type(source, S(TYPE), who);
	for (size_t i = 0; i < STREAMS; i++) {
		peers[i] = (struct peer){.sent = 0};
		peers[i].stream =
		    xds_server_stream_new(source, &ops, &peers[i]);
		EXPECT_OK(
		    xds_server_stream_request(peers[i].stream, &all, NULL));
		ack(&peers[i]);
	}
	xds_source_flush(source);
	for (size_t i = 0; i < STREAMS; i++)
		peers[i].sent = peers[i].asked = peers[i].flushes = 0;
}

static void
end(void)
{
	for (size_t i = 0; i < STREAMS; i++)
		xds_server_stream_free(&peers[i].stream);
	xds_source_free(&source);
}

/* It concerns the peer from now on, and its owner says so. */
static void
concern(struct peer *p, const char *name)
{
	(void)snprintf(p->concerned + strlen(p->concerned),
	    sizeof(p->concerned) - strlen(p->concerned), "%s ", name);
	xds_server_stream_refilter_name(p->stream, S(TYPE), slice_str(name));
}

TEST(a_change_looks_only_at_those_who_follow_the_name)
{
	begin(XDS_TOLD_BY_OWNER);
	put("a", "1");
	xds_source_flush(source);
	for (size_t i = 0; i < STREAMS; i++)
		EXPECT_EQ(peers[i].asked + peers[i].flushes, 0);
	concern(&peers[1], "a");
	xds_source_flush(source);
	EXPECT_STR(peers[1].got, "a=a1 ");
	ack(&peers[1]);
	put("a", "2");
	xds_source_flush(source);
	EXPECT_STR(peers[1].got, "a=a2 ");
	EXPECT_EQ(peers[0].asked + peers[0].flushes, 0);
	EXPECT_EQ(peers[2].asked + peers[2].flushes, 0);
	end();
}

TEST(whoever_asked_for_all_hears_of_what_is_new_if_the_owner_is_not_to_tell)
{
	begin(XDS_TOLD_ALL);
	(void)snprintf(peers[0].concerned, TEXT_MAX, "a ");
	put("a", "1");
	xds_source_flush(source);
	EXPECT_EQ(peers[0].sent, 1);
	EXPECT_EQ(peers[1].asked, 1);
	EXPECT_EQ(peers[1].sent, 0);
	end();
}

TEST(a_body_is_made_once_for_all_and_anew_for_another_version)
{
	begin(XDS_TOLD_BY_OWNER);
	put("a", "1");
	for (size_t i = 0; i < STREAMS; i++)
		concern(&peers[i], "a");
	xds_source_flush(source);
	for (size_t i = 0; i < STREAMS; i++) {
		EXPECT_STR(peers[i].got, "a=a1 ");
		ack(&peers[i]);
	}
	EXPECT_EQ(made, 1);
	put("a", "2");
	xds_source_flush(source);
	EXPECT_STR(peers[2].got, "a=a2 ");
	EXPECT_EQ(made, 2);
	end();
}

TEST(a_body_that_was_forgotten_is_made_again)
{
	begin(XDS_TOLD_BY_OWNER);
	put("a", "1");
	concern(&peers[0], "a");
	xds_source_flush(source);
	xds_source_forget(source);
	concern(&peers[1], "a");
	xds_source_flush(source);
	EXPECT_STR(peers[1].got, "a=a2 ");
	end();
}

TEST(who_has_the_version_before_gets_what_is_different)
{
	const char *const old = "a body of which little will be different: 1";
	struct xds_resource r = {.type_url = S(TYPE),
	    .name = S("a"),
	    .version = S("1"),
	    .body = slice_str(old)};

	begin(XDS_TOLD_BY_OWNER);
	EXPECT_FALSE(xds_source_is_followed(source, S(TYPE), S("a")));
	EXPECT_OK(xds_source_put(source, &r));
	concern(&peers[0], "a");
	concern(&peers[1], "a");
	xds_source_flush(source);
	ack(&peers[0]); /* the other has not answered */
	EXPECT_TRUE(xds_source_is_followed(source, S(TYPE), S("a")));
	xds_source_base(source, &r);
	r.version = S("2");
	r.body = S("a body of which little will be different: 2");
	EXPECT_OK(xds_source_put(source, &r));
	xds_source_flush(source);
	EXPECT_TRUE(peers[0].got_patch);
	refuse(&peers[0]); /* then it comes whole */
	EXPECT_FALSE(peers[0].got_patch);
	EXPECT_STR(
	    peers[0].got, "a=a body of which little will be different: 2 ");
	concern(&peers[2], "a");
	xds_source_flush(source);
	EXPECT_FALSE(peers[2].got_patch); /* it had none */
	end();
}

TEST(a_stream_that_is_held_gets_all_of_it_at_once_when_its_turn_comes)
{
	begin(XDS_TOLD_BY_OWNER);
	xds_server_stream_hold(peers[0].stream, true);
	put("a", "1");
	put("b", "1");
	concern(&peers[0], "a");
	xds_source_flush(source);
	concern(&peers[0], "b");
	put("a", "2");
	xds_source_flush(source);
	EXPECT_EQ(peers[0].sent, 0);
	EXPECT_FALSE(xds_server_stream_is_quiet(peers[0].stream));
	xds_server_stream_hold(peers[0].stream, false);
	xds_source_flush(source);
	EXPECT_EQ(peers[0].sent, 1);
	EXPECT_STR(peers[0].got, "a=a1 b=b2 ");
	end();
}

TEST(an_answer_says_which_change_it_is_to)
{
	begin(XDS_TOLD_BY_OWNER);
	xds_source_stamp(source, 7);
	put("a", "7");
	concern(&peers[0], "a");
	xds_source_stamp(source, 0);
	xds_source_flush(source);
	ack(&peers[0]);
	EXPECT_STR(peers[0].status, "a@7 acked");
	EXPECT_EQ(peers[0].stamp, 7);
	/* What the client asks for is no change. */
	put("b", "1");
	concern(&peers[0], "b");
	xds_source_flush(source);
	ack(&peers[0]);
	EXPECT_STR(peers[0].status, "b@1 acked");
	EXPECT_EQ(peers[0].stamp, 0);
	end();
}

TEST(the_oldest_change_counts_of_those_that_became_one)
{
	uint64_t oldest;

	begin(XDS_TOLD_BY_OWNER);
	concern(&peers[0], "a");
	for (uint64_t n = 1; n <= 3; n++) {
		char version[8];

		(void)snprintf(version, sizeof(version), "%d", (int)n);
		xds_source_stamp(source, n);
		put("a", version);
		if (n == 1) /* the first goes out at once, two wait behind it */
			xds_server_stream_refilter_name(
			    peers[0].stream, S(TYPE), S("a"));
		xds_source_flush(source);
	}
	EXPECT_EQ(peers[0].sent, 1);
	EXPECT_EQ(xds_server_stream_pending(peers[0].stream, &oldest), 2);
	EXPECT_EQ(oldest, 1);
	ack(&peers[0]);
	EXPECT_EQ(peers[0].stamp, 1);
	EXPECT_EQ(peers[0].sent, 2);
	EXPECT_EQ(xds_server_stream_pending(peers[0].stream, &oldest), 1);
	EXPECT_EQ(oldest, 2);
	ack(&peers[0]);
	EXPECT_STR(peers[0].status, "a@3 acked");
	EXPECT_EQ(peers[0].stamp, 2);
	EXPECT_EQ(xds_server_stream_pending(peers[0].stream, &oldest), 0);
	EXPECT_EQ(oldest, 0);
	end();
}

TEST(a_removal_is_answered_too_and_then_nobody_follows)
{
	begin(XDS_TOLD_BY_OWNER);
	put("a", "1");
	concern(&peers[0], "a");
	xds_source_flush(source);
	ack(&peers[0]);
	EXPECT_TRUE(xds_server_stream_has(peers[0].stream, S(TYPE), S("a")));
	xds_source_stamp(source, 9);
	xds_source_remove(source, S(TYPE), S("a"));
	xds_source_flush(source);
	EXPECT_STR(peers[0].got, "-a ");
	EXPECT_FALSE(xds_server_stream_has(peers[0].stream, S(TYPE), S("a")));
	ack(&peers[0]);
	EXPECT_STR(peers[0].status, "a@ acked");
	EXPECT_EQ(peers[0].stamp, 9);
	xds_source_flush(source);
	peers[0].flushes = 0;
	put("a", "2");
	xds_source_flush(source);
	EXPECT_EQ(peers[0].flushes, 0);
	end();
}

TEST(what_comes_back_while_its_removal_is_unanswered_is_sent)
{
	begin(XDS_TOLD_BY_OWNER);
	put("a", "1");
	concern(&peers[0], "a");
	xds_source_flush(source);
	ack(&peers[0]);
	xds_source_remove(source, S(TYPE), S("a"));
	xds_source_flush(source);
	put("a", "2");
	ack(&peers[0]);
	EXPECT_STR(peers[0].got, "a=a2 ");
	ack(&peers[0]);
	EXPECT_TRUE(xds_server_stream_is_quiet(peers[0].stream));
	end();
}

TEST(who_asks_for_all_costs_what_concerns_it_not_what_there_is)
{
	struct codec_delta_request all = {.type_url = S(TYPE)};
	struct peer late = {.sent = 0};

	begin(XDS_TOLD_BY_OWNER);
	put("a", "1");
	put("b", "1");
	late.stream = xds_server_stream_new(source, &ops, &late);
	EXPECT_OK(xds_server_stream_request(late.stream, &all, NULL));
	EXPECT_EQ(late.asked, 0);
	EXPECT_STR(late.got, "");
	ack(&late);
	concern(&late, "b");
	xds_source_flush(source);
	EXPECT_STR(late.got, "b=b1 ");
	xds_server_stream_free(&late.stream);
	end();
}
