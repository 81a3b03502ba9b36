// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a record: the line must be valid JSON without control bytes, within its limit, with the
 * chain's fields where a verifier looks for them. jansson judges, so that our own idea of JSON is not the
 * measure. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sekimori/io.h"
#include "sekimori/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TERMINATE(array) ((array)[sizeof(array) - 1] = '\0')

/* The contract asks for terminated strings, and bool has two values; all else may be anything. */
static void make_legal(struct skm_record *record)
{
	static const char *const streams[] = {"agent", "auth", "", "\"\x1b", NULL};
	record->stream = streams[record->sequence % SKM_ARRAY_SIZE(streams)];
	TERMINATE(record->boot_id);
	TERMINATE(record->terminal_number);
	TERMINATE(record->section);
	TERMINATE(record->policy_version);
	TERMINATE(record->user);
	TERMINATE(record->login_user);
	TERMINATE(record->operator_id);
	TERMINATE(record->auth.subject);
	TERMINATE(record->auth.service);
	TERMINATE(record->auth.tty);
	TERMINATE(record->auth.rhost);
	TERMINATE(record->auth.ruser);
	TERMINATE(record->auth.factor);
	TERMINATE(record->auth.token);
	TERMINATE(record->auth.reason);
	TERMINATE(record->rule);
	TERMINATE(record->object);
	TERMINATE(record->detail);
	TERMINATE(record->checkpoint.reason);
	TERMINATE(record->chain_id);
	TERMINATE(record->previous_hash);
	TERMINATE(record->mac);
	TERMINATE(record->device.port);
	TERMINATE(record->device.manufacturer);
	TERMINATE(record->device.product);
	TERMINATE(record->device.serial);
	TERMINATE(record->decision.rule);
	TERMINATE(record->decision.reason);
	TERMINATE(record->decision.allow_rule);
}

static void make_bool(void *field)
{
	unsigned char byte;
	memcpy(&byte, field, 1);
	byte &= 1;
	memcpy(field, &byte, 1);
}

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static void check(const struct skm_record *record)
{
	char *line = malloc(SKM_RECORD_LINE_MAX);
	if (!line)
		return;
	size_t len = skm_record_format(record, line);
	require(len > 0 && len <= SKM_RECORD_LINE_MAX && line[len - 1] == '\n', "length or newline");
	for (size_t i = 0; i + 1 < len; i++)
		require((unsigned char)line[i] >= 0x20 && line[i] != 0x7f, "a control byte");
	require(skm_utf8_is_valid(line, len), "not UTF-8");
	json_error_t error;
	json_t *root = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	require(root != NULL, error.text);
	require(json_is_integer(json_object_get(json_object_get(root, "skm"), "n")), "no sequence number");
	require(json_object_get(root, "m") != NULL, "no place for the code");
	require(memmem(line, len, ",\"m\":", 5) != NULL, "the code is not a member of its own");
	bool is_about_person = record->has_auth && !record->has_device;
	require((json_object_get(root, "user") != NULL) == is_about_person, "the person");
	require((json_object_get(root, "checkpoint") != NULL) == record->has_checkpoint, "the checkpoint");
	require((json_object_get(root, "peripheral_device") != NULL) == record->has_device, "the device");
	require(json_integer_value(json_object_get(root, "class_uid")) == 3002 || !is_about_person,
		"the class");
	json_decref(root);
	free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skm_record *record = calloc(1, sizeof(*record));
	if (!record)
		return 0;
	/* A short input is repeated: most of the record is strings, and those at its end matter too. */
	unsigned char *bytes = (unsigned char *)record;
	for (size_t at = 0; size > 0 && at < sizeof(*record); at += size)
		memcpy(bytes + at, data, size < sizeof(*record) - at ? size : sizeof(*record) - at);
	make_bool(&record->time.is_synchronised);
	make_bool(&record->has_device);
	make_bool(&record->has_auth);
	make_bool(&record->at_start);
	make_bool(&record->has_checkpoint);
	for (size_t i = 0; i < SKM_USB_INTERFACES_MAX; i++)
		make_bool(&record->decision.interface_allowed[i]);
	make_legal(record);
	check(record);
	/* has_device stands in front of has_auth: both kinds from every input */
	record->has_device = !record->has_device;
	check(record);
	free(record);
	return 0;
}
