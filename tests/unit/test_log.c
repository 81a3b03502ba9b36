// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sample_record.h"
#include "sekimori/io.h"
#include "sekimori/log.h"

static char journal[8192];

/* What the journal gets of this record, from stderr. */
static void log_record(const struct skm_record *record)
{
	int file = memfd_create("journal", MFD_CLOEXEC);
	int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	cr_assert(file >= 0 && saved >= 0);
	(void)dup2(file, STDERR_FILENO);
	skm_log_record(record);
	(void)dup2(saved, STDERR_FILENO);
	ssize_t len = pread(file, journal, sizeof(journal) - 1, 0);
	cr_assert_geq(len, 0);
	journal[len] = '\0';
	(void)close(file);
	(void)close(saved);
}

static void expect_one_ascii_line(void)
{
	size_t len = strlen(journal);
	cr_assert_gt(len, 0);
	cr_expect_eq(strchr(journal, '\n'), journal + len - 1, "%s", journal);
	for (size_t i = 0; i < len - 1; i++)
		cr_expect(journal[i] >= ' ' && journal[i] <= '~', "byte %02x", (unsigned char)journal[i]);
}

Test(log, a_person_is_named_with_service_source_and_caller)
{
	struct skm_record record;
	sample_record(SKM_EVENT_AUTH_LOCKED, &record);
	log_record(&record);
	cr_expect_str_eq(journal,
		"<4>AUTH_LOCKED: user \"sato\" (uid 1002), service \"sshd\", from \"192.0.2.7\", "
		"asked by uid 0: \"what was found and done\"\n");
}

/* It may be a password that was typed one line too early. */
Test(log, the_name_of_nobody_is_left_out)
{
	struct skm_record record;
	sample_record(SKM_EVENT_AUTH_LOCKED, &record);
	snprintf(record.auth.subject, sizeof(record.auth.subject), "correct horse");
	record.auth.subject_uid = -1;
	log_record(&record);
	cr_expect_not_null(strstr(journal, "AUTH_LOCKED: user unknown, service \"sshd\""), "%s", journal);
	cr_expect_null(strstr(journal, "correct"));
}

Test(log, a_name_can_neither_begin_a_line_nor_leave_its_quotes)
{
	static const char *const units[] = {"\n<1>AUTH_OK: ", "\", service \"", "\\", "\x1b[2J", "\xff",
		"%s%n", "\xe9\x96\xa2", "\x7f", "\r"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(units); i++) {
		struct skm_record record;
		sample_record(SKM_EVENT_AUTH_ERROR, &record);
		sample_fill(&record, units[i]);
		record.has_device = false;
		log_record(&record);
		expect_one_ascii_line();
		size_t quotes = 0;
		for (const char *c = journal; *c; c++)
			quotes += *c == '"';
		cr_expect_eq(quotes, 8, "a quote of the name is not escaped: %s", journal);
		cr_expect_null(strstr(journal, "\\\\"), "a backslash is escaped as \\x5c: %s", journal);
		cr_expect_eq(strncmp(journal, "<1>AUTH_ERROR: user \"", 21), 0, "%s", journal);
		cr_expect_not_null(strstr(journal, "\"...\n"), "the end is missing: %s", journal);
	}
}

Test(log, only_what_deserves_it)
{
	static const enum skm_event quiet[] = {SKM_EVENT_AUTH_OK, SKM_EVENT_AUTH_FAIL, SKM_EVENT_MFA_ENROLLED,
		SKM_EVENT_DEVICE_ALLOWED, SKM_EVENT_AGENT_START};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(quiet); i++) {
		struct skm_record record;
		sample_record(quiet[i], &record);
		log_record(&record);
		cr_expect_str_eq(journal, "");
	}
}

Test(log, devices_and_facts_as_before)
{
	struct skm_record record;
	sample_record(SKM_EVENT_EXPORT_DENIED, &record);
	log_record(&record);
	cr_expect_str_eq(journal,
		"<4>EXPORT_DENIED: device 1-2.3 0781:5567, mass-storage, rule builtin:default-deny\n");
	sample_auth(&record); /* a bug elsewhere: the device goes before */
	log_record(&record);
	cr_expect_not_null(strstr(journal, "device 1-2.3"));
	sample_record(SKM_EVENT_CLOCK_JUMP, &record);
	log_record(&record);
	cr_expect_str_eq(journal, "<4>CLOCK_JUMP: usb1: what was found and done\n");
}
