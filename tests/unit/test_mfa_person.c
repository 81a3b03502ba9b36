// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "mfa_people.h"
#include "mfa_person.h"
#include "sekimori/text.h"
#include "tmpdir.h"

static char printed[16384];

static void print(const char *json, enum skm_language language, bool as_row)
{
	struct skm_mfa_person person;
	cr_assert_eq(skm_mfa_person_parse(json, &person), 0, "%s", json);
	FILE *file = fmemopen(printed, sizeof(printed), "w");
	if (as_row)
		skm_mfa_person_print_row(file, language, &person);
	else
		skm_mfa_person_print(file, language, &person);
	(void)fclose(file);
	skm_mfa_person_finish(&person);
}

Test(mfa_person, only_an_object_of_that_form_is_taken)
{
	static const char *const wrong[] = {"", "x", "[]", "{}", "{\"user\":\"a\"}",
		"{\"user\":\"\",\"enrolled\":true,\"tokens\":[]}",
		"{\"user\":\"a\",\"enrolled\":1,\"tokens\":[]}",
		"{\"user\":\"a\",\"enrolled\":true,\"tokens\":{}}",
		"{\"user\":\"a\",\"enrolled\":true,\"tokens\":[]} x",
		"{\"user\":\"a\",\"user\":\"b\",\"enrolled\":true,\"tokens\":[]}"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(wrong); i++) {
		struct skm_mfa_person person = {.recovery_left = 7};
		cr_expect_eq(skm_mfa_person_parse(wrong[i], &person), -EBADMSG, "%s", wrong[i]);
		cr_expect_eq(person.recovery_left, 7, "untouched");
	}
}

Test(mfa_person, what_is_missing_is_nothing_and_too_many_tokens_are_not_read)
{
	struct skm_mfa_person person;
	cr_assert_eq(
		skm_mfa_person_parse(
			"{\"user\":\"a\",\"enrolled\":true,\"tokens\":[1,2,{},4,5,6,7,8,9,10]}", &person),
		0);
	cr_expect_eq(person.token_count, (size_t)SKM_MFA_PERSON_TOKENS_MAX);
	cr_expect_str_eq(person.tokens[0].label, "");
	cr_expect_str_eq(person.state, "");
	cr_expect_not(skm_mfa_person_is_well(&person), "a state that is not told is not ok");
	skm_mfa_person_finish(&person);
	print("{\"user\":\"a\",\"enrolled\":true,\"tokens\":[1]}", SKM_LANGUAGE_EN, false);
}

Test(mfa_person, nothing_in_it_commands_the_terminal)
{
	static const char hostile[] =
		"{\"user\":\"\\u001b]0;x\\u0007\",\"enrolled\":true,\"state\":\"\\u009b2J\",\"grace_until\":"
		"\"\\u001b[31m\",\"substitute_until\":\"\\u202e\",\"tokens\":[{\"id\":-1,\"label\":\"a\\nb\",\"type\":"
		"\"\\u001b\",\"algorithm\":\"\\u0007\",\"enrolled\":\"\\u001b\",\"last_used\":\"\\r\"}]}";
	for (unsigned as_row = 0; as_row < 2; as_row++) {
		for (int language = 0; language < SKM_LANGUAGE_COUNT_; language++) {
			print(hostile, (enum skm_language)language, as_row);
			for (const char *at = printed; *at; at++)
				cr_assert((unsigned char)*at >= 0x20 || *at == '\n', "byte %d", *at);
			cr_expect_null(strstr(printed, "\xc2\x9b"));
			cr_expect_null(strstr(printed, "\xe2\x80\xae"));
		}
	}
}

Test(mfa_person, a_row_fits_a_console)
{
	static const char long_one[] =
		"{\"user\":\"とても長い名前の利用者とても長い名前の利用者\",\"enrolled\":true,\"state\":\"other-machine\","
		"\"required\":true,\"tokens\":[],\"recovery_left\":10}";
	for (int language = 0; language < SKM_LANGUAGE_COUNT_; language++) {
		print(long_one, (enum skm_language)language, true);
		printed[strcspn(printed, "\n")] = '\0';
		cr_expect_leq(skm_text_columns(printed), 80u, "%s", printed);
		FILE *file = fmemopen(printed, sizeof(printed), "w");
		skm_mfa_person_print_head(file, (enum skm_language)language);
		(void)fclose(file);
		printed[strcspn(printed, "\n")] = '\0';
		cr_expect_leq(skm_text_columns(printed), 80u, "%s", printed);
	}
}

/* ---- people ---- */

static int collect(void *user, const char *name)
{
	(void)strcat(strcat(user, name), " ");
	return strcmp(name, "stop") == 0 ? 5 : 0;
}

Test(mfa_people, who_can_log_in_is_root_and_those_with_a_shell)
{
	char root[TMPDIR_BYTES];
	char names[256] = "";
	tmpdir_make(root);
	tmpdir_write(root,
		"root:x:0:0::/root:/usr/sbin/nologin\nbin:x:2:2::/:/bin/bash\nsato:x:1000:100::/:/bin/bash\n"
		"ito:x:60001:100::/:\nkato:x:1001:100::/:/bin/false\nnobody:x:65534:1::/:/bin/sh\n",
		"etc/passwd");
	tmpdir_write(root, "users:x:100:\nsekimori-admin:x:990:ito,ghost\n", "etc/group");
	cr_expect_eq(skm_mfa_people_each(root, collect, names), 0);
	cr_expect_str_eq(names, "root sato ito ");
	cr_expect_eq(skm_mfa_people_is_member(root, "sato", "users"), 1, "primary");
	cr_expect_eq(skm_mfa_people_is_member(root, "ito", "sekimori-admin"), 1, "supplementary");
	cr_expect_eq(skm_mfa_people_is_member(root, "sato", "sekimori-admin"), 0);
	cr_expect_eq(skm_mfa_people_is_member(root, "sato", "no-such"), 0);
	cr_expect_eq(
		skm_mfa_people_is_member(root, "ghost", "sekimori-admin"), -ENOENT, "listed, but nobody");
	cr_expect_eq(skm_mfa_people_has_group(root, "users"), 1);
	cr_expect_eq(skm_mfa_people_has_group(root, "user"), 0);
	tmpdir_write(root, "stop:x:1000:1::/:/bin/sh\nlast:x:1001:1::/:/bin/sh\n", "etc/passwd");
	names[0] = '\0';
	cr_expect_eq(skm_mfa_people_each(root, collect, names), 5, "what the callee says ends it");
	cr_expect_str_eq(names, "stop ");
	tmpdir_remove(root);
	cr_expect_eq(skm_mfa_people_each(root, collect, names), -ENOENT);
	cr_expect_eq(skm_mfa_people_has_group(root, "users"), -ENOENT);
}

Test(mfa_people, shells_that_let_nobody_in)
{
	cr_expect(skm_mfa_people_has_login_shell(""));
	cr_expect(skm_mfa_people_has_login_shell("/usr/bin/zsh"));
	cr_expect(skm_mfa_people_has_login_shell("/opt/nologin/sh"));
	cr_expect_not(skm_mfa_people_has_login_shell("/usr/sbin/nologin"));
	cr_expect_not(skm_mfa_people_has_login_shell("/bin/false"));
	cr_expect_not(skm_mfa_people_has_login_shell("false"));
}

Test(mfa_people, somebody_is_logged_in)
{
	char name[257] = "";
	cr_expect_eq(skm_mfa_people_login_name(name, sizeof(name)), 0);
	cr_expect_str_neq(name, "");
	cr_expect_eq(skm_mfa_people_login_name(name, 1), -ENOBUFS);
}
