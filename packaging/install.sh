#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # the facts: version pin servers digests key signature
#
# install.sh — brings meshd to a machine that reaches a server of the mesh, and
# joins by a token. A server serves it at https://SERVER:15080/install, with
# the facts about itself in it; `meshd token create` prints the line to paste.
#
# Nothing runs before the last line is there, so half a script does nothing.

set -eu
umask 022

@FACTS@

usage() {
	cat <<END
Usage: sh install [OPTION]...

  --join TOKEN      of meshd token create; not needed by a member
  --pin PIN         the server's key, from the same line: sha256//...
  --name NAME       of this machine in the mesh, else the host's
  --role ROLE       agent or gateway (agent)
  --capture         the agent's unit may capture: meshd-capture(7)
  --from URL        fetch from here: https://ADDRESS:15080
  --program FILE    it was brought here by other means; it is checked as well
  --no-start        install, and start nothing
  --dry-run         print every step, do none
  --uninstall       stop it and take it away; state and configuration stay
  --purge           with --uninstall: those too
END
}

# --- words and steps ----------------------------------------------------------

say() {
	printf '%s\n' "$*"
}

fail() {
	printf 'install: %s\n' "$*" >&2
	exit 1
}

has() {
	command -v "$1" >/dev/null 2>&1
}

# POSIX knows whole seconds only; most know parts.
pause() {
	sleep 0.2 2>/dev/null || sleep 1
}

# Does it, or with --dry-run says it.
run() {
	if [ -n "$dry" ]; then
		say "  + $*"
	else
		"$@"
	fi
}

# put MODE FILE: standard input becomes the file
put() {
	if [ -n "$dry" ]; then
		cat >/dev/null
		say "  + write $2 (mode $1)"
		return
	fi
	mkdir -p "$(dirname "$2")"
	(umask 077 && cat >"$2.new")
	chmod "$1" "$2.new"
	mv -f "$2.new" "$2"
}

# --- where --------------------------------------------------------------------

places() {
	bin=/usr/local/bin
	lib=/usr/local/lib
	state=/var/lib/meshd/agent
	runtime=/run/meshd
	log=/var/log/meshd/agent.log
	if [ "$(id -u)" -ne 0 ]; then
		: "${HOME:?has to be set: that is where a user installs}"
		bin=$HOME/.local/bin
		state=${XDG_STATE_HOME:-$HOME/.local/state}/meshd
		runtime=$state
		log=$state/agent.log
	fi
	socket=$runtime/agent.sock
	pidfile=$runtime/agent.pid
	dropin=/etc/systemd/system/meshd-agent.service.d/meshd-capture.conf
	meshd=$bin/meshd
	manager=none
	if [ "$(id -u)" -eq 0 ] && [ -d /run/systemd/system ] &&
	    has systemctl; then
		manager=systemd
	fi
	# A package's stays a package's.
	packaged=
	if [ "$(id -u)" -eq 0 ] && [ -x /usr/bin/meshd ]; then
		packaged=yes
		meshd=/usr/bin/meshd
	fi
}

machine() {
	case $(uname -s) in
	Linux) ;;
	*) fail "meshd runs on Linux, and this is $(uname -s)" ;;
	esac
	case $(uname -m) in
	x86_64 | amd64) arch=amd64 ;;
	aarch64 | arm64) arch=arm64 ;;
	*) fail "meshd is made for x86_64 and aarch64, and this is $(uname -m)" ;;
	esac
}

# --- what is trusted, and why -------------------------------------------------

check_pin() {
	case $asked_pin in
	'' | "$pin") ;;
	*)
		fail "this installer is of a server with the key $pin, and the" \
		    "line says $asked_pin: take line and token of one server"
		;;
	esac
}

digest_of() {
	if has sha256sum; then
		sha256sum "$1"
	elif has shasum; then
		shasum -a 256 "$1"
	elif has openssl; then
		openssl dgst -sha256 -r "$1"
	else
		fail "there is no sha256sum, shasum or openssl here, so nothing" \
		    "can be checked: install one of them"
	fi | cut -d ' ' -f 1
}

