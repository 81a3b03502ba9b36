#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The witness as people meet it: nights, what may go wrong between them, the auditor's questions, and a second reading
# of roots, check digits and fingerprint that shares no line of code with the first.
# usage: witness_cli.sh SOURCE_DIR BINARY_DIR
set -eu
source=$1
binary=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export SEKIMORI_LANG=en TZ=Asia/Tokyo
chain=$source/tests/data/chain/00000001.jsonl
id=243ea6f84cf3709aa15c2d4acfa6124f
status=0

fail() {
    echo "witness_cli: $1" >&2
    status=1
}
# check EXIT ARGUMENT...: runs the witness, its output in $dir/out and $dir/err
check() {
    expected=$1
    shift
    code=0
    "$binary/collector/witness/sekimori-witness" --records "$dir/records" --state "$dir/state" --etc "$dir/etc" \
        --verifier "$binary/collector/verify/sekimori-verify" "$@" >"$dir/out" 2>"$dir/err" || code=$?
    [ "$code" -eq "$expected" ] || {
        fail "$*: exit $code instead of $expected"
        cat "$dir/out" "$dir/err" >&2
    }
}
says() { grep -q -e "$1" "$dir/out" "$dir/err" || {
    fail "it does not say: $1"
    cat "$dir/out" "$dir/err" >&2
}; }
entries() { [ "$(wc -l <"$dir/state/witness.jsonl")" -eq "$1" ] || fail "not $1 entries: $2"; }
rows() { sed -n 's/^ *\([1-4]: .*\)/\1/p' "$dir/state/$1.txt"; }
fingerprint() { sed -n '/fingerprint/,/---/s/^ *\([0-9a-f ]*\)$/\1/p' "$dir/state/$1.txt" | grep .; }

# --- the key ---
mkdir "$dir/state" "$dir/records"
check 3 run --day 2024-11-20
says 'cannot read the signing key'
check 0 create-key # makes the other folders
cp "$source/tests/data/chain/verifier.key" "$dir/etc/verifier.key"
chmod 600 "$dir/etc/verifier.key"
cp "$source/tests/data/chain/agent.chain.sealed" "$dir/etc/sealed/pc-042.sealed"
says '^public key: [0-9a-f]\{64\}$'
check 3 create-key
says 'File exists'

# --- two nights ---
check 3 run --day 2024-11-20 # nothing was ever copied
says 'there is no new day file up to 2024-11-20'
head -n 7 "$chain" >"$dir/records/2024-11-20.001.jsonl"
check 0 run --day 2024-11-20
says 'complete and verified'
cmp -s "$dir/out" "$dir/state/000001.txt" || fail "the form on disk is another one"
cp -r "$dir/state" "$dir/first_night"
check 0 run --day 2024-11-22 # two idle days
entries 1 "of nothing"
check 3 run --day 2024-11-25
check 2 run --day 9999-12-31
says 'not over yet'
sed -n 8,18p "$chain" | head -c 2000 >"$dir/records/2024-11-21.001.jsonl"
check 3 run --day 2024-11-22
says '2024-11-21.001.jsonl ends within a line'
entries 1 "while it is being copied"
sed -n 8,12p "$chain" >"$dir/records/2024-11-21.001.jsonl"
sed -n 13,18p "$chain" >"$dir/records/2024-11-22.001.jsonl"
check 0 run --day 2024-11-23 --mail audit@example.lg.jp --sendmail /bin/true
says '2024-11-21 〜 2024-11-22'
entries 2 "of two nights"

# --- the same night once more, and a clock that was set back ---
cp "$dir/state/witness.jsonl" "$dir/before"
check 0 run --day 2024-11-22
check 3 run --day 2024-11-20
says 'was the clock set back'
cmp -s "$dir/state/witness.jsonl" "$dir/before" || fail "witness.jsonl changed although nothing was witnessed"
check 3 run --day 2024-11-22 --mail audit@example.lg.jp --sendmail /bin/false
says 'cannot hand the mail to'

