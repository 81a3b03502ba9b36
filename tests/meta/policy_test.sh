#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A device as umockdev-record itself writes it down, judged by the built daemon. Usage: policy_test.sh SOURCE BINARY
set -u
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export LC_ALL=C
failures=0

fail()
{
    echo "FAIL: $1"
    failures=$((failures + 1))
}

descriptors=1201000200000040810781550001010203010902200001010080320904000002080650000705810200020007050202000200
printf '%s\n' 'P: /devices/usb1/1-1' 'E: SUBSYSTEM=usb' 'E: DEVTYPE=usb_device' 'A: busnum=1\n' 'A: devnum=5\n' \
    'A: serial= 札幌"\\7\n' 'A: product=ペン\n' "H: descriptors=$descriptors" >"$folder/machine"
umockdev-run -d "$folder/machine" -- umockdev-record --all >"$folder/stick.umockdev" || fail "umockdev-record"
grep -qF '\346' "$folder/stick.umockdev" || fail "umockdev-record escapes no bytes: $(cat "$folder/stick.umockdev")"
printf '%s\n' 'usb: { rules = ( { id = "lent"; action = "allow"; reason = "lent"; vid_pid = "0781:5581"; serial = " 札幌\"\\7"; } ); };' \
    >"$folder/conf"
"$2/agent/sekimorid" --lang en --config "$folder/conf" --json --test-policy "$folder/stick.umockdev" >"$folder/out" 2>&1 ||
    fail "the recorded stick is refused: $(cat "$folder/out")"
jq -e '.rule == "lent" and .serial_number == " 札幌\"\\7"' "$folder/out" >"$folder/jq" || fail "$(cat "$folder/out")"

[ "$failures" = 0 ] || { echo "$failures failures"; exit 1; }
echo "recordings are judged"
