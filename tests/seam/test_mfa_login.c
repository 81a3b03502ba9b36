// SPDX-License-Identifier: Apache-2.0
/* `sekimori mfa enable` and `disable`: the machine's login, with a stand-in for pam-auth-update. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "mfa_scene.h"

TestSuite(mfa_login, .init = mfa_scene_make, .fini = mfa_scene_remove, .timeout = 60);

#define ABSENT(required)                                                                           \
	"{\"user\":\"x\",\"uid\":1,\"enrolled\":false,\"state\":\"absent\",\"required\":" required \
	",\"grace_until\":null,\"tokens\":[],\"recovery_left\":0,\"substitute_until\":null}"

/* A stand-in for pam-auth-update that edits the file as the real one would. */
static void make_machine(void)
{
	tmpdir_write(mfa_folder,
		"root:x:0:0::/root:/bin/bash\nsato:x:1000:1000::/:/bin/bash\n"
		"daemon:x:1:1::/:/bin/bash\nbot:x:1001:1001::/:/usr/sbin/nologin\nnobody:x:65534:65534::/:/bin/sh\n",
		"m/etc/passwd");
	tmpdir_write(mfa_folder, "sekimori-admin:x:990:sato\n", "m/etc/group");
	tmpdir_write(mfa_folder, "auth required pam_unix.so\n", "m/etc/pam.d/common-auth");
	tmpdir_write(mfa_folder, "@include common-auth\n", "m/etc/pam.d/sshd");
	tmpdir_write(mfa_folder, "", "m/var/lib/sekimori/x");
	tmpdir_write(mfa_folder,
		"#!/bin/sh\nfile=$(dirname \"$0\")/m/etc/pam.d/common-auth\necho \"$@\" >>\"$0.log\"\n"
		"case $2 in\n--enable) echo 'auth required pam_sekimori.so' >>\"$file\" ;;\n"
		"--remove) sed -i /pam_sekimori/d \"$file\" ;;\nesac\n",
		"switch");
	char path[TMPDIR_BYTES + 16];
	(void)snprintf(path, sizeof(path), "%s/switch", mfa_folder);
	(void)chmod(path, 0755);
}

static int run_machine(mfa_verb_fn verb, const char *typed, const char *options)
{
	return mfa_run(
		verb, typed, "--root %s/m --pam-auth-update %s/switch %s", mfa_folder, mfa_folder, options);
}

static void answer_factor(enum skm_auth_factor factor)
{
	skm_auth_write_number(mfa_answer(SKM_AUTH_OK), SKM_AUTH_TAG_FACTOR, factor);
}

static void expect_announced(size_t request, uint64_t flags, const char *admin, const char *reason)
{
	mfa_expect_operation(request, SKM_AUTH_SWITCH);
	mfa_expect_text(request, SKM_AUTH_TAG_TEXT, "sekimori, sekimori-split");
	mfa_expect_number(request, SKM_AUTH_TAG_FLAGS, flags);
	mfa_expect_text(request, SKM_AUTH_TAG_USER, admin);
	mfa_expect_text(request, SKM_AUTH_TAG_REASON, reason);
}

