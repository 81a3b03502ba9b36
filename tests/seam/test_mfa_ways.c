// SPDX-License-Identifier: Apache-2.0
/* The files that Debian ships, folders and modules as they lie on a machine, and libpam itself as the judge
 * of what the walk says. */
#include <criterion/criterion.h>
#include <limits.h>
#include <security/pam_appl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "mfa_ways.h"
#include "tmpdir.h"

#define DATA SKM_SOURCE_DIR "/tests/data/pam/"
#define OURS "auth required pam_sekimori.so\n"

static char root[TMPDIR_BYTES];
static struct skm_mfa_ways *ways;

static void prepare(void)
{
	tmpdir_make(root);
}

static void clean(void)
{
	skm_mfa_ways_free(&ways);
	tmpdir_remove(root);
}

TestSuite(mfa_ways, .init = prepare, .fini = clean, .timeout = 280);

static const char *printed(enum skm_language language)
{
	static char text[16384];
	text[0] = '\0'; /* fmemopen ends the text only behind what was there */
	FILE *file = fmemopen(text, sizeof(text), "w");
	skm_mfa_ways_print(file, language, ways);
	(void)fclose(file);
	return text;
}

static void find(const char *where, bool after_enabling)
{
	skm_mfa_ways_free(&ways);
	cr_assert_eq(skm_mfa_ways_find(where, after_enabling, &ways), 0);
}

static void expect_printed(enum skm_language language, const char *wanted)
{
	const char *text = printed(language);
	cr_expect(strcmp(text, wanted) == 0, "is:\n%s\nnot:\n%s", text, wanted);
}

/* ---- Debian ---- */

/* cron, atd, sshd, sudo, su, login, polkit-1, lightdm, sddm … are not among them. */
Test(mfa_ways, debian_12_with_every_desktop)
{
	find(DATA "debian-12", true);
	expect_printed(SKM_LANGUAGE_EN,
		"  gdm-autologin: pam_permit.so alone lets people in (no code), only where automatic login is configured\n"
		"  gdm-fingerprint: pam_fprintd.so alone lets people in (no code)\n"
		"  gdm-smartcard-pkcs11-exclusive: pam_pkcs11.so alone lets people in (no code)\n"
		"  gdm-smartcard-sssd-exclusive: pam_sss.so alone lets people in (no code)\n"
		"  gdm-smartcard-sssd-or-password: pam_sss.so alone lets people in (no code)\n"
		"  lightdm-autologin: pam_permit.so alone lets people in (no code), only where automatic login is configured\n"
		"  sddm-autologin: pam_permit.so alone lets people in (no code), only where automatic login is configured\n");
	cr_expect_eq(skm_mfa_ways_count(ways), 7u);
	cr_expect_not(skm_mfa_ways_asks(ways), "ours is not there yet");
}

Test(mfa_ways, debian_13_with_gdm)
{
	find(DATA "debian-13", false);
	expect_printed(SKM_LANGUAGE_JA,
		"  gdm-autologin: pam_permit.so だけで認証できます（確認コードなし）。自動ログインを設定した場合のみ\n"
		"  gdm-fingerprint: pam_fprintd.so だけで認証できます（確認コードなし）\n"
		"  gdm-smartcard-pkcs11-exclusive: pam_pkcs11.so だけで認証できます（確認コードなし）\n"
		"  gdm-smartcard-sssd-exclusive: pam_sss.so だけで認証できます（確認コードなし）\n"
		"  gdm-smartcard-sssd-or-password: pam_sss.so だけで認証できます（確認コードなし）\n");
}

/* ---- where things lie ---- */

Test(mfa_ways, modules_that_are_not_installed_open_nothing)
{
	tmpdir_write(root, "auth required pam_fprintd.so\n", "etc/pam.d/gdm-fingerprint");
	tmpdir_write(root, "auth required pam_unix.so\n" OURS, "etc/pam.d/common-auth");
	tmpdir_write(root, "@include common-auth\n", "etc/pam.d/login");
	tmpdir_write(root, "", "usr/lib/x86_64-linux-gnu/security/pam_unix.so");
	find(root, false);
	cr_expect(skm_mfa_ways_asks(ways));
	cr_expect_eq(skm_mfa_ways_count(ways), 0u);
	expect_printed(SKM_LANGUAGE_EN,
		"  gdm-fingerprint: pam_fprintd.so is not installed; with it, people would get in without a code\n");
	expect_printed(SKM_LANGUAGE_JA,
		"  gdm-fingerprint: pam_fprintd.so がないため今は閉じています（入れると、それだけで認証できます）\n");
	tmpdir_write(root, "", "lib64/security/pam_fprintd.so");
	find(root, false);
	cr_expect_eq(skm_mfa_ways_count(ways), 1u);
	tmpdir_write(root, "auth required /opt/pam_x.so\n", "etc/pam.d/gdm-fingerprint");
	find(root, false);
	cr_expect_eq(skm_mfa_ways_count(ways), 0u);
	tmpdir_write(root, "", "opt/pam_x.so");
	find(root, false);
	cr_expect_eq(skm_mfa_ways_count(ways), 1u);
}

