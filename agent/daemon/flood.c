// SPDX-License-Identifier: Apache-2.0
/* Three tables, from fine to coarse, and in each the same entry: so many in full, then a count.
 *
 * Rejected: a limit of records a second for the whole stream (the one that matters would be among those cut
 * off); forgetting the oldest entry for a new one (whoever shows a thousand identities would reset the limit
 * of each); counting per vendor and product (the device chooses both). Identities are compared by BLAKE2b,
 * since with a lesser hash a device could be made that is counted as another one. */
#include "flood.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SAID_MAX 200 /* bytes of the records' own detail */
#define WINDOW_USEC (SKM_FLOOD_WINDOW_SEC * SKM_USEC_PER_SEC)

struct entry {
	uint8_t id[SKM_CHAIN_HASH_BYTES];
	bool is_used;
	bool is_counting;
	uint32_t full;		    /* written since `begin_usec` */
	uint64_t begin_usec;	    /* of the window */
	uint64_t due_usec;	    /* is_counting: when the count is told, or the flood over */
	uint64_t count;		    /* not told yet */
	struct skm_timestamp first; /* of those in `count` */
	struct skm_record *last;    /* the last one counted; owned */
};

/* One row: what is the same, then ports, then events. */
struct skm_flood {
	struct entry entries[SKM_FLOOD_COUNTS_MAX];
};
#define PORTS SKM_FLOOD_SAME_MAX
#define EVENTS (PORTS + SKM_FLOOD_PORT_MAX)

int skm_flood_new(struct skm_flood **ret_flood)
{
	struct skm_flood *flood = calloc(1, sizeof(*flood));
	if (!flood)
		return -ENOMEM;
	*ret_flood = flood;
	return 0;
}

struct skm_flood *skm_flood_free(struct skm_flood *flood)
{
	if (!flood)
		return NULL;
	for (size_t i = 0; i < SKM_FLOOD_COUNTS_MAX; i++)
		free(flood->entries[i].last);
	free(flood);
	return NULL;
}

/* ---- what may be counted, and as what ---- */

/* Of a device, or (a device that enumerates endlessly causes these too) of the machine. */
enum scope { NEVER, DEVICE, MACHINE };
static const enum scope scopes[SKM_EVENT_COUNT_] = {
	[SKM_EVENT_DEVICE_ALLOWED] = DEVICE,
	[SKM_EVENT_DEVICE_PARTIAL] = DEVICE,
	[SKM_EVENT_EXPORT_DENIED] = DEVICE,
	[SKM_EVENT_NETDEV_DENIED] = DEVICE,
	[SKM_EVENT_DEVICE_CHANGED] = DEVICE,
	[SKM_EVENT_DEVICE_REMOVED] = DEVICE,
	[SKM_EVENT_DEVICE_HUNG] = DEVICE,
	[SKM_EVENT_DEVICE_ERROR] = DEVICE,
	[SKM_EVENT_CONTROLLER_CLOSED] = MACHINE,
	[SKM_EVENT_UEVENT_OVERFLOW] = MACHINE,
};

static bool may_be_counted(const struct skm_record *record)
{
	enum scope scope = (unsigned)record->event < SKM_EVENT_COUNT_ ? scopes[record->event] : NEVER;
	if (scope == DEVICE)
		return record->has_device && !skm_decision_opens_export(&record->decision, &record->device);
	return scope == MACHINE;
}

/* Texts in a row, each with its NUL: so no two rows are alike that differ anywhere. */
struct row {
	char bytes[8192]; /* all texts of a record at their longest, twice over */
	size_t len;
};

static void add_bytes(struct row *row, const void *bytes, size_t len)
{
	if (len > sizeof(row->bytes) - row->len)
		len = sizeof(row->bytes) - row->len;
	memcpy(row->bytes + row->len, bytes, len);
	row->len += len;
}

static void add_text(struct row *row, const char *text)
{
	add_bytes(row, text, strlen(text) + 1);
}

static void make_id(const struct row *row, uint8_t ret_id[SKM_CHAIN_HASH_BYTES])
{
	static const uint8_t nothing[SKM_CHAIN_HASH_BYTES];
	skm_chain_hash_next(nothing, row->bytes, row->len, ret_id);
}

