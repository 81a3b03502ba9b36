// SPDX-License-Identifier: Apache-2.0
/* The configuration, whole or not at all: read safely, scan, parse, take every value into a new object, check
 * what concerns several keys, read the register, and only then hand the object out. A configuration is never
 * changed afterwards, so whoever holds one needs no lock and a reload that fails has changed nothing. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_internal.h"
#include "sekimori/io.h"

#define AUDIT_DAYS_MAX 366
#define SECONDS_PER_DAY INT64_C(86400)

struct skm_config *skm_config_free(struct skm_config *config)
{
	if (config) {
		skm_rule_set_finish(&config->usb.rules);
		free(config);
	}
	return NULL;
}

void skm_config_freep(struct skm_config **config)
{
	*config = skm_config_free(*config);
}

int skm_config_default(struct skm_config **ret_config)
{
	SKM_CLEANUP(skm_config_freep) struct skm_config *config = calloc(1, sizeof(*config));
	if (!config)
		return -ENOMEM;
	int r = skm_config_set_defaults(config);
	if (r < 0)
		return r;
	/* A terminal without a name still has to be told from its neighbour in the records. */
	if (gethostname(config->terminal.number, sizeof(config->terminal.number) - 1) < 0 ||
		!config->terminal.number[0])
		(void)snprintf(config->terminal.number, sizeof(config->terminal.number), "unknown");
	(void)snprintf(config->version, sizeof(config->version), "builtin");
	*ret_config = config;
	config = NULL;
	return 0;
}

/* ---- what concerns several keys ---- */

static int refuse_audit_until(const char *file, const struct config_setting_t *node, unsigned line,
	struct skm_config_text allowed, struct skm_config_error *error)
{
	struct skm_config_place place = {file, line, "usb.audit_until"};
	char found[64] = "";
	if (node)
		skm_config_node_describe(node, found, sizeof(found));
	return skm_config_refuse(error, &place, found, strlen(found), allowed);
}

/* Mode "audit" is a lifted ban: it needs an end, and a near one. A leftover audit_until with mode "enforce"
 * is no error, because refusing the file would leave the old mode in force: whoever goes back to "enforce"
 * must not be held up. */
static int check_mode(const char *file, const struct skm_config_tree *tree, int64_t now_sec,
	struct skm_config *config, struct skm_config_error *error)
{
	static const struct skm_config_text required = {
		"with mode \"audit\", its last day: \"YYYY-MM-DD\", at most 366 days ahead",
		"mode が \"audit\" のときは最終日が必要: \"YYYY-MM-DD\"、366日先まで"};
	if (config->usb.mode != SKM_MODE_AUDIT)
		return 0;
	const struct config_setting_t *node = skm_config_tree_find(tree, "usb.audit_until");
	if (!node) {
		const struct config_setting_t *mode = skm_config_tree_find(tree, "usb.mode");
		return refuse_audit_until(file, NULL, mode ? skm_config_node_line(mode) : 0, required, error);
	}
	/* The end is the midnight after the last day, and up to 25 hours lie between two midnights. */
	config->usb.audit_from_sec =
		config->usb.audit_until_sec - (AUDIT_DAYS_MAX + 1) * SECONDS_PER_DAY - 3600;
	if (now_sec < config->usb.audit_from_sec)
		return refuse_audit_until(file, node, skm_config_node_line(node), required, error);
	if (config->usb.audit_until_sec <= now_sec)
		config->usb.mode = SKM_MODE_ENFORCE;
	return 0;
}

/* ---- the tree ---- */

static int take_tree(const char *file, const struct skm_config_tree *tree, struct skm_config *config,
	struct skm_config_error *error)
{
	const struct config_setting_t *root = skm_config_tree_root(tree);
	unsigned criteria = 0;
	struct skm_config_place whole = {file, 0, ""};
	int r = skm_config_take_group("", &whole, root, config, &criteria, error);
	for (size_t i = 0; r == 0 && i < skm_config_node_count(root); i++) {
		const struct config_setting_t *group = skm_config_node_child(root, i);
		const char *name = skm_config_node_name(group);
		struct skm_config_place place = {file, skm_config_node_line(group), name};
		r = skm_config_take_group(name, &place, group, config, &criteria, error);
	}
	const struct config_setting_t *rules = skm_config_tree_find(tree, "usb.rules");
	if (r == 0 && rules)
		r = skm_config_take_rules(file, rules, &config->usb.rules, error);
	return r;
}

static int parse(const char *file, const char *text, size_t len, int64_t now_sec,
	struct skm_config_tree **ret_tree, struct skm_config **ret_config, struct skm_config_error *error)
{
	SKM_CLEANUP(skm_config_tree_freep) struct skm_config_tree *tree = NULL;
	SKM_CLEANUP(skm_config_freep) struct skm_config *config = NULL;
	int r = skm_config_scan(file, text, len, error);
	if (r == 0)
		r = skm_config_tree_parse(file, text, len, &tree, error);
	if (r == 0)
		r = skm_config_default(&config);
	if (r == 0)
		r = take_tree(file, tree, config, error);
	if (r == 0)
		r = check_mode(file, tree, now_sec, config, error);
	if (r == 0)
		r = skm_config_check_mfa(file, tree, now_sec, config, error);
	if (r == 0)
		r = skm_config_check_forward(file, tree, config, error);
	if (r == 0)
		r = skm_config_version(text, len, "", 0, config->version, sizeof(config->version));
	if (r != 0)
		return r;
	*ret_tree = tree;
	tree = NULL;
	*ret_config = config;
	config = NULL;
	return 0;
}