Test(mfa_login, enable_switches_after_a_round_trip_and_disable_goes_back)
{
	make_machine();
	(void)mfa_answer(SKM_AUTH_WRONG);
	answer_factor(SKM_AUTH_FACTOR_TOKEN);
	mfa_answer_text(SKM_AUTH_OK, MFA_PERSON("root", "ok", "0"));
	mfa_answer_text(SKM_AUTH_OK, MFA_PERSON("sato", "ok", "0"));
	(void)mfa_answer(SKM_AUTH_OK);
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "111111\n222222\n", "--user sato"), SKM_EXIT_YES, "%s",
		mfa_err);
	mfa_expect_operation(1, SKM_AUTH_VERIFY);
	mfa_expect_text(1, SKM_AUTH_TAG_USER, "sato");
	mfa_expect_text(1, SKM_AUTH_TAG_SERVICE, "sekimori-mfa-enable");
	mfa_expect_bytes(1, SKM_AUTH_TAG_ANSWER, "222222", 6);
	mfa_expect_text(2, SKM_AUTH_TAG_USER, "root");
	mfa_expect_text(3, SKM_AUTH_TAG_USER, "sato");
	expect_announced(4, SKM_AUTH_FLAG_LOGIN_ON, "sato", "");
	tmpdir_expect(mfa_folder, "--package --enable sekimori sekimori-split\n", "switch.log");
	tmpdir_expect(mfa_folder, "auth required pam_unix.so\nauth required pam_sekimori.so\n",
		"m/etc/pam.d/common-auth");
	tmpdir_expect(mfa_folder, "auth required pam_unix.so\n", "m/var/lib/sekimori/pam-before/common-auth");
	tmpdir_expect(mfa_folder, "@include common-auth\n", "m/var/lib/sekimori/pam-before/sshd");
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "", "--user sato"), SKM_EXIT_YES, "it is on already");
	mfa_prints("It is on already");
	tmpdir_expect(mfa_folder, "auth required pam_unix.so\n", "m/var/lib/sekimori/pam-before/common-auth");

	cr_expect_eq(run_machine(skm_verb_mfa_disable, "", ""), SKM_EXIT_NO, "nobody confirmed");
	mfa_says("confirm with --yes");
	(void)mfa_answer(SKM_AUTH_OK);
	cr_expect_eq(run_machine(skm_verb_mfa_disable, "", "--yes --reason repair"), SKM_EXIT_YES);
	cr_expect_eq(mfa_request_count, 1u);
	expect_announced(0, 0, "", "repair");
	mfa_prints("is what it was before");
	tmpdir_expect(mfa_folder, "auth required pam_unix.so\n", "m/etc/pam.d/common-auth");
	cr_expect_eq(run_machine(skm_verb_mfa_disable, "", "--yes --json"), SKM_EXIT_YES);
	cr_expect_eq(mfa_request_count, 0u, "what is not switched is not announced");
	cr_expect_str_eq(mfa_out, "{\"changed\":false}\n");
}

Test(mfa_login, enable_refuses_without_a_token_of_an_administrator)
{
	make_machine();
	answer_factor(SKM_AUTH_FACTOR_RECOVERY);
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "1\n", "--user sato"), SKM_EXIT_NO);
	mfa_says("not a recovery code");
	(void)mfa_answer(SKM_AUTH_NOT_REQUIRED);
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "1\n", "--user sato"), SKM_EXIT_NO);
	mfa_says("nothing registered");
	(void)mfa_answer(SKM_AUTH_UNENROLLED);
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "1\n", "--user sato"), SKM_EXIT_NO);
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "", "--user sato"), SKM_EXIT_NO);
	mfa_says("an administrator's code is needed");
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "1\n", "--user bot"), SKM_EXIT_NO);
	mfa_says("neither root nor in sekimori-admin");
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "1\n", "--user ghost"), SKM_EXIT_UNKNOWN);
	tmpdir_expect(mfa_folder, "auth required pam_unix.so\n", "m/etc/pam.d/common-auth");
}

Test(mfa_login, enable_names_those_who_would_be_locked_out)
{
	make_machine();
	answer_factor(SKM_AUTH_FACTOR_TOKEN);
	mfa_answer_text(SKM_AUTH_OK, ABSENT("false"));
	mfa_answer_text(SKM_AUTH_OK, ABSENT("true"));
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "1\n", "--user sato"), SKM_EXIT_NO);
	mfa_says("  sato\n");
	cr_expect_null(strstr(mfa_err, "  root\n"), "the policy asks nothing of root here");
	tmpdir_expect(mfa_folder, "auth required pam_unix.so\n", "m/etc/pam.d/common-auth");
	answer_factor(SKM_AUTH_FACTOR_TOKEN);
	mfa_answer_text(SKM_AUTH_OK, MFA_PERSON("root", "wrong-key", "0"));
	mfa_answer_text(SKM_AUTH_OK, ABSENT("true"));
	(void)mfa_answer(SKM_AUTH_OK);
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "1\n", "ja| --user sato --yes"), SKM_EXIT_YES);
	mfa_says("  root\n  sato\n");
	/* Something else changed meanwhile: told, and left. */
	tmpdir_write(mfa_folder, "other\n", "m/etc/pam.d/sshd");
	tmpdir_write(mfa_folder, "new\n", "m/etc/pam.d/xrdp");
	(void)mfa_answer(SKM_AUTH_OK);
	cr_expect_eq(run_machine(skm_verb_mfa_disable, "", "--yes"), SKM_EXIT_YES);
	mfa_says("not as it was kept: sshd");
	mfa_says("not as it was kept: xrdp");
	tmpdir_expect(mfa_folder, "other\n", "m/etc/pam.d/sshd");
}