/* Everything but the times, and the number that the kernel gives to each enumeration. */
static void identify_same(const struct skm_record *record, uint8_t ret_id[SKM_CHAIN_HASH_BYTES])
{
	const struct skm_device *device = &record->device;
	struct row row = {.len = 0};
	const int64_t numbers[] = {record->event, record->outcome, record->has_device, record->at_start,
		record->user_uid, device->vendor_id, device->product_id, device->release,
		device->device_class, device->connect_type, device->descriptor_state,
		record->decision.verdict, record->decision.kind};
	const char *const texts[] = {record->policy_version, record->section, record->user,
		record->login_user, record->rule, record->object, device->port, device->manufacturer,
		device->product, device->serial, record->decision.rule, record->decision.allow_rule};
	add_bytes(&row, numbers, sizeof(numbers));
	add_bytes(&row, device->descriptor_hash, sizeof(device->descriptor_hash));
	for (size_t i = 0; i < SKM_ARRAY_SIZE(texts); i++)
		add_text(&row, texts[i]);
	/* That of an overflow says how many there were. */
	if (record->event != SKM_EVENT_UEVENT_OVERFLOW)
		add_text(&row, record->detail);
	make_id(&row, ret_id);
}

/* "1-2" of "1-2.3.1": where the machine ends and what was plugged in begins. */
static int root_port_len(const struct skm_device *device)
{
	return (int)strcspn(device->port, ".");
}

static void identify_port(const struct skm_record *record, uint8_t ret_id[SKM_CHAIN_HASH_BYTES])
{
	struct row row = {.len = 0};
	const int64_t numbers[] = {record->event, record->outcome};
	add_bytes(&row, numbers, sizeof(numbers));
	add_text(&row, record->decision.rule);
	add_bytes(&row, record->device.port, (size_t)root_port_len(&record->device));
	make_id(&row, ret_id);
}

/* ---- entries ---- */

/* A window, or a flood, that is over leaves nothing behind. What was counted stays until it was told. */
static void expire(struct entry *entry, uint64_t now_usec)
{
	uint64_t end_usec = entry->is_counting ? entry->due_usec : entry->begin_usec + WINDOW_USEC;
	if (!entry->is_used || entry->count > 0 || now_usec < end_usec)
		return;
	free(entry->last);
	entry->last = NULL;
	entry->is_used = entry->is_counting = false;
}

static void begin(struct entry *entry, const uint8_t *id, uint64_t now_usec)
{
	*entry = (struct entry){.is_used = true, .begin_usec = now_usec};
	if (id)
		memcpy(entry->id, id, sizeof(entry->id));
}

/* The entry of this id. If there is none: a free one, or NULL when all are in use. */
static struct entry *find(struct entry *entries, size_t size, const uint8_t *id, uint64_t now_usec)
{
	struct entry *free_one = NULL;
	for (size_t i = 0; i < size; i++) {
		expire(&entries[i], now_usec);
		if (!entries[i].is_used)
			free_one = free_one ? free_one : &entries[i];
		else if (memcmp(entries[i].id, id, sizeof(entries[i].id)) == 0)
			return &entries[i];
	}
	return free_one;
}

/* False: no memory, so it has to be written. */
static bool count(struct entry *entry, const struct skm_record *record)
{
	if (!entry->last)
		entry->last = malloc(sizeof(*entry->last));
	if (!entry->last)
		return false;
	if (!entry->is_counting)
		entry->due_usec = record->time.boottime_usec;
	if (entry->count == 0)
		entry->first = record->time;
	entry->is_counting = true;
	entry->count++;
	*entry->last = *record;
	return true;
}

static bool is_exhausted(const struct entry *entry, uint32_t full_max)
{
	return entry->is_used && (entry->is_counting || entry->full >= full_max);
}

