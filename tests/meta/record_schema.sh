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
    # neither can it multiply
    if record["type_uid"] != record["class_uid"] * 100 + record["activity_id"]:
        print("%s: type_uid is %s" % (record["event"], record["type_uid"]))
        failed += 1

seen = {record["event"] for record in records}
wanted = set(schema["properties"]["event"]["enum"])
if seen != wanted:
    print("events without a sample or without an entry in the schema: %s" % sorted(seen ^ wanted))
    failed += 1

# Each member taken away, and each replaced by a value of another kind, must be noticed.
def spoil(owner, path):
    for name in list(owner) if isinstance(owner, dict) else range(len(owner)):
        value = owner[name]
        if isinstance(owner, dict):
            yield path + [name]
        if isinstance(value, (dict, list)):
            yield from spoil(value, path + [name])

def owner_of(record, path):
    for name in path[:-1]:
        record = record[name]
    return record

def expect_invalid(record, what):
    global failed
    if validator.is_valid(record):
        print("the schema does not notice that %s" % what)
        failed += 1

def sample(event):
    return copy.deepcopy(next(record for record in records if record["event"] == event))

for event in ("EXPORT_DENIED", "AUTH_OK", "SUBSTITUTE_USED", "AGENT_START", "CHECKPOINT"):
    for path in spoil(sample(event), []):
        where = "%s: %s" % (event, ".".join(map(str, path)))
        broken = sample(event)
        del owner_of(broken, path)[path[-1]]
        expect_invalid(broken, where + " was removed")
        broken = sample(event)
        owner_of(broken, path)[path[-1]] = [["no such value"]]
        expect_invalid(broken, where + " was replaced")

# What belongs to one class is out of place in another.
person = ("status_id", "user", "service", "src_endpoint", "is_mfa", "auth_factors", "auth")
for event in ("EXPORT_DENIED", "AGENT_START", "CLOCK_JUMP"):
    for name in person:
        broken = sample(event)
        broken[name] = sample("AUTH_OK")[name]
        expect_invalid(broken, "%s has %s" % (event, name))
for event in ("EXPORT_DENIED", "AUTH_OK", "CHAIN_BROKEN"):
    broken = sample(event)
    broken["checkpoint"] = sample("CHECKPOINT")["checkpoint"]
    expect_invalid(broken, "%s is a checkpoint" % event)
for event in ("AUTH_OK", "AGENT_START"):
    broken = sample(event)
    broken["peripheral_device"] = sample("EXPORT_DENIED")["peripheral_device"]
    expect_invalid(broken, "%s has a device" % event)
for name in ("class_uid", "class_name", "category_uid", "type_uid", "event"):
    broken = sample("AUTH_OK")
    broken[name] = sample("AGENT_START")[name]
    expect_invalid(broken, "AUTH_OK has another class in %s" % name)
for name in ("code", "secret", "answer"):
    for owner in ("auth", "user"):
        broken = sample("AUTH_OK")
        broken[owner][name] = "123456"
        expect_invalid(broken, "%s holds a %s" % (owner, name))
print("%d lines validated" % len(records))
sys.exit(1 if failed or not records else 0)
' "$source/docs/audit-record.schema.json"
