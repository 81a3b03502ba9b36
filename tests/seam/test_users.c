// SPDX-License-Identifier: Apache-2.0
/* The machine's own name service, as far as every machine has the same, and /proc as a folder. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "person.h"
#include "tmpdir.h"
#include "users.h"

Test(users, names_that_no_user_can_have)
{
	char longest[SKM_PERSON_NAME_BYTES + 1];
	memset(longest, 'a', sizeof(longest));
	longest[SKM_PERSON_NAME_BYTES] = '\0';
	const char *const impossible[] = {
		"", "a/b", "a\nb", "a:b", "\x7f", "\xff", "\xed\xa0\x80", "a\tb", longest};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(impossible); i++) {
		struct skm_users users = skm_users_system();
		uint32_t uid = 4711;
		cr_expect_not(skm_user_name_is_possible(impossible[i]), "%zu", i);
		cr_expect_eq(users.uid_of(users.user, impossible[i], &uid), -ENOENT);
		cr_expect_eq(uid, 4711);
		cr_expect_eq(users.is_member(users.user, impossible[i], "root"), -ENOENT);
	}
	longest[SKM_PERSON_NAME_BYTES - 1] = '\0';
	const char *const possible[] = {"root", "関守", "%s", "DOMAIN\\alice", "a b", "..", "-x", longest};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(possible); i++)
		cr_expect(skm_user_name_is_possible(possible[i]), "%s", possible[i]);
}

Test(users, root_is_0_both_ways)
{
	struct skm_users users = skm_users_system();
	uint32_t uid = 4711;
	char name[SKM_PERSON_NAME_BYTES];
	cr_assert_eq(users.uid_of(users.user, "root", &uid), 0);
	cr_assert_eq(uid, 0);
	cr_assert_eq(users.name_of(users.user, 0, name, sizeof(name)), 0);
	cr_assert_str_eq(name, "root");
	cr_assert_eq(users.name_of(users.user, 0, name, 4), -ENAMETOOLONG);
	cr_assert_str_eq(name, "root", "touched on failure");
}

Test(users, somebody_who_does_not_exist)
{
	struct skm_users users = skm_users_system();
	uint32_t uid = 4711;
	char name[SKM_PERSON_NAME_BYTES] = "kept";
	cr_assert_eq(users.uid_of(users.user, "no-such-user-of-sekimori", &uid), -ENOENT);
	cr_assert_eq(users.name_of(users.user, 3999999999u, name, sizeof(name)), -ENOENT);
	cr_assert_str_eq(name, "kept");
	cr_assert_eq(users.is_member(users.user, "no-such-user-of-sekimori", "root"), -ENOENT);
}

Test(users, membership_by_primary_group)
{
	struct skm_users users = skm_users_system();
	cr_assert_eq(users.is_member(users.user, "root", "root"), 1);
	cr_redirect_stderr();
	cr_assert_eq(users.is_member(users.user, "root", "no-such-group-of-sekimori"), 0);
	(void)fflush(stderr);
	cr_assert_stderr_eq_str(
		"<4>mfa.require: there is no group no-such-group-of-sekimori on this machine now\n");
	cr_assert_eq(users.is_member(users.user, "nobody", "root"), 0);
}

/* Whatever groups this machine has: whoever stands in one is a member of it. */
Test(users, membership_by_the_groups_list)
{
	struct skm_users users = skm_users_system();
	setgrent();
	for (struct group *group = getgrent(); group; group = getgrent()) {
		for (char **member = group->gr_mem; *member; member++) {
			if (getpwnam(*member))
				cr_expect_eq(users.is_member(users.user, *member, group->gr_name), 1, "%s %s",
					*member, group->gr_name);
		}
	}
	endgrent();
}

Test(users, who_logged_in_is_read_from_proc)
{
	char root[TMPDIR_BYTES];
	tmpdir_make(root);
	tmpdir_write(root, "1000", "17/loginuid");
	tmpdir_write(root, "0\n", "18/loginuid");
	tmpdir_write(root, "4294967295", "19/loginuid");
	tmpdir_write(root, "4294967296", "20/loginuid");
	tmpdir_write(root, "-1", "21/loginuid");
	tmpdir_write(root, "", "22/loginuid");
	tmpdir_write(root, "12x", "23/loginuid");
	cr_expect_eq(skm_peer_login_uid(root, 17), 1000);
	cr_expect_eq(skm_peer_login_uid(root, 18), 0);
	for (int32_t pid = 19; pid <= 24; pid++)
		cr_expect_eq(skm_peer_login_uid(root, pid), SKM_LOGIN_UID_UNSET, "%d", pid);
	cr_expect_eq(skm_peer_login_uid(root, 0), SKM_LOGIN_UID_UNSET);
	cr_expect_eq(skm_peer_login_uid(root, -17), SKM_LOGIN_UID_UNSET);
	tmpdir_remove(root);
}