/* All that comes before the switch, and two answers to what is announced. */
static void answer_up_to_the_switch(enum skm_auth_outcome announced)
{
	answer_factor(SKM_AUTH_FACTOR_TOKEN);
	mfa_answer_text(SKM_AUTH_OK, MFA_PERSON("root", "ok", "0"));
	mfa_answer_text(SKM_AUTH_OK, MFA_PERSON("sato", "ok", "0"));
	(void)mfa_answer(announced);
	(void)mfa_answer(announced);
}

Test(mfa_login, a_switch_that_does_nothing_or_fails_is_told_and_taken_back)
{
	make_machine();
	tmpdir_write(mfa_folder, "#!/bin/sh\necho \"$@\" >>\"$0.log\"\n", "switch");
	answer_up_to_the_switch(SKM_AUTH_OK);
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "1\n", "--user sato"), SKM_EXIT_UNKNOWN);
	mfa_says("did not change");
	tmpdir_expect(mfa_folder,
		"--package --enable sekimori sekimori-split\n--package --remove sekimori sekimori-split\n",
		"switch.log");
	expect_announced(3, SKM_AUTH_FLAG_LOGIN_ON, "sato", "");
	expect_announced(4, SKM_AUTH_FLAG_LOGIN_ON | SKM_AUTH_FLAG_FAILED, "sato", "");
	tmpdir_write(mfa_folder, "#!/bin/sh\nexit 3\n", "switch");
	answer_up_to_the_switch(SKM_AUTH_OK);
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "1\n", "--user sato"), SKM_EXIT_UNKNOWN);
	mfa_says("/switch failed");
	tmpdir_write(mfa_folder, "auth required pam_sekimori.so\n", "m/etc/pam.d/common-auth");
	(void)mfa_answer(SKM_AUTH_OK);
	(void)mfa_answer(SKM_AUTH_OK);
	cr_expect_eq(run_machine(skm_verb_mfa_disable, "", "--yes"), SKM_EXIT_UNKNOWN);
	expect_announced(0, 0, "", "");
	expect_announced(1, SKM_AUTH_FLAG_FAILED, "", "");
}

/* ---- on record, or not at all ---- */

Test(mfa_login, what_cannot_be_recorded_is_not_switched_on)
{
	static const enum skm_auth_outcome outcomes[] = {
		SKM_AUTH_UNAVAILABLE, SKM_AUTH_DENIED, SKM_AUTH_BAD_REQUEST, SKM_AUTH_BUSY};
	make_machine();
	for (size_t i = 0; i < SKM_ARRAY_SIZE(outcomes); i++) {
		answer_up_to_the_switch(outcomes[i]);
		cr_expect_eq(run_machine(skm_verb_mfa_enable, "1\n", "--user sato"), SKM_EXIT_UNKNOWN);
		cr_expect_eq(mfa_request_count, 4u, "%zu", mfa_request_count);
		cr_expect_str_eq(mfa_out, "");
		tmpdir_expect(mfa_folder, "auth required pam_unix.so\n", "m/etc/pam.d/common-auth");
	}
	answer_up_to_the_switch(SKM_AUTH_OK);
	mfa_exchange_count -= 2; /* authd ends */
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "1\n", "--user sato"), SKM_EXIT_UNKNOWN);
	tmpdir_expect(mfa_folder, "auth required pam_unix.so\n", "m/etc/pam.d/common-auth");
	/* The way there has no way round. */
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "1\n", "--user sato --unrecorded"), SKM_EXIT_USAGE);
}

