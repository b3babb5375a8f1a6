#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# pytest.sh — runs pytest and writes what it counted.
#
#	tests/pytest.sh RESULT PYTHON FOLDER... [PYTEST-OPTION...]
#
# A skipped test counts as failed, unless SKIPS is set: it was to show something
# and did not. The tests mostly wait, so WORKERS processes share them, four times
# the cores if it is not set, each in namespaces of its own (worker.sh).
# That takes root; without it, and with WORKERS=1, they run in this process one
# after another.
# A worker that dies ends the run and is a failure.

result=$1
python=$2
suite=$(basename "$result")
shift 2
rm -f "$result"
case ${1:-} in
'' | -*)
	echo "$suite: nothing there yet"
	exit 0
	;;
esac
mkdir -p "$(dirname "$result")"
report=$result.xml
rm -f "$report"

# Each worker reads all tests: what one has compiled serves the others.
unset PYTHONDONTWRITEBYTECODE

workers=${WORKERS:-$((4 * $(nproc)))}
[ "$(id -u)" -eq 0 ] || workers=1
if [ "$workers" -gt 1 ]; then
	worker="popen//python=$(dirname "$0")/worker.sh $python"
	set -- --max-worker-restart 0 --dist loadgroup --tx "$workers*$worker" "$@"
fi

status=0
"$python" -m pytest -p no:cacheprovider --junitxml="$report" "$@" || status=$?

[ -s "$report" ] || exit 1
"$python" - "$report" "$suite" "$status" >"$result" <<'END'
import os
import sys
from xml.etree import ElementTree

report, suite, status = sys.argv[1:]
total = bad = 0
for s in ElementTree.parse(report).getroot().iter("testsuite"):
    total += int(s.get("tests"))
    skipped = int(s.get("skipped"))
    bad += sum(int(s.get(k)) for k in ("failures", "errors"))
    if os.environ.get("SKIPS"):
        total -= skipped
    else:
        bad += skipped
if status != "0" and bad == 0:
    bad = 1
print(suite, max(total - bad, 0), bad)
END
read -r suite passed failed <"$result"
echo "$suite: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$status" -eq 0 ]