int skm_config_parse(const char *path, const char *text, size_t len, int64_t now_sec,
	struct skm_config **ret_config, struct skm_config_error *error)
{
	SKM_CLEANUP(skm_config_tree_freep) struct skm_config_tree *tree = NULL;
	return parse(path, text, len, now_sec, &tree, ret_config, error);
}

/* ---- files ---- */

static int refuse_fault(const struct skm_config_place *place, enum skm_file_fault fault, size_t max_bytes,
	struct skm_config_error *error)
{
	char size[64];
	char size_ja[64];
	(void)snprintf(size, sizeof(size), "at most %zu bytes", max_bytes);
	(void)snprintf(size_ja, sizeof(size_ja), "%zuバイト以下", max_bytes);
	const struct {
		struct skm_config_text found, allowed;
	} texts[] = {
		[SKM_FILE_SYMLINK] = {{"a symbolic link", "シンボリックリンク"},
			{"a regular file itself, not a link to one", "リンクではない通常のファイル"}},
		[SKM_FILE_NOT_REGULAR] = {{"not a regular file", "通常のファイルではない"},
			{"a regular file", "通常のファイル"}},
		[SKM_FILE_WRONG_OWNER] = {{"a file of another owner", "所有者が異なるファイル"},
			{"a file owned by root", "rootが所有するファイル"}},
		[SKM_FILE_WRITABLE_BY_OTHERS] = {{"a file that its group or others may write",
							 "グループまたは他人が書き込めるファイル"},
			{"a file that only its owner may write (chmod go-w)",
				"所有者だけが書き込めるファイル(chmod go-w)"}},
		[SKM_FILE_TOO_LARGE] = {{"a larger file", "それより大きいファイル"}, {size, size_ja}},
	};
	return skm_config_refuse_words(error, place, texts[fault].found, texts[fault].allowed);
}

static int refuse_errno(
	const struct skm_config_place *place, int error_number, struct skm_config_error *error)
{
	static const struct skm_config_text allowed = {"a file that can be read", "読み取れるファイル"};
	if (error_number == ENOENT)
		return skm_config_refuse_words(
			error, place, (struct skm_config_text){"no such file", "ファイルがない"}, allowed);
	const char *found = strerrordesc_np(error_number);
	if (!found)
		found = "?";
	return skm_config_refuse(error, place, found, strlen(found), allowed);
}

static int read_file(const struct skm_config_place *place, size_t max_bytes, char **ret_text, size_t *ret_len,
	struct skm_config_error *error)
{
	int r = skm_file_read_trusted(place->file, max_bytes, ret_text, ret_len);
	if (r > 0)
		return refuse_fault(place, (enum skm_file_fault)r, max_bytes, error);
	if (r == 0)
		return 0;
	int refused = refuse_errno(place, -r, error);
	/* The machine's state, or who asks: nothing that the person who wrote the file did wrong. */
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == -EACCES || r == -EPERM || r == -EIO
		       ? r
		       : refused;
}

static int load_register(const char *path, const struct skm_config_tree *tree, const char *text, size_t len,
	struct skm_config *config, struct skm_config_error *error)
{
	SKM_CLEANUP(skm_free) char *rows = NULL;
	size_t rows_len = 0;
	struct skm_config_place place = {config->usb.register_path, 0, "usb.register"};
	int r = read_file(&place, SKM_REGISTER_BYTES_MAX, &rows, &rows_len, error);
	if (r == 0)
		r = skm_config_take_register(path, skm_config_tree_find(tree, "usb.rules"),
			config->usb.register_path, rows, rows_len, &config->usb.rules, error);
	if (r == 0)
		r = skm_config_version(text, len, rows, rows_len, config->version, sizeof(config->version));
	return r;
}

/* A clock that stands before the file's last change is wrong (a dead battery), and a wrong clock must not
 * make a good file a bad one: its dates would seem years away. */
static int64_t not_before_change(const char *path, int64_t now_sec)
{
	struct stat status;
	return lstat(path, &status) == 0 && status.st_mtime > now_sec ? status.st_mtime : now_sec;
}

static int load(const char *path, bool with_register, int64_t now_sec, struct skm_config **ret_config,
	struct skm_config_error *error)
{
	SKM_CLEANUP(skm_free) char *text = NULL;
	SKM_CLEANUP(skm_config_tree_freep) struct skm_config_tree *tree = NULL;
	SKM_CLEANUP(skm_config_freep) struct skm_config *config = NULL;
	size_t len = 0;
	struct skm_config_place place = {path, 0, ""};
	int r = read_file(&place, SKM_CONFIG_BYTES_MAX, &text, &len, error);
	if (r == 0)
		r = parse(path, text, len, not_before_change(path, now_sec), &tree, &config, error);
	if (r == 0 && with_register && config->usb.register_path[0])
		r = load_register(path, tree, text, len, config, error);
	if (r != 0)
		return r;
	*ret_config = config;
	config = NULL;
	return 0;
}

int skm_config_load(
	const char *path, int64_t now_sec, struct skm_config **ret_config, struct skm_config_error *error)
{
	return load(path, true, now_sec, ret_config, error);
}

int skm_config_load_file(
	const char *path, int64_t now_sec, struct skm_config **ret_config, struct skm_config_error *error)
{
	return load(path, false, now_sec, ret_config, error);
}
