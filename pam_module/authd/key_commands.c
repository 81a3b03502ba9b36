// SPDX-License-Identifier: Apache-2.0
/* The words around rekey.h and seal.h. Neither a key nor a secret is ever printed; the one exception is the
 * escrow's public key, which is made to be copied. */
#include "key_commands.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "rekey.h"

struct told {
	const struct skm_key_command *command;
	bool is_restore;
};

/* "cannot <do what> <to which object>: <why>" */
static int fail(const struct skm_key_command *command, const char *what, const char *object, int r)
{
	if (r == -EBUSY) {
		(void)fprintf(stderr, "%s %s: %s\n", what, object,
			skm_text(command->language,
				"認証サービスが動作中です。先に実行: systemctl stop sekimori-authd.socket "
				"sekimori-authd.service",
				"the service is at work; first: systemctl stop sekimori-authd.socket "
				"sekimori-authd.service"));
		return 1;
	}
	(void)fprintf(stderr, "%s %s: %s\n", what, object, strerrordesc_np(-r));
	return r == -EEXIST ? 1 : 3;
}

static int refuse(const struct skm_key_command *command, const char *japanese, const char *english)
{
	(void)fprintf(stderr, "%s\n", skm_text(command->language, japanese, english));
	return 1;
}

int skm_key_command_create(const struct skm_key_command *command)
{
	const char *path = command->paths->key_path;
	int r = skm_key_create(path);
	if (r < 0)
		return fail(command,
			skm_text(command->language, "マシン鍵を作成できません",
				"cannot create the machine key"),
			path, r);
	(void)printf(skm_text(command->language, "マシン鍵を作成しました: %s\n", "machine key created: %s\n"),
		path);
	return 0;
}

static const char *why_not(const struct told *told, int outcome)
{
	const struct skm_key_command *command = told->command;
	if (outcome < 0)
		return strerrordesc_np(-outcome);
	if (!told->is_restore)
		return skm_text(command->language, "どの鍵でも開けません", "no key opens it");
	switch (outcome) {
	case SKM_RESTORE_KEPT:
		return skm_text(command->language, "今の登録が有効なため変更しません",
			"kept, since the record that is there opens");
	case SKM_RESTORE_UNREADABLE:
		return skm_text(command->language, "預託が壊れているか、鍵が違います",
			"the escrow is damaged or sealed to another key");
	default:
		return skm_text(command->language, "この端末に該当する利用者がいません",
			"nobody on this machine has that name or number");
	}
}

static void tell(void *user, uint32_t uid, int outcome)
{
	const struct told *told = user;
	if (outcome != 0)
		(void)fprintf(stderr, "uid %u: %s\n", (unsigned)uid, why_not(told, outcome));
}

int skm_key_command_rekey(const struct skm_key_command *command)
{
	struct told told = {.command = command};
	struct skm_config *config = NULL;
	struct skm_config_error error = {0};
	struct skm_rekey_report report;
	struct skm_rekey_options options = {
		.folder = command->paths->state_folder,
		.fallback_folder = command->paths->fallback_folder,
		.credentials_folder = command->paths->credentials_folder,
		.key_path = command->paths->key_path,
		.ops = &skm_store_ops_system,
		.tell = tell,
		.user = &told,
	};
	const char *what = skm_text(command->language, "鍵を更新できません", "cannot change the machine key");
	int r = skm_machine_id_read(command->paths->machine_id_path, options.machine);
	if (r < 0)
		return fail(command, what, command->paths->machine_id_path, r);
	/* A broken configuration does not stand in the way: then the escrow files stay as they are. */
	if (skm_config_load_file(command->paths->config_path, time(NULL), &config, &error) == 0 &&
		config->mfa.has_escrow_key)
		options.escrow_public_key = config->mfa.escrow_key;
	r = skm_rekey(&options, &report);
	(void)skm_config_free(config);
	if (r < 0)
		return fail(command, what, options.folder, r);
	if (r == SKM_REKEY_NO_KEY)
		return refuse(command, "マシン鍵がありません。先に実行: sekimori-authd --create-key",
			"there is no machine key; first: sekimori-authd --create-key");
	if (r == SKM_REKEY_INVALID)
		return refuse(command, "マシン鍵が正しくありません（rootだけが読める64桁の16進数）",
			"the machine key is not usable (allowed: 64 hex digits, root only)");
	if (r == SKM_REKEY_NOTHING)
		return refuse(command, "鍵はクレデンシャルです。先に新しいクレデンシャルを置いてください",
			"the key is a credential: put the new one there first, and the old one beside it");
	(void)printf(skm_text(command->language, "新しい鍵で封印した人数: %u、開けなかった人数: %u\n",
			     "sealed with the new key: %u, could not be opened: %u\n"),
		report.resealed, report.unreadable);
	return report.unreadable > 0 ? 1 : 0;
}

