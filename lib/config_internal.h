// SPDX-License-Identifier: Apache-2.0
/* What the files of the configuration share with each other and with nobody else.
 *
 *   config_scan.c    text -> fit for libconfig, or the first thing that is wrong with it
 *   config_tree.c    the adapter: the only file that knows libconfig
 *   config_keys.c    the table of keys: the one place where a key, its type, bounds and default are stated
 *   config_value.c   one value -> one member, as the table says
 *   config_rules.c   usb.rules and the register -> the rule set
 *   config_mfa.c     what only the group mfa has
 *   config_forward.c what only the group forward has
 *   config_error.c   what a person is told
 *   register.c       the register's text -> rules
 *   config.c         the order of it all */
#ifndef SEKIMORI_CONFIG_INTERNAL_H
#define SEKIMORI_CONFIG_INTERNAL_H

#include <stdbool.h>

#include "sekimori/config.h"

/* ---- what a person is told ---- */

/* Both languages of a text side by side, so that neither is forgotten. */
struct skm_config_text {
	const char *en, *ja;
};

struct skm_config_place {
	const char *file;
	unsigned line;	 /* 0 = the file as a whole */
	const char *key; /* "" = the file as a whole */
};

/* Fills *error and returns SKM_CONFIG_INVALID, so that "return skm_config_refuse(…)" is one line. `found` are
 * bytes from the file: they are made printable and cut. */
int skm_config_refuse(struct skm_config_error *error, const struct skm_config_place *place, const char *found,
	size_t found_len, struct skm_config_text allowed);
/* The same where what is found is said in words. */
int skm_config_refuse_words(struct skm_config_error *error, const struct skm_config_place *place,
	struct skm_config_text found, struct skm_config_text allowed);

/* ---- text ---- */

/* 0 when libconfig may see the text. SKM_CONFIG_INVALID with *error filled. */
SKM_NODISCARD int skm_config_scan(
	const char *file, const char *text, size_t len, struct skm_config_error *error);

enum skm_config_token_kind {
	SKM_TOKEN_END,
	SKM_TOKEN_NAME,
	SKM_TOKEN_STRING, /* with its quotation marks */
	SKM_TOKEN_NUMBER,
	SKM_TOKEN_EQUALS,
	SKM_TOKEN_SEMICOLON,
	SKM_TOKEN_COMMA,
	SKM_TOKEN_OPEN,
	SKM_TOKEN_CLOSE,
	SKM_TOKEN_FAULT,
};

struct skm_config_token {
	enum skm_config_token_kind kind;
	const char *start; /* in the text */
	size_t len;
	unsigned line;
	struct skm_config_text allowed; /* FAULT: what may stand there */
};

struct skm_config_lexer {
	const char *at, *end;
	unsigned line;
};

/* Always gives a token; after END or FAULT do not ask again. */
void skm_config_token_next(struct skm_config_lexer *lexer, struct skm_config_token *ret_token);

/* ---- tree ---- */

enum skm_config_kind {
	SKM_CONFIG_GROUP,
	SKM_CONFIG_LIST,
	SKM_CONFIG_ARRAY,
	SKM_CONFIG_STRING,
	SKM_CONFIG_OTHER, /* number or truth value: no key wants one */
};

struct skm_config_tree;
struct config_setting_t; /* libconfig's; opaque outside config_tree.c */

/* 0, SKM_CONFIG_INVALID or -ENOMEM. */
SKM_NODISCARD int skm_config_tree_parse(const char *file, const char *text, size_t len,
	struct skm_config_tree **ret_tree, struct skm_config_error *error);
void skm_config_tree_freep(struct skm_config_tree **tree);

