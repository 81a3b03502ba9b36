#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What bash, zsh and fish offer is what the programs have: each verb of the command's table, each option of each help text,
# the values that the help names. Usage: completions.sh SOURCE BINARY
set -u
source_dir=$1 binary=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export LC_ALL=C.UTF-8 HOME=$folder XDG_CONFIG_HOME=$folder XDG_DATA_HOME=$folder
unset SEKIMORI_LANG LANG
mkdir "$folder/bin" "$folder/completions"
ln -s "$binary/agent/sekimori" "$folder/bin/sekimori"
ln -s "$source_dir/collector/sekimori-collector" "$folder/bin/sekimori-collector"
PATH=$folder/bin:$PATH
failures=0

fail() {
    echo "FAIL: $1"
    failures=$((failures + 1))
}

for program in sekimori sekimori-collector; do
    ln -s "$source_dir/conf/completions/words" "$folder/completions/$program"
    for shell in bash zsh fish; do
        sed "s|/usr/share/sekimori/completions|$folder/completions|" "$binary/conf/completions/$shell/$program" >"$folder/$program.$shell"
    done
done

in_bash() {
    # shellcheck disable=SC1090
    . "$folder/$1.bash"
    COMP_WORDS=("$@" '') COMP_CWORD=$#
    "_${1//-/_}"
    printf '%s\n' "${COMPREPLY[@]}"
}

# The function alone: _describe is what would show the candidates.
in_zsh() {
    zsh -f -c '
        _describe() { print -l -- ${(P)2%%:*} }
        _files() { }
        file=$1; shift
        words=("$@" ""); CURRENT=${#words}
        complete_it() { source $file }
        complete_it' zsh "$folder/$1.zsh" "$@"
}

in_fish() {
    fish --no-config -c "source $folder/$1.fish; complete -C '$* '; complete -C '$* --'" | cut -f1
}

# offered WORD... : all that must be offered after these words is in $folder/wanted, one a line, in each shell
offered() {
    for shell in bash zsh fish; do
        "in_$shell" "$@" >"$folder/found" 2>"$folder/errors"
        [ ! -s "$folder/errors" ] || fail "$shell: $*: $(cat "$folder/errors")"
        missing=$(sort -u "$folder/wanted" | comm -23 - <(sort -u "$folder/found"))
        [ -z "$missing" ] || fail "$shell: after \"$*\" it does not offer: ${missing//$'\n'/ }"
    done
}

# The command's own table of verbs.
table=$(sed -n 's/^\t{"\([a-z-]*\)", \("\([a-z-]*\)"\|NULL\), skm_verb_.*/\1 \3/p' "$source_dir/agent/cli/main.c")
[ "$(wc -l <<<"$table")" -ge 18 ] || fail "the table of verbs is not where it was: $table"
cut -d' ' -f1 <<<"$table" >"$folder/wanted"
offered sekimori
while read -r first; do
    sed -n "s/^$first \(..*\)/\1/p" <<<"$table" >"$folder/wanted"
    if [ -s "$folder/wanted" ]; then offered sekimori "$first"; fi
done < <(cut -d' ' -f1 <<<"$table" | sort -u)
# Each option of each help text. One shell is enough for what is the same script: the others were seen above.
while read -r first second; do
    # shellcheck disable=SC2086
    sekimori $first $second --help | grep -v '(for tests)' | grep -oE -- '--[a-z][a-z-]+' | sort -u >"$folder/wanted"
    [ -s "$folder/wanted" ] || fail "no option in the help of $first $second"
    # shellcheck disable=SC2086
    in_bash sekimori $first $second | sort -u | comm -13 - "$folder/wanted" >"$folder/missing"
    [ ! -s "$folder/missing" ] || fail "after $first $second: $(tr '\n' ' ' <"$folder/missing")"
done <<<"$table"
printf '%s\n' agent auth >"$folder/wanted"
offered sekimori log show --last 3 --stream
# fish adds the folder's files, as it does everywhere
in_bash sekimori log show --stream | sort | cmp -s - "$folder/wanted" || fail "more than the values is offered"
sekimori status --help | grep -q -- --socket || fail "the help names no option for tests any more"
! in_bash sekimori status | grep -qx -- --socket || fail "options for tests are offered"

sed -n 's/^\(allowed: \)\?\([a-z-]*\)) [a-z_]* "\$@" ;;$/\2/p' "$source_dir/collector/sekimori-collector" | sort -u >"$folder/wanted"
[ "$(wc -l <"$folder/wanted")" -ge 5 ] || fail "the collector's verbs are not where they were: $(cat "$folder/wanted")"
offered sekimori-collector
printf '%s\n' --json --csv >"$folder/wanted"
offered sekimori-collector status

# In the reader's language, where the shell shows what a word means.
LC_ALL=ja_JP.UTF-8 "$folder/completions/sekimori" sekimori log | grep -q '^show	監査記録' || fail "no Japanese description"
# What was typed is no command: nothing but a verb reaches the program.
# shellcheck disable=SC2016
"$folder/completions/sekimori" sekimori '$(touch x)' '; ls' >"$folder/found"
[ ! -s "$folder/found" ] || fail "nonsense is completed: $(cat "$folder/found")"

((failures == 0)) || { echo "$failures failures"; exit 1; }
echo "three shells offer what the programs have"
