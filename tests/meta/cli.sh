#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The built command as a person meets it: what it prints, in both languages, and how it ends.
# Usage: cli.sh SOURCE BINARY
set -u
command="$2/agent/sekimori"
samples="$1/tests/data/log"
folder=$(mktemp -d)
trap 'kill "${follower:-}" 2>/dev/null; rm -rf "$folder"' EXIT
export TZ=Asia/Tokyo LC_ALL=C
unset SEKIMORI_LANG LANG LC_MESSAGES
failures=0

fail()
{
    echo "FAIL: $1"
    failures=$((failures + 1))
}

# expect EXIT NAME ARGUMENTS…: runs the command; stdout and stderr are left in $folder/out and $folder/err.
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

# What is printed is exactly what stands in the file; `cp out FILE` after reading the difference is how to change it.
same()
{
    diff -u "$samples/$2" "$folder/out" || fail "$1"
}

wc_is()
{
    [ "$(wc -l <"$folder/out")" = "$2" ] || fail "$1: $(wc -l <"$folder/out") lines, not $2"
}

# Usage
for language in ja en; do
    for verb in "" status devices "config check" "policy test" "log show" "log follow"; do
        # shellcheck disable=SC2086
        expect 0 "help of '$verb'" --lang $language $verb --help
        [ -s "$folder/out" ] || fail "help of '$verb' is empty"
    done
done
expect 0 version --version
prints version "sekimori "
expect 2 "no verb"
expect 2 "unknown verb" frobnicate
says "unknown verb" "allowed: status, devices"
expect 2 "half a verb" log
says "half a verb" "log show, log follow"
expect 2 "unknown option" status --frob
says "unknown option" "--frob (allowed: --json --lang --help"
expect 2 "unknown letter" devices -x
says "unknown letter" "-x"
expect 2 "missing value" log show --last
expect 2 "extra operand" status now
expect 2 "unknown language" --lang fr status
expect 2 "unknown event" log show --event NOPE
says "unknown event" "EXPORT_DENIED"
expect 2 "bad number" log show --last 0
expect 2 "bad receipt number" log show --number 0
expect 2 "bad time" log show --since someday
expect 2 "bad severity" log show --severity bad
expect 2 "bad outcome" log show --outcome bad
expect 2 "bad stream" log show --stream ../../etc
expect 2 "Japanese usage" --lang ja log show --last x
says "Japanese usage" "の値が正しくありません: x (使えるもの: 1 - 100000)"
expect 2 "neither path nor words" policy test
expect 2 "both path and words" policy test --describe a /sys
LC_ALL=ja_JP.UTF-8 "$command" --help | grep -q 使い方 || fail "the locale chooses the language"
LC_ALL=ja_JP.UTF-8 SEKIMORI_LANG=en "$command" --help | grep -q Usage || fail "SEKIMORI_LANG chooses first"

# Nobody answers: the kernel's gate is looked at all the same.
mkdir -p "$folder/sys/bus/usb/devices/usb1" "$folder/sys/module/usbcore/parameters"
echo 0 >"$folder/sys/module/usbcore/parameters/authorized_default"
echo 0 >"$folder/sys/bus/usb/devices/usb1/authorized_default"
echo 0 >"$folder/sys/bus/usb/devices/usb1/interface_authorized_default"
expect 1 "no agent, closed" status --socket "$folder/none" --sys "$folder/sys"
says "no agent, closed" "the agent is not running"
prints "no agent, closed" "The kernel's gate is closed all the same"
prints "no agent, closed" "usb1    closed"
expect 1 "no agent, JSON" status --json --socket "$folder/none" --sys "$folder/sys"
prints "no agent, JSON" '"agent":{"answers":false'
prints "no agent, JSON" '"gate":{"closed":true'
echo 1 >"$folder/sys/bus/usb/devices/usb1/interface_authorized_default"
expect 1 "no agent, open" --lang ja status --socket "$folder/none" --sys "$folder/sys"
prints "no agent, open" "開いています"
prints "no agent, open" "usb1    開 (authorized_default=0, interface_authorized_default=1)"
grep -qF "閉じています" "$folder/out" && fail "an open gate is called closed"
expect 3 "devices without agent" devices --socket "$folder/none"

