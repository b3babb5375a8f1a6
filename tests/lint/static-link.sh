#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# static-link.sh — runs the static link, and fails on warnings it has not met.
#
# glibc warns of functions that need its shared objects at run time. Those in
# static-warnings are linked in but never called; each line there says why.
#
# Where linker and glibc can (2.36), relative relocations are packed (DT_RELR):
# they are 0.3 MiB else, of the file and of what each process reads at its start.

known=$(dirname "$0")/static-warnings
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# by that compiler
can_pack() {
	printf '%s\n' '#include <features.h>' '#if !__GLIBC_PREREQ(2, 36)' \
	    '#error' '#endif' 'int main(void) { return 0; }' |
	    "$1" -x c - -static-pie -Wl,-z,pack-relative-relocs \
		-Wl,--fatal-warnings -o "$log" 2>/dev/null
}

case " $* " in
*" -static-pie "*)
	if can_pack "$1"; then
		set -- "$@" -Wl,-z,pack-relative-relocs
	fi
	;;
esac
"$@" 2>"$log"
status=$?
names=$(sed -n "s/.*warning: Using '\([^']*\)' in statically.*/\1/p" "$log" |
    sort -u)
for name in $names; do
	if ! grep -q "^${name}[[:space:]]" "$known"; then
		echo "static link: a new use of $name" >&2
		cat "$log" >&2
		status=1
	fi
done
# Anything else that the linker says is shown, and a warning is an error.
if grep -v -e "in statically linked applications" -e ": in function " "$log" |
    grep . >&2; then
	status=1
fi
exit $status
