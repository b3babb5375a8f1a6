/* SPDX-License-Identifier: Apache-2.0 */
/*
 * script — what a server puts into the installer, and what it never may.
 */
#include "script.h"
#include "unit.h"

#include <string.h>

static struct script_facts
facts(void)
{
	return (struct script_facts){.version = S("1.2.3"),
	    .pin = S("sha256//AAAA+/=="),
	    .servers = S("https://10.0.0.1:15080 https://[fd00::1]:15080"),
	    .digests = S("00ff  meshd-linux-amd64\n11ee  meshd-linux-arm64\n"),
	    .key = S("-----BEGIN PUBLIC KEY-----\nMFk\n"),
	    .signature = S("MEUC")};
}

static bool
holds(const struct buf *b, const char *text)
{
	struct slice all = buf_slice(b);

	return memmem(all.ptr, all.len, text, strlen(text)) != NULL;
}

TEST(the_facts_are_words_of_a_shell_in_the_script)
{
	AUTO(buf_fini) struct buf out = BUF(SCRIPT_BYTES_MAX);
	struct script_facts f = facts();

	EXPECT_EQ(script_render(&f, &out, NULL), OK);
	EXPECT_TRUE(slice_starts(buf_slice(&out), S("#!/bin/sh\n")));
	EXPECT_TRUE(holds(&out,
	    "\nversion='1.2.3'\npin='sha256//AAAA+/=='\n"
	    "servers='https://10.0.0.1:15080 https://[fd00::1]:15080'\n"
	    "digests='00ff  meshd-linux-amd64\n11ee  meshd-linux-arm64'\n"
	    "key='-----BEGIN PUBLIC KEY-----\nMFk'\nsignature='MEUC'\n"));
	EXPECT_FALSE(holds(&out, "@FACTS@"));
	EXPECT_FALSE(holds(&out, "@FILE"));
	EXPECT_TRUE(holds(&out, "\nmain \"$@\"\n"));
}

TEST(the_units_and_the_account_are_those_of_the_packages)
{
	AUTO(buf_fini) struct buf out = BUF(SCRIPT_BYTES_MAX);
	struct script_facts f = facts();

	EXPECT_EQ(script_render(&f, &out, NULL), OK);
	EXPECT_TRUE(holds(&out, "\nLoadCredential=join:/etc/meshd/token\n"));
	EXPECT_TRUE(holds(&out, "\nExecStart=/usr/bin/meshd gateway\n"));
	EXPECT_TRUE(holds(&out, "\n	systemd-sysusers meshd.conf\n"));
	EXPECT_TRUE(holds(&out, "\nu     meshd -"));
}

TEST(what_a_shell_could_take_for_more_than_text_is_refused)
{
	static const char *const bad[] = {"'", "\"", "$(id)", "`id`", "a\\b",
	    "a;b", "a|b", "a&b", "a\tb", "\x80"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		AUTO(buf_fini) struct buf out = BUF(SCRIPT_BYTES_MAX);
		struct script_facts f = facts();
		struct fault why = {0};

		f.servers = slice_str(bad[i]);
		EXPECT_EQ(script_render(&f, &out, &why), ERR_INVALID);
		EXPECT_TRUE(strstr(why.text, "servers") != NULL);
	}
}

TEST(the_lines_carry_the_pin_or_the_digest_of_the_script)
{
	AUTO(script_lines_fini) struct script_lines l;
	struct script_facts f = facts();

	script_lines_init(&l);
	EXPECT_EQ(script_lines(&f, S("abc"), S("mj1.xyz"), &l), OK);
	EXPECT_SLICE(buf_slice(&l.curl),
	    S("curl -fsSLk --pinnedpubkey 'sha256//AAAA+/==' "
	      "https://10.0.0.1:15080/install | sh -s -- "
	      "--pin 'sha256//AAAA+/==' --join mj1.xyz"));
	EXPECT_TRUE(holds(&l.wget,
	    "echo 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f2"
	    "0015ad  meshd-install' | sha256sum -c && sh meshd-install "));
	EXPECT_TRUE(holds(&l.manual, "sh install --program meshd-linux-ARCH "
				     "--pin 'sha256//AAAA+/==' "
				     "--join mj1.xyz"));
}
