#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The built sekimori-forward as an administrator and systemd meet it.
# Usage: forward.sh SOURCE BINARY
set -u
command="$2/agent/sekimori-forward"
folder=$(mktemp -d)
trap 'kill "${service:-}" 2>/dev/null; rm -rf "$folder"' EXIT
export LC_ALL=C
unset SEKIMORI_LANG LANG LC_MESSAGES NOTIFY_SOCKET WATCHDOG_USEC
failures=0

fail()
{
    echo "FAIL: $1"
    failures=$((failures + 1))
}

# expect EXIT NAME ARGUMENTS…: stdout and stderr are left in $folder/out and $folder/err.
expect()
{
    wanted=$1
    name=$2
    shift 2
    "$command" "$@" >"$folder/out" 2>"$folder/err" </dev/null
    code=$?
    [ "$code" = "$wanted" ] || fail "$name: exit $code, not $wanted: $(cat "$folder/err")"
}

# waits_for TEXT: in the service's journal; it has no other way to tell us.
waits_for()
{
    for _ in $(seq 200); do
        grep -qF -- "$1" "$folder/journal" && return
        sleep 0.05
    done
    fail "\"$1\" is not in the journal: $(cat "$folder/journal")"
}

expect 0 version --version
grep -q '^sekimori-forward [0-9]' "$folder/out" || fail "version: $(cat "$folder/out")"
expect 0 help --help
grep -qF -- --config "$folder/out" || fail "help: $(cat "$folder/out")"
expect 0 "Japanese help" --lang ja --help
grep -qF 使い方 "$folder/out" || fail "Japanese help: $(cat "$folder/out")"
expect 2 "unknown language" --lang fr --help
grep -qF "allowed: ja, en" "$folder/err" || fail "unknown language: $(cat "$folder/err")"
expect 2 "unknown option" --frob
expect 2 "an operand" start
for id in x 0123456789abcdef0123456789abcdeg 0123456789abcdef0123456789abcdef0; do
    expect 2 "boot id $id" --boot-id "$id"
    grep -qF "allowed: 32 hex digits" "$folder/err" || fail "boot id $id: $(cat "$folder/err")"
done
mkdir "$folder/log" "$folder/state"
: >"$folder/conf"
set -- --config "$folder/conf" --log "$folder/log" --control "$folder/none"
expect 1 "no state folder" "$@" --state "$folder/nowhere"
grep -qF "No such file" "$folder/err" || fail "no state folder: $(cat "$folder/err")"

# A broken file at start: it says where, and waits for a better one; a broken one at reload changes nothing.
echo 'forward: { host = "collector.lab"; };' >"$folder/conf"
"$command" "$@" --boot-id 0123456789abcdef0123456789abcdef --state "$folder/state" 2>"$folder/journal" &
service=$!
waits_for "$folder/conf:1: forward.host: found: \"collector.lab\"; allowed: an IPv4 or IPv6 address"
waits_for "no collector is configured"
: >"$folder/journal"
cat >"$folder/conf" <<EOF
forward: { host = "127.0.0.1"; port = "1"; name = "collector.lab"; ca = "$folder/none"; };
EOF
mkdir "$folder/log/agent" "$folder/log/auth"
printf '{"a":1}\n' >"$folder/log/agent/00000001.jsonl"
kill -HUP "$service"
waits_for "cannot send records to the collector 127.0.0.1 port 1: cannot connect: Connection refused"
echo nonsense >"$folder/conf"
kill -HUP "$service"
waits_for "cannot use the configuration"
kill -0 "$service" || fail "it has ended"
kill -TERM "$service"
wait "$service" || fail "its end: $?: $(cat "$folder/journal")"
service=
[ "$(grep -c "Connection refused" "$folder/journal")" = 1 ] || fail "one trouble is one line: $(cat "$folder/journal")"

[ "$failures" = 0 ] || { echo "$failures failures"; exit 1; }
echo "the forwarder behaves"
