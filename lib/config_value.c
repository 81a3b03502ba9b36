// SPDX-License-Identifier: Apache-2.0
/* One value into one member, as the table of keys says. Defaults take the same way as what people write, so a
 * default that is out of its own bounds cannot be. */
#include <stdio.h>
#include <string.h>

#include "config_internal.h"
#include "sekimori/io.h"
#include "sekimori/language.h"
#include "sekimori/parse.h"

static void *member(const struct skm_config_key *key, void *target)
{
	return (char *)target + key->offset;
}

/* Through memcpy, because what stands at the offset is only known by its size. */
static int store_uint(const struct skm_config_key *key, void *target, uint64_t value)
{
	if (key->size == sizeof(uint8_t) && value <= UINT8_MAX) {
		uint8_t byte = (uint8_t)value;
		memcpy(member(key, target), &byte, sizeof(byte));
		return 0;
	}
	if (key->size == sizeof(uint16_t) && value <= UINT16_MAX) {
		uint16_t half = (uint16_t)value;
		memcpy(member(key, target), &half, sizeof(half));
		return 0;
	}
	if (key->size == sizeof(uint32_t) && value <= UINT32_MAX) {
		uint32_t narrow = (uint32_t)value;
		memcpy(member(key, target), &narrow, sizeof(narrow));
		return 0;
	}
	if (key->size != sizeof(uint64_t))
		return -ERANGE;
	memcpy(member(key, target), &value, sizeof(value));
	return 0;
}

/* Valid, without control characters, and short enough. "\xff" in libconfig's strings makes any byte. */
static int store_string(const struct skm_config_key *key, const char *text, void *target)
{
	size_t len = strlen(text);
	if (len >= key->size)
		return -ERANGE;
	if (!skm_utf8_is_valid(text, len))
		return -EINVAL;
	memcpy(member(key, target), text, len + 1);
	return 0;
}

bool skm_config_has_control_character(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	for (; *at; at++)
		if (*at < 0x20 || *at == 0x7f || (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0))
			return true;
	return false;
}

int skm_config_set_text_or_empty(const struct skm_config_key *key, const char *text, void *target)
{
	return skm_config_has_control_character(text) ? -EINVAL : store_string(key, text, target);
}

int skm_config_set_text(const struct skm_config_key *key, const char *text, void *target)
{
	return *text == '\0' ? -EINVAL : skm_config_set_text_or_empty(key, text, target);
}

int skm_config_set_serial(const struct skm_config_key *key, const char *text, void *target)
{
	/* Poor devices do have control characters in their serial number, and must be able to be named. */
	return *text == '\0' ? -EINVAL : store_string(key, text, target);
}

int skm_config_set_path(const struct skm_config_key *key, const char *text, void *target)
{
	if (*text != '\0' && *text != '/')
		return -EINVAL;
	return skm_config_set_text_or_empty(key, text, target);
}

int skm_config_parse_public_key(const char *text, uint8_t ret_key[32])
{
	static const uint8_t nobodys[SKM_DESCRIPTOR_HASH_BYTES];
	uint8_t bytes[SKM_DESCRIPTOR_HASH_BYTES];
	int r = skm_descriptor_hash_parse(text, bytes);
	if (r < 0)
		return r;
	if (memcmp(bytes, nobodys, sizeof(bytes)) == 0)
		return -EINVAL; /* what is sealed to it, nobody could ever open */
	memcpy(ret_key, bytes, sizeof(bytes));
	return 0;
}

int skm_config_set_verifier_key(const struct skm_config_key *key, const char *text, void *target)
{
	(void)key;
	struct skm_config *config = target;
	int r = skm_config_parse_public_key(text, config->audit.verifier_key);
	if (r == 0)
		config->audit.has_verifier_key = true;
	return r;
}

static const char *const modes[SKM_MODE_COUNT_] = {
	[SKM_MODE_ENFORCE] = "enforce", [SKM_MODE_AUDIT] = "audit"};

const char *skm_mode_to_string(enum skm_mode mode)
{
	return (unsigned)mode < SKM_MODE_COUNT_ ? modes[mode] : "unknown";
}

int skm_config_set_mode(const struct skm_config_key *key, const char *text, void *target)
{
	for (unsigned i = 0; i < SKM_MODE_COUNT_; i++)
		if (strcmp(modes[i], text) == 0) {
			enum skm_mode mode = (enum skm_mode)i;
			memcpy(member(key, target), &mode, sizeof(mode));
			return 0;
		}
	return -EINVAL;
}

