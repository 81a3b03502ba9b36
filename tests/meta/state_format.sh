#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The number by which a package knows state that is too new for it (/var/lib/sekimori/format): the same in each place,
# and never forgotten when a file of the state changes its form. Usage: state_format.sh SOURCE
set -u
cd "$1" || exit 2
failures=0

# expect WANTED FOUND WHAT
expect()
{
    [ "$1" = "$2" ] || {
        echo "FAIL: $3: expected \"$1\", found \"$2\""
        failures=$((failures + 1))
    }
}

format=$(awk '$2 == "/var/lib/sekimori/format" { print $7 }' conf/tmpfiles.d/sekimori.conf)
expect "$format" "$(sed -n 's/^format=//p' packaging/deb/sekimori.preinst)" "preinst"

# What format 1 consists of. When one of these changes, raise the number in tmpfiles.d and preinst, then write it here.
expect 1 "$format" "the format that this test knows"
expect 'static const char magic[8] = "skmchn1";' "$(grep -h '^static const char magic' lib/chain_file.c)" "the chain's state"
expect '#define PERSON_VERSION 1' "$(grep -h '^#define PERSON_VERSION' pam_module/authd/person.c)" "a person's record"
expect '#define STATE_VERSION 1' "$(grep -h '^#define STATE_VERSION' pam_module/authd/person.c)" "a person's state"

# What purging the Debian package reads with sed (packaging/deb/sekimori.postrm).
expect 'static const char first_line[] = "sekimori-forward 1\n";' "$(grep -h '^static const char first_line' agent/forward/position.c)" \
    "the forwarder's first line"
expect '%s segment=% offset=% n=% missing=%/% unsent=%/% tail=%s\n' \
    "$(sed -n '/"%s segment=/,/tail=/p' agent/forward/position.c | tr -d '\n\t' | sed 's/" PRIu[0-9]* *"//g; s/""//g; s/^"//; s/",$//')" \
    "the forwarder's line of a stream"

[ "$failures" = 0 ] || { echo "$failures failures"; exit 1; }
echo "one number for the form of the state: $format"
