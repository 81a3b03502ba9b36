// SPDX-License-Identifier: Apache-2.0
/* `sekimori mfa require`: of whom the factor is required is a line of the configuration, not a state of this
 * command. So the line is set in the file, with everything else left as it is, and only if the agent's own
 * parser takes the whole result; the file is replaced in one step or not at all. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "mfa.h"
#include "mfa_people.h"
#include "sekimori/config_edit.h"
#include "sekimori/io.h"
#include "sekimori/json.h"
#include "sekimori/parse.h"
#include "sekimori/text.h"

#define VALUE_BYTES 1024
#define PATH_BYTES 4096

static const char help_ja[] =
	"使い方: sekimori mfa require (--all | --enrolled | --group G [--group G …])\n"
	"                             [--grace-until YYYY-MM-DD|none] [--json]\n"
	"\n"
	"だれに多要素認証を必須とするかを /etc/sekimori/sekimori.conf に書きます (root のみ)。\n"
	"コメントなど、ほかの部分は変わりません。登録済みの人には常に必須です。\n"
	"  --all                  全員\n"
	"  --enrolled             登録済みの人だけ\n"
	"  --group G              このグループの人 (16個まで)\n"
	"  --grace-until DATE     この日まで、未登録の人は案内だけで通れます。none = 猶予なし\n"
	"  --config FILE          別のファイル\n"
	"  --unrecorded           非常時に、監査記録なしで書き換えます\n"
	"  --socket PATH          認証サービスのソケット (試験用)\n"
	"  --root DIR             /etc/group を読む別の場所 (試験用)\n"
	"終了コード: 0 = 書いた (または既にそうなっている)、1 = ファイルに誤りがある、3 = 書けない\n";
static const char help_en[] =
	"Usage: sekimori mfa require (--all | --enrolled | --group G [--group G …])\n"
	"                            [--grace-until YYYY-MM-DD|none] [--json]\n"
	"\n"
	"Writes into /etc/sekimori/sekimori.conf of whom the factor is required (root only). Comments and\n"
	"everything else stay as they are. Of those who have a token it is always required.\n"
	"  --all                  of everybody\n"
	"  --enrolled             of those who have a token\n"
	"  --group G              of the members of this group (16 at most)\n"
	"  --grace-until DATE     until this day, who has no token passes with a reminder; none = no grace\n"
	"  --config FILE          another file\n"
	"  --unrecorded           write although it cannot be put on record, in an emergency\n"
	"  --socket PATH          the verification service's socket (for tests)\n"
	"  --root DIR             another place to read /etc/group from (for tests)\n"
	"Exit codes: 0 = written (or already so), 1 = the file is broken, 3 = could not be written\n";

struct editing {
	const struct skm_cli *cli;
	const struct skm_mfa_options *options;
	char *old_text, *new_text;
	size_t old_len, new_len;
	struct skm_config *old_config, *new_config;
};

static void editing_finish(struct editing *editing)
{
	free(editing->old_text);
	free(editing->new_text);
	(void)skm_config_free(editing->old_config);
	(void)skm_config_free(editing->new_config);
}

/* ---- the wanted values ---- */

static int check_groups(const struct skm_cli *cli, const struct skm_mfa_options *options)
{
	for (size_t i = 0; i < options->group_count; i++) {
		int r = skm_mfa_people_has_group(options->root, options->groups[i]);
		if (r < 0)
			return skm_cli_failure(cli,
				SKM_SAY("グループを調べられません:", "cannot look up the group"),
				options->groups[i], r);
		/* A group that does not exist has no members: a slip of the pen would exempt everybody. */
		if (r == 0)
			return skm_cli_usage_error(cli,
				SKM_SAY("そのグループはありません", "there is no such group"),
				options->groups[i],
				SKM_SAY("この端末にあるグループ (getent group)",
					"a group of this terminal, see getent group"));
	}
	return 0;
}

/* "[ \"a\", \"b\" ]" */
static int format_groups(const struct skm_mfa_options *options, char *ret_value, size_t size)
{
	size_t len = 0;
	for (size_t i = 0; i < options->group_count; i++) {
		char quoted[2 * SKM_GROUP_NAME_BYTES + 3];
		int r = skm_config_quote(options->groups[i], quoted, sizeof(quoted));
		if (r < 0)
			return r;
		int n = snprintf(ret_value + len, size - len, "%s%s", i ? ", " : "[ ", quoted);
		if (n < 0 || (size_t)n >= size - len)
			return -ENOBUFS;
		len += (size_t)n;
	}
	if (size - len < sizeof(" ]"))
		return -ENOBUFS;
	memcpy(ret_value + len, " ]", sizeof(" ]"));
	return 0;
}

