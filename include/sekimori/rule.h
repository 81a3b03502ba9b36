// SPDX-License-Identifier: Apache-2.0
/* One rule of the device policy, as the configuration file or the device register states it. */
#ifndef SEKIMORI_RULE_H
#define SEKIMORI_RULE_H

#include "sekimori/decision.h"

#define SKM_RULES_MAX 200000u
#define SKM_RULE_CLASSES_MAX 16u
#define SKM_RULE_INTERFACES_MAX 32u

enum skm_rule_action { SKM_RULE_DENY, SKM_RULE_ALLOW, SKM_RULE_ACTION_COUNT_ };

/* Which criteria a rule names. All that are named must hold. */
enum skm_rule_criterion {
	SKM_RULE_CLASS = 1 << 0,        /* the interface's class: "08", "08:06", "08:06:50" (hex), or a kind's word */
	SKM_RULE_VID_PID = 1 << 1,
	SKM_RULE_SERIAL = 1 << 2,       /* never holds for a device whose serial another present device shows too */
	SKM_RULE_HASH = 1 << 3,
	SKM_RULE_PORT = 1 << 4,
	SKM_RULE_CONNECT_TYPE = 1 << 5,
	SKM_RULE_INTERFACES = 1 << 6,   /* the device has exactly these class triples, no more and no less */
};

/* depth 1: class only; 2: class and subclass; 3: the whole triple. Unused members are 0. */
struct skm_class_pattern {
	uint8_t class_code, subclass, protocol;
	uint8_t depth;
};

/* Strings and arrays are borrowed from whoever owns the rule set (struct skm_rule_set), NUL-terminated. */
struct skm_rule {
	const char *id;     /* unique, 1 to 64 characters of [A-Za-z0-9._:-], not starting with "builtin:" */
	const char *reason; /* 1 to 255 bytes of UTF-8: why this device is registered */
	enum skm_rule_action action;
	unsigned criteria; /* SKM_RULE_… ored; never 0 */
	uint16_t vendor_id, product_id;
	enum skm_connect_type connect_type;
	const char *serial; /* not "" when named */
	const char *port;
	uint8_t descriptor_hash[SKM_DESCRIPTOR_HASH_BYTES];
	const struct skm_class_pattern *classes; /* any of these */
	size_t class_count;
	const struct skm_class_pattern *interfaces; /* sorted, distinct, depth 3 */
	size_t interface_count;
};

/* Owns rules and everything they point to. Zero-initialised = empty. */
struct skm_rule_set {
	struct skm_rule *rules; /* in file order */
	size_t count;
	size_t capacity;
	struct skm_arena_block *arena; /* lib/arena.c */
};

/* Appends a deep copy of *rule. 0, -ENOMEM, or -E2BIG beyond SKM_RULES_MAX. */
SKM_NODISCARD int skm_rule_set_add(struct skm_rule_set *set, const struct skm_rule *rule);
/* Leaves an empty set; NULL and an empty set are fine. */
void skm_rule_set_finish(struct skm_rule_set *set);

/* "08:06:50" and the like -> pattern. 0 or -EINVAL. Lower and upper case hex, two digits each. A kind's word
 * ("mass-storage") is not taken here: see skm_rule_classes_from_word. */
SKM_NODISCARD int skm_class_pattern_parse(const char *text, struct skm_class_pattern *ret_pattern);
/* "0781:5581" -> ids. 0 or -EINVAL. */
SKM_NODISCARD int skm_vid_pid_parse(const char *text, uint16_t *ret_vendor, uint16_t *ret_product);
/* 64 hex digits -> bytes. 0 or -EINVAL. */
SKM_NODISCARD int skm_descriptor_hash_parse(const char *text, uint8_t ret_hash[SKM_DESCRIPTOR_HASH_BYTES]);
/* 0, or -EINVAL when it is not a rule id (length, characters, the reserved prefix). */
SKM_NODISCARD int skm_rule_id_check(const char *id);
/* "1-2.3": what the kernel calls a port. 0 or -EINVAL. */
SKM_NODISCARD int skm_port_check(const char *port);

/* The device register: CSV (RFC 4180; LF or CRLF; an UTF-8 byte order mark is skipped), first line the header, columns by
 * name in any order: id (required), reason (required), vid_pid, serial, hash, port, connect_type, class (patterns
 * separated by spaces), interfaces (class triples separated by spaces). Every row is an allow rule; an empty field does
 * not constrain; a row without any criterion is an error. Appends to `set`; on error the set is unchanged.
 * 0; SKM_REGISTER_INVALID with *error filled; -ENOMEM. */
#define SKM_REGISTER_INVALID 1
#define SKM_REGISTER_BYTES_MAX (64u * 1024u * 1024u)
struct skm_config_error;
SKM_NODISCARD int skm_register_parse(const char *path, const char *text, size_t len, struct skm_rule_set *set,
	struct skm_config_error *error);

#endif
