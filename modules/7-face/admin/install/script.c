/* SPDX-License-Identifier: Apache-2.0 */
/*
 * script — facts into the installer, where one line of it says @FACTS@.
 */
#include <string.h>

#include "script.h"

/* packaging/install.sh, which script.py makes bytes of. */
extern const char script_text[];
extern const size_t script_text_len;

static const struct slice mark = {"@FACTS@\n", 8};

/* --- the script --- */

/* All that a fact is made of, so that no quoting can fail. */
static bool
is_plain(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') &&
		    (c < '0' || c > '9') &&
		    (c == '\0' || strchr("+/=:.[]_- \n", c) == NULL))
			return false;
	}
	return true;
}

static enum err
add_fact(
    struct buf *out, const char *name, struct slice value, struct fault *why)
{
	if (value.len > 0 && value.ptr[value.len - 1] == '\n')
		value.len--; /* as a shell's $(…) does */
	if (!is_plain(value))
		return fault_set(why, ERR_INVALID,
		    "the installer cannot carry this %s: %.*s", name,
		    SLICE_ARG(value));
	if (buf_printf(out, "%s='%.*s'\n", name, SLICE_ARG(value)) != OK)
		return fault_set(
		    why, ERR_LIMIT, "the installer would be too long");
	return OK;
}

enum err
script_render(const struct script_facts *f, struct buf *out, struct fault *why)
{
	struct slice text = slice_of(script_text, script_text_len);
	const char *at = memmem(text.ptr, text.len, mark.ptr, mark.len);
	size_t before = at != NULL ? (size_t)(at - text.ptr) : text.len;
	const struct {
		const char *name;
		struct slice value;
	} facts[] = {{"version", f->version}, {"pin", f->pin},
	    {"servers", f->servers}, {"digests", f->digests}, {"key", f->key},
	    {"signature", f->signature}};
	enum err e;

	CHECK(at != NULL); /* it was compiled in */
	e = buf_add_slice(out, slice_sub(text, 0, before));
	for (size_t i = 0; e == OK && i < ARRAY_LEN(facts); i++)
		e = add_fact(out, facts[i].name, facts[i].value, why);
	if (e == OK)
		e = buf_add_slice(
		    out, slice_sub(text, before + mark.len, text.len));
	return e;
}

/* --- the lines --- */

void
script_lines_init(struct script_lines *l)
{
	buf_init(&l->curl, SCRIPT_LINE_MAX);
	buf_init(&l->wget, SCRIPT_LINE_MAX);
	buf_init(&l->manual, SCRIPT_LINE_MAX);
	l->curl.secret = l->wget.secret = l->manual.secret = true;
}

void
script_lines_fini(struct script_lines *l)
{
	buf_fini(&l->curl);
	buf_fini(&l->wget);
	buf_fini(&l->manual);
}

enum err
script_lines(const struct script_facts *f, struct slice script,
    struct slice token, struct script_lines *out)
{
	struct slice rest = f->servers;
	struct slice at = slice_split(&rest, ' ');
	uint8_t hash[CRYPTO_SHA256_LEN];
	char hex[2 * CRYPTO_SHA256_LEN + 1] = "";
	enum err e;

	crypto_sha256(script, hash);
	crypto_hex(slice_of(hash, sizeof(hash)), hex);
	e = buf_printf(&out->curl,
	    "curl -fsSLk --pinnedpubkey '%.*s' %.*s/install | "
	    "sh -s -- --pin '%.*s' --join %.*s",
	    SLICE_ARG(f->pin), SLICE_ARG(at), SLICE_ARG(f->pin),
	    SLICE_ARG(token));
	if (e == OK)
		e = buf_printf(&out->wget,
		    "wget -qO meshd-install --no-check-certificate "
		    "%.*s/install && echo '%s  meshd-install' | "
		    "sha256sum -c && sh meshd-install --pin '%.*s' --join %.*s",
		    SLICE_ARG(at), hex, SLICE_ARG(f->pin), SLICE_ARG(token));
	if (e == OK)
		e = buf_printf(&out->manual,
		    "1. Fetch, from where the server is reached, by any means:"
		    "\n     %.*s/install\n"
		    "     %.*s/install/meshd-linux-ARCH"
		    "   (amd64 or arm64: as the machine is)\n"
		    "2. Bring both to the machine. There, sha256sum install "
		    "says:\n     %s\n"
		    "   The installer itself checks the program.\n"
		    "3. sh install --program meshd-linux-ARCH --pin '%.*s' "
		    "--join %.*s",
		    SLICE_ARG(at), SLICE_ARG(at), hex, SLICE_ARG(f->pin),
		    SLICE_ARG(token));
	return e;
}
