// SPDX-License-Identifier: Apache-2.0
/* Files and the register: which are obeyed, and that a wrong one leaves nothing behind. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sekimori/config.h"

#define NOW INT64_C(1795219200)
#define CSV_HEADER "id,reason,vid_pid,serial\n"

static char folder[64];
static char conf_path[128];
static char csv_path[128];

static void make_folder(void)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/skm-test-conf-XXXXXX");
	cr_assert(mkdtemp(folder) != NULL);
	(void)snprintf(conf_path, sizeof(conf_path), "%s/sekimori.conf", folder);
	(void)snprintf(csv_path, sizeof(csv_path), "%s/devices.csv", folder);
}

static void remove_folder(void)
{
	char command[128];
	(void)snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert(system(command) == 0);
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");
	cr_assert(file != NULL);
	cr_assert(fputs(text, file) >= 0 && fclose(file) == 0);
	cr_assert(chmod(path, 0644) == 0);
}

static void write_conf_with_register(const char *rules)
{
	char text[1024];
	(void)snprintf(
		text, sizeof(text), "usb: {\n register = \"%s\";\n rules = (\n%s);\n};\n", csv_path, rules);
	write_text(conf_path, text);
}

static int load(struct skm_config **ret_config, struct skm_config_error *error)
{
	*ret_config = NULL;
	*error = (struct skm_config_error){0};
	int r = skm_config_load(conf_path, NOW, ret_config, error);
	cr_assert(r == 0 ? *ret_config != NULL : *ret_config == NULL);
	return r;
}

TestSuite(load, .init = make_folder, .fini = remove_folder);

Test(load, a_good_file)
{
	write_text(conf_path, "terminal: { number = \"7\"; };");
	struct skm_config *config;
	struct skm_config_error error;
	cr_assert(load(&config, &error) == 0);
	cr_assert_str_eq(config->terminal.number, "7");
	config = skm_config_free(config);
}

static void refused(const char *file, const char *key, const char *found, const char *allowed)
{
	struct skm_config *config;
	struct skm_config_error error;
	cr_assert(load(&config, &error) == SKM_CONFIG_INVALID);
	cr_expect_str_eq(error.file, file);
	cr_expect_str_eq(error.key, key);
	cr_expect(error.line == 0);
	cr_expect(strstr(error.found, found) != NULL, "found %s", error.found);
	cr_expect(strstr(error.allowed, allowed) != NULL, "allowed %s", error.allowed);
	cr_expect(error.found_ja[0] != '\0' && error.allowed_ja[0] != '\0');
}

Test(load, files_that_are_not_fit_to_be_obeyed)
{
	refused(conf_path, "", "no such file", "can be read");
	write_text(conf_path, "usb: {};");
	cr_assert(chmod(conf_path, 0664) == 0);
	refused(conf_path, "", "group", "go-w");
	cr_assert(chmod(conf_path, 0646) == 0);
	refused(conf_path, "", "others", "go-w");
	cr_assert(chmod(conf_path, 0644) == 0);
	if (geteuid() == 0) {
		cr_assert(chown(conf_path, 4242, 0) == 0);
		refused(conf_path, "", "owner", "root");
		cr_assert(chown(conf_path, 0, 0) == 0);
	}
	cr_assert(rename(conf_path, csv_path) == 0 && symlink(csv_path, conf_path) == 0);
	refused(conf_path, "", "symbolic link", "not a link");
	cr_assert(unlink(conf_path) == 0 && mkfifo(conf_path, 0600) == 0);
	refused(conf_path, "", "not a regular file", "regular");
	cr_assert(unlink(conf_path) == 0);
	write_text(conf_path, "");
	cr_assert(truncate(conf_path, SKM_CONFIG_BYTES_MAX + 1) == 0);
	refused(conf_path, "", "larger", "262144");
}

/* As somebody else where we are root, whom nothing is refused. */
static int load_as_another(struct skm_config **ret_config, struct skm_config_error *error)
{
	bool is_root = geteuid() == 0;
	cr_assert(!is_root || seteuid(65534) == 0);
	int r = load(ret_config, error);
	cr_assert(!is_root || seteuid(0) == 0);
	return r;
}

/* Whether the file is right, who may not read it cannot tell. */
Test(load, what_may_not_be_read_is_not_called_wrong)
{
	struct skm_config *config;
	struct skm_config_error error;
	write_conf_with_register("");
	write_text(csv_path, CSV_HEADER);
	cr_assert(chmod(csv_path, 0) == 0 && chmod(folder, 0755) == 0);
	cr_expect_eq(load_as_another(&config, &error), -EACCES);
	cr_expect_str_eq(error.file, csv_path);
	cr_assert(chmod(conf_path, 0) == 0);
	cr_expect_eq(load_as_another(&config, &error), -EACCES);
	cr_expect_str_eq(error.file, conf_path);
}