static int format_require(const struct skm_mfa_options *options, char *ret_value, size_t size)
{
	if (options->requires_all)
		return skm_config_quote("all", ret_value, size);
	if (options->requires_enrolled)
		return skm_config_quote("enrolled", ret_value, size);
	return format_groups(options, ret_value, size);
}

/* ---- before and after ---- */

static void describe_require(const struct skm_config *config, char *ret_text, size_t size)
{
	static const char *const words[] = {
		[SKM_MFA_REQUIRE_ALL] = "all", [SKM_MFA_REQUIRE_ENROLLED] = "enrolled"};
	ret_text[0] = '\0';
	if (config->mfa.require != SKM_MFA_REQUIRE_GROUPS) {
		(void)snprintf(ret_text, size, "%s", words[config->mfa.require]);
		return;
	}
	size_t len = 0;
	for (unsigned i = 0; i < config->mfa.group_count && len < size; i++)
		len += (size_t)snprintf(
			ret_text + len, size - len, "%s%s", i ? ", " : "", config->mfa.groups[i]);
}

static void describe_grace(const struct skm_config *config, char ret_text[SKM_LOCAL_TIME_BYTES])
{
	(void)snprintf(ret_text, SKM_LOCAL_TIME_BYTES, "-");
	if (config->mfa.grace_until_sec == 0)
		return;
	skm_cli_local_time(config->mfa.grace_until_sec - 1, ret_text);
	ret_text[strcspn(ret_text, " ")] = '\0';
}

static void print_change(const char *key, const char *before, const char *after)
{
	(void)printf("%s: ", key);
	skm_text_print(stdout, before);
	if (strcmp(before, after) != 0) {
		(void)fputs(" -> ", stdout);
		skm_text_print(stdout, after);
	}
	(void)putchar('\n');
}

static int report(const struct editing *editing, bool is_changed)
{
	const struct skm_cli *cli = editing->cli;
	char before[VALUE_BYTES];
	char after[VALUE_BYTES];
	char grace_before[SKM_LOCAL_TIME_BYTES];
	char grace_after[SKM_LOCAL_TIME_BYTES];
	describe_require(editing->old_config, before, sizeof(before));
	describe_require(editing->new_config, after, sizeof(after));
	describe_grace(editing->old_config, grace_before);
	describe_grace(editing->new_config, grace_after);
	if (cli->json) {
		char buf[8192];
		struct skm_json json;
		skm_json_init(&json, buf, sizeof(buf));
		skm_json_object_begin(&json, NULL);
		skm_json_string(&json, "file", editing->options->config_path);
		skm_json_bool(&json, "changed", is_changed);
		skm_json_string(&json, "require", after);
		skm_json_string(&json, "grace_until", grace_after[0] == '-' ? NULL : grace_after);
		skm_json_object_end(&json);
		(void)puts(buf);
		return SKM_EXIT_YES;
	}
	print_change("mfa.require", before, after);
	print_change("mfa.grace_until", grace_before, grace_after);
	(void)puts(is_changed ? SKM_SAY("設定ファイルを書き換えました。次のログインから反映されます。",
					"Written; in force from the next login on.")
			      : SKM_SAY("既にそうなっています。何も変更していません。",
					"It is so already; nothing was changed."));
	return SKM_EXIT_YES;
}

/* ---- on record ---- */

/* Not for a file that is nobody's configuration yet, as in an image that is being made. */
static bool is_in_force(const struct skm_mfa_options *options)
{
	struct stat edited;
	struct stat in_force;
	if (strcmp(options->socket_path, SKM_AUTH_PATH) != 0)
		return true;
	/* One file has many names, as seen from its folder or through a link to that. */
	if (stat(options->config_path, &edited) < 0 || stat(SKM_CONFIG_PATH, &in_force) < 0)
		return strcmp(options->config_path, SKM_CONFIG_PATH) == 0;
	return edited.st_dev == in_force.st_dev && edited.st_ino == in_force.st_ino;
}

