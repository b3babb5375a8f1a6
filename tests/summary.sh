#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# summary.sh — adds up result files and prints "N passed, N failed".
#
#	tests/summary.sh FILE...
#
# Each file holds lines "SUITE passed failed". A missing file is one failure:
# that suite was to run and said nothing.

passed=0
failed=0
for file in "$@"; do
	if [ ! -s "$file" ]; then
		echo "  $(basename "$file"): no result"
		failed=$((failed + 1))
		continue
	fi
	while read -r suite good bad; do
		echo "  $suite: $good passed, $bad failed"
		passed=$((passed + good))
		failed=$((failed + bad))
	done <"$file"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
