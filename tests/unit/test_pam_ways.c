// SPDX-License-Identifier: Apache-2.0
/* Stacks by the letter: what opens them, and what does not. The stock files of Debian are in
 * seam/test_mfa_ways.c, with libpam itself as the judge. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "pam_ways.h"

struct file {
	const char *name, *text;
};

static struct file files[8];
static struct skm_pam_judgement judgement;

static int read_file(void *user, const char *name, char *buf, size_t size)
{
	(void)user;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(files) && files[i].name; i++) {
		if (strcmp(files[i].name, name) == 0)
			return snprintf(buf, size, "%s", files[i].text) < (int)size ? 0 : -EFBIG;
	}
	return strcmp(name, "forbidden") == 0 ? -EACCES : -ENOENT;
}

static bool is_installed(void *user, const char *path)
{
	(void)user;
	return strstr(path, "absent") == NULL;
}

static int judge(bool assumes_ours)
{
	struct skm_pam_files given = {read_file, is_installed, NULL, assumes_ours};
	memset(&judgement, 0xa5, sizeof(judgement));
	return skm_pam_judge(&given, "x", &judgement);
}

/* "1 + 2, 3": the ways, or the verdict in words. */
static const char *ways_of(const char *text)
{
	static char ways[2048];
	static const char *const verdicts[] = {"guarded", "", "if installed: ", "inherited"};
	files[0] = (struct file){"x", text};
	int r = judge(false);
	if (r < 0) {
		(void)snprintf(ways, sizeof(ways), "error %d", -r);
		return ways;
	}
	(void)snprintf(ways, sizeof(ways), "%s", verdicts[judgement.verdict]);
	for (unsigned i = 0; i < judgement.way_count; i++) {
		if (i)
			(void)strcat(ways, ", ");
		for (unsigned k = 0; k < judgement.ways[i].count; k++)
			(void)strcat(strcat(ways, k ? " + " : ""), judgement.ways[i].openers[k]);
		if (judgement.ways[i].count == 0)
			(void)strcat(ways, "nothing");
	}
	return ways;
}

#define EXPECT_WAYS(text, wanted)                                                                    \
	do {                                                                                         \
		const char *found_ = ways_of(text);                                                  \
		cr_expect(strcmp(found_, wanted) == 0, "%s\nis: %s\nnot: %s", text, found_, wanted); \
	} while (0)

#define OURS "auth required pam_sekimori.so\n"
#define COMMON                                                                                           \
	"auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\nauth required " \
	"pam_permit.so\n"

Test(pam_ways, ours_guards_wherever_it_must_succeed)
{
	EXPECT_WAYS(COMMON OURS, "guarded");
	EXPECT_WAYS(OURS COMMON, "guarded");
	EXPECT_WAYS("auth requisite /lib/security/pam_sekimori.so split\n" COMMON, "guarded");
	EXPECT_WAYS(COMMON, "pam_unix.so");
	EXPECT_WAYS(COMMON "#" OURS, "pam_unix.so");
	EXPECT_WAYS("auth optional pam_sekimori.so\n" COMMON, "pam_unix.so");
	EXPECT_WAYS("auth sufficient pam_sekimori.so\n" COMMON, "pam_unix.so");
	EXPECT_WAYS("auth [default=ignore] pam_sekimori.so split\n" COMMON OURS, "guarded");
	EXPECT_WAYS(
		"auth [success=ok system_err=ignore default=die] pam_sekimori.so\nauth required pam_unix.so\n",
		"pam_unix.so");
	EXPECT_WAYS(/* an application that does not put the question to the person */
		"auth [success=ok conv_err=ignore default=die] pam_sekimori.so\nauth required pam_unix.so\n",
		"pam_unix.so");
	/* libpam hands this one up whatever the line says */
	EXPECT_WAYS("auth [success=ok incomplete=ignore default=die] pam_sekimori.so\n" COMMON, "guarded");
	EXPECT_WAYS("auth [success=ok user_unknown=ignore default=die] pam_sekimori.so\n" COMMON, "guarded");
	EXPECT_WAYS("account required pam_sekimori.so\n" COMMON, "pam_unix.so");
	cr_expect(judgement.has_ours == false);
	EXPECT_WAYS("auth [success=1 default=ignore] pam_unix.so\n" OURS "auth required pam_permit.so\n",
		"pam_unix.so");
	cr_expect(judgement.has_ours == true);
	EXPECT_WAYS("auth sufficient pam_unix.so\n" OURS, "pam_unix.so");
	EXPECT_WAYS("auth sufficient pam_rootok.so\n" COMMON OURS, "guarded");
	EXPECT_WAYS("auth sufficient pam_rootok.so\n", "guarded");
}