static int announce(const struct editing *editing)
{
	char before[VALUE_BYTES / 2];
	char after[VALUE_BYTES / 2];
	char grace_before[SKM_LOCAL_TIME_BYTES];
	char grace_after[SKM_LOCAL_TIME_BYTES];
	char text[VALUE_BYTES];
	describe_require(editing->old_config, before, sizeof(before));
	describe_require(editing->new_config, after, sizeof(after));
	describe_grace(editing->old_config, grace_before);
	describe_grace(editing->new_config, grace_after);
	/* What is new first: the rest may be cut. */
	int len = snprintf(text, sizeof(text),
		"is about to be written: require = %s, grace_until = %s; before: require = %s, grace_until = %s",
		after, grace_after, before, grace_before);
	size_t limit = sizeof(text) - 1;
	size_t end = len > 0 && (size_t)len < limit ? (size_t)len : limit;
	while (end > 0 && end == limit && ((unsigned char)text[end] & 0xc0) == 0x80)
		end--;
	text[end] = '\0';
	struct skm_auth_writer request;
	skm_auth_write_begin(&request, SKM_AUTH_POLICY);
	skm_auth_write_text(&request, SKM_AUTH_TAG_TEXT, text);
	int r = skm_mfa_announce(editing->cli, editing->options, &request);
	if (r == 0)
		skm_mfa_log("of whom a second factor is required is being changed");
	return r;
}

/* ---- the file ---- */

static int say_broken(const struct skm_cli *cli, const struct skm_config_error *error, const char *what)
{
	char text[2048];
	(void)skm_config_error_format(error, cli->language, text, sizeof(text));
	(void)fprintf(stderr, "sekimori: %s\n%s\n", what, text);
	return SKM_EXIT_NO;
}

static int read_old(struct editing *editing)
{
	const struct skm_cli *cli = editing->cli;
	const char *path = editing->options->config_path;
	struct skm_config_error error = {0};
	/* Without the register: in an emergency it may be broken, and an image's is in the image. */
	int r = skm_config_load_file(path, (int64_t)time(NULL), &editing->old_config, &error);
	if (r == SKM_CONFIG_INVALID)
		return say_broken(cli, &error,
			SKM_SAY("設定ファイルに誤りがあるため、変更していません。",
				"the configuration is broken already; nothing was changed"));
	if (r == 0)
		r = skm_file_read_trusted(path, SKM_CONFIG_BYTES_MAX, &editing->old_text, &editing->old_len);
	if (r != 0)
		return skm_cli_failure(cli, SKM_SAY("読めません:", "cannot read"),
			error.file[0] ? error.file : path, r < 0 ? r : -EACCES);
	return 0;
}

/* 0 with new_text and new_config, or the exit code. */
static int edit(struct editing *editing)
{
	const struct skm_cli *cli = editing->cli;
	const struct skm_mfa_options *options = editing->options;
	char require[VALUE_BYTES];
	char grace[64] = "";
	struct skm_config_change changes[2] = {{"require", require}, {"grace_until", NULL}};
	struct skm_config_error error = {0};
	int r = format_require(options, require, sizeof(require));
	bool has_date = options->grace && strcmp(options->grace, "none") != 0;
	if (r == 0 && has_date) {
		r = skm_config_quote(options->grace, grace, sizeof(grace));
		changes[1].value = grace;
	}
	if (r == 0)
		r = skm_config_edit(options->config_path, editing->old_text, editing->old_len,
			&(struct skm_config_edit){"mfa", changes, options->grace ? 2 : 1}, &editing->new_text,
			&editing->new_len, &error);
	if (r == 0)
		r = skm_config_parse(options->config_path, editing->new_text, editing->new_len,
			(int64_t)time(NULL), &editing->new_config, &error);
	if (r == SKM_CONFIG_INVALID)
		return say_broken(cli, &error,
			SKM_SAY("この値では設定ファイルが正しくなくなるため、変更していません。",
				"the configuration would not be right with this value; nothing was changed"));
	if (r != 0)
		return skm_cli_failure(cli, SKM_SAY("変更できません:", "cannot change"), options->config_path,
			r < 0 ? r : -EINVAL);
	return 0;
}

