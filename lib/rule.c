// SPDX-License-Identifier: Apache-2.0
/* Rules, the set that owns them, and the small grammars in which people write their criteria. All grammars
 * are whole-string and exact: a criterion that is read more generously than it was meant permits more than it
 * was meant to. */
#include <stdint.h>
#include <string.h>

#include "arena.h"
#include "sekimori/rule.h"

#define ALL_CRITERIA                                                                                      \
	((unsigned)(SKM_RULE_CLASS | SKM_RULE_VID_PID | SKM_RULE_SERIAL | SKM_RULE_HASH | SKM_RULE_PORT | \
		    SKM_RULE_CONNECT_TYPE | SKM_RULE_INTERFACES))
#define PORT_TIERS_MAX 6 /* MAX_TOPO_LEVEL */
#define BUILTIN_PREFIX "builtin:"

/* -1 when it is no hex digit; the ctype functions would ask the locale. */
static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

/* Two hex digits; stops at the end of the string. */
static bool hex_byte(const char *text, uint8_t *ret_byte)
{
	int high = hex_value(text[0]);
	if (high < 0)
		return false;
	int low = hex_value(text[1]);
	if (low < 0)
		return false;
	*ret_byte = (uint8_t)(high << 4 | low);
	return true;
}

int skm_class_pattern_parse(const char *text, struct skm_class_pattern *ret_pattern)
{
	enum skm_device_kind kind;
	if (skm_device_kind_from_string(text, &kind) == 0) {
		*ret_pattern = (struct skm_class_pattern){
			.class_code = (uint8_t)kind,
			.depth = SKM_CLASS_DEPTH_KIND,
		};
		return 0;
	}
	uint8_t codes[3] = {0};
	uint8_t depth = 0;
	for (;; text++) {
		if (depth == SKM_ARRAY_SIZE(codes) || !hex_byte(text, &codes[depth]))
			return -EINVAL;
		depth++;
		text += 2;
		if (*text == '\0')
			break;
		if (*text != ':')
			return -EINVAL;
	}
	*ret_pattern = (struct skm_class_pattern){codes[0], codes[1], codes[2], depth};
	return 0;
}

int skm_vid_pid_parse(const char *text, uint16_t *ret_vendor, uint16_t *ret_product)
{
	uint8_t bytes[4];
	if (strlen(text) != strlen("0781:5581") || text[4] != ':')
		return -EINVAL;
	if (!hex_byte(text, &bytes[0]) || !hex_byte(text + 2, &bytes[1]) || !hex_byte(text + 5, &bytes[2]) ||
		!hex_byte(text + 7, &bytes[3]))
		return -EINVAL;
	*ret_vendor = (uint16_t)(bytes[0] << 8 | bytes[1]);
	*ret_product = (uint16_t)(bytes[2] << 8 | bytes[3]);
	return 0;
}

int skm_descriptor_hash_parse(const char *text, uint8_t ret_hash[SKM_DESCRIPTOR_HASH_BYTES])
{
	uint8_t hash[SKM_DESCRIPTOR_HASH_BYTES];
	if (strlen(text) != 2 * sizeof(hash))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(hash); i++)
		if (!hex_byte(text + 2 * i, &hash[i]))
			return -EINVAL;
	memcpy(ret_hash, hash, sizeof(hash));
	return 0;
}

int skm_rule_id_check(const char *id)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-";
	size_t len = strnlen(id, SKM_RULE_ID_BYTES);
	if (len == 0 || len >= SKM_RULE_ID_BYTES || id[strspn(id, allowed)] != '\0')
		return -EINVAL;
	return strncmp(id, BUILTIN_PREFIX, strlen(BUILTIN_PREFIX)) == 0 ? -EINVAL : 0;
}

/* A decimal number of one to three digits without leading zero, as the kernel prints it; returns what
 * follows, or NULL. */
static const char *skip_number(const char *text)
{
	size_t len = strspn(text, "0123456789");
	return len >= 1 && len <= 3 && text[0] != '0' ? text + len : NULL;
}

int skm_port_check(const char *port)
{
	const char *rest = skip_number(port);
	if (!rest || *rest != '-')
		return -EINVAL;
	unsigned tiers = 0;
	do {
		rest = skip_number(rest + 1);
		if (!rest || ++tiers > PORT_TIERS_MAX)
			return -EINVAL;
	} while (*rest == '.');
	return *rest == '\0' ? 0 : -EINVAL;
}

static bool pattern_is_sound(const struct skm_class_pattern *pattern)
{
	switch (pattern->depth) {
	case 1:
	case SKM_CLASS_DEPTH_KIND:
		return pattern->subclass == 0 && pattern->protocol == 0;
	case 2:
		return pattern->protocol == 0;
	default:
		return pattern->depth == 3;
	}
}

static bool criterion_is_sound(bool is_named, const char *value, size_t size)
{
	return !is_named || (value && value[0] != '\0' && strnlen(value, size) < size);
}

static bool classes_are_sound(const struct skm_rule *rule)
{
	if (!(rule->criteria & SKM_RULE_CLASS))
		return true;
	for (size_t i = 0; i < rule->class_count && i < SKM_RULE_CLASSES_MAX; i++)
		if (!pattern_is_sound(&rule->classes[i]))
			return false;
	return rule->class_count > 0 && rule->class_count <= SKM_RULE_CLASSES_MAX;
}

