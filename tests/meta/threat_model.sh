#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the threat model names as shown by tests exists, and both languages name the same: a test that was renamed would leave
# a promise without its proof. Links of the documents beside it lead somewhere. Usage: threat_model.sh SOURCE
set -u
cd "$1" || exit 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failures=0

fail() {
    echo "FAIL: $1"
    failures=$((failures + 1))
}

# The part of the tree that each short name stands for.
path_of() {
    case $1 in
    vm/*) echo "tests/vm/scenarios/${1#vm/}" ;;
    fuzz_*) echo "tests/fuzz/$1.c" ;;
    *.rules) echo "conf/udev/$1" ;;
    sekimori-*.service) echo "conf/systemd/$1" ;;
    *) echo "tests/$1" ;;
    esac
}

for document in docs/threat-model.md docs/threat-model.ja.md; do
    # shellcheck disable=SC2016 # the backquotes of the document
    grep -oE '`((vm|unit|seam|net|meta|pam)/[a-z_]+\.[a-z]+|fuzz_[a-z_]+|[0-9]+-[a-z]+\.rules|sekimori-[a-z]+\.service)`' "$document" |
        tr -d '`' | sort -u >"$folder/${document##*/}"
    while read -r name; do
        [ -e "$(path_of "$name")" ] || fail "$document names $name, and there is no $(path_of "$name")"
    done <"$folder/${document##*/}"
    # modules by their bare name
    # shellcheck disable=SC2016
    grep -oE '`[a-z_]+(/[a-z_]+)?\.c`' "$document" | tr -d '`' | grep -v '^\(unit\|seam\)/' | sort -u | while read -r name; do
        find agent collector lib pam_module -name "${name##*/}" | grep -q . || echo "$document names $name"
    done >"$folder/modules"
    [ ! -s "$folder/modules" ] || fail "no such module: $(cat "$folder/modules")"
done
[ "$(wc -l <"$folder/threat-model.md")" -ge 20 ] || fail "the names of the tests cannot be read"
diff -u "$folder/threat-model.md" "$folder/threat-model.ja.md" || fail "the two languages name different tests"

for document in SECURITY.md README.md README.ja.md CONTRIBUTING.md docs/threat-model.md docs/threat-model.ja.md; do
    grep -oE '\]\([^)#:]+' "$document" | sed 's/^](//' >"$folder/links"
    while read -r target; do
        [ -e "$(dirname "$document")/$target" ] || fail "$document: the link to $target leads nowhere"
    done <"$folder/links"
done

[ "$failures" = 0 ] || { echo "$failures failures"; exit 1; }
echo "$(wc -l <"$folder/threat-model.md") names and all links lead somewhere"
