/* SPDX-License-Identifier: Apache-2.0 */
/*
 * install — the paths, and when what they say is current.
 *
 * The files are looked at for each request, and digested by a job when they
 * have changed. The signature is made once for a list and a key, so that the
 * script stays the same and a line may carry its digest.
 */
#define LOG_MODULE "admin"

#include "install.h"
#include "download.h"
#include "offer.h"
#include "tls/tls.h"

#include <stdarg.h>
#include <stdio.h>

enum { INSTALL_MAGIC = 0x696e7374, FACT_BYTES = 4 << 10 };

struct install {
	uint32_t magic;
	struct admin *admin;
	struct offer offer;
	struct downloads *downloads;
	struct list waiting;
	struct look *looking; /* a job; NULL: none */
	/* Of the offer: the list, its signature, and the whole script. */
	struct buf digests, signature, script;
};

/* The job's own: it may outlive the installer. */
struct look {
	struct install *install; /* NULL once that is closed */
	struct offer offer;
};

struct waiter {
	struct list link;
	void (*ready)(void *arg);
	void *arg;
};

/* A request that waits. */
struct asker {
	struct install *install;
	struct http_exchange *x;
	struct addr from;
};

/* --- what is said --- */

struct facts {
	struct script_facts script;
	char pin[SCRIPT_PIN_LEN];
	struct buf servers, key, signature;
};

static void
facts_fini(struct facts *f)
{
	buf_fini(&f->servers);
	buf_fini(&f->key);
	buf_fini(&f->signature);
}

static struct tls_key *
signing_key(const struct install *in)
{
	return tls_identity_key(server_api_identity(in->admin->spec.server));
}

static enum err
add_servers(const struct install *in, struct buf *out)
{
	char text[CA_TOKEN_SERVER_LEN];
	uint16_t port = remote_port(in->admin->remote);
	enum err e = OK;

	for (size_t i = 0; e == OK && server_reached_at(in->admin->spec.server,
					  i, port, text) == OK;
	     i++)
		e = buf_printf(out, "%shttps://%s", i > 0 ? " " : "", text);
	return e;
}

static enum err
add_base64(struct slice bytes, struct buf *out)
{
	char text[CRYPTO_BASE64_LEN(TLS_SIGNATURE_MAX)];

	CHECK(bytes.len <= TLS_SIGNATURE_MAX);
	crypto_base64(bytes, text);
	return buf_add(out, text, CRYPTO_BASE64_LEN(bytes.len));
}

static enum err
gather(const struct install *in, struct facts *f)
{
	struct tls_pin pin;
	enum err e;

	buf_init(&f->servers, FACT_BYTES);
	buf_init(&f->key, FACT_BYTES);
	buf_init(&f->signature, FACT_BYTES);
	tls_key_pin(signing_key(in), &pin);
	(void)snprintf(f->pin, sizeof(f->pin), "sha256//");
	crypto_base64(slice_of(pin.bytes, TLS_PIN_LEN), f->pin + 8);
	f->pin[SCRIPT_PIN_LEN - 1] = '\0';
	e = add_servers(in, &f->servers);
	if (e == OK)
		e = tls_key_public_pem(signing_key(in), &f->key);
	if (e == OK)
		e = add_base64(buf_slice(&in->signature), &f->signature);
	f->script = (struct script_facts){.version = S(MESHD_VERSION),
	    .pin = slice_str(f->pin),
	    .servers = buf_slice(&f->servers),
	    .digests = buf_slice(&in->digests),
	    .key = buf_slice(&f->key),
	    .signature = buf_slice(&f->signature)};
	return e;
}

static enum err
sign(struct install *in)
{
	uint8_t signature[TLS_SIGNATURE_MAX];
	size_t len = 0;
	enum err e;

	buf_reset(&in->digests);
	buf_reset(&in->signature);
	e = offer_digests(&in->offer, &in->digests);
	if (e == OK)
		e = tls_key_sign(
		    signing_key(in), buf_slice(&in->digests), signature, &len);
	return e == OK ? buf_add(&in->signature, signature, len) : e;
}

