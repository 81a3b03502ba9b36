#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every line that the agent can write satisfies the published schema, and the schema is not so loose that anything does.
# usage: record_schema.sh SOURCE_DIR BINARY_DIR   (needs python3-jsonschema)
set -eu
source=$1
binary=$2
"$binary/tests/record_samples" | python3 -c '
import copy, json, sys
import jsonschema

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
lines = sys.stdin.buffer.read().decode("utf-8").splitlines()
records = [json.loads(line) for line in lines]

failed = 0
for record in records:
    for error in validator.iter_errors(record):
        print("%s: %s: %s" % (record.get("event"), error.json_path, error.message))
        failed += 1
    # the order of members is part of the promise, and a schema cannot say it
    order = [name for name in schema["properties"] if name in record]
    if list(record) != order:
        print("%s: members stand as %s" % (record.get("event"), list(record)))
        failed += 1

seen = {record["event"] for record in records}
wanted = set(schema["properties"]["event"]["enum"])
if seen != wanted:
    print("events without a sample or without an entry in the schema: %s" % sorted(seen ^ wanted))
    failed += 1

# Each member taken away, and each replaced by a value of another kind, must be noticed.
def spoil(record, path):
    for name in list(record):
        value = record[name]
        yield path + [name], None
        if isinstance(value, dict):
            yield from spoil(value, path + [name])

device = next(record for record in records if record["event"] == "EXPORT_DENIED")
for path, _ in spoil(device, []):
    for how in ("removed", "replaced"):
        broken = copy.deepcopy(device)
        owner = broken
        for name in path[:-1]:
            owner = owner[name]
        if how == "removed":
            del owner[path[-1]]
        else:
            owner[path[-1]] = [["no such value"]]
        if validator.is_valid(broken):
            print("the schema does not notice that %s was %s" % (".".join(path), how))
            failed += 1
print("%d lines validated" % len(records))
sys.exit(1 if failed or not records else 0)
' "$source/docs/audit-record.schema.json"