static bool interfaces_are_sound(const struct skm_rule *rule)
{
	if (!(rule->criteria & SKM_RULE_INTERFACES))
		return true;
	for (size_t i = 0; i < rule->interface_count && i < SKM_RULE_INTERFACES_MAX; i++)
		if (rule->interfaces[i].depth != 3)
			return false;
	return rule->interface_count > 0 && rule->interface_count <= SKM_RULE_INTERFACES_MAX;
}

static bool rule_is_sound(const struct skm_rule *rule)
{
	unsigned criteria = rule->criteria;
	if (criteria == 0 || (criteria & ~ALL_CRITERIA) != 0 ||
		(unsigned)rule->action >= SKM_RULE_ACTION_COUNT_)
		return false;
	if (!rule->id || skm_rule_id_check(rule->id) < 0)
		return false;
	if ((criteria & SKM_RULE_CONNECT_TYPE) && (unsigned)rule->connect_type >= SKM_CONNECT_TYPE_COUNT_)
		return false;
	if (!criterion_is_sound(true, rule->reason, SKM_REASON_BYTES) ||
		!criterion_is_sound(criteria & SKM_RULE_SERIAL, rule->serial, SKM_USB_STRING_BYTES) ||
		!criterion_is_sound(criteria & SKM_RULE_PORT, rule->port, SKM_USB_PORT_BYTES))
		return false;
	return classes_are_sound(rule) && interfaces_are_sound(rule);
}

/* The bytes are the order: class, subclass, protocol, depth. */
_Static_assert(sizeof(struct skm_class_pattern) == 4, "a class pattern has no padding");

static int compare_patterns(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct skm_class_pattern));
}

static struct skm_class_pattern *copy_patterns(
	struct skm_arena_block **arena, const struct skm_class_pattern *patterns, size_t count)
{
	struct skm_class_pattern *copy = skm_arena_alloc(arena, count * sizeof(*copy));
	if (copy)
		memcpy(copy, patterns, count * sizeof(*copy));
	return copy;
}

static size_t sort_distinct(struct skm_class_pattern *patterns, size_t count)
{
	size_t kept = 0;
	qsort(patterns, count, sizeof(*patterns), compare_patterns);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || compare_patterns(&patterns[kept - 1], &patterns[i]) != 0)
			patterns[kept++] = patterns[i];
	return kept;
}

/* A copy that points into the arena only; members of criteria that are not named are zero. */
static int copy_rule(struct skm_arena_block **arena, const struct skm_rule *rule, struct skm_rule *ret_copy)
{
	struct skm_rule copy = {
		.id = skm_arena_strdup(arena, rule->id),
		.reason = skm_arena_strdup(arena, rule->reason),
		.action = rule->action,
		.criteria = rule->criteria,
	};
	bool is_whole = copy.id && copy.reason;
	if (rule->criteria & SKM_RULE_VID_PID) {
		copy.vendor_id = rule->vendor_id;
		copy.product_id = rule->product_id;
	}
	if (rule->criteria & SKM_RULE_CONNECT_TYPE)
		copy.connect_type = rule->connect_type;
	if (rule->criteria & SKM_RULE_HASH)
		memcpy(copy.descriptor_hash, rule->descriptor_hash, sizeof(copy.descriptor_hash));
	if (rule->criteria & SKM_RULE_SERIAL) {
		copy.serial = skm_arena_strdup(arena, rule->serial);
		is_whole = is_whole && copy.serial;
	}
	if (rule->criteria & SKM_RULE_PORT) {
		copy.port = skm_arena_strdup(arena, rule->port);
		is_whole = is_whole && copy.port;
	}
	if (rule->criteria & SKM_RULE_CLASS) {
		copy.classes = copy_patterns(arena, rule->classes, rule->class_count);
		copy.class_count = rule->class_count;
		is_whole = is_whole && copy.classes;
	}
	if (rule->criteria & SKM_RULE_INTERFACES) {
		struct skm_class_pattern *triples =
			copy_patterns(arena, rule->interfaces, rule->interface_count);
		copy.interface_count = triples ? sort_distinct(triples, rule->interface_count) : 0;
		copy.interfaces = triples;
		is_whole = is_whole && triples;
	}
	if (!is_whole)
		return -ENOMEM;
	*ret_copy = copy;
	return 0;
}

static int make_room(struct skm_rule_set *set)
{
	if (set->count < set->capacity)
		return 0;
	size_t capacity = set->capacity ? set->capacity * 2 : 64;
	struct skm_rule *rules = reallocarray(set->rules, capacity, sizeof(*rules));
	if (!rules)
		return -ENOMEM;
	set->rules = rules;
	set->capacity = capacity;
	return 0;
}

int skm_rule_set_add(struct skm_rule_set *set, const struct skm_rule *rule)
{
	if (set->count >= SKM_RULES_MAX)
		return -E2BIG;
	if (!rule_is_sound(rule))
		return -EINVAL;
	int r = make_room(set);
	if (r < 0)
		return r;
	struct skm_arena_mark mark = skm_arena_get_mark(&set->arena);
	r = copy_rule(&set->arena, rule, &set->rules[set->count]);
	if (r < 0) {
		skm_arena_rewind(&set->arena, mark);
		return r;
	}
	set->count++;
	return 0;
}

void skm_rule_set_finish(struct skm_rule_set *set)
{
	if (!set)
		return;
	free(set->rules);
	skm_arena_finish(&set->arena);
	*set = (struct skm_rule_set){0};
}