Test(mfa_ways, the_administrators_file_counts_before_the_vendors)
{
	tmpdir_write(root, "auth required pam_permit.so\n", "usr/lib/pam.d/polkit-1");
	tmpdir_write(root, "auth required pam_permit.so\n", "usr/lib/pam.d/xrdp");
	tmpdir_write(root, OURS, "etc/pam.d/polkit-1");
	find(root, false);
	expect_printed(SKM_LANGUAGE_EN, "  xrdp: pam_permit.so alone lets people in (no code)\n");
}

/* What has no auth line gets those of "other", which is named once. */
Test(mfa_ways, other_speaks_for_those_without_lines)
{
	tmpdir_write(root, "session required pam_limits.so\n", "etc/pam.d/systemd-user");
	tmpdir_write(root, OURS, "etc/pam.d/other");
	find(root, false);
	expect_printed(SKM_LANGUAGE_EN, "");
	tmpdir_write(root, "auth required pam_unix.so\n", "etc/pam.d/other");
	tmpdir_write(root, OURS, "etc/pam.d/login");
	find(root, false);
	expect_printed(SKM_LANGUAGE_EN, "  other: pam_unix.so alone lets people in (no code)\n");
}

Test(mfa_ways, what_is_no_service_is_left_out)
{
	static const char *const others[] = {"common-auth", "common-auth.pam-old", "sshd.dpkg-dist", "sshd~",
		".sshd.swp", "lightdm-greeter", "gdm-launch-environment", "SSHD", "login.rpmnew", ""};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(others); i++)
		cr_expect_not(skm_mfa_ways_is_service(others[i]), "%s", others[i]);
	cr_expect(skm_mfa_ways_is_service("sshd"));
	cr_expect(skm_mfa_ways_is_service("gdm-autologin"));
	/* as long as a file's name may be */
	char longest[NAME_MAX + 1] = "";
	memset(longest, 'x', NAME_MAX);
	cr_expect(skm_mfa_ways_is_service(longest));
	tmpdir_write(root, "", "etc/pam.d/folder/x");
	find(root, false);
	expect_printed(SKM_LANGUAGE_EN, "");
	find("/nonexistent", false);
	expect_printed(SKM_LANGUAGE_EN, "");
}

Test(mfa_ways, what_cannot_be_judged_is_named_as_such)
{
	char *large = calloc(1, SKM_PAM_FILE_BYTES + 1);
	memset(large, '#', SKM_PAM_FILE_BYTES);
	tmpdir_write(root, large, "etc/pam.d/large");
	free(large);
	tmpdir_write(root, OURS, "etc/pam.d/login");
	find(root, false);
	cr_expect_eq(skm_mfa_ways_count(ways), 1u);
	expect_printed(SKM_LANGUAGE_EN, "  large: cannot be judged: File too large\n");
	char text[1024];
	struct skm_json json;
	skm_json_init(&json, text, sizeof(text));
	skm_mfa_ways_json(&json, ways);
	cr_expect_str_eq(text,
		"\"login\":{\"asks_for_code\":true,\"ways_around\":[],\"closed_as_installed\":[],"
		"\"not_judged\":[\"large\"]}");
}

/* ---- libpam is the judge ---- */

static uint32_t random_state;

static unsigned pick(unsigned count)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 16) % count;
}

static void write_control(FILE *file)
{
	static const char *const plain[] = {
		"required", "requisite", "sufficient", "optional", "Required", "what"};
	static const char *const codes[] = {
		"success", "auth_err", "ignore", "module_unknown", "perm_denied", "default"};
	static const char *const actions[] = {
		"ok", "ignore", "done", "bad", "die", "reset", "1", "2", "3", "0", "OK"};
	if (pick(2)) {
		(void)fputs(plain[pick(5 + (pick(8) == 0))], file);
		return;
	}
	(void)fputc('[', file);
	for (unsigned count = pick(4); count > 0; count--)
		(void)fprintf(file, "%s=%s ", codes[pick(6)], actions[pick(pick(8) ? 9 : 11)]);
	(void)fprintf(file, "default=%s]", actions[pick(9)]);
}

/* Without an @include that leads nowhere: libpam refuses that, and leaks. FREE1 and FREE2 stand for modules
 * that may say anything. */
