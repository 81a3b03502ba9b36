#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The built sekimori-authd as an administrator and systemd meet it.
# Usage: authd.sh SOURCE BINARY
set -u
command="$2/pam_module/sekimori-authd"
folder=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null; rm -rf "$folder"' EXIT
export LC_ALL=C
# shellcheck source=tests/meta/authd_service.inc
. "$1/tests/meta/authd_service.inc"
unset SEKIMORI_LANG LANG LC_MESSAGES LISTEN_PID LISTEN_FDS CREDENTIALS_DIRECTORY NOTIFY_SOCKET
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

prints()
{
    grep -qF -- "$2" "$folder/out" || fail "$1: \"$2\" is not in: $(cat "$folder/out")"
}

says()
{
    grep -qF -- "$2" "$folder/err" || fail "$1: \"$2\" is not on stderr: $(cat "$folder/err")"
}

# Words
expect 0 version --version
prints version "sekimori-authd "
expect 0 help --help
for word in --create-key --rekey --escrow-keypair --restore-escrow; do
    prints help "$word"
done
expect 0 "Japanese help" --lang ja --help
prints "Japanese help" "使い方"
expect 2 "unknown language" --lang fr --help
says "unknown language" "allowed: ja, en"
expect 2 "unknown option" --frob
expect 2 "an operand" --create-key somewhere
expect 2 "two things at once" --create-key --rekey
expect 2 "half an option" --escrow-keypair
expect 2 "no socket" --lang en
says "no socket" "systemctl start sekimori-authd.socket"
LISTEN_FDS=1 expect 2 "a socket for somebody else"

# Keys
key="$folder/machine.key"
mkdir "$folder/state" "$folder/fallback" "$folder/log"
chmod 700 "$folder/state" "$folder/fallback"
set -- --key "$key" --state "$folder/state" --fallback "$folder/fallback" --config "$folder/none"
expect 1 "rekey without a key" "$@" --rekey
says "rekey without a key" "--create-key"
expect 0 "create" "$@" --create-key
grep -qE '^[0-9a-f]{64}$' "$key" || fail "the key is not 64 hex digits"
[ "$(stat -c %a "$key")" = 600 ] || fail "the key has mode $(stat -c %a "$key")"
grep -qF "$(cat "$key")" "$folder/out" "$folder/err" && fail "the key was printed"
cp "$key" "$folder/first"
expect 1 "create again" "$@" --create-key
cmp -s "$key" "$folder/first" || fail "a key was written over"
expect 3 "create nowhere" --key "$folder/no/such/folder/key" --create-key
expect 0 "rekey" "$@" --rekey
cmp -s "$key" "$folder/first" && fail "rekey left the old key"
[ -e "$key.old" ] && fail "rekey left the old key beside it"
"$command" --escrow-keypair "$folder/lost" >/dev/full 2>"$folder/err"
[ $? = 3 ] || fail "a public key that could not be printed looks like success"
says "a full disk" "sekimori-authd: cannot write the output"
expect 0 "escrow" --escrow-keypair "$folder/escrow"
grep -qE '^escrow_key = "[0-9a-f]{64}";$' "$folder/out" || fail "this is no line for the configuration: $(cat "$folder/out")"
[ "$(stat -c %a "$folder/escrow")" = 600 ] || fail "the escrow's key has mode $(stat -c %a "$folder/escrow")"
grep -qF "$(cat "$folder/escrow")" "$folder/out" "$folder/err" && fail "the secret key was printed"
expect 1 "escrow again" --escrow-keypair "$folder/escrow"
expect 0 "nothing to restore" "$@" --restore-escrow "$folder/escrow"
prints "nothing to restore" "restored: 0"
expect 3 "restore without the secret" "$@" --restore-escrow "$folder/none"
expect 1 "restore with something else" "$@" --restore-escrow "$0"

# A service of its own: begins, locks the store once it is asked, ends on SIGTERM and takes its socket away.
"$command" "$@" --log "$folder/log" --chain "$folder/chain" --socket "$folder/auth" 2>"$folder/journal" &
server=$!
authd_folder=$folder
authd_wait || fail "it does not begin"
expect 1 "a second one" "$@" --log "$folder/log" --chain "$folder/chain" --socket "$folder/auth"
says "a second one" "in use"
kill "$server"
wait "$server" || fail "its end: $?: $(cat "$folder/journal")"
[ -e "$folder/auth" ] && fail "the socket file stays"
server=

[ "$failures" = 0 ] || { echo "$failures failures"; exit 1; }
echo "the verification service behaves"
