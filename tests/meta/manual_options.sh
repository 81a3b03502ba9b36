#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each option that a program's help names stands in its manual page, in both languages, and no page has an option that no
# help knows: a page that was right once is not enough. Usage: manual_options.sh SOURCE BINARY
set -u
source_dir=$1 binary=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export LC_ALL=C.UTF-8
unset SEKIMORI_LANG LANG
failures=0

# The helps of one page, without what is there for tests only.
helps() {
    local verb program
    case $1 in
    sekimori.1)
        "$binary/agent/sekimori" --help
        for verb in status devices 'config check' 'policy test' 'log show' 'log follow' 'mfa enrol' 'mfa status' 'mfa list' \
            'mfa recovery' 'mfa resync' 'mfa disable' 'mfa unlock' 'mfa substitute' 'mfa import' 'mfa require' 'mfa enable'; do
            # shellcheck disable=SC2086 # two words are two arguments
            "$binary/agent/sekimori" $verb --help || echo "--no-help-of-$verb"
        done
        ;;
    sekimorid.8 | sekimori-forward.8 | sekimori-notify.1) "$binary/agent/${1%.*}" --help ;;
    sekimori-authd.8) "$binary/pam_module/sekimori-authd" --help ;;
    sekimori-collector.8)
        "$source_dir/collector/sekimori-collector" --help
        SEKIMORI_COLLECTOR_SHARE=$source_dir/collector "$source_dir/collector/sekimori-collector" output --help
        ;;
    *)
        program=${1%.*}
        "$binary/collector/${program#sekimori-}/$program" --help
        ;;
    esac 2>&1 | sed '/(for tests)/d'
}
options() { grep -o -- '--[a-z][a-z-]*[a-z]' | sort -u; }

for page in sekimori.1 sekimorid.8 sekimori-forward.8 sekimori-notify.1 sekimori-authd.8 sekimori-collector.8 sekimori-store.8 \
    sekimori-verify.1 sekimori-witness.8; do
    name=${page%.*}
    helps "$page" >"$folder/$name.help" # "sekimori log verify" has a page of its own
    options <"$folder/$name.help" >"$folder/known"
    [ "$(wc -l <"$folder/known")" -ge 2 ] || { echo "FAIL: $page: no help: $(cat "$folder/$name.help")"; failures=$((failures + 1)); }
    for language in '' .ja; do
        file=$source_dir/docs/$page$language.scd
        # What a page explains begins a line; what it names may be another program's.
        options <"$file" >"$folder/named"
        grep '^\*--' "$file" | options >"$folder/explained"
        comm -23 "$folder/known" "$folder/named" >"$folder/missing"
        comm -13 "$folder/known" "$folder/explained" >"$folder/unknown"
        for kind in missing unknown; do
            [ -s "$folder/$kind" ] || continue
            echo "FAIL: ${file##*/}: $kind: $(tr '\n' ' ' <"$folder/$kind")"
            failures=$((failures + 1))
        done
    done
done

[ "$failures" = 0 ] || { echo "$failures failures"; exit 1; }
echo "each option of each help stands in its page"
