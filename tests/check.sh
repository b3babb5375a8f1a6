#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# check.sh — runs suites one after another, to the last, and adds them up.
#
#	tests/check.sh BUILD-FOLDER MAKE SUITE...
#
# A suite that fails does not stop the ones after it. BUILD-FOLDER/results
# gets a file for each suite; one that ended badly without having counted a
# failure (it did not compile, say) counts as one. How long each suite took,
# and the slowest programs, are told before the summary.
#
# The simulation computes in one thread, so it goes on beside the suites after
# it. It is built before: two makes may not build in one folder at once.

build=$1
results=$1/results
make=$2
shift 2
mkdir -p "$results"
rm -f "$results"/*.times
# Set by the check that called this one: where it wants our sum.
total=${CHECK_TOTAL:-}
unset CHECK_TOTAL

# Prints what one suite says; its result is in a file of its name.
run_suite() {
	file=$results/$1
	case $1 in
	fuzz) target=fuzz-replay ;;
	*) target=check-$1 ;;
	esac
	echo "== $1"
	rm -f "$file"
	began=$(date +%s)
	status=0
	case $1 in
	asan | tsan)
		CHECK_TOTAL=$(realpath -m "$file") \
		    $make --no-print-directory "$target" || status=$?
		;;
	*) $make --no-print-directory "$target" || status=$? ;;
	esac
	# A suite without files yet ends well and leaves no result.
	if [ $status -ne 0 ] && ! grep -q ' [1-9][0-9]*$' "$file" 2>/dev/null
	then
		echo "$1 0 1" >"$file"
	fi
	echo "== $1 took $(($(date +%s) - began)) s"
}

# Without make: only what was built.
run_sim() {
	echo "== sim"
	began=$(date +%s)
	status=0
	find "$build/tests/sim" -maxdepth 1 -type f -perm -100 -print0 |
	    TEST_SECONDS=1200 xargs -0 tests/run.sh "$results/sim" || status=$?
	if [ $status -ne 0 ] && ! grep -q ' [1-9][0-9]*$' "$results/sim"; then
		echo "sim 0 1" >"$results/sim"
	fi
	echo "== sim took $(($(date +%s) - began)) s"
}

beside=
for suite in "$@"; do
	case $suite in
	sim)
		rm -f "$results/sim"
		if $make --no-print-directory sim-programs; then
			run_sim >"$results/sim.log" 2>&1 &
			beside=$!
		else
			echo "sim 0 1" >"$results/sim"
		fi
		;;
	*) run_suite "$suite" ;;
	esac
done
if [ -n "$beside" ]; then
	wait "$beside" || [ -s "$results/sim" ] || echo "sim 0 1" >"$results/sim"
	cat "$results/sim.log"
fi

files=
for suite in "$@"; do
	[ ! -e "$results/$suite" ] || files="$files $results/$suite"
done

echo "== slowest programs, in seconds"
cat "$results"/*.times 2>/dev/null | sort -rn | head -n 5
echo "== summary"
status=0
# shellcheck disable=SC2086 # a list of names without spaces
"$(dirname "$0")"/summary.sh $files >"$results/summary" || status=$?
if [ -n "$total" ]; then
	name=$(basename "$total")
	tail -n 1 "$results/summary" | sed \
	    "s/^\([0-9]*\) passed, \([0-9]*\) failed\$/$name \1 \2/" >"$total"
fi
cat "$results/summary"
exit $status