Test(mfa_login, the_way_back_goes_without_a_record_only_when_told_to)
{
	static const char on[] = "auth required pam_unix.so\nauth required pam_sekimori.so\n";
	make_machine();
	tmpdir_write(mfa_folder, on, "m/etc/pam.d/common-auth");
	cr_expect_eq(run_machine(skm_verb_mfa_disable, "", "--yes"), SKM_EXIT_UNKNOWN, "no authd");
	mfa_says("in an emergency --unrecorded");
	(void)mfa_answer(SKM_AUTH_UNAVAILABLE);
	cr_expect_eq(run_machine(skm_verb_mfa_disable, "", "ja| --yes"), SKM_EXIT_UNKNOWN);
	mfa_says("監査記録に残せないため、何も変更していません");
	tmpdir_expect(mfa_folder, on, "m/etc/pam.d/common-auth");
	cr_expect_eq(run_machine(skm_verb_mfa_disable, "", "--yes --unrecorded"), SKM_EXIT_YES);
	mfa_says("could not be put on record");
	tmpdir_expect(mfa_folder, "auth required pam_unix.so\n", "m/etc/pam.d/common-auth");
	tmpdir_write(mfa_folder, on, "m/etc/pam.d/common-auth");
	(void)mfa_answer(SKM_AUTH_OK);
	cr_expect_eq(run_machine(skm_verb_mfa_disable, "", "--yes --unrecorded"), SKM_EXIT_YES);
	cr_expect_eq(mfa_request_count, 1u, "where it can be recorded, it is");
	cr_expect_null(strstr(mfa_err, "could not be put on record"));
}

/* ---- what it does not reach ---- */

Test(mfa_login, ways_around_it_are_named_before_the_code_is_asked_for)
{
	make_machine();
	tmpdir_write(mfa_folder, "auth required pam_fprintd.so\n", "m/etc/pam.d/gdm-fingerprint");
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "", "--user sato"), SKM_EXIT_NO, "no code was typed");
	mfa_says("Warning: ways around the code remain once it is on:\n"
		 "  gdm-fingerprint: pam_fprintd.so alone lets people in (no code)\n");
	cr_expect_null(strstr(mfa_err, "  sshd:"), "it will ask");
	answer_up_to_the_switch(SKM_AUTH_OK);
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "1\n", "ja| --user sato --json"), SKM_EXIT_YES);
	mfa_says("注意: 有効にしても、確認コードなしの入口が残ります:\n"
		 "  gdm-fingerprint: pam_fprintd.so だけで認証できます（確認コードなし）\n");
	cr_expect_str_eq(mfa_out,
		"{\"changed\":true,\"enabled\":true,\"login\":{\"asks_for_code\":true,\"ways_around\":[{\"service\":"
		"\"gdm-fingerprint\",\"modules\":[\"pam_fprintd.so\"],\"autologin\":false}],"
		"\"closed_as_installed\":[],\"not_judged\":[]}}\n");
}

Test(mfa_login, nothing_is_said_where_there_is_no_way_around_it)
{
	make_machine();
	answer_up_to_the_switch(SKM_AUTH_OK);
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "1\n", "--user sato"), SKM_EXIT_YES);
	cr_expect_null(strstr(mfa_err, "Warning"));
}

Test(mfa_login, status_tells_of_the_machine_too_and_its_exit_code_is_about_the_person)
{
	make_machine();
	mfa_answer_text(SKM_AUTH_OK, MFA_PERSON("sato", "ok", "0"));
	cr_expect_eq(mfa_run(skm_verb_mfa_status, "", "--user sato --root %s/m", mfa_folder), SKM_EXIT_YES);
	mfa_prints("\nthis terminal's logins ask for no code (to switch: sekimori mfa enable)\n"
		   "ways around it: none\n");
	tmpdir_write(mfa_folder, "auth required pam_fprintd.so\n", "m/etc/pam.d/gdm-fingerprint");
	mfa_answer_text(SKM_AUTH_OK, MFA_PERSON("sato", "ok", "0"));
	cr_expect_eq(mfa_run(skm_verb_mfa_status, "", "--user sato --root %s/m", mfa_folder), SKM_EXIT_YES);
	mfa_prints("ways around it that remain once it is on:\n  gdm-fingerprint: pam_fprintd.so alone");
	tmpdir_write(mfa_folder, "auth required pam_unix.so\nauth required pam_sekimori.so\n",
		"m/etc/pam.d/common-auth");
	mfa_answer_text(SKM_AUTH_OK, MFA_PERSON("sato", "ok", "0"));
	cr_expect_eq(
		mfa_run(skm_verb_mfa_status, "", "ja| --user sato --root %s/m", mfa_folder), SKM_EXIT_YES);
	mfa_prints("\nこの端末のログイン: 確認コードを求めます\n確認コードなしの入口:\n"
		   "  gdm-fingerprint: pam_fprintd.so だけで認証できます（確認コードなし）\n");
	mfa_answer_text(SKM_AUTH_OK, MFA_PERSON("sato", "ok", "0"));
	cr_expect_eq(
		mfa_run(skm_verb_mfa_status, "", "--user sato --json --root %s/m", mfa_folder), SKM_EXIT_YES);
	mfa_prints(
		"\"self\":0},\"login\":{\"asks_for_code\":true,\"ways_around\":[{\"service\":\"gdm-fingerprint\","
		"\"modules\":[\"pam_fprintd.so\"],\"autologin\":false}],\"closed_as_installed\":[],"
		"\"not_judged\":[]}}\n");
}