Test(pam_ways, each_way_is_named_by_what_opens_it)
{
	EXPECT_WAYS("auth requisite pam_nologin.so\nauth required pam_succeed_if.so user != root\n"
		    "auth required pam_fprintd.so\nauth optional pam_gnome_keyring.so\n",
		"pam_fprintd.so");
	EXPECT_WAYS("auth requisite pam_nologin.so\nauth required pam_succeed_if.so user != root\n"
		    "auth required pam_permit.so\n",
		"pam_permit.so");
	EXPECT_WAYS("auth required pam_env.so\n", "nothing");
	EXPECT_WAYS("auth sufficient pam_a.so\nauth sufficient pam_b.so\n" OURS, "pam_b.so, pam_a.so");
	EXPECT_WAYS("auth required pam_a.so\nauth required pam_b.so\n", "pam_a.so + pam_b.so");
	EXPECT_WAYS("auth sufficient pam_a.so\nauth sufficient pam_a.so try_first_pass\n" OURS, "pam_a.so");
	EXPECT_WAYS("auth sufficient pam_succeed_if.so user ingroup nopasswdlogin\n" COMMON OURS,
		"pam_succeed_if.so user ingroup nopasswdlogin");
	EXPECT_WAYS("auth sufficient pam_succeed_if.so uid < 5\nauth sufficient pam_fprintd.so\n" OURS,
		"pam_succeed_if.so uid < 5, pam_fprintd.so");
	EXPECT_WAYS("auth sufficient pam_permit.so\n" OURS, "pam_permit.so");
}

Test(pam_ways, what_is_not_installed_opens_nothing_yet)
{
	EXPECT_WAYS("auth sufficient pam_absent.so\n" COMMON OURS, "if installed: pam_absent.so");
	EXPECT_WAYS("auth sufficient pam_absent.so\nauth sufficient pam_u2f.so\n" OURS, "pam_u2f.so");
	EXPECT_WAYS("auth [module_unknown=1 default=die] pam_absent.so\n" OURS "auth required pam_unix.so\n",
		"pam_unix.so");
	EXPECT_WAYS("-auth optional pam_absent.so\nauth required pam_unix.so\n", "pam_unix.so");
	EXPECT_WAYS("-auth required pam_absent.so\nauth required pam_unix.so\n",
		"if installed: pam_absent.so + pam_unix.so");
	EXPECT_WAYS("auth required pam_absent.so\nauth required pam_unix.so\n",
		"if installed: pam_absent.so + pam_unix.so");
	EXPECT_WAYS("auth required pam_absent.so\n" OURS, "guarded");
}

Test(pam_ways, includes_and_substacks_are_followed)
{
	files[1] = (struct file){"common-auth", COMMON OURS};
	files[2] = (struct file){"open", "auth sufficient pam_ldap.so\n"};
	files[3] = (struct file){"loop", "auth include loop\n"};
	files[4] = (struct file){"spoilt", "@include nowhere\nauth sufficient pam_permit.so\n"};
	EXPECT_WAYS("@include common-auth\n", "guarded");
	EXPECT_WAYS("auth include common-auth\n", "guarded");
	EXPECT_WAYS("auth substack common-auth\n", "guarded");
	EXPECT_WAYS("auth include open\n@include common-auth\n", "pam_ldap.so");
	/* done ends the substack only */
	EXPECT_WAYS("auth substack open\n@include common-auth\n", "guarded");
	/* one jump passes the whole substack: gdm-smartcard-sssd-or-password */
	EXPECT_WAYS("auth [success=ok user_unknown=ignore default=bad] pam_succeed_if.so user != root\n"
		    "auth [success=2 default=ignore] pam_sss.so\nauth substack common-auth\n"
		    "auth requisite pam_nologin.so\nauth optional pam_gnome_keyring.so\n",
		"pam_sss.so");
	EXPECT_WAYS("auth include loop\nauth sufficient pam_permit.so\n", "guarded");
	EXPECT_WAYS("auth sufficient pam_permit.so\n@include nowhere\n", "guarded");
	EXPECT_WAYS("auth sufficient pam_permit.so\nauth include nowhere\n", "pam_permit.so");
	EXPECT_WAYS("auth include nowhere\nauth sufficient pam_permit.so\n", "guarded");
	EXPECT_WAYS("auth optional pam_permit.so\nauth include spoilt\n", "guarded");
	EXPECT_WAYS("account include common-auth\n", "inherited");
	EXPECT_WAYS("session required pam_unix.so\n# auth required pam_permit.so\n", "inherited");
	EXPECT_WAYS("@include forbidden\n", "error 13");
}

