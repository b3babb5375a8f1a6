#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# static-link.sh — runs the static link, and fails on warnings it has not met.
#
# glibc warns of functions that need its shared objects at run time. Those in
# static-warnings are linked in but never called; each line there says why.

known=$(dirname "$0")/static-warnings
log=$(mktemp)
trap 'rm -f "$log"' EXIT

"$@" 2>"$log"
status=$?
names=$(sed -n "s/.*warning: Using '\([^']*\)' in statically.*/\1/p" "$log" |
    sort -u)
for name in $names; do
	if ! grep -q "^${name}[[:space:]]" "$known"; then
		echo "static link: a new use of $name" >&2
		cat "$log" >&2
		status=1
	fi
done
# Anything else that the linker says is shown, and a warning is an error.
if grep -v -e "in statically linked applications" -e ": in function " "$log" |
    grep . >&2; then
	status=1
fi
exit $status
