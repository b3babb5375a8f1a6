/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own — what this one server is: its name, addresses, keys and certificates.
 */
#define LOG_MODULE "server"

#include "base/base.h"
#include "ca/ca.h"
#include "net/net.h"
#include "tls/tls.h"

#include "own.h"
#include "paths.h"

#include <stdio.h>
#include <unistd.h>

void
own_init(struct own *o)
{
	*o = (struct own){0};
	rng_init_random(&o->rng);
}

void
own_fini(struct own *o)
{
	tls_identity_unref(&o->identity);
	tls_identity_unref(&o->api_identity);
	tls_key_unref(&o->api_key);
	tls_trust_unref(&o->trust);
	ca_unref(&o->ca);
	secret_wipe(o->gossip_secret, sizeof(o->gossip_secret));
}

/* --- name and addresses --- */

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* "DB-1.example.com" → "db-1"; "server" for a host whose name is none. */
static void
name_from_host(char out[GOSSIP_NAME_MAX + 1])
{
	char host[NAME_HOST_MAX + 1] = "";
	struct slice label;

	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	label = slice_str(host);
	label.len = slice_find(label, '.');
	for (size_t i = 0; i < label.len; i++)
		host[i] = lower(host[i]);
	if (name_check_label(label, NULL) != OK ||
	    slice_to_cstr(label, out, GOSSIP_NAME_MAX + 1) != OK)
		(void)snprintf(out, GOSSIP_NAME_MAX + 1, "server");
}

static enum err
read_name(struct own *o, const char *given, struct fault *why)
{
	enum err e;

	if (given == NULL) {
		name_from_host(o->name);
		return OK;
	}
	e = name_check_label(slice_str(given), why);
	if (e != OK)
		return fault_prefix(why, e, "the server's name: ");
	return slice_to_cstr(slice_str(given), o->name, sizeof(o->name));
}

static enum err
add_host(struct own *o, const char *text, struct fault *why)
{
	struct slice host = slice_str(text);
	struct addr ip;

	if (o->host_count == SERVER_ADVERTISED_MAX)
		return fault_set(why, ERR_LIMIT,
		    "a server announces at most %d addresses",
		    SERVER_ADVERTISED_MAX);
	if (addr_parse_ip(host, &ip) == OK) {
		addr_format_ip(&ip, o->hosts[o->host_count++]);
		o->ips[o->ip_count++] = ip;
		return OK;
	}
	if (name_check_subdomain(host, NULL) != OK)
		return fault_set(why, ERR_INVALID,
		    "%s is neither an IP address nor a host name that agents "
		    "could reach this server at",
		    text);
	return slice_to_cstr(
	    host, o->hosts[o->host_count++], sizeof(o->hosts[0]));
}

static enum err
add_machine(struct own *o, struct fault *why)
{
	struct addr ips[SERVER_ADVERTISED_MAX];
	size_t n = net_machine_addrs(ips, ARRAY_LEN(ips));
	char text[ADDR_TEXT_MAX];
	enum err e = OK;

	for (size_t i = 0; e == OK && i < n; i++)
		e = add_host(o, addr_format_ip(&ips[i], text), why);
	/* A machine without a network can still be a mesh of its own. */
	if (e == OK && n == 0)
		e = add_host(o, "127.0.0.1", why);
	return e;
}

static enum err
read_addresses(struct own *o, const struct server_spec *spec, struct fault *why)
{
	enum err e = OK;

	for (size_t i = 0; e == OK && i < spec->advertised_count; i++)
		e = add_host(o, spec->advertised[i], why);
	if (e == OK && spec->advertised_count == 0)
		e = add_machine(o, why);
	return e;
}