bool skm_flood_take(struct skm_flood *flood, const struct skm_record *record)
{
	uint8_t same_id[SKM_CHAIN_HASH_BYTES], port_id[SKM_CHAIN_HASH_BYTES];
	uint64_t now_usec = record->time.boottime_usec;
	if (!may_be_counted(record))
		return true;
	identify_same(record, same_id);
	identify_port(record, port_id);
	struct entry *same = find(flood->entries, SKM_FLOOD_SAME_MAX, same_id, now_usec);
	struct entry *port = find(flood->entries + PORTS, SKM_FLOOD_PORT_MAX, port_id, now_usec);
	struct entry *wide = port ? port : &flood->entries[EVENTS + (size_t)record->event];
	expire(wide, now_usec);
	if (same && is_exhausted(same, SKM_FLOOD_SAME_FULL))
		return !count(same, record);
	if (is_exhausted(wide, SKM_FLOOD_WIDE_FULL))
		return !count(wide, record);
	/* Only what is written takes a place: who is only counted cannot crowd out others. */
	if (same && !same->is_used)
		begin(same, same_id, now_usec);
	if (!wide->is_used)
		begin(wide, port ? port_id : NULL, now_usec);
	if (same)
		same->full++;
	wide->full++;
	return true;
}

/* ---- counts ---- */

static void describe(const struct skm_flood *flood, const struct entry *entry, char *text, size_t size)
{
	const struct skm_record *last = entry->last;
	size_t index = (size_t)(entry - flood->entries);
	if (index < PORTS)
		(void)snprintf(text, size, "%sof which all say the same",
			last->has_device ? "of this device, " : "");
	else if (index < EVENTS)
		(void)snprintf(text, size, "at port %.*s and behind it, of devices that differ",
			root_port_len(&last->device), last->device.port);
	else
		(void)snprintf(text, size, "at more ports than are told apart");
}

/* What is not the same in all of them is left out. */
static void strip(struct skm_record *record)
{
	if (record->has_device && !record->rule[0])
		memcpy(record->rule, record->decision.rule, sizeof(record->rule));
	record->has_device = false;
	record->user_uid = -1;
	record->user[0] = record->login_user[0] = record->detail[0] = '\0';
}

static void tell(const struct skm_flood *flood, const struct entry *entry, struct skm_record *ret_record)
{
	char of_which[128], from[SKM_RFC3339_BYTES], to[SKM_RFC3339_BYTES];
	const struct skm_record *last = entry->last;
	const char *event = skm_event_to_string(last->event);
	bool is_same = entry < flood->entries + PORTS;
	*ret_record = *last;
	if (!is_same)
		strip(ret_record);
	describe(flood, entry, of_which, sizeof(of_which));
	skm_timestamp_format(&entry->first, from);
	skm_timestamp_format(&last->time, to);
	(void)snprintf(ret_record->detail, sizeof(ret_record->detail),
		"%" PRIu64 " more records %s, outcome %s, %s, from %s to %s%s%.*s", entry->count, event,
		skm_outcome_to_string(last->outcome), of_which, from, to,
		is_same && last->detail[0] ? ": " : "", is_same ? SAID_MAX : 0, last->detail);
	ret_record->event = SKM_EVENT_FLOOD_COUNTED;
	ret_record->count = entry->count;
	(void)snprintf(ret_record->object, sizeof(ret_record->object), "%s", event);
}

bool skm_flood_next(
	struct skm_flood *flood, uint64_t boottime_usec, bool is_all, struct skm_record *ret_record)
{
	for (size_t i = 0; i < SKM_FLOOD_COUNTS_MAX; i++) {
		struct entry *entry = &flood->entries[i];
		expire(entry, boottime_usec);
		if (entry->count == 0 || (!is_all && boottime_usec < entry->due_usec))
			continue;
		tell(flood, entry, ret_record);
		entry->count = 0;
		entry->due_usec = boottime_usec + WINDOW_USEC;
		return true;
	}
	return false;
}

uint64_t skm_flood_due_usec(const struct skm_flood *flood)
{
	uint64_t due_usec = UINT64_MAX;
	for (size_t i = 0; i < SKM_FLOOD_COUNTS_MAX; i++) {
		const struct entry *entry = &flood->entries[i];
		if (entry->count > 0 && entry->due_usec < due_usec)
			due_usec = entry->due_usec;
	}
	return due_usec;
}
