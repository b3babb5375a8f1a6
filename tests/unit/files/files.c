/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files — what of a folder is read, in which order, and what is told of it.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"

#define SERVICE(name)                                                          \
	"apiVersion: v1\nkind: Service\nmetadata: {name: " name "}\n"          \
	"spec: {ports: [{port: 80}]}\n"

static char dir[64];

static const char *
in_dir(const char *name)
{
	static char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void
write_file(const char *name, const char *text)
{
	struct fault why = {0};

	EXPECT_OK(file_replace(in_dir(name), slice_str(text), 0600, &why));
}

static void
begin(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/meshd-files-XXXXXX");
	EXPECT_TRUE(mkdtemp(dir) != NULL);
}

static void
end(void)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -r %s", dir);
	EXPECT_EQ(system(command), 0);
}

static void
add_name(void *arg, struct resource *r)
{
	struct buf *names = arg;

	EXPECT_OK(buf_printf(names, "%.*s ", SLICE_ARG(r->key.name)));
	resource_unref(&r);
}

/* The names of all that is there, in order; and the digest. */
static void
expect(const char *names, uint8_t digest[CRYPTO_SHA256_LEN])
{
	AUTO(files_fini) struct files f;
	AUTO(buf_fini) struct buf text = BUF(4096);
	struct fault why = {0};

	files_init(&f, FILES_BYTES);
	EXPECT_OK(files_read(&f, dir, &why));
	EXPECT_OK(files_decode(&f, S("default"), add_name, &text));
	EXPECT_SLICE(buf_slice(&text), slice_str(names));
	memcpy(digest, f.digest, CRYPTO_SHA256_LEN);
}

TEST(a_folder_is_read_by_name_and_not_what_lies_beside)
{
	uint8_t digest[CRYPTO_SHA256_LEN];

	begin();
	write_file("b.yml", SERVICE("b"));
	write_file("a.yaml", SERVICE("a1") "---\n" SERVICE("a2"));
	write_file("c.json",
	    "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":"
	    "[]}");
	write_file(".hidden.yaml", "kind: [");
	write_file("a.yaml~", "kind: [");
	write_file("#a.yaml#", "kind: [");
	write_file("README", "kind: [");
	expect("a1 a2 b ", digest);
	end();
}

TEST(the_digest_tells_whether_anything_is_different)
{
	uint8_t first[CRYPTO_SHA256_LEN], again[CRYPTO_SHA256_LEN];

	begin();
	write_file("a.yaml", SERVICE("a"));
	expect("a ", first);
	expect("a ", again);
	EXPECT_MEM(first, again, sizeof(first));
	write_file("a.yaml", SERVICE("a") "# a remark\n");
	expect("a ", again);
	EXPECT_TRUE(memcmp(first, again, sizeof(first)) != 0);
	write_file("a.yaml", SERVICE("a"));
	write_file("b.yaml", "");
	expect("a ", again);
	EXPECT_TRUE(memcmp(first, again, sizeof(first)) != 0);
	end();
}

TEST(mistakes_of_syntax_are_all_told_and_what_is_unreadable_ends_it)
{
	AUTO(files_fini) struct files f;
	struct fault why = {0};

	begin();
	write_file("a.yaml", "kind: [");
	write_file("b.yaml", "a: 1\na: 2\n");
	files_init(&f, FILES_BYTES);
	EXPECT_OK(files_read(&f, dir, &why));
	EXPECT_EQ(f.found.errors.count, 2);
	EXPECT_EQ(symlink("nowhere", in_dir("c.yaml")), 0);
	EXPECT_ERR(files_read(&f, dir, &why), ERR_NOT_FOUND);
	end();
}

TEST(memory_is_bounded_by_who_reads)
{
	enum { LONG = 1 << 20 };
	AUTO(files_fini) struct files f;
	char *text = mem_new(LONG + 1);
	struct fault why = {0};

	memset(text, '#', LONG);
	begin();
	write_file("a.yaml", text);
	files_init(&f, LONG / 2);
	EXPECT_ERR(files_read(&f, dir, &why), ERR_LIMIT);
	end();
	mem_free(&text);
}

TEST(a_folder_without_configuration_is_said)
{
	AUTO(files_fini) struct files f;
	struct fault why = {0};

	begin();
	files_init(&f, FILES_BYTES);
	EXPECT_ERR(files_read(&f, dir, &why), ERR_NOT_FOUND);
	EXPECT_TRUE(strstr(why.text, "holds no .yaml") != NULL);
	end();
}