int skm_config_set_language(const struct skm_config_key *key, const char *text, void *target)
{
	enum skm_language language;
	int r = skm_language_from_string(text, &language);
	if (r == 0)
		memcpy(member(key, target), &language, sizeof(language));
	return r;
}

int skm_config_set_yes_no(const struct skm_config_key *key, const char *text, void *target)
{
	bool is_yes = strcmp(text, "yes") == 0;
	if (!is_yes && strcmp(text, "no") != 0)
		return -EINVAL;
	memcpy(member(key, target), &is_yes, sizeof(is_yes));
	return 0;
}

int skm_config_set_last_day(const struct skm_config_key *key, const char *text, void *target)
{
	int64_t end_sec = 0;
	int r = skm_parse_last_day(text, &end_sec);
	if (r == 0)
		memcpy(member(key, target), &end_sec, sizeof(end_sec));
	return r;
}

int skm_config_set_number(const struct skm_config_key *key, const char *text, void *target)
{
	uint64_t min = 0;
	uint64_t max = 0;
	uint64_t value = 0;
	int r = skm_parse_uint(key->min, 0, UINT64_MAX, &min);
	if (r == 0)
		r = skm_parse_uint(key->max, 0, UINT64_MAX, &max);
	if (r == 0)
		r = skm_parse_uint(text, min, max, &value);
	return r < 0 ? r : store_uint(key, target, value);
}

static int parse_duration(const struct skm_config_key *key, const char *text, uint64_t *ret_ms)
{
	uint64_t min_ms = 0;
	uint64_t max_ms = 0;
	int r = skm_parse_duration_ms(key->min, 0, UINT64_MAX, &min_ms);
	if (r == 0)
		r = skm_parse_duration_ms(key->max, 0, UINT64_MAX, &max_ms);
	return r < 0 ? r : skm_parse_duration_ms(text, min_ms, max_ms, ret_ms);
}

int skm_config_set_duration_ms(const struct skm_config_key *key, const char *text, void *target)
{
	uint64_t ms = 0;
	int r = parse_duration(key, text, &ms);
	return r < 0 ? r : store_uint(key, target, ms);
}

int skm_config_set_duration_sec(const struct skm_config_key *key, const char *text, void *target)
{
	uint64_t ms = 0;
	int r = parse_duration(key, text, &ms);
	if (r < 0)
		return r;
	return ms % 1000 != 0 ? -EINVAL : store_uint(key, target, ms / 1000);
}

int skm_config_set_duration_or_never(const struct skm_config_key *key, const char *text, void *target)
{
	return strcmp(text, "never") == 0 ? store_uint(key, target, 0)
					  : skm_config_set_duration_sec(key, text, target);
}

int skm_config_set_size(const struct skm_config_key *key, const char *text, void *target)
{
	uint64_t min = 0;
	uint64_t max = 0;
	uint64_t bytes = 0;
	int r = skm_parse_size(key->min, 0, UINT64_MAX, &min);
	if (r == 0)
		r = skm_parse_size(key->max, 0, UINT64_MAX, &max);
	if (r == 0)
		r = skm_parse_size(text, min, max, &bytes);
	return r < 0 ? r : store_uint(key, target, bytes);
}

int skm_config_set_defaults(struct skm_config *config)
{
	size_t count = 0;
	const struct skm_config_key *keys = skm_config_keys(&count);
	for (size_t i = 0; i < count; i++) {
		int r = keys[i].fallback ? keys[i].set(&keys[i], keys[i].fallback, config) : 0;
		if (r < 0)
			return r;
	}
	skm_config_mfa_defaults(config);
	return 0;
}

/* ---- a group of them ---- */

struct taker {
	const char *group; /* as the table calls it */
	const struct skm_config_place *place;
	void *target;
	struct skm_config_error *error;
};

/* Libconfig knows the line of a setting and of a group, but for a string in a list only that of what follows
 * it: so the line is always that of the setting. */
static int refuse_node(const struct taker *taker, const struct config_setting_t *setting, const char *suffix,
	const struct config_setting_t *node, struct skm_config_text allowed)
{
	char key[sizeof(taker->error->key) * 2];
	(void)snprintf(key, sizeof(key), "%s%s%s%s", taker->place->key, taker->place->key[0] ? "." : "",
		skm_config_node_name(setting), suffix);
	struct skm_config_place place = {taker->place->file, skm_config_node_line(setting), key};
	char found[sizeof(taker->error->found) * 2];
	skm_config_node_describe(node, found, sizeof(found));
	return skm_config_refuse(taker->error, &place, found, strlen(found), allowed);
}