# The list is signed by the key that the pin is of.
check_list() {
	if ! has openssl; then
		say "the list of digests is the installer's own, which the line" \
		    "checked; without openssl its signature is not looked at"
		return
	fi
	printf '%s\n' "$key" >"$work/key"
	printf '%s\n' "$digests" >"$work/list"
	printf '%s\n' "$signature" | openssl base64 -d -A >"$work/signature"
	found=$(openssl pkey -pubin -in "$work/key" -outform DER |
	    openssl dgst -sha256 -binary | openssl base64 -A)
	[ "sha256//$found" = "$pin" ] ||
		fail "the key in this installer is not that of its pin: it was" \
		    "changed on its way"
	openssl dgst -sha256 -verify "$work/key" -signature \
	    "$work/signature" "$work/list" >/dev/null 2>&1 ||
		fail "the list of digests is not signed by the server's key:" \
		    "it was changed on its way"
	say "the list of digests is signed by the server's key $pin"
}

check_program() {
	found=$(digest_of "$1")
	[ "$found" = "$wanted" ] ||
		fail "the program's SHA-256 is $found, and should be $wanted:" \
		    "it was cut or changed on its way; nothing was installed"
	say "the program's SHA-256 is as the list says: $wanted"
}

# --- the program --------------------------------------------------------------

# fetch URL FILE: true if it came whole, as far as HTTP tells
fetch() {
	if has curl; then
		code=0
		status=$(curl -sS -k --pinnedpubkey "$pin" \
		    --connect-timeout 5 --max-time 1200 \
		    -w '%{http_code}' -o "$2" "$1") || code=$?
		[ "$code" -ne 90 ] ||
			fail "$1 shows another key than $pin: that is not the" \
			    "server of the line"
		[ "$code" -eq 0 ] || return 1
		[ "$status" != 200 ] || return 0
		say "$1 answers $status: $(head -c 400 "$2")" >&2
		return 1
	fi
	# The digest decides; wget cannot pin a key.
	wget -q --no-check-certificate -O "$2" "$1"
}

download() {
	has curl || has wget ||
		fail "there is neither curl nor wget here: fetch" \
		    "${servers%% *}/install/meshd-linux-$arch elsewhere, bring" \
		    "it here, and say --program FILE"
	for try in 1 2 3; do
		for server in $servers; do
			say "fetching $server/install/meshd-linux-$arch"
			! fetch "$server/install/meshd-linux-$arch" "$1" ||
				return 0
		done
		[ "$try" -eq 3 ] || sleep 1
	done
	fail "the program could not be fetched from $servers. busybox's wget" \
	    "has no TLS 1.3: there, bring it by other means and say" \
	    "--program FILE"
}

# Into $work/meshd, checked and tried.
bring_program() {
	if [ -n "$program" ]; then
		[ -r "$program" ] || fail "$program cannot be read"
		cp "$program" "$work/meshd"
	else
		download "$work/meshd"
	fi
	check_program "$work/meshd"
	chmod 755 "$work/meshd"
	told=$("$work/meshd" version 2>&1) ||
		fail "the program does not run here: $told"
	say "it runs: $(printf '%s\n' "$told" | head -n 1)"
}

clean_work() {
	rm -rf "$work"
}

