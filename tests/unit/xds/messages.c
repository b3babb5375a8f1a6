/* SPDX-License-Identifier: Apache-2.0 */
/*
 * messages — each end against messages that no good peer sends.
 */
#include "unit.h"

#include "xds.h"

#define TYPE "type.googleapis.com/meshd.v1.Resource"

/* --- the server ----------------------------------------------------------- */

struct sent {
	size_t count;
	size_t resources;
	size_t removed;
	char nonce[32];
};

static void
server_send(void *arg, const struct codec_delta_response *m)
{
	struct sent *s = arg;

	s->count++;
	s->resources = m->resource_count;
	s->removed = m->removed_count;
	EXPECT_OK(slice_to_cstr(m->nonce, s->nonce, sizeof(s->nonce)));
}

static const struct xds_server_ops server_ops = {.send = server_send};

static struct xds_source *source;
static struct xds_server_stream *stream;
static struct sent sent;

static int no_room; /* for so many bodies */

static enum err
make_body(void *arg, const struct xds_resource *r, struct buf *out)
{
	(void)arg; /* the same for all */
	if (no_room-- > 0)
		return ERR_LIMIT;
	return buf_printf(out, "made for %.*s", SLICE_ARG(r->name));
}

static void
begin(void)
{
	struct xds_resource r = {.type_url = S(TYPE),
	    .name = S("a"),
	    .version = S("1"),
	    .body = S("A")};

	sent = (struct sent){.count = 0};
	source = xds_source_new(make_body, NULL);
	xds_source_add_type(source, S(TYPE), XDS_TOLD_ALL);
	EXPECT_OK(xds_source_put(source, &r));
	stream = xds_server_stream_new(source, &server_ops, &sent);
}

static void
end(void)
{
	xds_server_stream_free(&stream);
	xds_source_free(&source);
}

TEST(a_type_that_is_not_served_is_refused_in_words)
{
	struct codec_delta_request m = {.type_url = S("some.Thing")};
	struct fault why;

	begin();
	EXPECT_ERR(
	    xds_server_stream_request(stream, &m, &why), ERR_UNSUPPORTED);
	EXPECT_STR(
	    why.text, "resources of type some.Thing are not supported yet");
	end();
}

TEST(a_stale_nonce_answers_nothing_but_its_subscription_counts)
{
	struct slice none = S("none");
	struct codec_delta_request m = {.type_url = S(TYPE)};

	begin();
	EXPECT_OK(xds_server_stream_request(stream, &m, NULL));
	EXPECT_EQ(sent.count, 1);
	m.response_nonce = S("77");
	m.subscribe = &none;
	m.subscribe_count = 1;
	EXPECT_OK(xds_server_stream_request(stream, &m, NULL));
	EXPECT_EQ(sent.count, 1);
	m = (struct codec_delta_request){
	    .type_url = S(TYPE), .response_nonce = slice_str(sent.nonce)};
	EXPECT_OK(xds_server_stream_request(stream, &m, NULL));
	EXPECT_EQ(sent.count, 2);
	EXPECT_EQ(sent.removed, 1);
	end();
}

TEST(a_name_that_is_asked_for_again_is_sent_again)
{
	struct slice name = S("a");
	struct codec_delta_request m = {
	    .type_url = S(TYPE), .subscribe = &name, .subscribe_count = 1};
	struct codec_delta_request ack = {.type_url = S(TYPE)};

	begin();
	EXPECT_OK(xds_server_stream_request(stream, &m, NULL));
	ack.response_nonce = slice_str(sent.nonce);
	EXPECT_OK(xds_server_stream_request(stream, &ack, NULL));
	EXPECT_EQ(sent.count, 1);
	EXPECT_OK(xds_server_stream_request(stream, &m, NULL));
	EXPECT_EQ(sent.count, 2);
	EXPECT_EQ(sent.resources, 1);
	end();
}

static void
expect_refused(void *arg, const struct xds_status *s)
{
	bool *seen = arg;

	EXPECT_EQ(s->state, XDS_REFUSED);
	EXPECT_SLICE(s->reason, S("no"));
	*seen = true;
}

/* What was sent last, and how often there is no room for a body. */
static char last_body[32];
static void
send_bodies(void *arg, const struct codec_delta_response *m)
{
	server_send(arg, m);
	if (m->resource_count == 1)
		EXPECT_OK(slice_to_cstr(
		    m->resources[0].body, last_body, sizeof(last_body)));
}

TEST(a_body_may_be_made_when_it_is_sent)
{
	static const struct xds_server_ops ops = {.send = send_bodies};
	struct xds_resource r = {
	    .type_url = S(TYPE), .name = S("b"), .version = S("1")};
	struct codec_delta_request m = {.type_url = S(TYPE)};

	begin();
	xds_server_stream_free(&stream);
	stream = xds_server_stream_new(source, &ops, &sent);
	no_room = 0;
	EXPECT_OK(xds_server_stream_request(stream, &m, NULL));
	EXPECT_STR(last_body, "A"); /* it was put with its own */
	m.response_nonce = slice_str(sent.nonce);
	EXPECT_OK(xds_server_stream_request(stream, &m, NULL));
	EXPECT_OK(xds_source_put(source, &r));
	xds_source_flush(source);
	EXPECT_STR(last_body, "made for b");
	EXPECT_EQ(sent.count, 2);
	end();
}