int skm_key_command_escrow_keypair(const struct skm_key_command *command)
{
	char public_hex[SKM_ESCROW_HEX_BYTES];
	int r = skm_escrow_keypair_create(command->file, public_hex);
	if (r < 0)
		return fail(command,
			skm_text(command->language, "預託用の鍵を作成できません",
				"cannot create the escrow's keys"),
			command->file, r);
	(void)printf("escrow_key = \"%s\";\n", public_hex);
	(void)fprintf(stderr,
		skm_text(command->language,
			"秘密鍵は %s にあります。この端末から移し、オフラインで保管してください。\n",
			"the secret key is in %s: carry it away from this machine and keep it off-line\n"),
		command->file);
	return 0;
}

static int restore(const struct skm_key_command *command, const struct skm_key *key, const char *what)
{
	struct told told = {.command = command, .is_restore = true};
	struct skm_users users = skm_users_system();
	struct skm_restore_report report;
	struct skm_restore_options options = {
		.store = {.folder = command->paths->state_folder,
			.fallback_folder = command->paths->fallback_folder,
			.ops = &skm_store_ops_system,
			.key = key,
			.free_tries = 1},
		.secret_path = command->file,
		.escrow_folder = command->escrow_folder,
		.users = command->escrow_folder ? &users : NULL,
		.tell = tell,
		.user = &told,
	};
	command->paths->clock.now(command->paths->clock.user, &options.now);
	int r = skm_machine_id_read(command->paths->machine_id_path, options.store.machine);
	if (r < 0)
		return fail(command, what, command->paths->machine_id_path, r);
	r = skm_restore_escrow(&options, &report);
	if (r < 0)
		return fail(command, what, options.store.folder, r);
	if (r == SKM_RESTORE_NO_SECRET)
		return fail(command, what, command->file, -ENOENT);
	if (r != 0)
		return refuse(command, "秘密鍵のファイルが正しくありません（所有者だけが読める64桁の16進数）",
			"this is no secret key of the escrow (allowed: 64 hex digits, readable by its owner only)");
	(void)printf(skm_text(command->language, "復元: %u、変更なし: %u、読めない: %u、該当者なし: %u\n",
			     "restored: %u, kept: %u, unreadable: %u, unknown: %u\n"),
		report.restored, report.kept, report.unreadable, report.unknown);
	return report.unreadable + report.unknown > 0 ? 1 : 0;
}

int skm_key_command_restore_escrow(const struct skm_key_command *command)
{
	struct skm_key key;
	const char *what =
		skm_text(command->language, "預託から復元できません", "cannot restore from the escrow");
	int r = skm_key_load(command->paths->credentials_folder, command->paths->key_path, &key);
	if (r < 0)
		return fail(command, what, command->paths->key_path, r);
	if (r != 0)
		return refuse(command,
			"使用できるマシン鍵がありません。先に実行: sekimori-authd --create-key",
			"there is no usable machine key; first: sekimori-authd --create-key");
	r = restore(command, &key, what);
	skm_key_clear(&key);
	return r;
}
