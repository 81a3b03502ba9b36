#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the command draws is read by a real decoder (zbar), and gives the otpauth URI back: the PNG, and the half blocks
# as text and on a terminal. The verification service is the built one.
# Usage: qr_roundtrip.sh SOURCE BINARY
set -u
command="$2/agent/sekimori"
folder=$(mktemp -d)
trap 'kill "${server:-}" "${enrolment:-}" 2>/dev/null; rm -rf "$folder"' EXIT
export LC_ALL=C
unset SEKIMORI_LANG LANG LC_MESSAGES LISTEN_PID LISTEN_FDS CREDENTIALS_DIRECTORY NOTIFY_SOCKET
failures=0

fail()
{
    echo "FAIL: $1"
    failures=$((failures + 1))
}

# shellcheck source=tests/meta/authd_service.inc
. "$1/tests/meta/authd_service.inc"
authd_start "$2" "$folder" || exit 1

# enrol NAME ARGUMENTS…: an enrolment that is looked at while it waits for its code, and then given up. Its first line,
# the URI, is left in $uri.
enrol()
{
    name=$1
    shift
    mkfifo "$folder/in.$name" "$folder/out.$name"
    "$command" mfa enrol --socket "$folder/auth" "$@" <"$folder/in.$name" >"$folder/out.$name" 2>"$folder/err" &
    enrolment=$!
    exec 3>"$folder/in.$name" 4<"$folder/out.$name"
}

give_up()
{
    exec 3>&- 4<&-
    wait "$enrolment"
    enrolment=
}

decodes_to_uri()
{
    zbarimg --quiet --raw "$2" >"$folder/decoded" 2>/dev/null || fail "$1: zbar finds no code"
    printf '%s\n' "$uri" | cmp -s - "$folder/decoded" || fail "$1: $(cat "$folder/decoded") is not $uri"
}

# Text of half blocks -> a picture: 4 by 8 pixels a character. $2 = what the foreground draws: light or dark.
paint()
{
    sed 's/█/F/g; s/▀/U/g; s/▄/L/g' | awk -v ink="$1" -v paper="$2" '
        { rows[NR] = $0; if (length($0) > width) width = length($0) }
        function line(row, filled,   column, text, c, i) {
            text = ""
            for (column = 1; column <= width; column++) {
                c = substr(rows[row], column, 1)
                for (i = 0; i < 4; i++)
                    text = text (c == "F" || c == filled ? ink : paper) " "
            }
            for (i = 0; i < 4; i++)
                print text
        }
        END {
            print "P2", width * 4, NR * 8, 255
            for (row = 1; row <= NR; row++) {
                line(row, "U")
                line(row, "L")
            }
        }'
}

for parameters in "--algorithm sha256" "--algorithm sha512 --digits 8 --period 60" "--type hotp"; do
    name=png.$(printf '%s' "$parameters" | tr -c 'a-z0-9' _)
    # shellcheck disable=SC2086 # a list of arguments
    enrol "$name" --png "$folder/qr.png" --uri $parameters
    IFS= read -r uri <&4 || fail "$name: no URI: $(cat "$folder/err")"
    decodes_to_uri "$name" "$folder/qr.png"
    give_up
    [ -e "$folder/qr.png" ] && fail "$name: the picture of what was given up is still there"
done

for style in utf8 inverse; do
    enrol "$style" --qr $style --uri
    # The drawing comes first, then the secret, then the URI.
    : >"$folder/drawing"
    while IFS= read -r line <&4; do
        case $line in
            otpauth:*) uri=$line && break ;;
            *[A-Z2-7]*) ;;
            *) printf '%s\n' "$line" >>"$folder/drawing" ;;
        esac
    done
    give_up
    if [ $style = utf8 ]; then
        paint 255 0 <"$folder/drawing" >"$folder/drawing.pgm"
    else
        paint 0 255 <"$folder/drawing" >"$folder/drawing.pgm"
    fi
    decodes_to_uri "$style" "$folder/drawing.pgm"
done

# A terminal of so many rows and columns, in a UTF-8 locale or not. Its screen is left in $folder/screen, without colours.
on_terminal()
{
    escape=$(printf '\033')
    LC_ALL=$3 script -qec "stty rows $1 cols $2; '$command' mfa enrol --socket '$folder/auth'" /dev/null </dev/null |
        tr -d '\r' | sed "s/$escape\[[0-9;]*m//g" >"$folder/screen"
}

on_terminal 50 80 C.UTF-8
grep -E '[█▀▄]' "$folder/screen" | paint 0 255 >"$folder/screen.pgm"
key=$(grep -E '^[A-Z2-7]{4}( [A-Z2-7]{1,4})+$' "$folder/screen" | tr -d ' ')
zbarimg --quiet --raw "$folder/screen.pgm" 2>/dev/null | grep -qF "secret=$key&" || fail "what a terminal shows cannot be read"
grep -q "enlarge it" "$folder/screen" && fail "a large window is called too small"
on_terminal 20 80 C.UTF-8
grep -q "enlarge it" "$folder/screen" || fail "nobody is told that the code does not fit the rows"
on_terminal 50 30 C.UTF-8
grep -q "enlarge it" "$folder/screen" || fail "nobody is told that the code does not fit the columns"
grep -q '█' "$folder/screen" && fail "a code was drawn that the window breaks"
on_terminal 70 120 C
grep -q '█' "$folder/screen" && fail "half blocks on a terminal without UTF-8"
grep -qE '^ {80}' "$folder/screen" || fail "no coloured blanks on a terminal without UTF-8"

[ "$failures" = 0 ] || exit 1
