/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote — the way to a server elsewhere, by an operator's token.
 *
 * The server is known by the root that the token pins, and nothing turns that
 * off. One that is somebody else is named before one that does not answer.
 */
#include "tls/tls.h"

#include "remote.h"

/* As it is written, whatever stood around it when it was read. */
static enum err
make_field(struct remote *r, struct fault *why)
{
	AUTO(secret_fini) struct secret line = {0};
	struct slice scheme = S("Bearer ");
	enum err e = ca_token_format(&r->token, &line, why);

	if (e != OK)
		return e;
	secret_init(&r->field, scheme.len + line.len);
	memcpy(r->field.bytes, scheme.ptr, scheme.len);
	memcpy(r->field.bytes + scheme.len, line.bytes, line.len);
	return OK;
}

enum err
remote_init(struct remote *r, struct slice token, struct fault *why)
{
	struct tls_config_spec spec = {
	    .role = TLS_CLIENT, .alpn = {"http/1.1"}};
	enum err e = ca_token_parse(token, CA_TOKEN_OPERATOR, &r->token, why);

	if (e == OK)
		e = make_field(r, why);
	if (e == OK &&
	    (tls_init() != OK || tls_config_new(&spec, &r->tls) != OK))
		e = fault_set(why, ERR_INTERNAL, "TLS cannot start");
	return e;
}

void
remote_fini(struct remote *r)
{
	link_cancel(&r->link);
	tls_config_unref(&r->tls);
	secret_fini(&r->field);
	ca_token_fini(&r->token);
}

static bool
is_stranger(enum err e)
{
	return e == ERR_AUTH || e == ERR_EXPIRED;
}

static void
note(struct remote *r, enum err e, const struct fault *why)
{
	if (is_stranger(r->why.code))
		return;
	if (is_stranger(e))
		(void)fault_set(&r->why, e,
		    "this is not the server that the token was made for: %s",
		    why->text);
	else
		(void)fault_set(&r->why, ERR_UNREACHABLE,
		    "no server answers: %s; is meshd running there, and may "
		    "this machine reach it?",
		    why->text);
}

static void
on_link(void *arg, struct stream *open, enum err e, const struct fault *why)
{
	struct remote *r = arg;

	r->link = NULL;
	if (e == OK) {
		r->done(r->arg, open, NULL);
		return;
	}
	note(r, e, why);
	if (r->next < r->token.server_count)
		remote_dial(r);
	else
		r->done(r->arg, NULL, &r->why);
}

void
remote_dial(struct remote *r)
{
	struct link_spec spec = {
	    .loop = r->loop,
	    .config = r->tls,
	    .root_pin = &r->token.root_pin,
	    .trust_domain = slice_str(r->token.trust_domain),
	    .done = on_link,
	    .arg = r,
	};

	r->server = slice_str(r->token.servers[r->next++]);
	spec.server = r->server;
	r->link = link_dial(&spec);
}
