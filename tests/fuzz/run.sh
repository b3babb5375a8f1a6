#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# run.sh — runs fuzzers one after another, each for some seconds.
#
#	tests/fuzz/run.sh FOLDER SECONDS NAME...
#
# FOLDER holds the programs. New inputs go to FOLDER/found/NAME, crashes to
# FOLDER/crash/NAME-*; the kept corpus is only read. Words that a fuzzer should
# know are in tests/fuzz/dict/NAME.dict, if it has any. What a long run found
# is worth keeping after NAME -merge=1 tests/fuzz/corpus/NAME FOLDER/found/NAME,
# cut down to a few small files.

folder=$1
seconds=$2
shift 2
failed=0
for name in "$@"; do
	mkdir -p "$folder/found/$name" "$folder/crash"
	echo "== $name for $seconds s"
	dict=tests/fuzz/dict/$name.dict
	[ -e "$dict" ] || dict=
	"$folder/$name" -max_total_time="$seconds" -timeout=10 \
	    ${dict:+-dict="$dict"} \
	    -rss_limit_mb=2048 -print_final_stats=1 \
	    -artifact_prefix="$folder/crash/$name-" \
	    "$folder/found/$name" "tests/fuzz/corpus/$name" \
	    >"$folder/$name.log" 2>&1 || {
		failed=$((failed + 1))
		tail -n 40 "$folder/$name.log"
	}
	grep -E '^stat::number_of_executed_units|^stat::average_exec' \
	    "$folder/$name.log"
done
echo "$(($# - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