enum err
own_server_text(const struct own *o, size_t index, uint16_t port,
    char out[CA_TOKEN_SERVER_LEN])
{
	struct addr ip;
	int n;

	if (addr_parse_ip(slice_str(o->hosts[index]), &ip) == OK) {
		ip.port = port;
		(void)addr_format(&ip, out);
		return OK;
	}
	n = snprintf(out, CA_TOKEN_SERVER_LEN, "%s:%u", o->hosts[index], port);
	return n > 0 && n < CA_TOKEN_SERVER_LEN ? OK : ERR_LIMIT;
}

/* --- the intermediate --- */

static enum err
load_signer(const char *dir, struct tls_key **out_key,
    struct tls_chain **out_chain, struct fault *why)
{
	AUTO(buf_fini) struct buf pem = BUF(TLS_CHAIN_BYTES_MAX);
	char path[SERVER_PATH_MAX];
	enum err e = path_of(dir, PATH_SIGNER_KEY, path, why);

	if (e == OK)
		e = tls_key_load(path, out_key, why);
	if (e == OK)
		e = path_of(dir, PATH_SIGNER, path, why);
	if (e == OK)
		e = file_read_private(path, &pem, why);
	return e == OK ? tls_chain_parse(buf_slice(&pem), out_chain, why) : e;
}

/* The key goes first: a certificate without its key is found out by ca_new().
 */
static enum err
save_signer(const char *dir, const struct tls_key *key,
    const struct tls_chain *chain, struct fault *why)
{
	AUTO(buf_fini) struct buf pem = BUF(2 * TLS_CHAIN_BYTES_MAX);
	char path[SERVER_PATH_MAX];
	enum err e = path_of(dir, PATH_SIGNER_KEY, path, why);

	if (e == OK)
		e = tls_key_save(key, path, why);
	if (e == OK)
		e = path_of(dir, PATH_SIGNER, path, why);
	if (e == OK)
		e = tls_chain_pem(chain, &pem);
	return e == OK ? file_replace(path, buf_slice(&pem), 0600, why) : e;
}

static enum err
signer_use(struct own *o, const struct mesh *mesh, struct tls_key *key,
    struct tls_chain *chain, struct fault *why)
{
	struct ca_spec spec = {
	    .trust_domain = slice_str(mesh->trust_domain),
	    .chain = chain,
	    .key = key,
	    .voucher_secret = mesh->voucher_secret,
	};
	AUTO(ca_unref) struct ca *ca = NULL;
	enum err e = ca_new(&spec, &ca, why);

	if (e != OK)
		return e;
	ca_unref(&o->ca);
	o->ca = TAKE(ca);
	return OK;
}

static enum err
signer_make(struct own *o, const char *dir, const struct mesh *mesh,
    int64_t now_ms, struct fault *why)
{
	struct tls_issuer root = {mesh->root_chain, mesh->root_key};
	AUTO(tls_key_unref) struct tls_key *key = tls_key_new();
	AUTO(tls_chain_unref) struct tls_chain *chain = NULL;
	uint8_t serial[TLS_SERIAL_LEN];
	enum err e;

	crypto_random(serial, sizeof(serial));
	e = ca_intermediate_make(&root, slice_str(mesh->trust_domain),
	    slice_str(o->name), key, serial, now_ms, &chain, why);
	if (e == OK)
		e = save_signer(dir, key, chain, why);
	return e == OK ? signer_use(o, mesh, key, chain, why) : e;
}

static bool
signer_is_good(const struct own *o, const struct mesh *mesh, int64_t now_ms)
{
	struct tls_cert_info root;
	struct tls_pin pin;

	if (o->ca == NULL || ca_not_after_ms(o->ca) < now_ms)
		return false;
	tls_cert_inspect(
	    mesh->root_chain, tls_chain_count(mesh->root_chain) - 1, &root);
	ca_root_pin(o->ca, &pin);
	/* A root that ends soon cannot be helped by a new intermediate. */
	return tls_pin_eq(&pin, &root.pin) &&
	       (ca_not_after_ms(o->ca) > now_ms + CA_INTERMEDIATE_MS / 2 ||
		   ca_not_after_ms(o->ca) == root.not_after_ms);
}

