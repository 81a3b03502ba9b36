#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The built daemon's modes that touch nothing, as a person meets them. Usage: dry_run.sh SOURCE BINARY
set -u
agent="$2/agent/sekimorid"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export LC_ALL=C
unset SEKIMORI_LANG LANG LC_MESSAGES
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
    "$agent" "$@" >"$folder/out" 2>"$folder/err" </dev/null
    code=$?
    [ "$code" = "$wanted" ] || fail "$name: exit $code, not $wanted: $(head -c 500 "$folder/err")"
}

says()
{
    grep -qF -- "$2" "$folder/err" || fail "$1: \"$2\" is not on stderr: $(head -c 500 "$folder/err")"
}

echo "usb: {};" >"$folder/good"
chmod 644 "$folder/good"

# A device in words
describe()
{
    wanted=$1
    name=$2
    shift 2
    expect "$wanted" "$name" --test-policy --config "$folder/good" --describe "$*"
}
many=$(yes 08:06:50 | head -n 32 | paste -sd,)
describe 1 "many interfaces" vid_pid=0781:5581 "interfaces=$many"
describe 2 "too many interfaces" vid_pid=0781:5581 "interfaces=$many,08:06:50"
describe 2 "interfaces without end" vid_pid=0781:5581 $(yes "interfaces=$many" | head -n 12)
says "interfaces without end" "each word once"
describe 2 "two serials" vid_pid=0781:5581 serial=A serial=B
says "two serials" "found: serial=B; allowed: vid_pid=VVVV:PPPP"
describe 2 "a word that is none" vid_pid=0781:5581 seriel=A
says "a word that is none" "found: seriel=A"

# In Japanese, whatever is wrong with the device
japanese()
{
    wanted=$1
    text=$2
    shift 2
    expect "$wanted" "$text" --lang ja --test-policy --config "$folder/good" "$@"
    says "$text" "$text"
}
printf 'P: /devices/x\nH:descriptors=1\n' >"$folder/damaged"
printf 'P: /devices/x\n\n' >"$folder/deviceless"
head -c 4194304 /dev/zero >"$folder/large"
japanese 2 "現在の内容: seriel=A、正しい内容: vid_pid=VVVV:PPPP" --describe seriel=A
japanese 3 "開けません: $folder/none: " "$folder/none"
japanese 3 "USB機器のフォルダーとして読めません: $folder: " "$folder"
japanese 3 "読めません: $folder/large: " "$folder/large"
japanese 3 "$folder/damaged: 壊れた行があります" "$folder/damaged"
japanese 3 "$folder/deviceless: ディスクリプターのあるUSB機器がありません" "$folder/deviceless"

# A file of others
chmod 640 "$folder/good"
if [ "$(id -u)" = 0 ]; then
    chmod 755 "$folder"
    cp "$agent" "$folder/sekimorid" # the build folder itself may be closed to others
    setpriv --reuid 65534 --regid 65534 --clear-groups "$folder/sekimorid" --check-config "$folder/good" \
        >"$folder/out" 2>"$folder/err"
    code=$?
    [ "$code" = 3 ] || fail "a file that may not be read: exit $code"
    says "a file that may not be read" "$folder/good: cannot check the configuration: Permission denied"
    says "a file that may not be read" "It takes membership of the group sekimori-auditor."
fi
expect 1 "no file" --check-config "$folder/none"

# A disk that is full
full()
{
    name=$1
    shift
    "$agent" "$@" >/dev/full 2>"$folder/err"
    code=$?
    [ "$code" = 3 ] || fail "$name: exit $code on a full disk"
    says "$name" "sekimorid: cannot write the output"
}
full "a check" --check-config "$folder/good"
full "a check for machines" --check-config "$folder/good" --json
full "a judgement" --test-policy --config "$folder/good" --describe vid_pid=0781:5581
full "the version" --version
"$agent" --lang ja --check-config "$folder/good" >/dev/full 2>"$folder/err"
says "Japanese" "sekimorid: 出力を書き込めません。"

[ "$failures" = 0 ] || { echo "$failures failures"; exit 1; }
echo "the dry runs behave"