/* Nodes live as long as their tree. */
const struct config_setting_t *skm_config_tree_root(const struct skm_config_tree *tree);
/* NULL when there is none of that path ("usb.mode"). */
const struct config_setting_t *skm_config_tree_find(const struct skm_config_tree *tree, const char *path);
enum skm_config_kind skm_config_node_kind(const struct config_setting_t *node);
unsigned skm_config_node_line(const struct config_setting_t *node);
/* NULL for the members of lists and arrays. */
const char *skm_config_node_name(const struct config_setting_t *node);
/* The string of a STRING, else "". */
const char *skm_config_node_text(const struct config_setting_t *node);
/* How the value looks in the file, for messages: "\"audit\"", "{ … }", "5". May be cut anywhere: pass it on
 * to skm_config_refuse, which cleans up. */
void skm_config_node_describe(const struct config_setting_t *node, char *buf, size_t size);
size_t skm_config_node_count(const struct config_setting_t *node);
const struct config_setting_t *skm_config_node_child(const struct config_setting_t *node, size_t index);
/* NULL when the group has no such setting. */
const struct config_setting_t *skm_config_node_member(const struct config_setting_t *node, const char *name);

/* ---- keys ---- */

enum skm_config_shape {
	SKM_SHAPE_GROUP,
	SKM_SHAPE_LIST, /* of groups */
	SKM_SHAPE_STRING,
	SKM_SHAPE_STRINGS, /* a string, or an array or list of strings: set() is called for each */
};

struct skm_config_key;
/* Takes one string into the object that the key's group fills (struct skm_config, or struct
 * skm_config_rule_draft for "usb.rules[]"). 0, or a negative errno when the string is not allowed. */
typedef int (*skm_config_set_fn)(const struct skm_config_key *key, const char *text, void *target);

struct skm_config_key {
	const char *path; /* "usb.rules[].serial" */
	enum skm_config_shape shape;
	skm_config_set_fn set; /* NULL for groups and lists */
	const char
		*fallback; /* as it would stand in the file; NULL = nothing is set when the key is absent */
	const char *min, *max; /* durations, sizes and numbers, as they would stand in the file */
	size_t offset;	       /* of the member in the target */
	size_t size;	       /* of the member */
	bool is_required;      /* in its group */
	unsigned criterion;    /* rules: the SKM_RULE_… bit */
	struct skm_config_text allowed;
};

const struct skm_config_key *skm_config_keys(size_t *ret_count);
/* NULL when there is no such key. "usb.rules[]" is the group of one rule. */
const struct skm_config_key *skm_config_key_find(const char *group, const char *name);
/* "mode, audit_until, …": the keys of a group, cut where the buffer ends. */
void skm_config_key_list(const char *group, char *buf, size_t size);

/* ---- values ---- */

/* Of C0 or C1, or DEL, in valid UTF-8. */
bool skm_config_has_control_character(const char *text);
int skm_config_set_text(const struct skm_config_key *key, const char *text, void *target);
int skm_config_set_text_or_empty(const struct skm_config_key *key, const char *text, void *target);
int skm_config_set_serial(const struct skm_config_key *key, const char *text, void *target);
/* 64 hex digits, not all 0 (what is sealed to that, nobody opens). 0 or -EINVAL. */
SKM_NODISCARD int skm_config_parse_public_key(const char *text, uint8_t ret_key[32]);
int skm_config_set_verifier_key(const struct skm_config_key *key, const char *text, void *target);
int skm_config_set_path(const struct skm_config_key *key, const char *text, void *target);
int skm_config_set_mode(const struct skm_config_key *key, const char *text, void *target);
int skm_config_set_language(const struct skm_config_key *key, const char *text, void *target);
int skm_config_set_last_day(const struct skm_config_key *key, const char *text, void *target);
int skm_config_set_duration_ms(const struct skm_config_key *key, const char *text, void *target);
int skm_config_set_duration_sec(const struct skm_config_key *key, const char *text, void *target);
int skm_config_set_duration_or_never(
	const struct skm_config_key *key, const char *text, void *target); /* 0 */
int skm_config_set_size(const struct skm_config_key *key, const char *text, void *target);

int skm_config_set_number(const struct skm_config_key *key, const char *text, void *target);
int skm_config_set_yes_no(const struct skm_config_key *key, const char *text, void *target);

