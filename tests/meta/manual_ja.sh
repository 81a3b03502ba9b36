#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each Japanese page ends. groff 1.22 with the Japanese macros, which man(1) loads in a Japanese session, runs for ever and
# takes all memory when it finds no place to break a line: a long cell of a table, names strung together without a blank.
# Usage: manual_ja.sh SOURCE
set -u
cd "$1/docs" || exit 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export LC_ALL=C.UTF-8
failures=0

for page in *.ja.scd; do
    scdoc <"$page" >"$folder/page" || exit 2
    { printf '.mso ja.tmac\n.hla ja\n'; preconv -e UTF-8 "$folder/page" | tbl; } >"$folder/input"
    for width in 50 60 70 78 80 90 100 117 132 158; do
        # The limits are for the test's neighbours; a page takes 30 ms and 10 MB.
        if ! prlimit --as=1000000000 --cpu=10 groff -mandoc -Z -rLL=${width}n -rLT=${width}n -Tutf8 \
            <"$folder/input" >/dev/null 2>"$folder/said"; then
            echo "FAIL: $page does not end at $width columns: $(tail -n 1 "$folder/said")"
            failures=$((failures + 1))
        fi
    done
done

[ "$failures" = 0 ] || { echo "$failures failures"; exit 1; }
echo "each Japanese page ends"
