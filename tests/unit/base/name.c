/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name — labels, hosts, services, identities.
 */
#include "base/base.h"
#include "unit.h"

#define LABEL_63                                                               \
	"abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0"

static enum err
service(const char *host, struct service_name *out)
{
	return name_service_parse(
	    slice_str(host), S("here"), S("mesh.internal"), out);
}

TEST(labels_are_lower_case_with_hyphens_inside)
{
	struct fault why;

	EXPECT_OK(name_check_label(S("a"), NULL));
	EXPECT_OK(name_check_label(S("0-a-9"), NULL));
	EXPECT_OK(name_check_label(S(LABEL_63), NULL));
	EXPECT_ERR(name_check_label(S(LABEL_63 "x"), NULL), ERR_LIMIT);
	EXPECT_ERR(name_check_label(S(""), NULL), ERR_INVALID);
	EXPECT_ERR(name_check_label(S("-a"), NULL), ERR_INVALID);
	EXPECT_ERR(name_check_label(S("a-"), NULL), ERR_INVALID);
	EXPECT_ERR(name_check_label(S("A"), &why), ERR_INVALID);
	EXPECT_STR(why.text, "a name consists of a-z, 0-9 and '-'");
}

TEST(hosts_are_labels_with_dots)
{
	EXPECT_OK(name_check_subdomain(S("a.b-c.d"), NULL));
	EXPECT_OK(name_check_subdomain(S(LABEL_63 "." LABEL_63 "." LABEL_63 "."
						  "abcdefghijklmnopqrstuvwxyz"
						  "abcdefghijklmnopqrstuvwxyz"
						  "012345678"),
	    NULL));
	EXPECT_ERR(
	    name_check_subdomain(
		S(LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63), NULL),
	    ERR_LIMIT);
	EXPECT_ERR(name_check_subdomain(S(""), NULL), ERR_INVALID);
	EXPECT_ERR(name_check_subdomain(S("."), NULL), ERR_INVALID);
	EXPECT_ERR(name_check_subdomain(S("a."), NULL), ERR_INVALID);
	EXPECT_ERR(name_check_subdomain(S("a..b"), NULL), ERR_INVALID);
	EXPECT_ERR(name_check_subdomain(S(".a"), NULL), ERR_INVALID);
}

TEST(all_forms_of_a_service_mean_the_same)
{
	static const char *const forms[] = {"web.shop", "web.shop.svc",
	    "web.shop.svc.mesh.internal", "web.shop.svc.cluster.local",
	    "web.shop.svc.cluster.local."};
	struct service_name n;

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		EXPECT_OK(service(forms[i], &n));
		EXPECT_SLICE(n.name, S("web"));
		EXPECT_SLICE(n.ns, S("shop"));
	}
	EXPECT_OK(service("web", &n));
	EXPECT_SLICE(n.name, S("web"));
	EXPECT_SLICE(n.ns, S("here"));
}

TEST(hosts_outside_the_mesh_are_not_found)
{
	static const char *const outside[] = {"www.example.com",
	    "web.shop.svc.example.com", "web.shop.svc.cluster.local.x",
	    "web.shop.pod", "web.", "web.shop."};
	static const char *const no_host[] = {"", ".", "*.shop", "Web",
	    "web..svc", "web:80", "web.shop.svc.cluster.local.."};
	struct service_name n = {S("old"), S("old")};

	for (size_t i = 0; i < ARRAY_LEN(outside); i++)
		EXPECT_ERR(service(outside[i], &n), ERR_NOT_FOUND);
	for (size_t i = 0; i < ARRAY_LEN(no_host); i++)
		EXPECT_ERR(service(no_host[i], &n), ERR_PARSE);
	EXPECT_SLICE(n.name, S("old"));
}

TEST(an_identity_goes_to_text_and_back)
{
	AUTO(arena_fini) struct arena a;
	struct identity id;
	struct slice text = S("spiffe://mesh.internal/ns/shop/sa/Web_1");

	arena_init(&a, 1024);
	EXPECT_OK(name_identity_parse(text, &id, NULL));
	EXPECT_SLICE(id.trust_domain, S("mesh.internal"));
	EXPECT_SLICE(id.ns, S("shop"));
	EXPECT_SLICE(id.account, S("Web_1"));
	EXPECT_SLICE(name_identity_format(&a, &id), text);
}

TEST(any_other_shape_is_no_identity)
{
	static const char *const bad[] = {"", "spiffe://",
	    "spiffe:///ns/a/sa/b", "https://t/ns/a/sa/b",
	    "SPIFFE://t/ns/a/sa/b", "spiffe://t", "spiffe://t/ns/a/sa/",
	    "spiffe://t/ns//sa/b", "spiffe://t/ns/a/sb/b",
	    "spiffe://t/ns/a/sa/b/", "spiffe://t/ns/a/sa/b/c",
	    "spiffe://T/ns/a/sa/b", "spiffe://t:1/ns/a/sa/b",
	    "spiffe://u@t/ns/a/sa/b", "spiffe://t/ns/a/sa/b?q",
	    "spiffe://t/ns/../sa/b", "spiffe://t/ns/a/sa/.",
	    "spiffe://t/ns/a/sa/%41", " spiffe://t/ns/a/sa/b"};
	struct identity id = {.ns = S("old")};
	struct fault why;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		EXPECT_ERR(name_identity_parse(slice_str(bad[i]), &id, &why),
		    ERR_PARSE);
	EXPECT_SLICE(id.ns, S("old"));
}

TEST(an_identity_of_more_than_2048_bytes_is_refused)
{
	static char text[NAME_SPIFFE_MAX + 1];
	static const char head[] = "spiffe://t/ns/a/sa/";
	struct identity id;

	memset(text, 'a', sizeof(text));
	memcpy(text, head, sizeof(head) - 1);
	EXPECT_OK(
	    name_identity_parse(slice_of(text, NAME_SPIFFE_MAX), &id, NULL));
	EXPECT_ERR(name_identity_parse(slice_of(text, sizeof(text)), &id, NULL),
	    ERR_PARSE);
}
