#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# suites.sh — mbedTLS's own test suites over what we made of it.
#
#	third_party/suites.sh VARIANT FOLDER [SUITE...]
#
# VARIANT is awslc or mbedtls: the suites are compiled with the headers of that
# library and linked to the very archive that the program is, with patches,
# hooks and memo in use. What our configuration leaves out they skip. Or
# default: the patched sources as mbedTLS configures them, for all of TLS that
# our patches may have touched. Everything goes to FOLDER, a log a suite. The
# last line is "N passed, N failed", of suites.

set -eu
unset MAKEFLAGS MFLAGS MAKELEVEL

here=$(cd "$(dirname "$0")" && pwd)
third=$here/../build/third_party
variant=$1
mkdir -p "$2"
out=$(cd "$2" && pwd)
shift 2
cc=${THIRD_PARTY_CC:-gcc}
jobs=$(getconf _NPROCESSORS_ONLN)
tree=$out/tree
export PYTHON=/usr/bin/python3

# What we changed or replaced, and what stands on it. Not chachapoly: ours
# takes whole messages only, and check-third proves it.
if [ $# -eq 0 ]; then
	set -- ssl x509parse
	if [ "$variant" = default ]; then
		set -- "$@" ssl_decrypt.misc x509write pkcs7
	else
		set -- "$@" gcm.aes128_de gcm.aes128_en gcm.aes192_de \
		    gcm.aes192_en gcm.aes256_de gcm.aes256_en gcm.misc \
		    cipher.gcm chacha20 poly1305 ecdsa ecdh ecp pk pkparse \
		    shax md hkdf psa_crypto psa_crypto_hash psa_crypto_init \
		    psa_crypto_slot_management asn1parse asn1write base64 \
		    pem oid
	fi
fi

# Where ours differs, and may: it takes chance from AWS-LC and not from the
# caller, refuses a bad private key by another code, and has no ChaCha20 in
# parts.
differs='^ECDSA primitive rfc 4754 p256 '
differs="$differs|^ECDSA zero private parameter p256 "
differs="$differs|^ECDSA private parameter greater than n p256 "
differs="$differs|^PSA Multipart .*(ChaCha20|CHACHAPOLY)"
differs="$differs|^PSA AEAD (output|finish) buffer test: ChaCha20 "
[ "$variant" = awslc ] || differs='^$'

rm -rf "$tree" "$out/obj"
mkdir -p "$out/obj"
cp -R "$third/src/mbedtls/tree" "$tree"
flags="-O1 -g1 -w -D_POSIX_C_SOURCE=200809L -I$tree/include -I$tree/library
    -I$tree/tests/include -I$tree/framework/tests/include -I$tree/tests"
if [ "$variant" = default ]; then
	for patch in "$here"/mbedtls/patches/*.patch; do
		patch -s -p1 -d "$tree" <"$patch"
	done
	# mbedtls_ssl_seal() refuses to be built with these.
	(cd "$tree" &&
	    "$PYTHON" scripts/config.py unset MBEDTLS_SSL_MAX_FRAGMENT_LENGTH &&
	    "$PYTHON" scripts/config.py unset MBEDTLS_SSL_RECORD_SIZE_LIMIT)
	make -s -j "$jobs" -C "$tree/library" CC="$cc" static \
	    >"$out/library.log" 2>&1
	libs="$tree/library/libmbedtls.a $tree/library/libmbedx509.a
	    $tree/library/libmbedcrypto.a"
else
	rm -rf "$tree/library" "$tree/include"
	cp -R "$third/work/mbedtls-$variant-tree/library" \
	    "$third/work/mbedtls-$variant-tree/include" "$tree/"
	flags="$flags -I$here/mbedtls/alt"
	libs=$third/lib/mbedtls-$variant/libmbedtls.a
	[ "$variant" = mbedtls ] || libs="$libs $third/lib/awslc/libcrypto.a"
fi

cd "$tree/tests"
make -s generated_files >"$out/generate.log" 2>&1 || {
	tail -n 20 "$out/generate.log" >&2
	exit 1
}
# The suites bring chance of their own, of which our library has one.
# shellcheck disable=SC2086 # words
for file in "$tree"/framework/tests/src/*.c \
    "$tree"/framework/tests/src/drivers/*.c "$tree"/tests/src/*.c \
    "$tree"/tests/src/test_helpers/*.c; do
	$cc $flags -Dmbedtls_psa_external_get_random=unused_random \
	    -c "$file" -o "$out/obj/$(basename "$file" .c).o"
done

# $1 suite: true if nothing failed but what may.
run() {
	make -s "test_suite_$1.c" || return 1
	# shellcheck disable=SC2086 # words
	$cc $flags "test_suite_$1.c" "$out"/obj/*.o $libs -pthread \
	    -o "test_suite_$1" || return 1
	"./test_suite_$1" && return 0
	# "FAILED (3 / 106 tests…)" is the end; without one it broke.
	tail -n 1 "$out/$1.log" | grep -q '^FAILED (' || return 1
	! grep 'FAILED$' "$out/$1.log" | grep -Evq "$differs"
}

failed=0
for suite in "$@"; do
	if run "$suite" >"$out/$suite.log" 2>&1; then
		echo "  ok      $suite: $(tail -n 1 "$out/$suite.log")"
	else
		failed=$((failed + 1))
		echo "  FAILED  $suite: $out/$suite.log"
		grep -A 4 'FAILED$' "$out/$suite.log" | tail -n 40
	fi
done
echo "$(($# - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