static void write_stack(FILE *file, unsigned *free_count, bool is_nested)
{
	static const char *const modules[] = {
		"pam_permit.so", "pam_deny.so", "pam_absent.so", "pam_permit.so"};
	static const char *const nested[] = {"@a", "@b", "@nowhere"};
	for (unsigned count = 1 + pick(5); count > 0; count--) {
		if (!is_nested && pick(4) == 0) {
			(void)fprintf(
				file, "auth %s %s\n", pick(2) ? "substack" : "include", nested[pick(3)]);
			continue;
		}
		(void)fputs(pick(5) ? "auth " : "-auth ", file);
		write_control(file);
		if (free_count && *free_count < 2 && pick(2))
			(void)fprintf(file, " FREE%u\n", ++*free_count);
		else
			(void)fprintf(file, " %s\n", modules[pick(4)]);
	}
}

/* Writes the stack with a module that always answers `answers[i]` for each that is free: for us into
 * etc/pam.d, for libpam beside it, since pam_start_confdir(3) looks for what is included in /etc/pam.d all
 * the same. */
static void write_answers(const char *text, const char *const answers[2])
{
	char ours[4096] = "";
	char theirs[4096] = "";
	for (const char *at = text; *at;) {
		char word[64];
		size_t len = strlen(ours);
		size_t their_len = strlen(theirs);
		if (strncmp(at, "FREE", 4) == 0) {
			(void)snprintf(word, sizeof(word), "pam_debug.so auth=%s", answers[at[4] - '1']);
			at += 5;
		} else {
			(void)snprintf(word, sizeof(word), "%c", *at++);
		}
		bool is_folder = word[0] == '@';
		(void)snprintf(ours + len, sizeof(ours) - len, "%s", is_folder ? "" : word);
		(void)snprintf(theirs + their_len, sizeof(theirs) - their_len, "%s%s",
			is_folder ? root : word, is_folder ? "/etc/pam.d/" : "");
	}
	tmpdir_write(root, ours, "etc/pam.d/x");
	tmpdir_write(root, theirs, "libpam/x");
}

static bool libpam_lets_in(void)
{
	char folder[TMPDIR_BYTES + 16];
	const struct pam_conv conv = {NULL, NULL};
	pam_handle_t *pamh = NULL;
	(void)snprintf(folder, sizeof(folder), "%s/libpam", root);
	int r = pam_start_confdir("x", "nobody", &conv, folder, &pamh);
	if (r == PAM_SUCCESS)
		r = pam_authenticate(pamh, PAM_SILENT);
	if (pamh)
		(void)pam_end(pamh, r);
	return r == PAM_SUCCESS;
}

static bool any_answer_lets_in(const char *text, unsigned free_count)
{
	static const char *const codes[] = {"success", "auth_err", "ignore", "module_unknown", "perm_denied",
		"new_authtok_reqd", "system_err"};
	unsigned count = (unsigned)SKM_ARRAY_SIZE(codes);
	for (unsigned i = 0; i < (free_count > 0 ? count : 1); i++) {
		for (unsigned k = 0; k < (free_count > 1 ? count : 1); k++) {
			write_answers(text, (const char *const[2]){codes[i], codes[k]});
			if (libpam_lets_in())
				return true;
		}
	}
	return false;
}

static void write_nested(const char *name, char text[4096])
{
	text[0] = '\0';
	FILE *file = fmemopen(text, 4096, "w");
	write_stack(file, NULL, true);
	(void)fclose(file);
	tmpdir_write(root, text, "etc/pam.d/%s", name);
}

Test(mfa_ways, libpam_agrees_about_stacks_by_chance)
{
	unsigned open_count = 0;
	tmpdir_write(root, "auth required pam_deny.so\n", "libpam/other");
	tmpdir_write(root, "", "lib/security/pam_permit.so");
	tmpdir_write(root, "", "lib/security/pam_deny.so");
	tmpdir_write(root, "", "lib/security/pam_debug.so");
	for (uint32_t seed = 1; seed <= 1500; seed++) {
		char text[4096] = "";
		unsigned free_count = 0;
		random_state = seed * 2654435761u;
		FILE *file = fmemopen(text, sizeof(text), "w");
		write_stack(file, seed % 4 ? NULL : &free_count, false);
		(void)fclose(file);
		char nested[2][4096];
		write_nested("a", nested[0]);
		write_nested("b", nested[1]);
		bool is_open = any_answer_lets_in(text, free_count);
		open_count += is_open;
		find(root, false);
		bool is_said = strstr(printed(SKM_LANGUAGE_EN), "  x: ") &&
			       !strstr(strstr(printed(SKM_LANGUAGE_EN), "  x: "), "is not installed");
		cr_assert_eq(is_said, is_open, "seed %u: libpam %s:\n%s\na:\n%sb:\n%s\n%s", seed,
			is_open ? "lets in" : "refuses", text, nested[0], nested[1],
			printed(SKM_LANGUAGE_EN));
	}
	cr_expect(open_count > 200 && open_count < 1300, "%u of 1500 are open", open_count);
}