# The daemon's own modes, with a stand-in that shows what it was given. No shell is in between.
# shellcheck disable=SC2016 # the stand-in expands it
printf '#!/bin/sh\nprintf "%%s|" "$SEKIMORI_LANG" "$@"\nexit 1\n' >"$folder/daemon"
chmod 755 "$folder/daemon"
expect 1 "config check" --lang ja config check --daemon "$folder/daemon" --json "a; b"
prints "config check" "ja|--check-config|a; b|--json|"
expect 1 "config check, default" config check --daemon "$folder/daemon"
prints "config check, default" "en|--check-config|/etc/sekimori/sekimori.conf|"
expect 1 "a file that looks like an option" config check --daemon "$folder/daemon" -- --close-gate
prints "a file that looks like an option" "--check-config|./--close-gate|"
expect 1 "policy test PATH" policy test --daemon "$folder/daemon" --config c /sys/x
prints "policy test PATH" "--test-policy|--config|c|/sys/x|"
expect 1 "policy test words" policy test --daemon "$folder/daemon" --json --describe "vid_pid=0781:5581 port=1-2"
prints "policy test words" "--test-policy|--config|/etc/sekimori/sekimori.conf|--json|--describe|vid_pid=0781:5581 port=1-2|"
# The real one: what a person wrote cannot turn the rest of the line.
printf 'usb: { rules = ( { id = "r"; action = "deny"; reason = "x\342\200\256y"; vid_pid = "0781:5581"; } ); };\n' >"$folder/conf"
chmod 600 "$folder/conf"
expect 1 "policy test" policy test --daemon "$2/agent/sekimorid" --config "$folder/conf" \
    --describe "vid_pid=0781:5581 port=1-2 interfaces=08:06:50"
prints "policy test" "rule: r (x�y)"
expect 3 "no such daemon" config check --daemon "$folder/none"
says "no such daemon" "cannot start $folder/none"

# Records
expect 0 "log in Japanese" --lang ja log show --dir "$samples"
same "log in Japanese" show.ja.txt
expect 0 "log in English" --lang en log show --dir "$samples"
same "log in English" show.en.txt
expect 0 "raw" log show --json --dir "$samples"
cat "$samples/agent/00000001.jsonl" "$samples/agent/00000002.jsonl" | cmp -s - "$folder/out" || fail "raw lines are changed"
expect 0 "by receipt number" log show --json --number 2 --dir "$samples"
sed -n 2p "$samples/agent/00000001.jsonl" | cmp -s - "$folder/out" || fail "another record than number 2"
expect 0 "a receipt number that nobody was given" log show --json --number 999999 --dir "$samples"
[ ! -s "$folder/out" ] || fail "a record with a number that there is not"
esc=$(printf '\033')
grep -qF "$esc" "$folder/out" && fail "the sample is not what it should be"
for language in ja en; do
    expect 0 "second factor, $language" --lang $language log show --stream auth --dir "$samples"
    same "second factor, $language" show-auth.$language.txt
    grep -qF "$esc" "$folder/out" && fail "a name reaches the terminal raw"