# On the same disk as its place, where programs may run.
make_work() {
	mkdir -p "$bin"
	work=$(mktemp -d "$bin/.meshd.XXXXXX")
	trap clean_work EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

install_program() {
	changed=
	if [ -n "$packaged" ]; then
		say "a package has installed $meshd: it is used as it is"
		return
	fi
	wanted=$(printf '%s\n' "$digests" |
	    sed -n "s/^\([0-9a-f]*\)  meshd-linux-$arch\$/\1/p")
	[ -n "$wanted" ] ||
		fail "the server has no program for $arch: its operator puts" \
		    "one into dist/ of the server's state folder, as" \
		    "meshd-linux-$arch"
	if [ -x "$meshd" ] && [ "$(digest_of "$meshd")" = "$wanted" ]; then
		say "$meshd is there already: $version, $wanted"
		return
	fi
	if [ -n "$dry" ]; then
		say "  + fetch ${program:-${servers%% *}/install/meshd-linux-$arch}"
		say "  + check that its SHA-256 is $wanted"
		say "  + install it as $meshd"
		return
	fi
	make_work
	check_list
	bring_program
	mv -f "$work/meshd" "$meshd"
	! has restorecon || restorecon "$meshd" || true
	changed=yes
	say "installed $meshd"
}

# --- what runs it -------------------------------------------------------------

write_units() {
	put 644 "$lib/sysusers.d/meshd.conf" <<'END'
@FILE sysusers.d/meshd.conf@
END
	put 644 "$lib/tmpfiles.d/meshd.conf" <<'END'
@FILE tmpfiles.d/meshd.conf@
END
	sed 's|=/usr/bin/|=/usr/local/bin/|' <<'END' |
@FILE systemd/meshd-agent.service@
END
	    put 644 "$lib/systemd/system/meshd-agent.service"
	sed 's|=/usr/bin/|=/usr/local/bin/|' <<'END' |
@FILE systemd/meshd-gateway.service@
END
	    put 644 "$lib/systemd/system/meshd-gateway.service"
}

# A right, by which nothing is captured yet. What is there may be the operator's.
allow_capture() {
	[ -n "$capture" ] || return 0
	if [ -e "$dropin" ]; then
		say "$dropin is there, and stays as it is"
		return
	fi
	put 644 "$dropin" <<'END'
@FILE systemd/meshd-capture.conf@
END
	changed=yes
}

# The same as of the packages.
packages_account() {
	:
@FILE account.sh@
}

has_user() {
	id -u meshd >/dev/null 2>&1
}

account() {
	if has_user || has systemd-sysusers || has useradd; then
		packages_account
		return
	fi
	# busybox; without these nobody but root can run it.
	if has addgroup && has adduser; then
		addgroup -S meshd
		adduser -S -D -H -h /var/lib/meshd -s /bin/false -G meshd \
		    -g 'meshd service mesh' meshd
		packages_account
		return
	fi
	say "nothing here makes users, so it runs as root"
	mkdir -p "$runtime" /var/lib/meshd
	(umask 077 && mkdir -p "$state")
}

write_settings() {
	[ -n "$name" ] || return 0
	if [ -e /etc/meshd/meshd.conf ]; then
		say "/etc/meshd/meshd.conf is there, and stays as it is: the" \
		    "name is what it says"
		return
	fi
	printf '[%s]\nname = %s\n' "$role" "$name" |
		put 644 /etc/meshd/meshd.conf
}

state_is() {
	"$meshd" status --socket "$socket" 2>/dev/null | grep -q "$1"
}

# A member says so; else the words of what runs.
wait_until_it_runs() {
	[ -z "$dry" ] || return 0
	n=0
	until state_is running; do
		n=$((n + 1))
		if [ "$n" -gt 100 ]; then
			say "it has not joined; it says:" >&2
			"$1" >&2 || true
			fail "see above; the line may be pasted again"
		fi
		pause
	done
	say "this machine is a member: $meshd status --socket $socket"
}

journal() {
	journalctl --no-pager -n 20 -u "meshd-$role"
}

start_systemd() {
	if [ -n "$join" ]; then
		printf '%s\n' "$join" | put 600 /etc/meshd/token
	fi
	write_settings
	run systemctl daemon-reload
	run systemctl enable --quiet "meshd-$role.service"
	if [ -n "$changed$join" ] && ! is_member; then
		run systemctl restart "meshd-$role.service"
	elif [ -n "$changed" ]; then
		run systemctl restart "meshd-$role.service"
	else
		run systemctl start "meshd-$role.service"
	fi
	if [ -z "$join" ] && ! is_member; then
		say "it waits for: meshd join TOKEN"
		return
	fi
	wait_until_it_runs journal
	# A member needs no token any more.
	[ -z "$join" ] || run rm -f /etc/meshd/token
}

is_member() {
	state_is running
}

# The process of the pid file, if it is ours. In a chroot its path may begin
# with where that is.
pid_of() {
	[ -r "$pidfile" ] || return 1
	pid=$(cat "$pidfile")
	[ -n "$pid" ] || return 1
	case $(readlink "/proc/$pid/exe" 2>/dev/null) in
	*"$meshd" | *"$meshd (deleted)") ;;
	*) return 1 ;;
	esac
}

