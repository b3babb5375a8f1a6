/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revocation — which certificates and vouchers one is about.
 */
#include <stdio.h>

#include "ca.h"
#include "unit.h"

static const int64_t noon_ms = INT64_C(1700000000000);

static const struct ca_revocation node = {
    .identity = {"spiffe://d/ns/meshd-nodes/sa/vm1", 32}, .since_ms = noon_ms};
static const struct ca_revocation account = {
    .identity = {"spiffe://d/ns/shop/sa/web", 25}, .since_ms = noon_ms};

/* A certificate that `holder` got at that time. */
static struct tls_peer
peer_of(const char *uri, const char *holder, int64_t issued_ms)
{
	struct tls_peer p = {
	    .uri = uri, .not_before_ms = issued_ms - CA_BACKDATE_MS};

	(void)snprintf(p.common_name, sizeof(p.common_name), "%s", holder);
	return p;
}

TEST(a_revoked_node_takes_all_that_it_holds_with_it)
{
	struct tls_peer own =
	    peer_of("spiffe://d/ns/meshd-nodes/sa/vm1", "vm1", noon_ms - 1000);
	struct tls_peer web =
	    peer_of("spiffe://d/ns/shop/sa/web", "vm1", noon_ms - 1000);

	EXPECT_TRUE(ca_peer_is_revoked(&node, 1, &own));
	EXPECT_TRUE(ca_peer_is_revoked(&node, 1, &web));
}

TEST(another_node_of_the_same_account_is_not_touched)
{
	struct tls_peer web =
	    peer_of("spiffe://d/ns/shop/sa/web", "vm2", noon_ms - 1000);

	EXPECT_FALSE(ca_peer_is_revoked(&node, 1, &web));
	EXPECT_FALSE(ca_peer_is_revoked(NULL, 0, &web));
}

TEST(what_was_issued_after_it_is_good)
{
	struct tls_peer web =
	    peer_of("spiffe://d/ns/shop/sa/web", "vm1", noon_ms + 1000);

	EXPECT_FALSE(ca_peer_is_revoked(&node, 1, &web));
	EXPECT_FALSE(ca_node_is_revoked(&node, 1, S("vm1"), noon_ms + 1000));
}

TEST(of_the_same_moment_it_is_refused)
{
	struct tls_peer web =
	    peer_of("spiffe://d/ns/shop/sa/web", "vm1", noon_ms);

	EXPECT_TRUE(ca_peer_is_revoked(&node, 1, &web));
}

TEST(an_account_is_revoked_on_every_node)
{
	struct tls_peer one =
	    peer_of("spiffe://d/ns/shop/sa/web", "vm1", noon_ms - 1000);
	struct tls_peer two =
	    peer_of("spiffe://d/ns/shop/sa/web", "vm2", noon_ms - 1000);
	struct tls_peer other =
	    peer_of("spiffe://d/ns/shop/sa/db", "vm1", noon_ms - 1000);
	const struct ca_revocation both[] = {node, account};

	EXPECT_TRUE(ca_peer_is_revoked(&account, 1, &one));
	EXPECT_TRUE(ca_peer_is_revoked(both, 2, &two));
	EXPECT_FALSE(ca_peer_is_revoked(&account, 1, &other));
	EXPECT_FALSE(ca_node_is_revoked(&account, 1, S("web"), noon_ms - 1));
}

TEST(who_has_no_name_is_no_node)
{
	struct tls_peer web =
	    peer_of("spiffe://d/ns/shop/sa/web", "", noon_ms - 1000);

	EXPECT_FALSE(ca_peer_is_revoked(&node, 1, &web));
	EXPECT_FALSE(ca_node_is_revoked(&node, 1, SLICE_NONE, noon_ms - 1000));
}