# --- the auditor ---
check 3 check
says 'may have been made anew'
check 0 check --fingerprint "$(fingerprint 000001)"
says 'YES'
check 1 check --fingerprint 00000000000000000000000000000000
check 0 check --day 2024-11-20 --root "$(rows 000001)"
check 0 check --root "$(rows 000002)"
says 'entry 2: the records were complete and verified'
check 1 check --day 2024-11-20 --root "$(rows 000002)"
check 1 check --root 0000000000000000000000000000000000000000000000000000000000000000
says 'is not in witness.jsonl'
check 2 check --root "$(rows 000001 | sed '3s/[0-9a-f]/&&/;3s/  -/-/')"
check 2 check --root 12345
check 3 check --day 2024-12-24 --fingerprint "$(fingerprint 000001)"
check 2 check nonsense
check 2 nonsense
check 2 prove 1

# --- one record ---
check 0 prove "$id:9"
mv "$dir/out" "$dir/proof"
[ "$(wc -l <"$dir/proof")" -eq 3 ] || fail "a proof is not three lines"
check 0 check-proof "$dir/proof" --root "$(rows 000002)"
check 3 check-proof "$dir/proof"
check 1 check-proof "$dir/proof" --root "$(rows 000001)"
check 1 check-proof "$dir/proof" --fingerprint "$(fingerprint 000002)" --day 2024-11-20
sed '1s/PC-042/PC-043/' "$dir/proof" >"$dir/changed"
check 1 check-proof "$dir/changed" --root "$(rows 000002)"
sed '2s/"records":11/"records":12/' "$dir/proof" >"$dir/changed"
check 1 check-proof "$dir/changed" --root "$(rows 000002)"
sed '3s/ 11 / 10 /' "$dir/proof" >"$dir/changed"
check 1 check-proof "$dir/changed" --root "$(rows 000002)"
head -n 2 "$dir/proof" >"$dir/changed"
check 1 check-proof "$dir/changed" --root "$(rows 000002)"
check 1 prove "$id:19"
says 'in no witnessed day'

# --- roots, check digits, fingerprint, report and proof by their definitions in sekimori-witness(8) ---
python3 - "$dir" <<'EOF' || fail "a second reading of the definition disagrees"
import glob, hashlib, json, re, sys
folder = sys.argv[1]
def h(tag, data):
    return hashlib.blake2b(bytes([tag]) + data, digest_size=32).digest()
def root(leaves):
    if not leaves:
        return hashlib.blake2b(b"", digest_size=32).digest()
    if len(leaves) == 1:
        return h(0, leaves[0])
    split = 1
    while 2 * split < len(leaves):
        split *= 2
    return h(1, root(leaves[:split]) + root(leaves[split:]))
previous = bytes(32)
for raw in open(folder + "/state/witness.jsonl", "rb"):
    entry = json.loads(raw)
    name = "%s/state/%06d." % (folder, entry["number"])
    lines = b"".join(open(path, "rb").read() for path in sorted(glob.glob(folder + "/records/*"))
        if entry["first_day"] <= path.rsplit("/", 1)[1][:10] <= entry["last_day"]).splitlines()
    assert entry["records"] == len(lines) and entry["bytes"] == sum(map(len, lines))
    assert entry["records_root"] == root(lines).hex()
    heads = open(name + "heads", "rb").read().splitlines()
    assert heads == sorted(heads) and entry["chains"] == len(heads) and entry["heads_root"] == root(heads).hex()
    assert entry["report_hash"] == h(5, open(name + "report.json", "rb").read()).hex()
    assert entry["previous"] == previous.hex()
    previous = h(2, raw[:raw.index(b',"root":')])
    assert entry["root"] == previous.hex()
    form = open(name + "txt", encoding="utf-8").read()
    rows = re.findall(r"^ +(\d):  ((?:[0-9a-f]{4} ){3}[0-9a-f]{4})  -  (..)$", form, re.M)
    assert "".join(row[1] for row in rows).replace(" ", "") == entry["root"]
    for number, digits, check in rows:
        assert h(3, bytes([int(number)]) + bytes.fromhex(digits))[:1].hex() == check
    print4 = h(4, bytes.fromhex(entry["key"]))[:16].hex()
    assert " ".join(print4[i:i + 4] for i in range(0, 32, 4)) in form