stop_process() {
	pid_of || return 0
	run kill "$pid"
	[ -z "$dry" ] || return 0
	n=0
	while pid_of && [ "$n" -lt 150 ]; do
		n=$((n + 1))
		pause
	done
	rm -f "$pidfile"
}

own_log() {
	tail -n 20 "$log"
}

# Its number goes to the pid file, and then it is the program. The token is in
# its environment, which others do not see.
# shellcheck disable=SC2016 # the inner shell expands these
launch='umask 077; echo $$ >"$1"; shift; exec "$@"'

# In the background, in the place of this shell, which would hold what the
# script's caller reads: the terminal's end is not its own.
detach() {
	if has setsid; then
		exec setsid "$@"
	elif has nohup; then
		exec nohup "$@"
	else
		trap '' HUP
		exec "$@"
	fi
}

launch_as_user() {
	mkdir -p "$(dirname "$log")"
	touch "$log"
	chown meshd: "$log" "$(dirname "$log")"
	quoted=$(printf "'%s' " "$launch" sh "$@")
	detach su -s /bin/sh meshd -c "exec sh -c $quoted" \
	    >>"$log" 2>&1 </dev/null &
}

launch_here() {
	(umask 077 && mkdir -p "$state" "$(dirname "$log")" && : >>"$log")
	detach sh -c "$launch" sh "$@" >>"$log" 2>&1 </dev/null &
}

start_process() {
	if pid_of && [ -z "$changed" ] && state_is running; then
		say "it runs already"
		return
	fi
	stop_process
	set -- "$pidfile" "$meshd" "$role" --state "$state" --socket "$socket"
	[ -z "$name" ] || set -- "$@" --name "$name"
	if [ -n "$dry" ]; then
		say "  + start $*, which logs to $log"
		return
	fi
	MESHD_JOIN=$join
	[ -z "$join" ] || export MESHD_JOIN
	if [ "$(id -u)" -eq 0 ] && has_user; then
		launch_as_user "$@"
	else
		launch_here "$@"
	fi
	unset MESHD_JOIN
	if [ -z "$join" ] && [ ! -e "$state/node.key" ]; then
		say "it waits for: $meshd join TOKEN --socket $socket"
		return
	fi
	wait_until_it_runs own_log
	say "nothing starts it when this machine boots, for systemd does not" \
	    "run here or is not this user's. The command is:"
	shift
	say "  $*"
}

# --- the whole of it ----------------------------------------------------------

# Names and tokens are words that need no quoting.
check_words() {
	case $join in
	'' | mj1.*) ;;
	mo1.*) fail "this token is an operator's: a machine joins by mj1...." ;;
	*) fail "this is no token: one begins with mj1." ;;
	esac
	case $join$name in
	*[!A-Za-z0-9._-]*) fail "a token or a name has no such characters" ;;
	esac
	case $role in
	agent | gateway) ;;
	*) fail "--role is agent or gateway, not $role" ;;
	esac
	[ -n "$capture" ] || return 0
	[ "$role" = agent ] || fail "--capture: a $role captures nothing"
	[ "$manager" = systemd ] ||
		fail "--capture gives a right to systemd's unit, and there is" \
		    "none: systemd does not run here, or this is not root"
}

