#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# check.sh — runs suites one after another, to the last, and adds them up.
#
#	tests/check.sh BUILD-FOLDER MAKE SUITE...
#
# A suite that fails does not stop the ones after it. BUILD-FOLDER/results
# gets a file for each suite; one that ended badly without having counted a
# failure (it did not compile, say) counts as one.

results=$1/results
make=$2
shift 2
mkdir -p "$results"
files=
# Set by the check that called this one: where it wants our sum.
total=${CHECK_TOTAL:-}
unset CHECK_TOTAL

for suite in "$@"; do
	file=$results/$suite
	case $suite in
	fuzz) target=fuzz-replay ;;
	lint) target=lint ;;
	*) target=check-$suite ;;
	esac
	echo "== $suite"
	rm -f "$file"
	status=0
	case $suite in
	asan | tsan)
		CHECK_TOTAL=$(realpath -m "$file") \
		    $make --no-print-directory "$target" || status=$?
		;;
	*) $make --no-print-directory "$target" || status=$? ;;
	esac
	if [ $status -ne 0 ] && ! grep -q ' [1-9][0-9]*$' "$file" 2>/dev/null
	then
		echo "$suite 0 1" >"$file"
	fi
	# A suite without files yet ends well and leaves no result.
	if [ $status -ne 0 ] || [ -e "$file" ]; then
		files="$files $file"
	fi
done

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