static enum err
signer_open(struct own *o, const char *dir, const struct mesh *mesh,
    int64_t now_ms, struct fault *why)
{
	AUTO(tls_key_unref) struct tls_key *key = NULL;
	AUTO(tls_chain_unref) struct tls_chain *chain = NULL;
	struct fault own = {0};
	enum err e = load_signer(dir, &key, &chain, &own);

	if (e == OK)
		e = signer_use(o, mesh, key, chain, &own);
	if (e == ERR_PERMISSION || e == ERR_IO) {
		if (why != NULL)
			*why = own;
		return e; /* to be mended, not to be written over */
	}
	if (e == OK && signer_is_good(o, mesh, now_ms))
		return OK;
	if (e != OK && e != ERR_NOT_FOUND)
		log_warn("own signing certificate is replaced", "why=\"%s\"",
		    own.text);
	return signer_make(o, dir, mesh, now_ms, why);
}

/* --- the gossip key --- */

static enum err
gossip_key_make(struct own *o, const char *path, struct fault *why)
{
	crypto_ed25519_new(o->gossip_public, o->gossip_secret);
	return file_replace(path,
	    slice_of(o->gossip_secret, sizeof(o->gossip_secret)), 0600, why);
}

static enum err
gossip_key_open(struct own *o, const char *dir, struct fault *why)
{
	AUTO(buf_fini)
	struct buf bytes = BUF_SECRET(CRYPTO_ED25519_SECRET_LEN + 1);
	char path[SERVER_PATH_MAX];
	struct slice secret;
	enum err e = path_of(dir, PATH_GOSSIP_KEY, path, why);

	if (e == OK)
		e = file_read_private(path, &bytes, why);
	if (e == ERR_NOT_FOUND)
		return gossip_key_make(o, path, why);
	if (e != OK)
		return e;
	secret = buf_slice(&bytes);
	if (secret.ptr == NULL || secret.len != sizeof(o->gossip_secret))
		return fault_set(why, ERR_CORRUPT,
		    "%s is %zu bytes long, not %zu; remove it and the server "
		    "becomes a new member",
		    path, secret.len, sizeof(o->gossip_secret));
	memcpy(o->gossip_secret, secret.ptr, secret.len);
	/* libsodium's secret key is the seed, then the public key. */
	memcpy(o->gossip_public,
	    o->gossip_secret + sizeof(o->gossip_secret) -
		sizeof(o->gossip_public),
	    sizeof(o->gossip_public));
	return OK;
}

/* --- the API's key --- */

static enum err
api_key_open(struct own *o, const char *dir, struct fault *why)
{
	char path[SERVER_PATH_MAX];
	enum err e = path_of(dir, PATH_API_KEY, path, why);

	if (e == OK)
		e = tls_key_load(path, &o->api_key, why);
	if (e != ERR_NOT_FOUND)
		return e;
	o->api_key = tls_key_new();
	return tls_key_save(o->api_key, path, why);
}

/* --- certificates, voucher, trust --- */

static enum err
issue_leaf(const struct own *o, const struct tls_key *key, int64_t now_ms,
    struct tls_chain **out, struct fault *why)
{
	struct slice names[SERVER_ADVERTISED_MAX + 1];
	struct addr ip;
	struct ca_leaf_spec spec = {
	    .kind = CA_LEAF_SERVER,
	    .account = slice_str(o->name),
	    .spki = tls_key_spki(key),
	    .dns_names = names,
	    .ips = o->ips,
	    .ip_count = o->ip_count,
	    .now_ms = now_ms,
	    .with_root = true, /* who joins knows only its pin */
	};

	names[spec.dns_count++] = slice_str(o->name);
	for (size_t i = 0; i < o->host_count; i++)
		if (addr_parse_ip(slice_str(o->hosts[i]), &ip) != OK &&
		    !slice_eq(slice_str(o->hosts[i]), names[0]))
			names[spec.dns_count++] = slice_str(o->hosts[i]);
	crypto_random(spec.serial, sizeof(spec.serial));
	return ca_issue(o->ca, &spec, out, why);
}

