/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http — HTTP in every shape that a mesh meets: 1.1, 2, tunnels, gRPC.
 *
 * The one header of the module. There is one message, struct http_head with
 * body bytes and trailers around it, whichever wire version carries it.
 *
 *   head     the message's first part            pure
 *   http1    HTTP/1.1: bytes to events and back   pure
 *   sniff    is it HTTP, by its first bytes       pure
 *   http2    HTTP/2 over a struct stream          flow control is ours
 *   tunnel   a CONNECT stream that looks like a socket (HBONE)
 *   grpc     messages over an HTTP/2 stream
 *   grpc_web the same for browsers, and back      pure
 *   server   routes and whole bodies, for APIs
 *   call     one request and its answer, for clients of APIs
 *   date     the field Date                       pure
 */
#ifndef MESHD_HTTP_H
#define MESHD_HTTP_H

#include "call.h"
#include "date.h"
#include "grpc.h"
#include "grpc_web.h"
#include "head.h"
#include "http1.h"
#include "http2.h"
#include "server.h"
#include "sniff.h"
#include "tunnel.h"

#endif