Test(mfa_login, the_machine_is_told_of_when_the_service_does_not_answer)
{
	make_machine();
	tmpdir_write(mfa_folder, "auth required pam_fprintd.so\n", "m/etc/pam.d/gdm-fingerprint");
	mfa_exchange_count = 1;
	mfa_exchanges[0].count = 0; /* hangs up */
	cr_expect_eq(
		mfa_run(skm_verb_mfa_status, "", "--user sato --root %s/m", mfa_folder), SKM_EXIT_UNKNOWN);
	mfa_prints("this terminal's logins ask for no code");
	mfa_prints("gdm-fingerprint: pam_fprintd.so alone");
	cr_expect_str_neq(mfa_err, "");
	mfa_exchange_count = 1;
	mfa_exchanges[0].count = 0;
	cr_expect_eq(mfa_run(skm_verb_mfa_status, "", "--user sato --json --root %s/m", mfa_folder),
		SKM_EXIT_UNKNOWN);
	cr_expect_eq(strstr(mfa_out, "{\"login\":{\"asks_for_code\":false,"), mfa_out, "%s", mfa_out);
}

/* ---- of whom it is required ---- */

Test(mfa_login, of_whom_it_is_required_is_announced_before_it_is_written)
{
	char path[TMPDIR_BYTES + 16];
	tmpdir_write(mfa_folder, "mfa: { require = \"all\"; };\n", "conf");
	(void)snprintf(path, sizeof(path), "%s/conf", mfa_folder);
	(void)mfa_answer(SKM_AUTH_UNAVAILABLE);
	cr_expect_eq(mfa_run(skm_verb_mfa_require, "", "--config %s --enrolled", path), SKM_EXIT_UNKNOWN);
	mfa_says("nothing was changed, since it could not be put on record");
	cr_expect_str_eq(mfa_out, "");
	cr_expect_eq(mfa_run(skm_verb_mfa_require, "", "ja| --config %s --enrolled", path), SKM_EXIT_UNKNOWN,
		"no service");
	mfa_says("監査記録に残せないため、何も変更していません。");
	tmpdir_expect(mfa_folder, "mfa: { require = \"all\"; };\n", "conf");
	(void)mfa_answer(SKM_AUTH_OK);
	cr_expect_eq(mfa_run(skm_verb_mfa_require, "", "--config %s --enrolled", path), SKM_EXIT_YES);
	mfa_expect_operation(0, SKM_AUTH_POLICY);
	mfa_expect_text(0, SKM_AUTH_TAG_TEXT,
		"is about to be written: require = enrolled, grace_until = -; before: require = all, grace_until = -");
	tmpdir_expect(mfa_folder, "mfa: { require = \"enrolled\"; };\n", "conf");
	cr_expect_eq(mfa_run(skm_verb_mfa_require, "", "--config %s --enrolled", path), SKM_EXIT_YES);
	cr_expect_eq(mfa_request_count, 0u, "what is so already is not announced");
	cr_expect_eq(mfa_run(skm_verb_mfa_require, "", "--config %s --all --unrecorded", path), SKM_EXIT_YES);
	tmpdir_expect(mfa_folder, "mfa: { require = \"all\"; };\n", "conf");
}
