#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The proving program as people and scripts meet it, on a chain that was written once and must stay provable for ever
# (tests/data/chain), and beside a second reading of SKM-CHAIN-1 that shares no line of code with the first.
# usage: verify_cli.sh SOURCE_DIR BINARY_DIR
set -eu
source=$1
binary=$2
verify=$binary/collector/verify/sekimori-verify
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export SEKIMORI_LANG=en TZ=Asia/Tokyo
cp -r "$source/tests/data/chain" "$dir/chain"
chmod 600 "$dir/chain/verifier.key"
status=0

fail() {
    echo "verify_cli: $1" >&2
    status=1
}
# check EXIT COMMAND...: runs it, its output in $dir/out and $dir/err
check() {
    expected=$1
    shift
    code=0
    "$@" >"$dir/out" 2>"$dir/err" || code=$?
    [ "$code" -eq "$expected" ] || {
        fail "$*: exit $code instead of $expected"
        cat "$dir/out" "$dir/err" >&2
    }
}
keys="--key $dir/chain/verifier.key --sealed $dir/chain/agent.chain.sealed"

# shellcheck disable=SC2086
{
    check 0 "$verify" $keys "$dir/chain/00000001.jsonl"
    grep -q 'records 1..18 complete and verified' "$dir/out" || fail "the stored chain is not complete"
    [ ! -s "$dir/err" ] || fail "it talks on stderr although all is well"
    cp "$dir/out" "$dir/alone"

    # The command of the terminal says the very same.
    check 0 "$binary/agent/sekimori" log verify $keys "$dir/chain/00000001.jsonl"
    cmp -s "$dir/out" "$dir/alone" || fail "sekimori log verify says something else"
    check 0 "$binary/agent/sekimori" --lang ja log verify $keys "$dir/chain/00000001.jsonl"
    grep -q '完全で検証済みです' "$dir/out" || fail "no Japanese by a global option"
    check 0 "$binary/agent/sekimori" --json log verify $keys "$dir/chain/00000001.jsonl"
    python3 -c 'import json, sys; assert json.load(open(sys.argv[1]))["complete"] is True' "$dir/out" || fail "no JSON"
    check 2 "$binary/agent/sekimori" log verify --nonsense
    grep -q '^sekimori log verify: ' "$dir/err" || fail "the name in messages is not the one that was typed"
    check 0 sh -c "'$verify' $keys - <'$dir/chain/00000001.jsonl'"

    sed '5s/PC-042/PC-043/' "$dir/chain/00000001.jsonl" >"$dir/changed"
    check 19 "$verify" $keys "$dir/changed"
    sed 5d "$dir/chain/00000001.jsonl" >"$dir/changed"
    check 16 "$verify" $keys "$dir/changed"

    # A full disk does not make a short report look whole.
    check 3 sh -c "'$verify' $keys '$dir/chain/00000001.jsonl' >/dev/full"

    # Long input: progress on a terminal, none in a pipe.
    yes x | head -c 12000000 >"$dir/long"
    check 21 "$verify" --chain-only "$dir/long"
    ! grep -q verifying "$dir/err" || fail "progress in a pipe"
    script -qec "'$verify' --chain-only '$dir/long'" "$dir/typescript" >/dev/null 2>&1 || true
    grep -q 'verifying [0-9]* MB' "$dir/typescript" || fail "no progress on a terminal"
}

# SKM-CHAIN-1 by its definition in chain.h, with Python's own BLAKE2b.
python3 - "$dir/chain/00000001.jsonl" "$dir/chain/first_key" <<'EOF' || fail "a second reading of the definition disagrees"
import hashlib, json, sys

def h(person, *parts):
    return hashlib.blake2b(b"".join(parts), digest_size=32, person=person).digest()

def kdf(key, number, context):  # libsodium's crypto_kdf: the number is the salt, the context the personalisation
    return hashlib.blake2b(b"", digest_size=32, key=key, salt=number.to_bytes(16, "little"), person=context.ljust(16, b"\0")).digest()

key = bytes.fromhex(open(sys.argv[2]).read())
head = None
for number, line in enumerate(open(sys.argv[1], "rb").read().splitlines(), 1):
    body, _, mac = line.rpartition(b',"m":')
    record = json.loads(line)["skm"]
    head = head or h(b"skm-rec0".ljust(16, b"\0"), bytes.fromhex(record["c"]))
    assert record["n"] == number and record["p"] == head.hex()
    head = h(b"skm-rec1".ljust(16, b"\0"), head, body)
    assert mac == b'"%s"}' % hashlib.blake2b(head, digest_size=16, key=kdf(key, 2, b"skm-mac1")).hexdigest().encode()
    key = kdf(key, 1, b"skm-key1")
assert number == 18
EOF
exit $status