/* Owner and mode of the old file, all of it on disk, then one rename. */
static int fill_draft(int fd, const struct editing *editing)
{
	struct stat status;
	if (stat(editing->options->config_path, &status) < 0)
		return -errno;
	if (fchown(fd, status.st_uid, status.st_gid) < 0 || fchmod(fd, status.st_mode & 07777) < 0)
		return -errno;
	int r = skm_fd_write_all(fd, editing->new_text, editing->new_len);
	return r == 0 && fsync(fd) < 0 ? -errno : r;
}

/* Somebody's editor may have written since it was read. */
static int check_unchanged(const struct editing *editing)
{
	SKM_CLEANUP(skm_free) char *text = NULL;
	size_t len = 0;
	int r = skm_file_read_trusted(editing->options->config_path, SKM_CONFIG_BYTES_MAX, &text, &len);
	if (r != 0)
		return r < 0 ? r : -EACCES;
	return len == editing->old_len && memcmp(text, editing->old_text, len) == 0 ? 0 : -EBUSY;
}

static int sync_folder(const char *path)
{
	char folder[PATH_BYTES];
	const char *slash = strrchr(path, '/');
	(void)snprintf(
		folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	SKM_CLEANUP(skm_fd_close) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int replace(const struct editing *editing)
{
	const char *path = editing->options->config_path;
	char draft[PATH_BYTES];
	int len = snprintf(draft, sizeof(draft), "%s.XXXXXX", path);
	if (len < 0 || (size_t)len >= sizeof(draft))
		return -ENAMETOOLONG;
	SKM_CLEANUP(skm_fd_close) int fd = mkostemp(draft, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = fill_draft(fd, editing);
	if (r == 0)
		r = check_unchanged(editing);
	if (r == 0 && rename(draft, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(draft);
		return r;
	}
	return sync_folder(path);
}

static int check_options(const struct skm_cli *cli, const struct skm_mfa_options *options)
{
	int ways = options->requires_all + options->requires_enrolled + (options->group_count > 0);
	if (ways != 1)
		return skm_cli_usage_error(cli,
			SKM_SAY("だれに必須とするかを1つ指定してください",
				"say of whom it is required, in one way"),
			NULL, "--all, --enrolled, --group G …");
	int64_t end_sec = 0;
	if (options->grace && strcmp(options->grace, "none") != 0 &&
		skm_parse_last_day(options->grace, &end_sec) < 0)
		return skm_cli_usage_error(cli,
			SKM_SAY("--grace-until の日付が正しくありません", "wrong value for --grace-until"),
			options->grace, "YYYY-MM-DD, none");
	return check_groups(cli, options);
}

int skm_verb_mfa_require(struct skm_cli *cli, int argc, char **argv)
{
	static const struct option table[] = {SKM_COMMON_OPTIONS, {"all", no_argument, NULL, SKM_MFA_ALL},
		{"enrolled", no_argument, NULL, SKM_MFA_ENROLLED},
		{"group", required_argument, NULL, SKM_MFA_GROUP},
		{"grace-until", required_argument, NULL, SKM_MFA_GRACE},
		{"config", required_argument, NULL, SKM_MFA_CONFIG},
		{"unrecorded", no_argument, NULL, SKM_MFA_UNRECORDED}, SKM_MFA_SOCKET_OPTION,
		{"root", required_argument, NULL, SKM_MFA_ROOT}, {0}};
	cli->japanese_help = help_ja;
	cli->english_help = help_en;
	struct skm_mfa_options options;
	int r = 0;
	if (!skm_mfa_take_options(cli, argc, argv, table, &options, &r))
		return r;
	r = check_options(cli, &options);
	if (r != 0)
		return r;
	struct editing editing = {.cli = cli, .options = &options};
	r = read_old(&editing);
	if (r == 0)
		r = edit(&editing);
	bool is_changed = r == 0 && (editing.new_len != editing.old_len ||
					    memcmp(editing.new_text, editing.old_text, editing.old_len) != 0);
	if (is_changed && is_in_force(&options))
		r = announce(&editing);
	int written = is_changed && r == 0 ? replace(&editing) : 0;
	if (written == -EBUSY)
		r = skm_cli_failure(cli,
			SKM_SAY("その間にほかの人が書き換えたため、変更していません:",
				"somebody else wrote it meanwhile; nothing was changed in"),
			options.config_path, written);
	else if (written < 0)
		r = skm_cli_failure(
			cli, SKM_SAY("書き換えられません:", "cannot write"), options.config_path, written);
	else if (r == 0)
		r = report(&editing, is_changed);
	editing_finish(&editing);
	return r;
}
