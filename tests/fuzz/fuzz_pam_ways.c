// SPDX-License-Identifier: Apache-2.0
/* Any three files as a service and what it includes ("a", "b"; they are divided by a byte 0xff): the walk
 * ends, what it says is consistent, and putting our module before everything closes every way. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pam_ways.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct texts {
	char *text[3];
	bool begins_with_ours;
};

static void demand(bool condition)
{
	if (!condition)
		abort();
}

static int read_file(void *user, const char *name, char *buf, size_t size)
{
	const struct texts *texts = user;
	const char *text = strcmp(name, "x") == 0   ? texts->text[0]
			   : strcmp(name, "a") == 0 ? texts->text[1]
			   : strcmp(name, "b") == 0 ? texts->text[2]
						    : NULL;
	const char *ours =
		texts->begins_with_ours && text == texts->text[0] ? "auth requisite pam_sekimori.so\n" : "";
	if (!text)
		return -ENOENT;
	if (strlen(ours) + strlen(text) >= size)
		return -EFBIG;
	strcat(strcpy(buf, ours), text);
	return 0;
}

static bool is_installed(void *user, const char *path)
{
	(void)user;
	return strstr(path, "absent") == NULL;
}

static void check(struct texts *texts)
{
	struct skm_pam_judgement judgement;
	struct skm_pam_files files = {read_file, is_installed, texts, false};
	memset(&judgement, 0xa5, sizeof(judgement));
	int r = skm_pam_judge(&files, "x", &judgement);
	if (r < 0) {
		demand(judgement.way_count == 0xa5a5a5a5);
		return;
	}
	bool is_open = judgement.verdict == SKM_PAM_OPEN || judgement.verdict == SKM_PAM_OPEN_IF_INSTALLED;
	demand(is_open == (judgement.way_count > 0) && judgement.way_count <= SKM_PAM_WAYS_MAX);
	for (unsigned i = 0; i < judgement.way_count; i++) {
		demand(judgement.ways[i].count <= SKM_PAM_OPENERS_MAX);
		for (unsigned k = 0; k < judgement.ways[i].count; k++)
			demand(strlen(judgement.ways[i].openers[k]) < SKM_PAM_OPENER_BYTES);
	}
	texts->begins_with_ours = true;
	r = skm_pam_judge(&files, "x", &judgement);
	demand(r < 0 || judgement.verdict == SKM_PAM_GUARDED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct texts texts = {0};
	if (size > 4096)
		return 0;
	char *all = calloc(1, size + 1);
	char *empty = calloc(1, 1);
	demand(all && empty);
	if (size > 0)
		memcpy(all, data, size);
	char *rest = all;
	for (size_t i = 0; i < 3; i++) {
		char *text = strsep(&rest, "\xff");
		texts.text[i] = text ? text : empty;
	}
	check(&texts);
	free(empty);
	free(all);
	return 0;
}
