// SPDX-License-Identifier: Apache-2.0
/* A hash table with Robin Hood probing: an entry that is farther from home takes the place of one that is
 * nearer, which keeps the longest walk short, so that it can be a bound. The table is built once and only
 * read. Rejected: one table per shape (the same lookups, more memory), a list per VID:PID (100,000 sticks of
 * one model are the normal case of a register), a decision tree (fast on average, and nobody can say how slow
 * at worst). */
#include <string.h>

#include "policy_index.h"

#define DEPTHS (SKM_CLASS_DEPTH_KIND + 1)
#define CRITERIA_BITS 7
#define SHAPES_MAX (DEPTHS << CRITERIA_BITS) /* half of them cannot occur; they are not worth a formula */
#define GROWTHS_MAX 4

struct shape {
	unsigned criteria;
	uint8_t depth; /* of the class pattern; 0 = the class is not asked for */
};

/* The values of one shape, of a rule or of a device. */
struct key {
	struct shape shape;
	struct skm_class_pattern pattern;
	uint16_t vendor_id, product_id;
	enum skm_connect_type connect_type;
	const char *serial, *port;
	const uint8_t *descriptor_hash;
	const struct skm_class_pattern *interfaces;
	size_t interface_count;
};

/* Which rule and which of its patterns made the key. One slot serves both actions: they are looked up
 * together. */
struct slot {
	uint32_t tag;			       /* the hash of the key; its lower bits are the home */
	uint32_t rule[SKM_RULE_ACTION_COUNT_]; /* index + 1; 0 = none */
	uint8_t pattern[SKM_RULE_ACTION_COUNT_];
};

struct skm_policy_index {
	const struct skm_rule_set *rules;
	struct slot *slots;
	size_t size;	/* a power of two */
	size_t longest; /* the longest walk from home that any entry needs */
	size_t device_shape_count, interface_shape_count;
	struct shape device_shapes[SHAPES_MAX / DEPTHS];
	struct shape interface_shapes[SHAPES_MAX];
};

/* ---- hashes: every hit is compared in full, so they need to spread, not to withstand anybody ---- */

/* The finaliser of splitmix64. */
static uint64_t mix(uint64_t value)
{
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
	value = (value ^ value >> 27) * 0x94d049bb133111ebu;
	return value ^ value >> 31;
}

/* FNV-1a */
static uint64_t hash_bytes(const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint64_t hash = 0xcbf29ce484222325u;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3u;
	return hash;
}

static uint64_t hash_pattern(struct skm_class_pattern pattern)
{
	return (uint64_t)pattern.depth << 24 | (uint64_t)pattern.class_code << 16 |
	       (uint64_t)pattern.subclass << 8 | pattern.protocol;
}

/* The value of one criterion. Not called for SKM_RULE_CLASS, which has no single value in a device. */
static uint64_t hash_criterion(const struct key *key, enum skm_rule_criterion criterion)
{
	switch (criterion) {
	case SKM_RULE_VID_PID:
		return (uint64_t)key->vendor_id << 16 | key->product_id;
	case SKM_RULE_SERIAL:
		return hash_bytes(key->serial, strnlen(key->serial, SKM_USB_STRING_BYTES));
	case SKM_RULE_HASH:
		return hash_bytes(key->descriptor_hash, SKM_DESCRIPTOR_HASH_BYTES);
	case SKM_RULE_PORT:
		return hash_bytes(key->port, strnlen(key->port, SKM_USB_PORT_BYTES));
	case SKM_RULE_CONNECT_TYPE:
		return (uint64_t)key->connect_type;
	case SKM_RULE_INTERFACES:
		return hash_bytes(key->interfaces, key->interface_count * sizeof(key->interfaces[0]));
	case SKM_RULE_CLASS:
		break;
	}
	return 0;
}

static void hash_criteria(const struct key *key, unsigned criteria, uint64_t hashes[static CRITERIA_BITS])
{
	for (unsigned bit = 0; bit < CRITERIA_BITS; bit++)
		hashes[bit] =
			criteria & 1u << bit ? hash_criterion(key, (enum skm_rule_criterion)(1u << bit)) : 0;
}

