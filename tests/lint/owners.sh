#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# owners.sh — style.py refuses the includes that no include path can.
#
# A system library's headers lie where every file finds them, and the private
# headers of a lower layer lie beside its public one.

here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/modules/1-core/loop" "$tmp/modules/2-io/net"
touch "$tmp/modules/1-core/loop/wheel.h"
cd "$tmp" || exit 1
status=0

# says WORDS SOURCE-LINE: style.py says WORDS of a file of net with that line
says() {
	printf '%s\n' "$2" >modules/2-io/net/x.c
	if ! "$here/style.py" modules/2-io/net/x.c | grep -q "x.c:1: $1"; then
		echo "style.py takes $2 in net" >&2
		status=1
	fi
}

says 'sqlite3.h belongs to store' '#include <sqlite3.h>'
says 'mbedtls/ssl.h belongs to tls' '#include <mbedtls/ssl.h>'
says 'loop/wheel.h is private' '#include "loop/wheel.h"'
says 'tls_unverified_client: only a health check' '	tls_unverified_client(x);'
says 'own headers are included without a slash' '#include "net/net.h"'
exit $status
