#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# run.sh — runs the parts of lint, all of them, and counts.
#
#	tests/lint/run.sh RESULT MAKE

result=$1
make=$2
mkdir -p "$(dirname "$result")"
rm -f "$result"
passed=0
failed=0
# Two parts compile all there is: side by side, if the caller set no pace.
case ${MAKEFLAGS-} in
*--jobserver*) jobs= ;;
*) jobs=-j$(nproc) ;;
esac
for part in lint-style lint-layers lint-format lint-shell lint-tidy \
    lint-analyzer man; do
	# shellcheck disable=SC2086 # one word or none
	if $make --no-print-directory -k $jobs "$part"; then
		echo "  ok      $part"
		passed=$((passed + 1))
	else
		echo "  FAILED  $part"
		failed=$((failed + 1))
	fi
done
echo "lint $passed $failed" >"$result"
echo "lint: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