/* Every key that has a default gets it. */
SKM_NODISCARD int skm_config_set_defaults(struct skm_config *config);
/* Takes all strings of the group `node`, called `group` in the table and `place` in messages, into target.
 * Refuses unknown keys, wrong types, values that are not allowed, and absent keys that are required.
 * *ret_criteria: the bits of the keys that were there. */
SKM_NODISCARD int skm_config_take_group(const char *group, const struct skm_config_place *place,
	const struct config_setting_t *node, void *target, unsigned *ret_criteria,
	struct skm_config_error *error);

/* ---- rules ---- */

/* A rule while its keys come in; the strings that struct skm_rule borrows are here. */
struct skm_config_rule_draft {
	struct skm_rule rule;
	char id[SKM_RULE_ID_BYTES];
	char reason[SKM_REASON_BYTES];
	char serial[SKM_USB_STRING_BYTES];
	char port[SKM_USB_PORT_BYTES];
	struct skm_class_pattern classes[SKM_RULE_CLASSES_MAX];
	struct skm_class_pattern interfaces[SKM_RULE_INTERFACES_MAX];
};

int skm_config_set_rule_id(const struct skm_config_key *key, const char *text, void *target);
int skm_config_set_rule_action(const struct skm_config_key *key, const char *text, void *target);
int skm_config_set_rule_vid_pid(const struct skm_config_key *key, const char *text, void *target);
int skm_config_set_rule_hash(const struct skm_config_key *key, const char *text, void *target);
int skm_config_set_rule_port(const struct skm_config_key *key, const char *text, void *target);
int skm_config_set_rule_connect_type(const struct skm_config_key *key, const char *text, void *target);
int skm_config_set_rule_class(const struct skm_config_key *key, const char *text, void *target);
int skm_config_set_rule_interface(const struct skm_config_key *key, const char *text, void *target);

/* Appends the rules of the list `node` to set. */
SKM_NODISCARD int skm_config_take_rules(const char *file, const struct config_setting_t *node,
	struct skm_rule_set *set, struct skm_config_error *error);
/* Appends the rows of the register. `file` and its list `rules` (NULL = none) are named when an id is in
 * both. */
SKM_NODISCARD int skm_config_take_register(const char *file, const struct config_setting_t *rules,
	const char *register_path, const char *text, size_t len, struct skm_rule_set *set,
	struct skm_config_error *error);

/* ---- mfa ---- */

void skm_config_mfa_defaults(struct skm_config *config);
int skm_config_set_mfa_require(const struct skm_config_key *key, const char *text, void *target);
int skm_config_set_mfa_algorithm(const struct skm_config_key *key, const char *text, void *target);
int skm_config_set_mfa_issuer(const struct skm_config_key *key, const char *text, void *target);
int skm_config_set_mfa_escrow_key(const struct skm_config_key *key, const char *text, void *target);
/* What concerns several keys, and dates. 0 or SKM_CONFIG_INVALID. */
SKM_NODISCARD int skm_config_check_mfa(const char *file, const struct skm_config_tree *tree, int64_t now_sec,
	const struct skm_config *config, struct skm_config_error *error);

/* ---- forward ---- */

int skm_config_set_forward_host(const struct skm_config_key *key, const char *text, void *target);
int skm_config_set_forward_name(const struct skm_config_key *key, const char *text, void *target);
int skm_config_set_forward_path(const struct skm_config_key *key, const char *text, void *target);
/* What concerns several keys. 0 or SKM_CONFIG_INVALID. */
SKM_NODISCARD int skm_config_check_forward(const char *file, const struct skm_config_tree *tree,
	const struct skm_config *config, struct skm_config_error *error);

/* ---- what names the policy ---- */

/* 16 hex digits of the BLAKE2b of both texts and their lengths. 0 or -EINVAL (libsodium refuses the sizes).
 */
SKM_NODISCARD int skm_config_version(
	const char *text, size_t len, const char *register_text, size_t register_len, char *buf, size_t size);

#endif
