#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# layers.sh — what a module may include compiles, and nothing else does.
#
#	tests/lint/layers.sh takes|refuses 'COMPILER FLAGS' HEADER...
#
# HEADER is as it would stand in the source: "loop/loop.h" or <mbedtls/ssl.h>.

want=$1
compile=$2
shift 2
status=0
for header in "$@"; do
	# shellcheck disable=SC2086 # a command with its flags
	if printf '#include %s\n' "$header" |
	    $compile -x c -fsyntax-only - 2>/dev/null; then
		got=takes
	else
		got=refuses
	fi
	if [ "$got" != "$want" ]; then
		echo "the include path $got $header: $compile" >&2
		status=1
	fi
done
exit $status