install() {
	check_words
	machine
	check_pin
	install_program
	if [ "$(id -u)" -eq 0 ] && [ -z "$packaged" ]; then
		# There they are for later, too, if it does not run now.
		! has systemd-sysusers || write_units
		say "the user meshd and its folders"
		run account
	fi
	allow_capture
	[ -n "$start" ] || return 0
	if [ "$manager" = systemd ]; then
		start_systemd
	else
		start_process
	fi
}

# What meshd expose --unit has written for units of others.
remove_dropins() {
	for unit_dropin in "${dropin%/*/*}"/*.service.d/50-meshd.conf; do
		grep -q '^# Written by meshd;' "$unit_dropin" 2>/dev/null ||
			continue
		run rm -f "$unit_dropin"
		run rmdir "${unit_dropin%/*}" 2>/dev/null || true
	done
}

purge() {
	if [ -e /var/lib/meshd/server/mesh.db ] && [ "$(id -u)" -eq 0 ]; then
		fail "this machine is the server of a mesh, whose state is in" \
		    "/var/lib/meshd/server: nothing more is taken away"
	fi
	run rm -rf "$state"
	[ "$(id -u)" -eq 0 ] || return 0
	run rm -rf /var/lib/meshd /var/log/meshd /run/meshd /etc/meshd
	run rm -f "$dropin"
	run rmdir "${dropin%/*}" 2>/dev/null || true
	remove_dropins
	[ "$manager" != systemd ] || run systemctl daemon-reload
	has_user || return 0
	if has userdel; then
		run userdel meshd
	elif has deluser; then
		run deluser meshd
	fi
}

uninstall() {
	[ -z "$packaged" ] ||
		fail "a package has installed $meshd: apt, dnf or zypper" \
		    "removes it"
	if [ "$manager" = systemd ]; then
		run systemctl disable --quiet --now meshd-agent.service \
		    meshd-gateway.service 2>/dev/null || true
	fi
	stop_process
	# What refuses calls that nobody takes now, or was to outlive the agent.
	run "$meshd" capture off 2>/dev/null || true
	run rm -f "$meshd"
	if [ "$(id -u)" -eq 0 ]; then
		run rm -f "$lib/systemd/system/meshd-agent.service" \
		    "$lib/systemd/system/meshd-gateway.service" \
		    "$lib/sysusers.d/meshd.conf" "$lib/tmpfiles.d/meshd.conf"
		# Those that are empty now.
		run rmdir "$lib/systemd/system" "$lib/systemd" \
		    "$lib/sysusers.d" "$lib/tmpfiles.d" 2>/dev/null || true
	fi
	[ "$manager" != systemd ] || run systemctl daemon-reload
	if [ -n "$purge" ]; then
		purge
		say "meshd is gone, with its state"
	else
		say "meshd is gone; its state stays in $state" \
		    "(--uninstall --purge takes that too)"
	fi
}

main() {
	dry='' join='' asked_pin='' program='' role=agent name='' start=yes capture=''
	action=install purge='' work=''
	while [ $# -gt 0 ]; do
		case $1 in
		--join | --pin | --name | --role | --from | --program)
			[ $# -ge 2 ] || fail "$1 needs a value"
			;;
		esac
		case $1 in
		--join) join=$2 && shift ;;
		--pin) asked_pin=$2 && shift ;;
		--name) name=$2 && shift ;;
		--role) role=$2 && shift ;;
		--from) servers=$2 && shift ;;
		--program) program=$2 && shift ;;
		--capture) capture=yes ;;
		--no-start) start='' ;;
		--dry-run) dry=yes ;;
		--uninstall) action=uninstall ;;
		--purge) purge=yes ;;
		--help | -h)
			usage
			return
			;;
		*) fail "there is no option $1; --help lists them" ;;
		esac
		shift
	done
	places
	"$action"
}

main "$@"