/* Empty, with the reason in the log, if it cannot be made. */
static void
write_script(struct install *in)
{
	AUTO(facts_fini) struct facts f = {0};
	struct fault why = {0};
	enum err e = sign(in);

	buf_reset(&in->script);
	if (e == OK)
		e = gather(in, &f);
	if (e == OK)
		e = script_render(&f.script, &in->script, &why);
	if (e == OK)
		return;
	log_error("no installer is served", "why=\"%s\"",
	    why.text[0] != 0 ? why.text : err_text(e));
	buf_reset(&in->script);
}

enum err
install_lines(struct install *in, struct slice token, struct script_lines *out,
    struct fault *why)
{
	AUTO(facts_fini) struct facts f = {0};
	enum err e = buf_len(&in->script) > 0 ? gather(in, &f) : ERR_NOT_FOUND;

	if (e == OK)
		e = script_lines(&f.script, buf_slice(&in->script), token, out);
	return e == OK ? OK
		       : fault_set(why, e, "the installer cannot be served");
}

/* --- when it is current --- */

static void
tell_waiting(struct install *in)
{
	struct waiter *w;

	while ((w = LIST_FIRST(&in->waiting, struct waiter, link)) != NULL) {
		struct waiter now = *w;

		list_remove(&w->link);
		mem_free(&w);
		now.ready(now.arg);
	}
}

static void
look(void *arg)
{
	struct look *l = arg;

	offer_look(&l->offer);
}

static void
on_looked(void *arg)
{
	struct look *l = arg;
	struct install *in = l->install;

	if (in != NULL) {
		in->offer = l->offer;
		in->looking = NULL;
		write_script(in);
		tell_waiting(in);
	}
	mem_free(&l);
}

static bool
is_current(const struct install *in)
{
	return buf_len(&in->script) > 0 && offer_is_current(&in->offer);
}

static void
start_looking(struct install *in)
{
	struct look *l = mem_new(sizeof(*l));

	l->install = in;
	l->offer = in->offer;
	in->looking = l;
	/* There is room: downloads have half of the queue. */
	CHECK(jobs_submit(downloads_jobs(in->downloads), in->admin->spec.loop,
		  look, on_looked, l) == OK);
}

void
install_when_ready(struct install *in, void (*ready)(void *arg), void *arg)
{
	struct waiter *w;

	if (in->looking == NULL && is_current(in)) {
		ready(arg);
		return;
	}
	w = mem_new(sizeof(*w));
	w->ready = ready;
	w->arg = arg;
	list_push_back(&in->waiting, &w->link);
	if (in->looking == NULL)
		start_looking(in);
}

/* --- answers --- */

static void refuse(struct http_exchange *x, unsigned status, const char *fmt,
    ...) PRINTF_LIKE(3, 4);