Test(pam_ways, controls_are_read_as_libpam_reads_them)
{
	EXPECT_WAYS("AUTH Sufficient pam_unix.so\n" OURS, "pam_unix.so");
	EXPECT_WAYS("auth [ success = done default=ignore ] pam_unix.so\n" OURS, "pam_unix.so");
	EXPECT_WAYS("auth [success=donedefault=ignore] pam_unix.so\n" OURS, "pam_unix.so");
	EXPECT_WAYS("auth [success=DONE] pam_permit.so\n", "guarded");
	EXPECT_WAYS("auth [success=0 default=ignore] pam_permit.so\n", "guarded");
	EXPECT_WAYS("auth [success=99999999999 default=ignore] pam_permit.so\n", "guarded");
	EXPECT_WAYS(
		"auth [success=2 default=ignore] pam_permit.so\nauth optional pam_permit.so\n", "guarded");
	EXPECT_WAYS(
		"auth [success=1 default=ignore] pam_permit.so\nauth optional pam_permit.so\n", "guarded");
	EXPECT_WAYS("auth sometimes pam_permit.so\n", "guarded");
	EXPECT_WAYS("auth required \\\n  pam_unix.so\n", "pam_unix.so");
	EXPECT_WAYS("auth sufficient\nauth required pam_permit.so\n", "pam_permit.so");
	EXPECT_WAYS("auth\n", "guarded");
	EXPECT_WAYS("who required pam_permit.so\nauth required pam_permit.so\n", "guarded");
	EXPECT_WAYS(
		"auth required pam_deny.so\nauth [default=reset] pam_permit.so\nauth required pam_permit.so\n",
		"pam_permit.so");
	EXPECT_WAYS("auth [success=ok default=ignore] [pam_unix.so]", "pam_unix.so");
}

Test(pam_ways, before_the_switch_ours_is_thought_at_the_end_of_common_auth)
{
	memset(files, 0, sizeof(files));
	files[1] = (struct file){"common-auth", COMMON};
	files[0] = (struct file){"x", "@include common-auth\n"};
	cr_expect_eq(judge(false), 0);
	cr_expect_eq(judgement.verdict, SKM_PAM_OPEN);
	cr_expect_eq(judge(true), 0);
	cr_expect_eq(judgement.verdict, SKM_PAM_GUARDED);
	files[1].text = "auth sufficient pam_ldap.so\n" COMMON;
	cr_expect_eq(judge(true), 0);
	cr_expect_eq(judgement.verdict, SKM_PAM_OPEN);
	cr_expect_str_eq(judgement.ways[0].openers[0], "pam_ldap.so");
	files[0].text = COMMON;
	cr_expect_eq(judge(true), 0);
	cr_expect_eq(judgement.verdict, SKM_PAM_OPEN, "it does not include common-auth");
}

Test(pam_ways, before_the_switch_ours_is_thought_in_every_way_through_authselects_files)
{
	static const char *const names[] = {
		"system-auth", "password-auth", "fingerprint-auth", "smartcard-auth"};
	memset(files, 0, sizeof(files));
	for (size_t i = 0; i < SKM_ARRAY_SIZE(names); i++) {
		char text[64];
		(void)snprintf(text, sizeof(text), "auth substack %s\n", names[i]);
		files[0] = (struct file){"x", text};
		files[1] =
			(struct file){names[i], "auth sufficient pam_unix.so\nauth required pam_deny.so\n"};
		cr_expect_eq(judge(false), 0);
		cr_expect_eq(judgement.verdict, SKM_PAM_OPEN, "%s", names[i]);
		cr_expect_eq(judge(true), 0);
		cr_expect_eq(judgement.verdict, SKM_PAM_GUARDED, "%s", names[i]);
	}
	files[0].text = "auth sufficient pam_rootkey.so\nauth substack smartcard-auth\n";
	cr_expect_eq(judge(true), 0);
	cr_expect_eq(judgement.verdict, SKM_PAM_OPEN, "a line before it goes round it");
}

Test(pam_ways, what_is_beyond_the_limits_is_an_error_and_leaves_the_answer_alone)
{
	static char many[8192];
	memset(files, 0, sizeof(files));
	for (unsigned i = 0; i <= SKM_PAM_LINES_MAX; i++)
		(void)strcat(many, "auth optional pam_permit.so\n");
	files[0] = (struct file){"x", many};
	cr_expect_eq(judge(false), -E2BIG);
	cr_expect_eq(judgement.way_count, 0xa5a5a5a5u);
	many[SKM_PAM_LINES_MAX * strlen("auth optional pam_permit.so\n")] = '\0';
	cr_expect_eq(judge(false), 0);
	cr_expect_eq(judgement.verdict, SKM_PAM_OPEN);
	files[0].name = "y";
	cr_expect_eq(judge(false), -ENOENT);
}