Test(load, a_register_that_is_not_fit_to_be_obeyed)
{
	write_conf_with_register("");
	refused(csv_path, "usb.register", "no such file", "can be read");
	write_text(csv_path, CSV_HEADER);
	cr_assert(chmod(csv_path, 0666) == 0);
	refused(csv_path, "usb.register", "group", "go-w");
	cr_assert(unlink(csv_path) == 0 && symlink("/dev/null", csv_path) == 0);
	refused(csv_path, "usb.register", "symbolic link", "not a link");
}

Test(load, the_register_follows_the_rules_of_the_file)
{
	write_conf_with_register("{ id = \"z\"; action = \"deny\"; reason = \"r\"; class = \"0e\"; }\n");
	write_text(csv_path, CSV_HEADER "p1,プリンター,04a9:1234,\np2,プリンター,04a9:1234,S1\n");
	struct skm_config *config;
	struct skm_config_error error;
	cr_assert(load(&config, &error) == 0, "%s:%u %s %s", error.file, error.line, error.key, error.found);
	cr_assert(config->usb.rules.count == 3);
	cr_assert_str_eq(config->usb.rules.rules[0].id, "z");
	cr_assert_str_eq(config->usb.rules.rules[2].id, "p2");
	cr_assert(config->usb.rules.rules[2].action == SKM_RULE_ALLOW);
	char version[17];
	memcpy(version, config->version, sizeof(version));
	config = skm_config_free(config);

	write_text(csv_path, CSV_HEADER "p1,プリンター,04a9:1234,\np2,プリンター,04a9:1234,S2\n");
	cr_assert(load(&config, &error) == 0);
	cr_assert_str_neq(config->version, version, "the register is part of the policy");
	config = skm_config_free(config);
}

Test(load, a_register_row_that_is_wrong)
{
	write_conf_with_register("");
	write_text(csv_path, CSV_HEADER "p1,r,04a9:1234,\np2,r,zz,\n");
	struct skm_config *config;
	struct skm_config_error error;
	cr_assert(load(&config, &error) == SKM_CONFIG_INVALID);
	cr_assert_str_eq(error.file, csv_path);
	cr_assert(error.line == 3);
	cr_assert_str_eq(error.key, "vid_pid");
}

Test(load, an_id_in_both_names_both_lines)
{
	write_conf_with_register("\n{ id = \"p2\"; action = \"deny\"; reason = \"r\"; class = \"0e\"; }\n");
	write_text(csv_path, CSV_HEADER "p1,r,04a9:1234,\np2,r,04a9:1234,\n");
	struct skm_config *config;
	struct skm_config_error error;
	cr_assert(load(&config, &error) == SKM_CONFIG_INVALID);
	cr_assert_str_eq(error.file, csv_path);
	cr_assert(error.line == 3);
	cr_assert_str_eq(error.found, "p2");
	char other[160];
	(void)snprintf(other, sizeof(other), "line 5 of %s", conf_path);
	cr_assert(strstr(error.allowed, other) != NULL, "%s", error.allowed);
	cr_assert(strstr(error.allowed_ja, "5行目") != NULL, "%s", error.allowed_ja);

	/* within the register alone the file is not blamed */
	write_text(csv_path, CSV_HEADER "p1,r,04a9:1234,\np1,r,04a9:1234,\n");
	cr_assert(load(&config, &error) == SKM_CONFIG_INVALID);
	cr_assert(error.line == 3 && strstr(error.allowed, conf_path) == NULL);
}

Test(load, without_the_register_a_broken_one_does_not_matter)
{
	SKM_CLEANUP(skm_config_freep) struct skm_config *config = NULL;
	struct skm_config *none = NULL;
	struct skm_config_error error = {0};
	write_conf_with_register("");
	write_text(csv_path, "no,such,columns\n");
	cr_assert_eq(load(&none, &error), SKM_CONFIG_INVALID);
	cr_assert_eq(skm_config_load_file(conf_path, NOW, &config, &error), 0);
	cr_expect_str_eq(config->usb.register_path, csv_path);
	cr_expect_eq(config->usb.rules.count, 0u);
	write_text(conf_path, "usb: { mod = \"enforce\"; };");
	cr_expect_eq(skm_config_load_file(conf_path, NOW, &none, &error), SKM_CONFIG_INVALID);
	cr_expect_str_eq(error.key, "usb.mod");
}

/* A clock that stands before the file's last change is wrong, and the file is not. */
Test(load, a_clock_at_the_epoch_does_not_make_a_good_file_a_bad_one)
{
	SKM_CLEANUP(skm_config_freep) struct skm_config *config = NULL;
	struct skm_config_error error = {0};
	char text[128];
	char date[16];
	struct tm tm;
	time_t soon = time(NULL) + 7 * 86400;
	(void)strftime(date, sizeof(date), "%Y-%m-%d", gmtime_r(&soon, &tm));
	(void)snprintf(text, sizeof(text), "mfa: { grace_until = \"%s\"; };", date);
	write_text(conf_path, text);
	cr_assert_eq(skm_config_load_file(conf_path, 0, &config, &error), 0, "found %s", error.found);
	cr_expect(config->mfa.grace_until_sec > soon - 86400);
}
