#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# run.sh — runs the programs of one suite and counts what they report.
#
#	tests/run.sh RESULT PROGRAM...
#
# Each program ends its output with "N passed, N failed". One that does not,
# or that exits non-zero in spite of "0 failed" (a leak, a race found at the
# end), counts as one failure. RESULT gets "SUITE passed failed". A suite
# without any program writes no result and fails nothing: it is not there yet.

result=$1
suite=$(basename "$result")
shift
if [ $# -eq 0 ]; then
	echo "$suite: nothing there yet"
	exit 0
fi
# A test may fork to see how a second process fares; the child starts threads.
export TSAN_OPTIONS="die_after_fork=0${TSAN_OPTIONS:+:$TSAN_OPTIONS}"

mkdir -p "$(dirname "$result")"
rm -f "$result"
passed=0
failed=0

# Prints "passed failed" of the log $1, whose program ended with status $2.
count() {
	counts=$(sed -n \
	    's/^\([0-9]\{1,\}\) passed, \([0-9]\{1,\}\) failed$/\1 \2/p' "$1" |
	    tail -n 1)
	case "$counts" in
	'') echo '0 1' ;;
	*' 0') [ "$2" -eq 0 ] && echo "$counts" || echo "${counts% 0} 1" ;;
	*) echo "$counts" ;;
	esac
}

for program in "$@"; do
	log=$program.log
	status=0
	timeout "${TEST_SECONDS:-600}" "$program" >"$log" 2>&1 || status=$?
	# shellcheck disable=SC2046 # two words are wanted
	set -- $(count "$log" "$status")
	if [ "$2" -eq 0 ]; then
		echo "  ok      $program ($1)"
	else
		echo "  FAILED  $program (exit $status)"
		grep -v -e '^\[ RUN  ' -e '^\[       OK' "$log"
	fi
	passed=$((passed + $1))
	failed=$((failed + $2))
done

echo "$suite $passed $failed" >"$result"
echo "$suite: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
