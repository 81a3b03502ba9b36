// SPDX-License-Identifier: Apache-2.0
/* The PAM stack in a folder of the test's own. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "mfa_stack.h"
#include "tmpdir.h"

static char root[TMPDIR_BYTES];
static char differences[256];

static void prepare(void)
{
	tmpdir_make(root);
	tmpdir_write(root, "auth required pam_unix.so\n", "etc/pam.d/common-auth");
	tmpdir_write(root, "@include common-auth\n", "etc/pam.d/sshd");
	tmpdir_write(root, "hidden\n", "etc/pam.d/.swp");
	tmpdir_write(root, "", "var/lib/sekimori/x");
	differences[0] = '\0';
}

static void clean(void)
{
	tmpdir_remove(root);
}

TestSuite(mfa_stack, .init = prepare, .fini = clean, .timeout = 30);

static void on_difference(void *user, const char *name)
{
	(void)user;
	(void)strcat(strcat(differences, name), " ");
}

static bool exists(const char *path)
{
	char whole[256];
	(void)snprintf(whole, sizeof(whole), "%s/%s", root, path);
	return access(whole, F_OK) == 0;
}

Test(mfa_stack, a_comment_switches_nothing_on)
{
	cr_expect_eq(skm_mfa_stack_is_on(root), 0);
	tmpdir_write(root,
		"# auth required pam_sekimori.so\nauth required pam_unix.so # not pam_sekimori.so\n",
		"etc/pam.d/common-auth");
	cr_expect_eq(skm_mfa_stack_is_on(root), 0);
	tmpdir_write(root, "auth required pam_unix.so\nauth\trequired\t/lib/security/pam_sekimori.so lang=ja",
		"etc/pam.d/common-auth");
	cr_expect_eq(skm_mfa_stack_is_on(root), 1);
	cr_expect_eq(skm_mfa_stack_is_on("/nonexistent"), -ENOENT);
}

/* authselect: no common-auth, and the files are links. */
Test(mfa_stack, authselects_files_count_where_there_is_no_common_auth)
{
	char path[256];
	char target[256];
	(void)snprintf(path, sizeof(path), "%s/etc/pam.d/common-auth", root);
	cr_assert_eq(unlink(path), 0);
	cr_expect_eq(skm_mfa_stack_is_on(root), -ENOENT);
	tmpdir_write(root, "auth required pam_unix.so\n", "etc/authselect/system-auth");
	(void)snprintf(path, sizeof(path), "%s/etc/pam.d/system-auth", root);
	(void)snprintf(target, sizeof(target), "%s/etc/authselect/system-auth", root);
	cr_assert_eq(symlink(target, path), 0);
	(void)snprintf(path, sizeof(path), "%s/etc/pam.d/smartcard-auth", root);
	cr_assert_eq(symlink("/nonexistent/x", path), 0);
	cr_expect_eq(skm_mfa_stack_is_on(root), 0);
	cr_assert_eq(skm_mfa_stack_keep(root), 0, "a link that leads nowhere is no service");
	tmpdir_expect(root, "auth required pam_unix.so\n", "var/lib/sekimori/pam-before/system-auth");
	cr_expect_eq(skm_mfa_stack_compare(root, on_difference, NULL), 0);
	tmpdir_write(root, "auth requisite pam_sekimori.so\n", "etc/authselect/system-auth");
	cr_expect_eq(skm_mfa_stack_is_on(root), 1);
	cr_expect_eq(skm_mfa_stack_compare(root, on_difference, NULL), 1);
	cr_expect_str_eq(differences, "system-auth ");
}

