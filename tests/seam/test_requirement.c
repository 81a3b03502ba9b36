// SPDX-License-Identifier: Apache-2.0
/* Who is asked for a second factor. The only "no" is one that the configuration says. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "fake_people.h"

static struct people people;

static void make(void)
{
	people_make(&people);
}

static void finish(void)
{
	people_remove(&people);
}

TestSuite(requirement, .init = make, .fini = finish);

static void require_group(const char *group)
{
	people.config->mfa.require = SKM_MFA_REQUIRE_GROUPS;
	(void)snprintf(people.config->mfa.groups[people.config->mfa.group_count++], SKM_GROUP_NAME_BYTES,
		"%s", group);
}

static int required(const char *name, bool is_enrolled, int64_t now_sec, int64_t *ret_until_sec)
{
	return skm_requirement(
		people.config, &people.authenticator.users, name, is_enrolled, now_sec, ret_until_sec);
}

Test(requirement, all_means_everybody)
{
	int64_t until = -1;
	cr_assert_eq(required("alice", false, PEOPLE_NOW_SEC, &until), 1);
	cr_assert_eq(required("root", false, PEOPLE_NOW_SEC, &until), 1);
	cr_assert_eq(until, -1, "touched without reason");
}

Test(requirement, enrolled_means_those_who_are)
{
	int64_t until = -1;
	people.config->mfa.require = SKM_MFA_REQUIRE_ENROLLED;
	cr_assert_eq(required("alice", false, PEOPLE_NOW_SEC, &until), 0);
	cr_assert_eq(until, 0);
	cr_assert_eq(required("alice", true, PEOPLE_NOW_SEC, &until), 1);
}

Test(requirement, groups_mean_members_and_those_who_are_enrolled)
{
	int64_t until = -1;
	require_group("other");
	require_group("tax");
	cr_assert_eq(required("alice", false, PEOPLE_NOW_SEC, &until), 1);
	cr_assert_eq(required("bob", false, PEOPLE_NOW_SEC, &until), 0);
	cr_assert_eq(until, 0);
	cr_assert_eq(required("bob", true, PEOPLE_NOW_SEC, &until), 1);
}

Test(requirement, a_lookup_that_fails_means_yes)
{
	int64_t until = -1;
	require_group("tax");
	people.lookup_error = -EIO;
	cr_assert_eq(required("bob", false, PEOPLE_NOW_SEC, &until), 1);
	people.lookup_error = -ENOENT;
	cr_assert_eq(required("bob", false, PEOPLE_NOW_SEC, &until), 1);
}

Test(requirement, the_grace_ends_by_itself_and_is_not_for_the_enrolled)
{
	int64_t until = -1;
	people.config->mfa.grace_until_sec = PEOPLE_NOW_SEC + 100;
	cr_assert_eq(required("alice", false, PEOPLE_NOW_SEC + 99, &until), 0);
	cr_assert_eq(until, PEOPLE_NOW_SEC + 100);
	cr_assert_eq(required("alice", true, PEOPLE_NOW_SEC, &until), 1);
	cr_assert_eq(required("alice", false, PEOPLE_NOW_SEC + 100, &until), 1);
}

Test(requirement, the_grace_names_no_end_to_those_who_are_never_asked)
{
	int64_t until = -1;
	require_group("tax");
	people.config->mfa.grace_until_sec = PEOPLE_NOW_SEC + 100;
	cr_assert_eq(required("bob", false, PEOPLE_NOW_SEC, &until), 0);
	cr_assert_eq(until, 0);
}