EOF

# --- the evidence is changed, and put back ---
keep="$dir/records/2024-11-20.001.jsonl"
cp "$keep" "$dir/kept"
sed -i '3s/PC-042/PC-043/' "$keep"
check 1 check --fingerprint "$(fingerprint 000001)"
says 'NO: the day files of entry 1'
check 22 run --day 2024-11-22
rm "$keep"
check 22 run --day 2024-11-22
check 0 run --day 2024-11-22 --begins-late # deleted after its keeping time
check 0 check --fingerprint "$(fingerprint 000001)"
says '1 without day files'
check 3 check --root "$(rows 000001)"
says 'the day files are not here'
cp "$dir/kept" "$keep"

# A duplicate taken out breaks no chain; only the root shows it.
tail -n 1 "$keep" >>"$dir/records/2024-11-20.002.jsonl"
check 22 run --day 2024-11-22
says 'are not what was witnessed'
check 22 run --day 2024-11-22 --again 2
says 'number 2'
check 17 run --again 1 --day 2024-11-22
entries 4 "witnessed again"
check 0 check --fingerprint "$(fingerprint 000001)"
says 'was witnessed twice (entries 1 and 4, of other records)'
check 1 check --root "$(rows 000001)"
says 'were witnessed again later'
check 2 run --again 9 --day 2024-11-22
rm "$dir/records/2024-11-20.002.jsonl"

# --- rolled back and cut off between two nights: last night's heads know more ---
cp "$dir/first_night/"* "$dir/state/"
rm "$dir/records/2024-11-22.001.jsonl"
head -n 5 "$dir/kept" >"$keep"
sed -n 1,2p "$chain" >"$dir/records/2024-11-21.001.jsonl"
check 22 run --day 2024-11-21
says 'TRUNCATED'
check 22 run --day 2024-11-23 # nothing new, and nothing is better
check 1 check --fingerprint "$(fingerprint 000001)"
says 'NOT proven complete .*TRUNCATED'
rm "$dir/records/2024-11-21.001.jsonl"

# --- the witness's own files ---
cp "$dir/kept" "$keep"
cp "$dir/first_night/"* "$dir/state/"
printf '{"witness":1,"num' >>"$dir/state/witness.jsonl"
check 0 check --fingerprint "$(fingerprint 000001)"
says 'unfinished line'
sed -n 8,18p "$chain" >"$dir/records/2024-11-21.001.jsonl"
check 0 run --day 2024-11-21
entries 2 "after an unfinished line"
sed -i 's/:7:/:6:/' "$dir/state/000001.heads"
check 1 check --fingerprint "$(fingerprint 000001)"
says '000001.heads is not what was witnessed'
sed -i '1s/"records":7/"records":8/' "$dir/state/witness.jsonl"
check 1 check --fingerprint "$(fingerprint 000001)"
says 'NO: witness.jsonl, line 1'
check 22 run --day 2024-11-23
rm "$dir/etc/witness.key" "$dir/state/"*
check 0 create-key
check 0 run --day 2024-11-21 --chain-only # all anew, by somebody else
says 'NOT PROVEN complete'
check 1 check --fingerprint "$(fingerprint 000001 | tr 0-9a-f 1-9a-f0)"

# --- what was found stays found: an idle day after it does not make it good ---
rm "$dir/state/"*
sed -i '3s/PC-042/PC-043/' "$keep"
check 19 run --day 2024-11-21
says 'EDIT             1'
check 19 run --day 2024-11-21
check 19 run --day 2024-11-22
says 'no new day file'
entries 1 "of an idle day"

# --- a verifier that cannot be run; a full disk ---
rm "$dir/state/"*
check 3 run --day 2024-11-21 --verifier /nonexistent
check 3 run --day 2024-11-21 --verifier /bin/false
[ ! -e "$dir/state/witness.jsonl" ] || fail "an entry without a verification"
code=0
"$binary/collector/witness/sekimori-witness" --help >/dev/full 2>/dev/null || code=$?
[ "$code" -eq 3 ] || fail "an answer on a full disk is taken for one"
exit $status