TEST(a_body_for_which_there_is_no_room_comes_with_the_next_answer)
{
	static const struct xds_server_ops ops = {.send = send_bodies};
	struct xds_resource r = {
	    .type_url = S(TYPE), .name = S("b"), .version = S("1")};
	struct codec_delta_request m = {.type_url = S(TYPE)};

	begin();
	xds_server_stream_free(&stream);
	stream = xds_server_stream_new(source, &ops, &sent);
	EXPECT_OK(xds_server_stream_request(stream, &m, NULL));
	m.response_nonce = slice_str(sent.nonce);
	EXPECT_OK(xds_server_stream_request(stream, &m, NULL));
	no_room = 1;
	last_body[0] = '\0';
	EXPECT_OK(xds_source_put(source, &r));
	xds_source_flush(source);
	EXPECT_STR(last_body, "");
	xds_source_flush(source);
	m.response_nonce = slice_str(sent.nonce);
	EXPECT_OK(xds_server_stream_request(stream, &m, NULL));
	EXPECT_STR(last_body, "made for b");
	end();
}

TEST(a_refusal_that_names_none_is_for_all)
{
	struct codec_delta_request m = {.type_url = S(TYPE)};
	bool seen = false;

	begin();
	EXPECT_OK(xds_server_stream_request(stream, &m, NULL));
	m.response_nonce = slice_str(sent.nonce);
	m.refused = true;
	m.error_message = S("no");
	EXPECT_OK(xds_server_stream_request(stream, &m, NULL));
	xds_server_stream_each(stream, expect_refused, &seen);
	EXPECT_TRUE(seen);
	EXPECT_EQ(sent.count, 1);
	end();
}

TEST(a_client_that_has_it_already_gets_an_empty_answer)
{
	struct codec_delta_version have = {S("a"), S("1")};
	struct codec_delta_request m = {
	    .type_url = S(TYPE), .initial = &have, .initial_count = 1};

	begin();
	EXPECT_OK(xds_server_stream_request(stream, &m, NULL));
	EXPECT_EQ(sent.count, 1);
	EXPECT_EQ(sent.resources + sent.removed, 0);
	end();
}

TEST(a_name_without_end_is_refused)
{
	static char longest[XDS_NAME_MAX + 1];
	struct slice name = {longest, sizeof(longest)};
	struct codec_delta_request m = {
	    .type_url = S(TYPE), .subscribe = &name, .subscribe_count = 1};
	struct fault why;

	memset(longest, 'x', sizeof(longest));
	begin();
	EXPECT_ERR(xds_server_stream_request(stream, &m, &why), ERR_LIMIT);
	EXPECT_STR(why.text, "a name is longer than 1024 bytes");
	end();
}

/* --- the client ----------------------------------------------------------- */

struct heard {
	size_t requests;
	bool refused;
	char words[128];
	size_t refusals;
	size_t resources; /* of the last update */
};

static void
client_send(void *arg, const struct codec_delta_request *m)
{
	struct heard *h = arg;

	h->requests++;
	h->refused = m->refused;
	h->refusals = m->refusal_count;
	EXPECT_OK(slice_to_cstr(m->error_message, h->words, sizeof(h->words)));
}

static void
on_update(void *arg, struct xds_update *u)
{
	struct heard *h = arg;

	h->resources = u->resource_count;
	xds_update_settle(&u);
}

static const struct xds_client_ops client_ops = {client_send, on_update};

static struct xds_client *
connected_client(struct heard *h)
{
	struct xds_client *c =
	    xds_client_new(&client_ops, h, S("vm1"), S("mesh"));

	EXPECT_OK(xds_client_subscribe(c, S(TYPE), S("")));
	xds_client_connected(c);
	return c;
}

TEST(a_resource_that_comes_twice_is_refused_with_its_message)
{
	struct codec_delta_resource twice[] = {
	    {S("a"), S("1"), S(TYPE), S("A")},
	    {S("a"), S("2"), S(TYPE), S("B")}};
	struct codec_delta_response m = {.type_url = S(TYPE),
	    .nonce = S("1"),
	    .resources = twice,
	    .resource_count = 2};
	struct heard h = {0};
	AUTO(xds_client_free) struct xds_client *c = connected_client(&h);

	EXPECT_OK(xds_client_response(c, &m));
	EXPECT_TRUE(h.refused);
	EXPECT_STR(h.words, "resource a comes twice");
}

TEST(what_nobody_could_use_is_refused_without_the_owner)
{
	struct codec_delta_resource some[] = {{S("a"), S(""), S(TYPE), S("A")},
	    {S("b"), S("1"), S("other"), S("B")},
	    {S("c"), S("1"), S(""), S("")}, {S("d"), S("1"), S(TYPE), S("D")}};
	struct codec_delta_response m = {.type_url = S(TYPE),
	    .nonce = S("1"),
	    .resources = some,
	    .resource_count = 4};
	struct heard h = {0};
	AUTO(xds_client_free) struct xds_client *c = connected_client(&h);

	EXPECT_OK(xds_client_response(c, &m));
	EXPECT_EQ(h.resources, 1);
	EXPECT_EQ(h.refusals, 3);
	EXPECT_STR(h.words, "it has no version");
}

TEST(a_response_without_a_nonce_or_of_an_unasked_type_ends_the_stream)
{
	struct codec_delta_response m = {.type_url = S(TYPE)};
	struct heard h = {0};
	AUTO(xds_client_free) struct xds_client *c = connected_client(&h);

	EXPECT_ERR(xds_client_response(c, &m), ERR_PROTOCOL);
	m = (struct codec_delta_response){
	    .type_url = S("other"), .nonce = S("1")};
	EXPECT_ERR(xds_client_response(c, &m), ERR_PROTOCOL);
}
