/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel — a CONNECT stream of HTTP/2 that looks like a socket (HBONE).
 *
 * Both ends get a struct stream: half close is END_STREAM, abort is
 * RST_STREAM. A reset with CANCEL or NO_ERROR reads as the end of the bytes,
 * as ztunnel has it. Bytes that a paused owner does not take stay within the
 * stream's window, because credit is given only for what was taken.
 */
#ifndef MESHD_HTTP_TUNNEL_H
#define MESHD_HTTP_TUNNEL_H

#include "http2.h"

struct stream;
struct stream_events;

/*
 * Client: CONNECT to `authority` ("10.0.0.7:8080") with the fields of
 * `extra` (may be NULL). on_open comes with 200; anything else closes the
 * stream with ERR_REFUSED (see http_tunnel_status). NULL if the session has
 * no room.
 */
struct stream *http_tunnel_open(struct http2 *c, struct slice authority,
    const struct http_head *extra, const struct stream_events *events,
    void *arg);

/*
 * Server, for a request whose method is CONNECT and that was not answered:
 * sends 200 with the fields of `extra` (may be NULL) and becomes a stream
 * that is open already. Takes the http2_stream over, with the bytes that came
 * before. NULL if the answer cannot be sent; then the stream is reset.
 */
struct stream *http_tunnel_accept(struct http2_stream *s,
    const struct http_head *extra, const struct stream_events *events,
    void *arg);

/*
 * Either end, of a stream whose heads went both ways: from here on its bytes
 * are those of a stream, which is open. Takes the http2_stream over, and the
 * bytes that came already and are not credited (`first` is empty then).
 */
struct stream *http_tunnel_take(struct http2_stream *s, struct buf *first,
    bool ended, const struct stream_events *events, void *arg);

/*
 * Server: answers a CONNECT with a status and says why in Proxy-Status, by an
 * error type (RFC 9209 §2.3; empty: none) and details, then ends the stream;
 * its events still come.
 */
MUST_USE enum err http_tunnel_refuse(struct http2_stream *s, unsigned status,
    struct slice error, struct slice why);

/* Client, of a tunnel: the status of the answer, 0 before it. */
unsigned http_tunnel_status(const struct stream *tunnel);

/*
 * Client, of a tunnel that failed: the words of Proxy-Status if it was refused,
 * those of the TLS handshake if there never was a session; may be empty.
 */
struct slice http_tunnel_reason(const struct stream *tunnel);

/*
 * Client, of a tunnel that failed: the peer says that it did not look at the
 * CONNECT (REFUSED_STREAM, RFC 9113 §8.7), so that it may come again.
 */
bool http_tunnel_is_untouched(const struct stream *tunnel);

/* Client: see http2_stream_set_patience(). */
void http_tunnel_set_patience(
    struct stream *tunnel, enum http2_patience patience);

/* The session below, NULL when it is gone, and whether it is a tunnel. */
struct http2 *http_tunnel_conn(const struct stream *tunnel);
bool http_tunnel_is(const struct stream *s);

#endif