static enum err
make_identity(const struct own *o, struct tls_key *key, int64_t now_ms,
    struct tls_identity **out, struct fault *why)
{
	AUTO(tls_chain_unref) struct tls_chain *chain = NULL;
	enum err e = issue_leaf(o, key, now_ms, &chain, why);

	return e == OK ? tls_identity_new(chain, key, out, why) : e;
}

static enum err
leaf_renew(struct own *o, int64_t now_ms, struct fault *why)
{
	AUTO(tls_key_unref) struct tls_key *key = tls_key_new();
	AUTO(tls_identity_unref) struct tls_identity *identity = NULL;
	AUTO(tls_identity_unref) struct tls_identity *api_identity = NULL;
	enum err e = make_identity(o, key, now_ms, &identity, why);

	if (e == OK)
		e = make_identity(o, o->api_key, now_ms, &api_identity, why);
	if (e != OK)
		return e;
	tls_identity_unref(&o->identity);
	o->identity = TAKE(identity);
	tls_identity_unref(&o->api_identity);
	o->api_identity = TAKE(api_identity);
	o->renew_at_ms =
	    ca_renew_at_ms(tls_identity_info(o->identity), &o->rng);
	return OK;
}

/* As old as the mesh: no agent takes a server's name. */
static enum err
voucher_renew(struct own *o, int64_t now_ms, struct fault *why)
{
	static const struct ca_grant none = {"", ""};
	struct tls_cert_info root;
	struct ca_voucher_spec spec = {
	    .gossip_key = o->gossip_public,
	    .node_name = slice_str(o->name),
	    .network = S(MESH_NETWORK),
	    .grant = &none,
	    .expires_ms = now_ms + CA_NODE_MS,
	};

	tls_cert_inspect(ca_root(o->ca), 0, &root);
	spec.issued_ms = root.not_before_ms;
	return ca_voucher_make(o->ca, &spec, o->voucher, &o->voucher_len, why);
}

static enum err
trust_make(struct own *o, const struct mesh *mesh, struct fault *why)
{
	struct tls_root_set set = {
	    .trust_domain = slice_str(mesh->trust_domain),
	    .roots = ca_root(o->ca),
	};

	return tls_trust_new(&set, 1, /* epoch */ 1, &o->trust, why);
}

static enum err
renew_leaves(struct own *o, int64_t now_ms, struct fault *why)
{
	enum err e = leaf_renew(o, now_ms, why);

	return e == OK ? voucher_renew(o, now_ms, why) : e;
}

enum err
own_open(struct own *o, const struct server_spec *spec, const struct mesh *mesh,
    struct fault *why)
{
	int64_t now_ms = clock_wall_ms(spec->clock);
	enum err e = read_name(o, spec->name, why);

	if (e == OK)
		e = read_addresses(o, spec, why);
	if (e == OK)
		e = signer_open(o, spec->state_dir, mesh, now_ms, why);
	if (e == OK)
		e = gossip_key_open(o, spec->state_dir, why);
	if (e == OK)
		e = api_key_open(o, spec->state_dir, why);
	if (e == OK)
		e = trust_make(o, mesh, why);
	return e == OK ? renew_leaves(o, now_ms, why) : e;
}

bool
own_is_due(const struct own *o, int64_t now_ms)
{
	return now_ms >= o->renew_at_ms;
}

enum err
own_renew(struct own *o, const struct server_spec *spec,
    const struct mesh *mesh, struct fault *why)
{
	int64_t now_ms = clock_wall_ms(spec->clock);
	enum err e = OK;

	if (!signer_is_good(o, mesh, now_ms))
		e = signer_make(o, spec->state_dir, mesh, now_ms, why);
	return e == OK ? renew_leaves(o, now_ms, why) : e;
}
