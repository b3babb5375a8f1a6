#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# analyzer.sh — compiles with gcc -fanalyzer; fails on findings it has not met.
#
#	tests/lint/analyzer.sh gcc FLAGS... FILE
#
# analyzer-known lists the false ones, by file, function and warning.

known=$(dirname "$0")/analyzer-known
log=$(mktemp)
trap 'rm -f "$log"' EXIT

"$@" -fanalyzer -fdiagnostics-plain-output 2>"$log" || {
	cat "$log"
	exit 1
}
# "FILE: In function 'NAME':" stands before the warnings of a function.
sed -n "s/^.*: In function '\([^']*\)':\$/in \1/p;
    s/^\([^: ]*\):.*\[\(-Wanalyzer-[^]]*\)\]\$/\1 \2/p;
    s/^\([^: ]*\):.*\[CWE.*\[\(-Wanalyzer-[^]]*\)\]\$/\1 \2/p" "$log" |
    awk '$1 == "in" { f = $2; next } { print $1 ":" f ":" $2 }' |
    sort -u | {
	status=0
	while read -r finding; do
		grep -qF "$finding	" "$known" && continue
		echo "new: $finding"
		status=1
	done
	exit $status
} || {
	cat "$log"
	exit 1
}
