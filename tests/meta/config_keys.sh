#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The loader's table of keys, the shipped file and both manual pages must name the same keys, defaults and bounds.
# usage: config_keys.sh SOURCE_DIR [BUILD_DIR]
set -eu
source_dir=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# Each of the following prints "path default min max", "-" for what is not stated.

from_table() {
    awk -v OFS='\t' '
        function flush() { if (path != "") print path, fallback, min, max; path = ""; fallback = min = max = "-" }
        function value(line) { sub(/^[^"]*"/, "", line); sub(/".*/, "", line); return line == "" ? "(empty)" : line }
        /^[ \t]*\.path = /     { flush(); path = value($0) }
        /^[ \t]*\.fallback = / { fallback = value($0) }
        /^[ \t]*\.min = /      { min = value($0) }
        /^[ \t]*\.max = /      { max = value($0) }
        END { flush() }' "$1"
}

# "*key* = type …, default: …" below "## group"; the keys of a rule below "# RULES"
from_man() {
    awk -v OFS='\t' -v rules="$2" '
        /^# /  { group = ($0 == "# " rules) ? "usb.rules[]" : "" }
        /^## / { group = $2; print group, "-", "-", "-" }
        /^\*[a-z_]+\* = / && group != "" {
            name = $0; sub(/^\*/, "", name); sub(/\*.*/, "", name)
            type = $0; sub(/(, default|、既定値): .*/, "", type)
            fallback = "-"
            if (match($0, /(default|既定値): ".*"$/)) {
                fallback = $0; sub(/.*(default|既定値): "/, "", fallback); sub(/"$/, "", fallback)
                if (fallback == "") fallback = "(empty)"
            }
            min = max = "-"
            if (match(type, /"[0-9]+[A-Za-z]*"( to |〜)"[0-9]+[A-Za-z]*"/)) {
                range = substr(type, RSTART, RLENGTH)
                split(range, part, "\"")
                min = part[2]; max = part[4]
            }
            print group "." name, fallback, min, max
        }' "$1"
}

# "#group: {" and, deeper, "#  key = value"; prose is "# " with one blank, and a range stands in it as ("a" to "b")
from_shipped() {
    awk -v OFS='\t' '
        /^#  +# .*\("[0-9]+[A-Za-z]*" to "[0-9]+[A-Za-z]*"\)/ {
            range = $0; sub(/.*\("/, "", range); sub(/"\).*/, "", range); split(range, part, "\" to \"")
            min = part[1]; max = part[2]
        }
        /^#[a-z]+: \{/ { group = $0; gsub(/[#: {]/, "", group); print group, "-", "-", "-" }
        /^#  [a-z_]+ = / { in_rules = 0 }
        /^#  +[a-z_]+ = / {
            name = $0; sub(/^# +/, "", name); sub(/ = .*/, "", name)
            fallback = $0; sub(/^[^"]*"/, "", fallback); sub(/";.*/, "", fallback)
            if (fallback == "") fallback = "(empty)"
            print group (in_rules ? ".rules[]." : ".") name, fallback, (min == "" ? "-" : min), (max == "" ? "-" : max)
            if (name == "rules") in_rules = 1
            min = max = ""
        }' "$1"
}

from_table "$source_dir/lib/config_keys.c" | sort >"$out/table"
[ "$(wc -l <"$out/table")" -ge 20 ] || { echo "the table in lib/config_keys.c cannot be read" >&2; exit 1; }
from_man "$source_dir/docs/sekimori.conf.5.scd" RULES | sort >"$out/sekimori.conf.5.scd"
from_man "$source_dir/docs/sekimori.conf.5.ja.scd" 規則 | sort >"$out/sekimori.conf.5.ja.scd"
# Where there is no default, the shipped file shows an example instead.
from_shipped "$source_dir/conf/sekimori.conf" |
    awk -F '\t' -v OFS='\t' 'NR == FNR { fallback[$1] = $2; next } fallback[$1] == "-" { $2 = "-" } { print }' "$out/table" - |
    sort -u >"$out/sekimori.conf"

failed=0
for file in sekimori.conf sekimori.conf.5.scd sekimori.conf.5.ja.scd; do
    if ! diff -u --label lib/config_keys.c --label "$file" "$out/table" "$out/$file"; then
        echo "$file does not state the keys of lib/config_keys.c" >&2
        failed=1
    fi
done
[ "$failed" = 0 ] && echo "$(wc -l <"$out/table") keys agree"
exit "$failed"
