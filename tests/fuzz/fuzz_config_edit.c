// SPDX-License-Identifier: Apache-2.0
/* Any text that the scanner takes can be edited; the result is taken again, the same change a second time
 * changes nothing, and outside of one place every byte of the original is still there. */
#include <stdint.h>
#include <string.h>

#include "sekimori/config_edit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
	if (!is_true)
		__builtin_trap();
}

static int edit(const char *text, size_t len, const char *value, char **ret_text, size_t *ret_len)
{
	const struct skm_config_change change = {"require", value};
	struct skm_config_error error = {0};
	return skm_config_edit("fuzz.conf", text, len, &(struct skm_config_edit){"mfa", &change, 1}, ret_text,
		ret_len, &error);
}

static size_t common_head(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t len = 0;
	while (len < a_len && len < b_len && a[len] == b[len])
		len++;
	return len;
}

static size_t common_tail(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t len = 0;
	while (len < a_len && len < b_len && a[a_len - 1 - len] == b[b_len - 1 - len])
		len++;
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char value[] = "[ \"it's me\" ]";
	const char *text = (const char *)data;
	SKM_CLEANUP(skm_free) char *set = NULL;
	SKM_CLEANUP(skm_free) char *again = NULL;
	SKM_CLEANUP(skm_free) char *gone = NULL;
	size_t set_len = 0;
	size_t again_len = 0;
	size_t gone_len = 0;
	int r = edit(text, size, value, &set, &set_len);
	require(r == 0 || r == SKM_CONFIG_INVALID || r == SKM_CONFIG_EDIT_NOT_A_GROUP);
	if (r != 0) {
		require(!set);
		return 0;
	}
	require(set[set_len] == '\0' && memmem(set, set_len, value, strlen(value)));
	size_t kept = common_head(text, size, set, set_len) + common_tail(text, size, set, set_len);
	require(kept >= size || memmem(text, size, "require", 7)); /* nothing is lost but an old value */
	r = edit(set, set_len, value, &again, &again_len);
	/* A group that is full, or a file at its limit, may have no room left for one more setting. */
	require(r == 0 || (r == SKM_CONFIG_INVALID && (size > 512 || memmem(text, size, "mfa", 3))));
	if (r != 0)
		return 0;
	require(again_len == set_len && memcmp(again, set, set_len) == 0);
	require(edit(set, set_len, NULL, &gone, &gone_len) == 0);
	return 0;
}