Test(mfa_stack, a_copy_is_whole_private_and_replaces_the_older_one)
{
	struct stat status;
	char path[256];
	/* What an interrupted copy left. */
	tmpdir_write(root, "old\n", "var/lib/sekimori/pam-before.new/leftover");
	cr_assert_eq(skm_mfa_stack_keep(root), 0);
	tmpdir_expect(root, "auth required pam_unix.so\n", "var/lib/sekimori/pam-before/common-auth");
	tmpdir_expect(root, "@include common-auth\n", "var/lib/sekimori/pam-before/sshd");
	cr_expect_not(exists("var/lib/sekimori/pam-before/.swp"));
	cr_expect_not(exists("var/lib/sekimori/pam-before/leftover"));
	(void)snprintf(path, sizeof(path), "%s/var/lib/sekimori/pam-before/sshd", root);
	cr_assert_eq(stat(path, &status), 0);
	cr_expect_eq(status.st_mode & 0777, 0600u);
	tmpdir_write(root, "changed\n", "etc/pam.d/common-auth");
	(void)snprintf(path, sizeof(path), "%s/etc/pam.d/sshd", root);
	(void)unlink(path);
	cr_assert_eq(skm_mfa_stack_keep(root), 0);
	tmpdir_expect(root, "changed\n", "var/lib/sekimori/pam-before/common-auth");
	cr_expect_not(exists("var/lib/sekimori/pam-before/sshd"), "gone with the older copy");
	cr_expect_not(exists("var/lib/sekimori/pam-before.new"));
}

Test(mfa_stack, a_file_that_cannot_be_copied_whole_leaves_the_older_copy)
{
	cr_assert_eq(skm_mfa_stack_keep(root), 0);
	char *large = calloc(1, 100001);
	memset(large, 'x', 100000);
	tmpdir_write(root, large, "etc/pam.d/common-auth");
	free(large);
	cr_expect_eq(skm_mfa_stack_keep(root), -EFBIG);
	tmpdir_expect(root, "auth required pam_unix.so\n", "var/lib/sekimori/pam-before/common-auth");
}

Test(mfa_stack, what_changed_is_named)
{
	cr_expect_eq(skm_mfa_stack_compare(root, on_difference, NULL), -ENOENT, "nothing was kept");
	cr_assert_eq(skm_mfa_stack_keep(root), 0);
	cr_expect_eq(skm_mfa_stack_compare(root, on_difference, NULL), 0);
	cr_expect_str_eq(differences, "");
	char path[256];
	(void)snprintf(path, sizeof(path), "%s/etc/pam.d/sshd", root);
	(void)unlink(path);
	tmpdir_write(root, "auth required pam_unix.sO\n", "etc/pam.d/common-auth");
	tmpdir_write(root, "new\n", "etc/pam.d/xrdp");
	cr_expect_eq(skm_mfa_stack_compare(root, on_difference, NULL), 3);
	cr_expect_not_null(strstr(differences, "sshd "));
	cr_expect_not_null(strstr(differences, "common-auth "));
	cr_expect_not_null(strstr(differences, "xrdp "));
}

Test(mfa_stack, the_switch_gets_arguments_and_a_clean_environment)
{
	char program[TMPDIR_BYTES + 16];
	(void)snprintf(program, sizeof(program), "%s/switch me", root);
	tmpdir_write(root,
		"#!/bin/sh\nfor a; do echo \"$a\"; done >\"$(dirname \"$0\")/args\"\necho \"$EVIL$PATH\" >>\"$(dirname \"$0\")/args\"\n",
		"switch me");
	(void)chmod(program, 0755);
	(void)setenv("EVIL", "evil", 1);
	cr_expect_eq(skm_mfa_stack_switch(program, true), 0);
	tmpdir_expect(root, "--package\n--enable\nsekimori\nsekimori-split\n/usr/sbin:/usr/bin:/sbin:/bin\n",
		"args");
	cr_expect_eq(skm_mfa_stack_switch(program, false), 0);
	tmpdir_expect(root, "--package\n--remove\nsekimori\nsekimori-split\n/usr/sbin:/usr/bin:/sbin:/bin\n",
		"args");
	tmpdir_write(root, "#!/bin/sh\nkill -9 $$\n", "switch me");
	cr_expect_eq(skm_mfa_stack_switch(program, true), SKM_MFA_STACK_FAILED);
	cr_expect_eq(skm_mfa_stack_switch("/nonexistent/x", true), -ENOENT);
}
