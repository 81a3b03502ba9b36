// SPDX-License-Identifier: Apache-2.0
/* Names that nobody has, from the login program's side to the files: the built module in a real libpam asks
 * the real service. The same answer for all of them, a whole record each, and no file. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <jansson.h>
#include <security/pam_appl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "live_authd.h"

#define SAID_BYTES 4096

static struct live_authd authd;
static char said[SAID_BYTES];

static int converse(
	int count, const struct pam_message **messages, struct pam_response **ret_responses, void *user)
{
	(void)user;
	cr_assert_eq(count, 1);
	size_t len = strlen(said);
	(void)snprintf(said + len, sizeof(said) - len, "%d %s\n", messages[0]->msg_style, messages[0]->msg);
	*ret_responses = NULL;
	if (messages[0]->msg_style == PAM_PROMPT_ECHO_OFF) {
		*ret_responses = calloc(1, sizeof(**ret_responses));
		cr_assert_not_null(*ret_responses);
		(*ret_responses)->resp = strdup("123456");
	}
	return PAM_SUCCESS;
}

static void no_delay(int result, unsigned usec, void *user)
{
	(void)result;
	(void)usec;
	(void)user;
}

static int log_in(const char *name)
{
	const struct pam_conv conv = {.conv = converse};
	void (*delay)(int, unsigned, void *) = no_delay;
	const void *item = NULL;
	pam_handle_t *pamh = NULL;
	said[0] = '\0';
	memcpy(&item, &delay, sizeof(item)); /* PAM keeps a function in a pointer to data */
	cr_assert_eq(pam_start_confdir("login", name, &conv, authd.folder, &pamh), PAM_SUCCESS);
	cr_assert_eq(pam_set_item(pamh, PAM_FAIL_DELAY, item), PAM_SUCCESS);
	int result = pam_authenticate(pamh, 0);
	cr_assert_eq(pam_end(pamh, result), PAM_SUCCESS);
	return result;
}

/* The folder's entries that are no decoy's. */
static unsigned files_in(const char *name)
{
	char path[TMPDIR_BYTES + 16];
	unsigned files = 0;
	(void)snprintf(path, sizeof(path), "%s/%s", authd.folder, name);
	DIR *folder = opendir(path);
	for (const struct dirent *entry; folder && (entry = readdir(folder));)
		files += entry->d_name[0] != '.' && strncmp(entry->d_name, "decoy.", 6) != 0;
	if (folder)
		(void)closedir(folder);
	return files;
}

/* Whole lines of valid JSON, about nobody. How many. */
static unsigned whole_records(void)
{
	char path[TMPDIR_BYTES + 32], line[8192];
	unsigned records = 0;
	(void)snprintf(path, sizeof(path), "%s/log/00000001.jsonl", authd.folder);
	FILE *file = fopen(path, "re");
	cr_assert_not_null(file);
	while (fgets(line, sizeof(line), file)) {
		json_error_t error;
		json_t *record = json_loads(line, JSON_REJECT_DUPLICATES, &error);
		cr_assert_not_null(record, "%s: %s", error.text, line);
		cr_expect_eq(line[strlen(line) - 1], '\n');
		if (json_object_get(record, "user")) {
			cr_expect(json_is_null(json_object_get(json_object_get(record, "user"), "uid")));
			records++;
		}
		json_decref(record);
	}
	(void)fclose(file);
	return records;
}

static void setup(void)
{
	live_authd_start(&authd);
	char line[512];
	(void)snprintf(line, sizeof(line), "auth required %s/pam_module/pam_sekimori.so lang=en socket=%s\n",
		SKM_BINARY_DIR, authd.socket);
	tmpdir_write(authd.folder, line, "login");
}

static void teardown(void)
{
	live_authd_stop(&authd);
}

TestSuite(names, .init = setup, .fini = teardown, .timeout = 60);

Test(names, same_answer_a_whole_record_and_no_file)
{
	static char kilobyte[1025], megabyte[1024 * 1024 + 1];
	memset(kilobyte, 'x', sizeof(kilobyte) - 1);
	memset(megabyte, '\xff', sizeof(megabyte) - 1);
	const char *const names[] = {"no-such-user-here", "a\nb", "\n", "../../../tmp/x", "/", ".", "..",
		"%s%n%x", "\xff\xfe\x80", "\xed\xa0\x80", "uid:0", "decoy", "1000.person", "root ", " root",
		"root\t", "ROOT/", "-r", "\"}{\"", "\x1b[2J", "a:b", kilobyte, megabyte};
	char first[SAID_BYTES] = "";
	for (size_t i = 0; i < SKM_ARRAY_SIZE(names); i++) {
		cr_expect_eq(log_in(names[i]), PAM_AUTH_ERR, "name %zu", i);
		if (i == 0)
			memcpy(first, said, sizeof(first));
		cr_expect_str_eq(said, first, "name %zu hears something else", i);
	}
	/* Root asks for others; anybody else who tests hears that he may not. */
	const char *wanted = geteuid() == 0 ? "確認コードが違います。" : "";
	cr_expect_not_null(strstr(first, wanted), "%s", first);
	cr_expect_eq(files_in("state"), 0u);
	cr_expect_eq(files_in("fallback"), 0u);
	live_authd_end(&authd);
	cr_expect_eq(whole_records(), SKM_ARRAY_SIZE(names));
}
