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
	SKM_RULE_CLASS = 1 << 0, /* of the interface: "08", "08:06", "08:06:50" (hex), or a kind's word */
	SKM_RULE_VID_PID = 1 << 1,
	/* Allows nothing to a device whose serial another present device shows too, since one of the two is
	 * not the registered one. A deny rule still refuses both: a copied serial must not lift a ban. */
	SKM_RULE_SERIAL = 1 << 2,
	SKM_RULE_HASH = 1 << 3,
	SKM_RULE_PORT = 1 << 4,
	SKM_RULE_CONNECT_TYPE = 1 << 5,
	SKM_RULE_INTERFACES = 1 << 6, /* the device has exactly these class triples, no more and no less */
};

/* depth 1: class only; 2: class and subclass; 3: the whole triple. Unused members are 0.
 * SKM_CLASS_DEPTH_KIND: everything that skm_usb_interface_kind calls this kind (an enum skm_device_kind in
 * class_code): "network" is no set of classes that triples could spell, and "wireless" must not mean RNDIS
 * because both are e0. */
#define SKM_CLASS_DEPTH_KIND 4
struct skm_class_pattern {
	uint8_t class_code, subclass, protocol;
	uint8_t depth;
};

/* Strings and arrays are borrowed from whoever owns the rule set (struct skm_rule_set), NUL-terminated. */
struct skm_rule {
	const char *id;	    /* unique, 1 to 64 characters of [A-Za-z0-9._:-], not starting with "builtin:" */
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
	const struct skm_class_pattern *interfaces; /* depth 3; sorted and distinct in a rule set */
	size_t interface_count;
};

/* Owns rules and everything they point to. Zero-initialised = empty. */
struct skm_rule_set {
	struct skm_rule *rules; /* in file order */
	size_t count;
	size_t capacity;
	struct skm_arena_block *arena; /* lib/arena.c */
};

/* Appends a deep copy of *rule; sorts its interfaces and drops repeated ones. 0, -ENOMEM, -E2BIG beyond
 * SKM_RULES_MAX, or -EINVAL for a rule that breaks what struct skm_rule promises (no criterion, or one
 * without its value, id or reason out of bounds): it could hold for every device, or for none. Whoever reads
 * rules of people has checked before and said it better. */
SKM_NODISCARD int skm_rule_set_add(struct skm_rule_set *set, const struct skm_rule *rule);
/* Leaves an empty set; NULL and an empty set are fine. */
void skm_rule_set_finish(struct skm_rule_set *set);

/* "08", "08:06", "08:06:50" or a kind's word ("mass-storage") -> pattern. 0 or -EINVAL. Lower and upper case
 * hex, two digits each. Where only triples make sense (SKM_RULE_INTERFACES), ask for depth 3. */
SKM_NODISCARD int skm_class_pattern_parse(const char *text, struct skm_class_pattern *ret_pattern);
/* "0781:5581" -> ids. 0 or -EINVAL. */
SKM_NODISCARD int skm_vid_pid_parse(const char *text, uint16_t *ret_vendor, uint16_t *ret_product);
/* 64 hex digits -> bytes. 0 or -EINVAL. */
SKM_NODISCARD int skm_descriptor_hash_parse(const char *text, uint8_t ret_hash[SKM_DESCRIPTOR_HASH_BYTES]);
/* 0, or -EINVAL when it is not a rule id (length, characters, the reserved prefix). */
SKM_NODISCARD int skm_rule_id_check(const char *id);
/* "1-2.3": what the kernel calls the device at a port: bus, then one port number a tier, at most six
 * (MAX_TOPO_LEVEL in drivers/usb/core/hub.c). 0 or -EINVAL. */
SKM_NODISCARD int skm_port_check(const char *port);

/* The device register: CSV (RFC 4180; LF or CRLF; an UTF-8 byte order mark is skipped), first line the
 * header, columns by name in any order: id (required), reason (required), vid_pid, serial, hash, port,
 * connect_type, class (patterns separated by spaces), interfaces (class triples separated by spaces). Every
 * row is an allow rule; an empty field does not constrain; a row without any criterion is an error, and so is
 * an unknown column, since ignoring a misspelt one would widen every permit, and an id that the set already
 * has. Rows of empty fields, which spreadsheets leave behind, are passed over. A serial that a spreadsheet
 * has turned into a number ("4.53E+12") is refused, since it is not the device's any more. Appends to `set`;
 * on error the set is unchanged. error.key is the name of the column. 0; SKM_REGISTER_INVALID with *error
 * filled; -ENOMEM. */
#define SKM_REGISTER_INVALID 1
#define SKM_REGISTER_BYTES_MAX ((size_t)64 * 1024 * 1024)
struct skm_config_error;
SKM_NODISCARD int skm_register_parse(const char *path, const char *text, size_t len, struct skm_rule_set *set,
	struct skm_config_error *error);

#endif
