/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changes — what rules change in requests and answers on their way.
 */
#include "scene.h"
#include "unit.h"

#define VS                                                                     \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: web}\nspec:\n  hosts: [web]\n  http:\n"
#define WEB "destination: {host: web}"

/* What the service says that it got. */
static void
expect_arrives(const char *yaml, const char *fields, const char *wanted,
    const char *unwanted)
{
	struct scene *s = scene_with(serve_echo, NULL, yaml);
	AUTO(buf_fini) struct buf request = BUF(1024);

	EXPECT_OK(buf_printf(&request,
	    "GET /a/b?c HTTP/1.1\r\nHost: web\r\n%s\r\n%c", fields, 0));
	scene_ask(s, buf_slice(&request).ptr);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_TRUE(body_has(&s->reply, wanted));
	EXPECT_FALSE(body_has(&s->reply, unwanted));
	scene_free(&s);
}

/* Nobody computes it yet, and the service may believe what is there. */
TEST(a_value_that_would_be_computed_is_not_the_clients)
{
	expect_arrives(VS "  - headers: {request: {set: {x-user: "
			  "'%DOWNSTREAM_PEER_URI_SAN%', x-b: '50%%'}}}\n"
			  "    route: [{" WEB "}]\n",
	    "x-user: admin\r\n", "x-b: 50%\r\n", "x-user");
}

TEST(headers_go_before_others_come)
{
	expect_arrives(VS "  - headers: {request: {remove: [x-a], set: {x-a: "
			  "new}}}\n    route: [{" WEB "}]\n",
	    "x-a: old\r\n", "x-a: new\r\n", "old");
}

TEST(the_only_destination_has_the_last_word)
{
	expect_arrives(VS "  - headers: {request: {set: {x-a: route}}}\n"
			  "    route: [{" WEB
			  ", headers: {request: {set: {x-a: destination}}}}]\n",
	    "", "x-a: destination\r\n", "x-a: route");
}

TEST(of_several_destinations_the_route_has_it)
{
	expect_arrives(VS "  - headers: {request: {set: {x-a: route}}}\n"
			  "    route:\n    - {" WEB ", weight: 1, headers: "
			  "{request: {set: {x-a: destination, host: d.e}}}}\n"
			  "    - {" WEB ", weight: 0}\n",
	    "", "host: d.e\r\n", "x-a: destination");
}

TEST(a_path_is_rewritten_by_an_expression)
{
	expect_arrives(VS "  - rewrite: {uriRegexRewrite: {match: '^/a/(.*)', "
			  "rewrite: '/\\1/\\1'}}\n    route: [{" WEB "}]\n",
	    "", "GET /b/b?c HTTP/1.1\r\n", "/a/");
}
