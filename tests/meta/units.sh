#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The units: systemd finds nothing wrong with them, their exposure stays low, each option has its reason beside it.
# Usage: units.sh SOURCE
set -u
cd "$1" || exit 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export LC_ALL=C SYSTEMD_COLORS=0 SYSTEMD_LOG_LEVEL=warning
failures=0

fail()
{
    echo "FAIL: $1"
    failures=$((failures + 1))
}

# exposure UNIT LIMIT: below the limit, in tenths as systemd-analyze counts and shows it.
exposure()
{
    systemd-analyze security --offline=yes --no-pager "$1" >"$folder/security" 2>&1
    score=$(sed -n 's/.*Overall exposure level for .*: \([0-9]*\)\.\([0-9]\) .*/\1\2/p' "$folder/security")
    if [ -z "$score" ]; then
        fail "$1: no score: $(cat "$folder/security")"
    elif [ "$score" -ge "$2" ]; then
        fail "$1: exposure $score tenths, not below $2:"
        grep -E '[0-9]\.[0-9] *$' "$folder/security"
    fi
}

exposure conf/systemd/sekimorid.service 20
exposure conf/systemd/sekimori-gate.service 20
exposure conf/systemd/sekimori-apparmor.service 20
exposure conf/systemd/sekimori-authd.service 15
exposure conf/systemd/sekimori-forward.service 20
exposure conf/collector/sekimori-collector.service 20
exposure conf/collector/sekimori-collector-output@.service 20
exposure conf/collector/sekimori-witness.service 20

# The programs are not installed where this runs: each command becomes one that is.
mkdir "$folder/units"
for unit in conf/systemd/*.service conf/systemd/*.socket conf/collector/*.service; do
    sed 's,^\(Exec[A-Za-z]*=\)/usr/[a-z]*/[a-z_-]*,\1/bin/true,' "$unit" >"$folder/units/${unit##*/}"
done
SYSTEMD_UNIT_PATH="$folder/units:" systemd-analyze verify --man=no --recursive-errors=no "$folder"/units/* \
    >"$folder/verify" 2>&1 || fail "systemd-analyze verify"
# What other packages' units on this machine do wrong is not ours.
if grep -F -e "$folder" -e sekimori "$folder/verify"; then
    fail "systemd-analyze verify has something to say"
fi

# In [Service] and [Socket] a run of options without a blank line or a comment in between has its reason above it, and no
# reason serves more than four.
for unit in conf/systemd/*.service conf/systemd/*.socket conf/collector/*.service; do
    awk '
        /^\[/ { checked = $0 == "[Service]" || $0 == "[Socket]"; reasons = 0; next }
        /^#/ { reasons = 1; options = 0; next }
        /^$/ { reasons = 0; next }
        !checked { next }
        # A command, and what takes three lines to say, are one option.
        { name = $0; sub(/=.*/, "=", name) }
        name == last { next }
        { last = name; options++ }
        !reasons { print FILENAME ":" FNR ": " $0 ": no reason beside it"; bad = 1 }
        reasons && options > 4 { print FILENAME ":" FNR ": " $0 ": a fifth option under one reason"; bad = 1 }
        END { exit bad }' "$unit" || fail "$unit"
done

[ "$failures" = 0 ] || { echo "$failures failures"; exit 1; }
echo "the units are tight, and say why"
