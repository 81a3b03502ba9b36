#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The agent's early form in an initramfs of dracut: sekimori-early start|stop. Controllers close as they appear, hubs and
# boot keyboards pass, everything else waits for the policy of the real system. Stopping opens nothing.
#
# A hook and not a unit, because an initramfs of dracut need not have systemd in it.

agent=${SEKIMORI_AGENT:-/usr/sbin/sekimorid}
pidfile=${SEKIMORI_PIDFILE:-/run/sekimori-initramfs.pid}
log=${SEKIMORI_LOG:-/dev/kmsg}

# A crash must not cost the keyboard of a passphrase prompt, so the agent is started again until the file that names it
# is taken away. The kernel keeps devices unauthorised in between.
guard()
{
	while [ -e "$pidfile" ]; do
		"$agent" --initramfs &
		echo "$!" >"$pidfile"
		wait "$!"
		[ ! -e "$pidfile" ] || sleep 1
	done
}

# The file may come back once, if the agent was just being started again: look each time. A write that hangs in the
# kernel must not hold up the boot: after three seconds the agent is killed and left behind.
stop()
{
	pid=
	tenths=0
	while [ "$tenths" -lt 30 ]; do
		if [ -e "$pidfile" ]; then
			pid=$(cat "$pidfile")
			rm -f "$pidfile"
			[ -z "$pid" ] || kill "$pid" 2>/dev/null
		fi
		{ [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; } || return 0
		sleep 0.1
		tenths=$((tenths + 1))
	done
	kill -9 "$pid" 2>/dev/null
	return 0
}

case "${1:-}" in
start)
	# A second start, from an emergency shell for instance, finds the first one's file.
	[ ! -e "$pidfile" ] || exit 0
	: >"$pidfile"
	# Complaints go to the kernel's log, which outlives the initramfs.
	guard </dev/null >/dev/null 2>"$log" &
	;;
stop)
	stop
	;;
*)
	echo "usage: sekimori-early start|stop" >&2
	exit 2
	;;
esac
