#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# run.sh — runs the programs of one suite and counts what they report.
#
#	tests/run.sh RESULT PROGRAM...
#
# Twice as many run at once as there are cores, since many wait for times that
# a proxy takes; each writes to PROGRAM.log, and is told of when it has ended.
#
# Each program ends its output with "N passed, N failed". One that does not,
# or that exits non-zero in spite of "0 failed" (a leak, a race found at the
# end), counts as one failure. RESULT gets "SUITE passed failed", RESULT.times
# a line "seconds program" for each. A suite without any program writes no
# result and fails nothing: it is not there yet.

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
rm -f "$result" "$result.times"

# Runs the programs; a line "PROGRAM STATUS SECONDS" for each as it ends.
run_all() {
	# shellcheck disable=SC2016 # the inner shell's
	printf '%s\n' "$@" | xargs -d '\n' -P "$((2 * $(nproc)))" -n 1 sh -c '
		began=$(date +%s%N)
		status=0
		timeout "${TEST_SECONDS:-600}" "$0" >"$0.log" 2>&1 || status=$?
		ms=$((($(date +%s%N) - began) / 1000000))
		echo "$0 $status $((ms / 1000)).$((ms / 100 % 10))"'
}

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

# Reads what run_all says and tells of it; the suite's result goes to RESULT.
tell() {
	passed=0
	failed=0
	ended=0
	while read -r program status seconds; do
		# shellcheck disable=SC2046 # two words are wanted
		set -- $(count "$program.log" "$status")
		if [ "$2" -eq 0 ]; then
			echo "  ok      $program ($1)"
		else
			echo "  FAILED  $program (exit $status)"
			grep -v -e '^\[ RUN  ' -e '^\[       OK' "$program.log"
		fi
		echo "$seconds $program" >>"$result.times"
		passed=$((passed + $1))
		failed=$((failed + $2))
		ended=$((ended + 1))
	done
	echo "$suite $passed $((failed + programs - ended))" >"$result"
}

programs=$#
run_all "$@" | tell
read -r suite passed failed <"$result"
echo "$suite: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
