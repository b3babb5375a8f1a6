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
	$make --no-print-directory "$target" || status=$?
	if [ $status -ne 0 ] && ! grep -q ' [1-9][0-9]*$' "$file" 2>/dev/null
	then
		echo "$suite 0 1" >"$file"
	fi
	# A suite without files yet ends well and leaves no result.
	[ $status -eq 0 ] && [ ! -e "$file" ] || files="$files $file"
done

echo "== summary"
# shellcheck disable=SC2086 # a list of names without spaces
"$(dirname "$0")"/summary.sh $files >"$results/summary"
status=$?
cat "$results/summary"
# For the check that called this one, as a single suite.
name=$(basename "$1")
exit $status
