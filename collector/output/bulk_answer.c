// SPDX-License-Identifier: Apache-2.0
/* Status 200 for the whole says nothing about the items: each is looked at, and each must name the record
 * that was asked for at its place. An answer that cannot be read stores nothing in our eyes: the records go
 * again, and replace themselves. jansson, since the answer is somebody else's JSON. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "bulk.h"

static void free_json(json_t **json)
{
	json_decref(*json);
}

/* The result of the action "index", when it names `id`; else NULL. */
static const json_t *item_of(const json_t *items, size_t at, const char *id)
{
	const json_t *item = json_object_get(json_array_get(items, at), "index");
	const char *named = json_string_value(json_object_get(item, "_id"));
	return named && strcmp(named, id) == 0 && json_is_integer(json_object_get(item, "status")) ? item
												   : NULL;
}

static void note(struct skm_bulk_verdict *verdict, const json_t *item, json_int_t status)
{
	const char *type = json_string_value(json_object_get(json_object_get(item, "error"), "type"));
	verdict->refused++;
	if (verdict->why[0])
		return;
	(void)snprintf(verdict->why, sizeof(verdict->why), "%d %.64s", (int)status, type ? type : "");
	for (char *at = verdict->why; *at; at++) {
		if (*at < ' ' || *at > '~')
			*at = '?';
	}
}

static void settle(struct skm_output_record *record, const json_t *item, struct skm_bulk_verdict *verdict)
{
	json_int_t status = json_integer_value(json_object_get(item, "status"));
	if (status >= 200 && status <= 299) {
		verdict->stored++;
		record->is_done = record->form != SKM_OUTPUT_BY_NAME;
		record->is_named = !record->is_done;
		record->form = SKM_OUTPUT_AS_IT_IS;
		return;
	}
	note(verdict, item, status);
	if (status != 400)
		return;
	if (record->form == SKM_OUTPUT_IN_BASE64 && record->is_named)
		record->is_done = record->is_left_out = true;
	record->form = (record->form + 1) % SKM_OUTPUT_FORM_COUNT_;
}

int skm_bulk_judge(struct skm_output_batch *batch, size_t limit, const char *answer, size_t len,
	struct skm_bulk_verdict *ret_verdict)
{
	struct skm_bulk_verdict verdict = {0};
	size_t pending = skm_output_batch_pending(batch), sent = limit < pending ? limit : pending, at = 0;
	SKM_CLEANUP(free_json) json_t *root = json_loadb(answer, len, 0, NULL);
	const json_t *items = json_object_get(root, "items");
	if (!json_is_array(items) || json_array_size(items) != sent)
		return SKM_BULK_UNREADABLE;
	/* All are looked at before one is believed. */
	for (size_t i = 0; i < batch->count && at < sent; i++) {
		if (!batch->records[i].is_done && !item_of(items, at++, batch->records[i].id))
			return SKM_BULK_UNREADABLE;
	}
	at = 0;
	for (size_t i = 0; i < batch->count && at < sent; i++) {
		if (!batch->records[i].is_done)
			settle(&batch->records[i], json_object_get(json_array_get(items, at++), "index"),
				&verdict);
	}
	*ret_verdict = verdict;
	return 0;
}
