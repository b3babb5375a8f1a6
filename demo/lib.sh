# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# lib.sh — machines for the demo: network namespaces on a bridge.
#
# Sourced by run. Machine N is the namespace mdID-N and has 10.99.0.N and
# fd99::N; the bridge is in a namespace of its own, mdID-0, so that neither
# the host's interfaces nor its firewall have a part in it. ID is our process
# id: demos may run side by side. Whatever is made here is undone by undo_all,
# on every path.

id=$$
dir=$(mktemp -d "${TMPDIR:-/tmp}/meshd-demo.XXXXXX")
pids=''
step_number=0
step_title=''
# Text that is printed for people: nothing is coloured in a file or a pipe.
bold='' dim='' green='' red='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$(printf '\033[1m') dim=$(printf '\033[2m')
	green=$(printf '\033[32m') red=$(printf '\033[31m')
	plain=$(printf '\033[0m')
fi

now_ms() { date +%s%3N; }
started_ms=$(now_ms)

# --- what a person reads ---------------------------------------------------

step() { # TITLE
	step_number=$((step_number + 1))
	step_title=$1
	printf '\n%s%2d. %s%s\n' "$bold" "$step_number" "$1" "$plain"
}

says() { printf '    %s%s%s\n' "$dim" "$*" "$plain"; }

saw() { printf '    %s%s%s\n' "$green" "$*" "$plain"; }

indented() { sed 's/^/    /'; }

# Since the start, with one decimal.
seconds_passed() {
	passed_ms=$(($(now_ms) - started_ms))
	printf '%d.%d s' $((passed_ms / 1000)) $((passed_ms % 1000 / 100))
}

fail() { # REASON
	printf '%sdemo: %s%s\n' "$red" "$*" "$plain" >&2
	exit 1
}

# --- machines --------------------------------------------------------------

make_bridge() {
	ip netns add "md$id-0"
	ip -n "md$id-0" link set lo up
	ip -n "md$id-0" link add bridge type bridge mcast_snooping 0
	ip -n "md$id-0" link set bridge up
}

make_machine() { # N
	ip netns add "md$id-$1"
	ip -n "md$id-$1" link add eth0 type veth \
	    peer name "vm$1" netns "md$id-0"
	ip -n "md$id-0" link set "vm$1" master bridge up
	ip -n "md$id-$1" link set lo up
	ip -n "md$id-$1" addr add "10.99.0.$1/24" dev eth0
	ip -n "md$id-$1" addr add "fd99::$1/64" dev eth0 nodad
	ip -n "md$id-$1" link set eth0 up
}

on() { # N COMMAND...: on machine N
	on_machine=$1
	shift
	ip netns exec "md$id-$on_machine" "$@"
}

start() { # N NAME COMMAND...: in the background; $last is its process id
	start_machine=$1 start_name=$2
	shift 2
	ip netns exec "md$id-$start_machine" "$@" \
	    >>"$dir/$start_name.log" 2>&1 &
	last=$!
	pids="$pids $last"
}

# --- waiting ---------------------------------------------------------------

# Tries a command until it works, ten seconds at most.
until_ok() {
	until_ms=$(($(now_ms) + 10000))
	until "$@" >/dev/null 2>"$dir/until.err"; do
		[ "$(now_ms)" -lt "$until_ms" ] ||
		    fail "waited 10 s for: $*; $(tail -n 1 "$dir/until.err")"
		sleep 0.02
	done
}

# --- the end ---------------------------------------------------------------

any_alive() {
	for pid in $pids; do
		kill -0 "$pid" 2>/dev/null && return 0
	done
	return 1
}

# Ends what was started: asked first, then, after three seconds, made to.
end_all() {
	# shellcheck disable=SC2086 # a list
	kill $pids 2>/dev/null || :
	end_ms=$(($(now_ms) + 3000))
	while any_alive && [ "$(now_ms)" -lt "$end_ms" ]; do sleep 0.05; done
	# shellcheck disable=SC2086 # a list
	kill -9 $pids 2>/dev/null || :
	wait
}

last_words() {
	printf 'demo: ended in step %d, %s\n' "$step_number" "$step_title"
	for log in "$dir"/*.log; do
		[ -s "$log" ] || continue
		printf '%s\n' "--- the end of $(basename "$log")"
		tail -n 6 "$log"
	done
}

undo_all() { # STATUS
	trap - EXIT
	trap '' HUP INT TERM
	case $1 in
	0 | 129 | 130 | 143) ;;
	*) last_words >&2 ;;
	esac
	# What was started from another terminal, too.
	for n in 0 1 2 3 4; do
		pids="$pids $(ip netns pids "md$id-$n" 2>/dev/null | xargs)"
	done
	end_all
	for n in 0 1 2 3 4; do ip netns del "md$id-$n" 2>/dev/null || :; done
	rm -rf "$dir"
	exit "$1"
}