static uint32_t combine(const struct key *key, const uint64_t hashes[static CRITERIA_BITS])
{
	uint64_t hash = mix((uint64_t)key->shape.criteria << 32 | hash_pattern(key->pattern));
	for (unsigned bit = 0; bit < CRITERIA_BITS; bit++)
		if (key->shape.criteria & ~(unsigned)SKM_RULE_CLASS & 1u << bit)
			hash = mix(hash ^ hashes[bit]);
	return (uint32_t)hash;
}

/* ---- keys ---- */

static struct key key_of_rule(const struct skm_rule *rule, size_t pattern)
{
	struct key key = {
		.shape = {.criteria = rule->criteria},
		.vendor_id = rule->vendor_id,
		.product_id = rule->product_id,
		.connect_type = rule->connect_type,
		.serial = rule->serial,
		.port = rule->port,
		.descriptor_hash = rule->descriptor_hash,
		.interfaces = rule->interfaces,
		.interface_count = rule->interface_count,
	};
	if (rule->criteria & SKM_RULE_CLASS) {
		key.pattern = rule->classes[pattern];
		key.shape.depth = key.pattern.depth;
	}
	return key;
}

static struct key key_of_device(const struct skm_policy_subject *subject)
{
	const struct skm_device *device = subject->device;
	return (struct key){
		.vendor_id = device->vendor_id,
		.product_id = device->product_id,
		.connect_type = device->connect_type,
		.serial = device->serial,
		.port = device->port,
		.descriptor_hash = device->descriptor_hash,
		.interfaces = subject->triples,
		.interface_count = subject->triple_count,
	};
}

/* As much of the interface's class as the depth asks for. */
static struct skm_class_pattern pattern_of_interface(const struct skm_usb_interface *interface, uint8_t depth)
{
	struct skm_class_pattern pattern = {.depth = depth};
	pattern.class_code = depth == SKM_CLASS_DEPTH_KIND ? (uint8_t)skm_usb_interface_kind(interface)
							   : interface->class_code;
	if (depth == 2 || depth == 3)
		pattern.subclass = interface->subclass;
	if (depth == 3)
		pattern.protocol = interface->protocol;
	return pattern;
}

static bool criterion_equal(const struct key *a, const struct key *b, enum skm_rule_criterion criterion)
{
	switch (criterion) {
	case SKM_RULE_CLASS:
		return memcmp(&a->pattern, &b->pattern, sizeof(a->pattern)) == 0;
	case SKM_RULE_VID_PID:
		return a->vendor_id == b->vendor_id && a->product_id == b->product_id;
	case SKM_RULE_SERIAL:
		return strncmp(a->serial, b->serial, SKM_USB_STRING_BYTES) == 0;
	case SKM_RULE_HASH:
		return memcmp(a->descriptor_hash, b->descriptor_hash, SKM_DESCRIPTOR_HASH_BYTES) == 0;
	case SKM_RULE_PORT:
		return strncmp(a->port, b->port, SKM_USB_PORT_BYTES) == 0;
	case SKM_RULE_CONNECT_TYPE:
		return a->connect_type == b->connect_type;
	case SKM_RULE_INTERFACES:
		return a->interface_count == b->interface_count &&
		       memcmp(a->interfaces, b->interfaces, a->interface_count * sizeof(a->interfaces[0])) ==
			       0;
	}
	return false;
}

static bool key_equal(const struct key *a, const struct key *b)
{
	if (a->shape.criteria != b->shape.criteria || a->shape.depth != b->shape.depth)
		return false;
	for (unsigned bit = 0; bit < CRITERIA_BITS; bit++)
		if (a->shape.criteria & 1u << bit &&
			!criterion_equal(a, b, (enum skm_rule_criterion)(1u << bit)))
			return false;
	return true;
}

/* ---- the table ---- */

static bool slot_is_empty(const struct slot *slot)
{
	return slot->rule[SKM_RULE_DENY] == 0 && slot->rule[SKM_RULE_ALLOW] == 0;
}

static struct key key_of_slot(const struct skm_policy_index *index, const struct slot *slot)
{
	unsigned action = slot->rule[SKM_RULE_DENY] ? SKM_RULE_DENY : SKM_RULE_ALLOW;
	return key_of_rule(&index->rules->rules[slot->rule[action] - 1], slot->pattern[action]);
}

static size_t distance_from_home(const struct skm_policy_index *index, size_t at)
{
	return (at - index->slots[at].tag) & (index->size - 1);
}

