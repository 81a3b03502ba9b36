#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Our codes and oathtool's, for 10,000 random secrets: SHA-1, SHA-256, SHA-512, 6 and 8 digits, counters, 30 and 60 s, four
# codes each. Seed and number of secrets can be set: SKM_SEED, SKM_SECRETS.
# usage: oathtool.sh SOURCE_DIR BUILD_DIR
set -eu
codes=$2/tests/otp_codes
seed=${SKM_SEED:-4226}
count=${SKM_SECRETS:-10000}
processes=4
share=$(((count + processes - 1) / processes))
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

compare() {
    "$codes" "$seed" $(($1 * share)) "$share" "$out/arguments.$1" "$out/ours.$1"
    # One oathtool a line; it prints nothing but the codes.
    while read -r line; do
        # shellcheck disable=SC2086 # the line is a list of arguments
        oathtool $line || { echo "oathtool $line: failed"; break; }
    done <"$out/arguments.$1" >"$out/theirs.$1"
    cmp -s "$out/ours.$1" "$out/theirs.$1" || return 1
    wc -l <"$out/theirs.$1" >"$out/count.$1"
}

number=0
children=
while [ "$number" -lt "$processes" ]; do
    compare "$number" &
    children="$children $!"
    number=$((number + 1))
done
failed=0
for child in $children; do
    wait "$child" || failed=1
done

if [ "$failed" -ne 0 ]; then
    echo "codes differ from oathtool's with SKM_SEED=$seed; ours (-) and theirs (+):" >&2
    for number in 0 1 2 3; do
        diff -u "$out/ours.$number" "$out/theirs.$number" | head -n 20 >&2 || true
    done
    exit 1
fi
compared=$(cat "$out"/count.* | awk '{ sum += $1 } END { print sum }')
[ "$compared" -ge $((count * 4)) ] || { echo "only $compared codes were compared" >&2; exit 1; }
echo "$compared codes of $((processes * share)) secrets are oathtool's"