done
count()
{
    name=$1
    lines=$2
    shift 2
    expect 0 "$name" log show --json --dir "$samples" "$@"
    wc_is "$name" "$lines"
}
count "all" 5
count "event" 1 --event EXPORT_DENIED
count "two events" 2 --event EXPORT_DENIED --event AGENT_START
count "severity" 2 --severity warning
count "outcome" 2 --outcome allowed
count "user" 2 --user sato
count "vid-pid" 1 --vid-pid 0781:5581
count "serial" 1 --serial 4C530001
count "port" 2 --port 1-2
count "since" 2 --since 2026-11-21T09:30:00+09:00
count "until" 3 --until "2026-11-21 09:30"
count "last" 2 --last 2
count "more than there is" 5 --last 100
count "together" 1 --last 1 --user sato
count "none" 0 --user nobody
count "second factor" 7 --stream auth
count "whose it is" 5 --stream auth --user sato
count "who asked" 1 --stream auth --user tanaka
count "refused" 2 --stream auth --outcome blocked
count "codes issued" 1 --stream auth --event SUBSTITUTE_ISSUED
expect 0 "last in Japanese" --lang ja log show --dir "$samples" --last 1
prints "last in Japanese" "記録"

# Damage
mkdir -p "$folder/log/agent"
cp "$samples/agent/00000001.jsonl" "$folder/log/agent/00000001.jsonl"
printf 'not json\n{"time":1}\n{"torn' >>"$folder/log/agent/00000001.jsonl"
expect 1 "damaged" log show --json --dir "$folder/log"
wc_is "damaged" "$(wc -l <"$samples/agent/00000001.jsonl")"
says "damaged" "3 lines are no records"
expect 1 "damaged, Japanese" --lang ja log show --dir "$folder/log"
says "damaged, Japanese" "記録として読めない行が3行あります。"
expect 3 "no folder" log show --dir "$folder/none"
says "no folder" "$folder/none/agent"
if [ "$(id -u)" = 0 ]; then
    chmod 755 "$folder"
    chmod 700 "$folder/log/agent"
    cp "$command" "$folder/sekimori" # the build folder itself may be closed to others
    setpriv --reuid 65534 --regid 65534 --clear-groups "$folder/sekimori" log show --dir "$folder/log" \
        >"$folder/out" 2>"$folder/err"
    [ $? = 3 ] || fail "no permission: exit"
    says "no permission" "sekimori-auditor"
    expect 0 "help again" --help
    # A copy in a folder that lets pass and not look, as a home folder may be: what cat can read.
    mkdir -m 755 "$folder/closed"
    cp -R "$samples/agent" "$folder/closed/"
    chmod -R a+rX "$folder/closed/agent"
    chmod 711 "$folder/closed"
    setpriv --reuid 65534 --regid 65534 --clear-groups "$folder/sekimori" log show --json --dir "$folder/closed" \
        >"$folder/out" 2>"$folder/err" || fail "a copy below a closed folder: $(cat "$folder/err")"
    wc_is "a copy below a closed folder" 5
fi
"$command" log show --dir "$samples" >/dev/full 2>"$folder/err"
[ $? = 3 ] || fail "a full disk looks like success"

# follow
wait_for()
{
    for _ in $(seq 100); do
        grep -qF -- "$2" "$folder/followed" && return
        sleep 0.1
    done
    fail "$1: \"$2\" never came: $(cat "$folder/followed")"
}
rm -rf "$folder/log"
mkdir -p "$folder/log/agent"
cp "$samples/agent/00000001.jsonl" "$folder/log/agent/"
"$command" --lang ja log follow --dir "$folder/log" >"$folder/followed" 2>&1 &
follower=$!
wait_for "follow, the past" "持ち出し試行を遮断"
line=$(head -n 1 "$samples/agent/00000002.jsonl")
printf '%s' "$line" | cut -c1-50 | tr -d '\n' >>"$folder/log/agent/00000001.jsonl"
printf '%s\n' "$line" | cut -c51- >>"$folder/log/agent/00000001.jsonl"
wait_for "follow, a line in two pieces" "田中"
sed 's/田中/佐々木/g' "$samples/agent/00000002.jsonl" >"$folder/log/agent/00000002.jsonl"
wait_for "follow, a new segment" "佐々木"
kill "$follower"
wait "$follower" 2>/dev/null
grep -qF "読めない" "$folder/followed" && fail "follow complains about a line that was not finished yet"

[ "$failures" = 0 ] || { echo "$failures failures"; exit 1; }
echo "the command behaves"
