// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent_settings.h"
#include "tmpdir.h"

#define DAY 86400

static char folder[TMPDIR_BYTES];
static char path[TMPDIR_BYTES + 16];

static void make(void)
{
	tmpdir_make(folder);
	(void)snprintf(path, sizeof(path), "%s/sekimori.conf", folder);
}

static void finish(void)
{
	tmpdir_remove(folder);
}

TestSuite(settings, .init = make, .fini = finish);

static void at_the_epoch(void *user, struct skm_timestamp *ret_now)
{
	(void)user;
	*ret_now = (struct skm_timestamp){0};
}

/* With a clock that stands at 1970. */
static struct skm_settings *loaded(void)
{
	const struct skm_clock clock = {.now = at_the_epoch};
	struct skm_settings *settings = NULL;
	cr_assert_eq(skm_settings_load_or_default(path, &clock, &settings), 0);
	return settings;
}

static const char *day(int64_t sec, char ret_text[16])
{
	struct tm tm;
	time_t time = sec;
	cr_assert(strftime(ret_text, 16, "%Y-%m-%d", localtime_r(&time, &tm)) > 0);
	return ret_text;
}

Test(settings, a_clock_at_the_epoch_does_not_make_a_good_file_a_bad_one)
{
	char text[16];
	char config[256];
	(void)snprintf(config, sizeof(config),
		"terminal: { number = \"7\"; }; mfa: { grace_until = \"%s\"; };",
		day(time(NULL) + 7 * DAY, text));
	tmpdir_write(folder, config, "sekimori.conf");
	struct skm_settings *settings = loaded();
	cr_expect_str_eq(settings->error, "");
	cr_expect_str_eq(settings->config->terminal.number, "7");
	(void)skm_settings_free(settings);
}

Test(settings, a_date_too_far_ahead_is_refused_at_the_epoch_too)
{
	char text[16];
	char config[256];
	(void)snprintf(
		config, sizeof(config), "mfa: { grace_until = \"%s\"; };", day(time(NULL) + 369 * DAY, text));
	tmpdir_write(folder, config, "sekimori.conf");
	struct skm_settings *settings = loaded();
	cr_expect_str_neq(settings->error, "");
	cr_expect_str_eq(settings->config->version, "builtin");
	(void)skm_settings_free(settings);
}

Test(settings, what_cannot_be_read_leaves_the_built_in_policy)
{
	tmpdir_write(folder, "terminal: { number = \"7\"; };", "sekimori.conf");
	cr_assert(chmod(path, 0) == 0);
	bool is_root = geteuid() == 0; /* nothing is refused to root */
	cr_assert(!is_root || seteuid(65534) == 0);
	struct skm_settings *settings = loaded();
	cr_assert(!is_root || seteuid(0) == 0);
	cr_expect(strstr(settings->error, path) && strstr(settings->error, "Permission denied"), "%s",
		settings->error);
	cr_expect_str_eq(settings->config->version, "builtin");
	(void)skm_settings_free(settings);
}

/* Whether the mode is over, a clock that is years behind cannot tell: then nothing is let pass. */
Test(settings, audit_mode_waits_for_a_clock_that_can_tell_its_end)
{
	char text[16];
	char config[256];
	int64_t now_sec = time(NULL);
	(void)snprintf(config, sizeof(config), "usb: { mode = \"audit\"; audit_until = \"%s\"; };",
		day(now_sec + 7 * DAY, text));
	tmpdir_write(folder, config, "sekimori.conf");
	struct skm_settings *settings = loaded();
	cr_expect_str_eq(settings->error, "");
	cr_expect_not(skm_settings_is_audit_mode(settings, 0));
	cr_expect_not(skm_settings_is_audit_mode(settings, now_sec - 361 * DAY));
	cr_expect(skm_settings_is_audit_mode(settings, now_sec));
	cr_expect(skm_settings_is_audit_mode(settings, now_sec + 6 * DAY));
	cr_expect_not(skm_settings_is_audit_mode(settings, now_sec + 9 * DAY));
	cr_expect_not(
		skm_settings_is_audit_mode(settings, now_sec), "a clock set back does not bring it back");
	(void)skm_settings_free(settings);
}