/* Rules come in file order: the first that said it stays. */
static void merge(struct slot *slot, const struct slot *later)
{
	for (unsigned action = 0; action < SKM_RULE_ACTION_COUNT_; action++) {
		if (slot->rule[action] == 0) {
			slot->rule[action] = later->rule[action];
			slot->pattern[action] = later->pattern[action];
		}
	}
}

/* Puts an entry that equals no other from `at` on, `distance` slots from its home. */
static void settle(struct skm_policy_index *index, struct slot carried, size_t at, size_t distance)
{
	for (;; at = (at + 1) & (index->size - 1), distance++) {
		struct slot *slot = &index->slots[at];
		size_t others = slot_is_empty(slot) ? 0 : distance_from_home(index, at);
		if (!slot_is_empty(slot) && others >= distance)
			continue;
		if (distance > index->longest)
			index->longest = distance;
		struct slot moved = *slot;
		*slot = carried;
		if (slot_is_empty(&moved))
			return;
		carried = moved;
		distance = others;
	}
}

static void insert(struct skm_policy_index *index, size_t rule_index, size_t pattern)
{
	const struct skm_rule *rule = &index->rules->rules[rule_index];
	struct key key = key_of_rule(rule, pattern);
	uint64_t hashes[CRITERIA_BITS];
	hash_criteria(&key, key.shape.criteria & ~(unsigned)SKM_RULE_CLASS, hashes);

	struct slot entry = {.tag = combine(&key, hashes)};
	entry.rule[rule->action] = (uint32_t)rule_index + 1;
	entry.pattern[rule->action] = (uint8_t)pattern;
	/* An equal entry cannot stand behind one that is nearer to its home. */
	size_t at = entry.tag & (index->size - 1), distance = 0;
	for (; !slot_is_empty(&index->slots[at]) && distance_from_home(index, at) >= distance;
		at = (at + 1) & (index->size - 1), distance++) {
		if (index->slots[at].tag != entry.tag)
			continue;
		struct key other = key_of_slot(index, &index->slots[at]);
		if (key_equal(&key, &other)) {
			merge(&index->slots[at], &entry);
			return;
		}
	}
	settle(index, entry, at, distance);
}

static size_t key_count(const struct skm_rule *rule)
{
	return rule->criteria & SKM_RULE_CLASS ? rule->class_count : 1;
}

static int fill(struct skm_policy_index *index, size_t size)
{
	free(index->slots);
	index->slots = calloc(size, sizeof(*index->slots));
	if (!index->slots)
		return -ENOMEM;
	index->size = size;
	index->longest = 0;
	for (size_t i = 0; i < index->rules->count; i++)
		for (size_t pattern = 0; pattern < key_count(&index->rules->rules[i]); pattern++)
			insert(index, i, pattern);
	return 0;
}

/* The shapes that occur, each once. */
static void collect_shapes(struct skm_policy_index *index)
{
	bool is_known[1 << CRITERIA_BITS][DEPTHS] = {{false}};
	for (size_t i = 0; i < index->rules->count; i++) {
		const struct skm_rule *rule = &index->rules->rules[i];
		for (size_t pattern = 0; pattern < key_count(rule); pattern++) {
			struct shape shape = key_of_rule(rule, pattern).shape;
			if (is_known[shape.criteria][shape.depth])
				continue;
			is_known[shape.criteria][shape.depth] = true;
			if (shape.depth == 0)
				index->device_shapes[index->device_shape_count++] = shape;
			else
				index->interface_shapes[index->interface_shape_count++] = shape;
		}
	}
}

int skm_policy_index_new(const struct skm_rule_set *rules, struct skm_policy_index **ret_index)
{
	struct skm_policy_index *index = calloc(1, sizeof(*index));
	if (!index)
		return -ENOMEM;
	index->rules = rules;
	collect_shapes(index);

	size_t keys = 0, size = 16;
	for (size_t i = 0; i < rules->count; i++)
		keys += key_count(&rules->rules[i]);
	while (size < 2 * keys)
		size *= 2;
	int r = fill(index, size);
	for (int i = 0; r == 0 && index->longest >= SKM_POLICY_PROBES_MAX && i < GROWTHS_MAX; i++) {
		size *= 2;
		r = fill(index, size);
	}
	if (r < 0) {
		(void)skm_policy_index_free(index);
		return r;
	}
	*ret_index = index;
	return 0;
}

struct skm_policy_index *skm_policy_index_free(struct skm_policy_index *index)
{
	if (index)
		free(index->slots);
	free(index);
	return NULL;
}