static void
refuse(struct http_exchange *x, unsigned status, const char *fmt, ...)
{
	char words[FAULT_TEXT_MAX + OFFER_PATH_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	http_exchange_respond(x, status, S("text/plain"), slice_str(words));
}

static size_t
arch_of(struct slice name)
{
	for (size_t i = 0; i < OFFER_ARCHS; i++)
		if (slice_eq(name, slice_str(offer_arch(i))))
			return i;
	return OFFER_ARCHS;
}

static void
send_program(struct asker *a, struct slice arch)
{
	struct install *in = a->install;
	size_t index = arch_of(arch);
	int fd;

	if (index == OFFER_ARCHS) {
		refuse(a->x, 404,
		    "meshd is not made for %.*s: there are amd64 and arm64\n",
		    SLICE_ARG(arch));
		return;
	}
	if (downloads_may(in->downloads, &a->from) != OK) {
		CHECK(http_exchange_set(a->x, S("Retry-After"), S("5")) == OK);
		refuse(a->x, 503,
		    "too many downloads at a time; try again in 5 s\n");
		return;
	}
	fd = offer_open(&in->offer, index);
	if (fd < 0)
		refuse(a->x, 404,
		    "this server has no program for %.*s: take meshd's tarball "
		    "for it, or make one, and put its bin/meshd on the server "
		    "as "
		    "%s/meshd-linux-%.*s\n",
		    SLICE_ARG(arch), in->offer.folder, SLICE_ARG(arch));
	else
		downloads_start(in->downloads, a->x, fd, &a->from);
}

static void
answer(struct asker *a)
{
	struct install *in = a->install;
	struct slice path = http_exchange_path(a->x);
	struct slice program = S("/install/meshd-linux-");

	if (buf_len(&in->script) == 0)
		refuse(a->x, 500,
		    "the installer cannot be made; the server's log says "
		    "why\n");
	else if (slice_eq(path, S("/install")))
		http_exchange_respond(a->x, 200, S("text/plain; charset=utf-8"),
		    buf_slice(&in->script));
	else if (slice_eq(path, S("/install/SHA256SUMS")))
		http_exchange_respond(
		    a->x, 200, S("text/plain"), buf_slice(&in->digests));
	else if (slice_eq(path, S("/install/SHA256SUMS.sig")))
		http_exchange_respond(a->x, 200, S("application/octet-stream"),
		    buf_slice(&in->signature));
	else if (slice_starts(path, program))
		send_program(a, slice_sub(path, program.len, path.len));
	else
		refuse(a->x, 404,
		    "%.*s is not there: /install is a script, and beside it "
		    "are /install/meshd-linux-amd64, /install/SHA256SUMS and "
		    "/install/SHA256SUMS.sig\n",
		    SLICE_ARG(path));
}

static void
on_ready(void *arg)
{
	struct asker *a = arg;

	if (a->install->magic == INSTALL_MAGIC)
		answer(a);
	else /* it is being closed */
		refuse(a->x, 503, "the server stops\n");
	mem_free(&a);
}

bool
install_takes(const struct install *in, const struct http_exchange *x)
{
	const struct http_head *h = http_exchange_head(x);
	struct slice path = http_exchange_path(x);

	return in != NULL &&
	       (http_head_is_method(h, S("GET")) ||
		   http_head_is_method(h, S("HEAD"))) &&
	       (slice_eq(path, S("/install")) ||
		   slice_starts(path, S("/install/")));
}

void
install_answer(
    struct install *in, struct http_exchange *x, const struct addr *from)
{
	struct asker *a = mem_new(sizeof(*a));

	a->install = in;
	a->x = x;
	a->from = *from;
	install_when_ready(in, on_ready, a);
}

/* --- opening and closing --- */

struct install *
install_open(struct admin *a)
{
	struct install *in = mem_new(sizeof(*in));
	struct fault why = {0};

	if (offer_init(&in->offer, a->spec.installer, &why) != OK) {
		log_error("no installer is served", "why=\"%s\"", why.text);
		mem_free(&in);
		return NULL;
	}
	in->magic = INSTALL_MAGIC;
	in->admin = a;
	list_init(&in->waiting);
	buf_init(&in->digests, OFFER_DIGESTS_MAX);
	buf_init(&in->signature, TLS_SIGNATURE_MAX);
	buf_init(&in->script, SCRIPT_BYTES_MAX);
	in->downloads = downloads_new(a->spec.loop);
	return in;
}

void
install_close(struct install **ip)
{
	struct install *in = TAKE(*ip);

	if (in == NULL)
		return;
	if (in->looking != NULL)
		in->looking->install = NULL;
	in->magic = 0;
	tell_waiting(in);
	downloads_free(&in->downloads);
	buf_fini(&in->digests);
	buf_fini(&in->signature);
	buf_fini(&in->script);
	mem_free(&in);
}
