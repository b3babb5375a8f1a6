/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rights — each role, against what it may and may not do.
 */
#include "server.h"
#include "unit.h"

static const struct server_actor viewer = {
    .name = "uid 7", .role = CA_ROLE_VIEWER, .grant.namespaces = "*"};
static const struct server_actor editor = {.name = "editor token 1a",
    .role = CA_ROLE_EDITOR,
    .grant.namespaces = "shop,web"};
static const struct server_actor admin = {
    .name = "uid 0", .role = CA_ROLE_ADMIN};

static struct resource_key
service(struct slice ns)
{
	return (struct resource_key){S(""), S("Service"), ns, S("a")};
}

static enum err
write_in(const struct server_actor *a, struct slice ns, struct fault *why)
{
	struct resource_key key = service(ns);

	return server_may_write(a, &key, why);
}

TEST(each_role_may_what_those_before_it_may)
{
	static const struct server_actor *const actors[] = {
	    [CA_ROLE_VIEWER] = &viewer,
	    [CA_ROLE_EDITOR] = &editor,
	    [CA_ROLE_ADMIN] = &admin};

	for (enum ca_role r = CA_ROLE_VIEWER; r <= CA_ROLE_ADMIN; r++)
		for (enum ca_role n = CA_ROLE_VIEWER; n <= CA_ROLE_ADMIN; n++)
			EXPECT_EQ(server_may(actors[r], n, NULL),
			    r >= n ? OK : ERR_DENIED);
}

TEST(who_has_no_role_may_nothing)
{
	static const struct server_actor nobody = {.name = "nobody"};
	struct fault why = {0};

	EXPECT_ERR(server_may(&nobody, CA_ROLE_VIEWER, &why), ERR_DENIED);
	EXPECT_ERR(write_in(&nobody, S("default"), &why), ERR_DENIED);
}

TEST(a_refusal_names_the_role_that_it_takes)
{
	struct fault why = {0};

	EXPECT_ERR(server_may(&viewer, CA_ROLE_EDITOR, &why), ERR_DENIED);
	EXPECT_STR(why.text,
	    "uid 7 may only read; this takes the role editor, which root and "
	    "the user that meshd runs as have at its socket");
	EXPECT_ERR(server_may(&editor, CA_ROLE_ADMIN, &why), ERR_DENIED);
	EXPECT_TRUE(strstr(why.text, "takes the role admin") != NULL);
}

TEST(an_editor_writes_in_its_namespaces_only)
{
	struct fault why = {0};

	EXPECT_OK(write_in(&editor, S("shop"), &why));
	EXPECT_OK(write_in(&editor, S("web"), &why));
	EXPECT_ERR(write_in(&editor, S("sho"), &why), ERR_DENIED);
	EXPECT_ERR(write_in(&editor, S("default"), &why), ERR_DENIED);
	EXPECT_STR(why.text,
	    "editor token 1a may write in the namespaces shop,web, but not "
	    "Service/default/a");
	EXPECT_ERR(write_in(&viewer, S("shop"), &why), ERR_DENIED);
	EXPECT_OK(write_in(&admin, S("default"), &why));
}

TEST(what_lies_in_no_namespace_is_an_admins)
{
	struct server_actor all = editor;

	memcpy(all.grant.namespaces, "*", sizeof("*"));
	EXPECT_OK(write_in(&all, S("anywhere"), NULL));
	EXPECT_ERR(write_in(&all, S(""), NULL), ERR_DENIED);
	EXPECT_OK(write_in(&admin, S(""), NULL));
}