/* ---- lookups ---- */

static int compare_triples(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct skm_class_pattern));
}

/* The device's distinct class triples; false when it has more than any rule can name. */
static bool collect_triples(struct skm_policy_subject *subject)
{
	const struct skm_device *device = subject->device;
	struct skm_class_pattern all[SKM_USB_INTERFACES_MAX];
	for (size_t i = 0; i < device->interface_count; i++)
		all[i] = pattern_of_interface(&device->interfaces[i], 3);
	qsort(all, device->interface_count, sizeof(all[0]), compare_triples);
	for (size_t i = 0; i < device->interface_count; i++) {
		if (i > 0 && compare_triples(&all[i - 1], &all[i]) == 0)
			continue;
		if (subject->triple_count == SKM_ARRAY_SIZE(subject->triples))
			return false;
		subject->triples[subject->triple_count++] = all[i];
	}
	return subject->triple_count > 0;
}

void skm_policy_subject_init(
	struct skm_policy_subject *subject, const struct skm_device *device, bool serial_is_duplicate)
{
	*subject = (struct skm_policy_subject){.device = device, .serial_is_duplicate = serial_is_duplicate};
	subject->criteria = SKM_RULE_CLASS | SKM_RULE_VID_PID | SKM_RULE_HASH | SKM_RULE_CONNECT_TYPE;
	if (device->serial[0] != '\0')
		subject->criteria |= SKM_RULE_SERIAL;
	if (device->port[0] != '\0')
		subject->criteria |= SKM_RULE_PORT;
	if (collect_triples(subject))
		subject->criteria |= SKM_RULE_INTERFACES;
	struct key key = key_of_device(subject);
	hash_criteria(&key, subject->criteria & ~(unsigned)SKM_RULE_CLASS, subject->hashes);
}

static const struct slot *find(const struct skm_policy_index *index, const struct key *key, uint32_t tag,
	struct skm_policy_cost *cost)
{
	cost->lookups++;
	size_t at = tag & (index->size - 1);
	for (size_t distance = 0; distance <= index->longest; distance++, at = (at + 1) & (index->size - 1)) {
		const struct slot *slot = &index->slots[at];
		cost->probes++;
		if (slot_is_empty(slot) || distance_from_home(index, at) < distance)
			return NULL;
		if (slot->tag != tag)
			continue;
		cost->comparisons++;
		struct key other = key_of_slot(index, slot);
		if (key_equal(key, &other))
			return slot;
	}
	return NULL;
}

/* The earlier of two rules, where 0 is none. */
static void keep_first(uint32_t *first, uint32_t candidate)
{
	if (candidate != 0 && (*first == 0 || candidate < *first))
		*first = candidate;
}

static void match_key(const struct skm_policy_index *index, const struct skm_policy_subject *subject,
	const struct key *key, struct skm_policy_match *match, struct skm_policy_cost *cost)
{
	const struct slot *slot = find(index, key, combine(key, subject->hashes), cost);
	if (!slot)
		return;
	bool is_void = subject->serial_is_duplicate && (key->shape.criteria & SKM_RULE_SERIAL);
	keep_first(&match->deny, slot->rule[SKM_RULE_DENY]);
	keep_first(is_void ? &match->voided : &match->allow, slot->rule[SKM_RULE_ALLOW]);
}

void skm_policy_index_match_device(const struct skm_policy_index *index,
	const struct skm_policy_subject *subject, struct skm_policy_match *match,
	struct skm_policy_cost *cost)
{
	struct key key = key_of_device(subject);
	for (size_t i = 0; i < index->device_shape_count; i++) {
		key.shape = index->device_shapes[i];
		if ((key.shape.criteria & ~subject->criteria) == 0)
			match_key(index, subject, &key, match, cost);
	}
}

void skm_policy_index_match_interface(const struct skm_policy_index *index,
	const struct skm_policy_subject *subject, const struct skm_usb_interface *interface,
	struct skm_policy_match *match, struct skm_policy_cost *cost)
{
	struct key key = key_of_device(subject);
	for (size_t i = 0; i < index->interface_shape_count; i++) {
		key.shape = index->interface_shapes[i];
		if ((key.shape.criteria & ~subject->criteria) != 0)
			continue;
		key.pattern = pattern_of_interface(interface, key.shape.depth);
		match_key(index, subject, &key, match, cost);
	}
}