static int take_strings(
	const struct taker *taker, const struct skm_config_key *key, const struct config_setting_t *setting)
{
	size_t count = skm_config_node_count(setting);
	if (count == 0)
		return refuse_node(taker, setting, "", setting, key->allowed);
	for (size_t i = 0; i < count; i++) {
		const struct config_setting_t *element = skm_config_node_child(setting, i);
		int r = skm_config_node_kind(element) == SKM_CONFIG_STRING
				? key->set(key, skm_config_node_text(element), taker->target)
				: -EINVAL;
		if (r < 0) {
			char suffix[32];
			(void)snprintf(suffix, sizeof(suffix), "[%zu]", i);
			return refuse_node(taker, setting, suffix, element, key->allowed);
		}
	}
	return 0;
}

static bool has_shape(const struct skm_config_key *key, enum skm_config_kind kind)
{
	switch (key->shape) {
	case SKM_SHAPE_GROUP:
		return kind == SKM_CONFIG_GROUP;
	case SKM_SHAPE_LIST:
		return kind == SKM_CONFIG_LIST;
	case SKM_SHAPE_STRING:
		return kind == SKM_CONFIG_STRING;
	case SKM_SHAPE_STRINGS:
		return kind == SKM_CONFIG_STRING || kind == SKM_CONFIG_ARRAY || kind == SKM_CONFIG_LIST;
	}
	return false;
}

static int take_setting(
	const struct taker *taker, const struct skm_config_key *key, const struct config_setting_t *setting)
{
	enum skm_config_kind kind = skm_config_node_kind(setting);
	if (!has_shape(key, kind))
		return refuse_node(taker, setting, "", setting, key->allowed);
	if (!key->set)
		return 0; /* groups and lists: config.c goes through them */
	/* What is collected from several strings begins without the default's. */
	if (key->shape == SKM_SHAPE_STRINGS)
		memset(member(key, taker->target), 0, key->size);
	if (kind != SKM_CONFIG_STRING)
		return take_strings(taker, key, setting);
	if (key->set(key, skm_config_node_text(setting), taker->target) < 0)
		return refuse_node(taker, setting, "", setting, key->allowed);
	return 0;
}

static int refuse_unknown(const struct taker *taker, const struct config_setting_t *setting)
{
	char known[sizeof(taker->error->allowed)];
	skm_config_key_list(taker->group, known, sizeof(known));
	return refuse_node(taker, setting, "", setting, (struct skm_config_text){known, known});
}

static int check_required(const struct taker *taker, const struct config_setting_t *node)
{
	size_t count = 0;
	const struct skm_config_key *keys = skm_config_keys(&count);
	for (size_t i = 0; i < count; i++) {
		if (!keys[i].is_required)
			continue;
		const char *name = strrchr(keys[i].path, '.') + 1;
		if (skm_config_key_find(taker->group, name) != &keys[i] || skm_config_node_member(node, name))
			continue;
		char key[sizeof(taker->error->key) * 2];
		(void)snprintf(key, sizeof(key), "%s.%s", taker->place->key, name);
		struct skm_config_place place = {taker->place->file, taker->place->line, key};
		return skm_config_refuse(taker->error, &place, "", 0, keys[i].allowed);
	}
	return 0;
}

int skm_config_take_group(const char *group, const struct skm_config_place *place,
	const struct config_setting_t *node, void *target, unsigned *ret_criteria,
	struct skm_config_error *error)
{
	struct taker taker = {group, place, target, error};
	unsigned criteria = 0;
	size_t count = skm_config_node_count(node);
	for (size_t i = 0; i < count; i++) {
		const struct config_setting_t *setting = skm_config_node_child(node, i);
		const struct skm_config_key *key = skm_config_key_find(group, skm_config_node_name(setting));
		int r = key ? take_setting(&taker, key, setting) : refuse_unknown(&taker, setting);
		if (r != 0)
			return r;
		criteria |= key ? key->criterion : 0;
	}
	int r = check_required(&taker, node);
	if (r == 0)
		*ret_criteria = criteria;
	return r;
}
