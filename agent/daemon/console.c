// SPDX-License-Identifier: Apache-2.0
/* logind keeps this in /run/systemd/{seats,sessions}; sd_seat_get_active(3) and sd_session_get_username(3)
 * read these very files, and nothing of ours links libsystemd. No name service is asked: it might be a
 * network away. */
#include "console.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "sekimori/io.h"
#include "sekimori/parse.h"

/* KEY=value, one a line. Copies the value; "" when the key is absent or the value does not fit. */
static void find_value(const char *text, const char *key, char *ret_value, size_t size)
{
	size_t key_len = strlen(key);
	ret_value[0] = '\0';
	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");
		if (len > key_len && strncmp(line, key, key_len) == 0 && line[key_len] == '=' &&
			len - key_len - 1 < size) {
			memcpy(ret_value, line + key_len + 1, len - key_len - 1);
			ret_value[len - key_len - 1] = '\0';
			return;
		}
		line += len + (line[len] == '\n');
	}
}

static int read_text(const char *root, const char *folder, const char *name, char *buf, size_t size)
{
	char path[512];
	size_t len = 0;
	if (strchr(name, '/') ||
		snprintf(path, sizeof(path), "%s/%s/%s", root, folder, name) >= (int)sizeof(path))
		return -EINVAL;
	return skm_file_read_at(AT_FDCWD, path, buf, size, &len);
}

static void read_login_user(const char *proc_root, const char *leader, struct skm_console_user *found)
{
	char text[32];
	uint64_t login_uid = 0;
	if (!leader[0] || read_text(proc_root, leader, "loginuid", text, sizeof(text)) != 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	/* 4294967295 is the kernel's "never set" */
	if (skm_parse_uint(text, 0, UINT32_MAX - 1, &login_uid) != 0)
		return;
	if ((int64_t)login_uid == found->uid)
		memcpy(found->login_user, found->user, sizeof(found->login_user));
	else
		(void)snprintf(found->login_user, sizeof(found->login_user), "uid:%llu",
			(unsigned long long)login_uid);
}

void skm_console_read(const char *run_root, const char *proc_root, struct skm_console_user *ret_user)
{
	char text[4096];
	char session[64];
	char value[32];
	uint64_t uid = 0;
	struct skm_console_user found = {.uid = -1};
	*ret_user = found;
	if (read_text(run_root, "systemd/seats", "seat0", text, sizeof(text)) != 0)
		return;
	find_value(text, "ACTIVE", session, sizeof(session));
	if (!session[0] || read_text(run_root, "systemd/sessions", session, text, sizeof(text)) != 0)
		return;
	/* The login screen itself is a session too (CLASS=greeter): nobody is logged in. */
	find_value(text, "CLASS", value, sizeof(value));
	if (value[0] && strcmp(value, "user") != 0)
		return;
	find_value(text, "UID", value, sizeof(value));
	if (skm_parse_uint(value, 0, UINT32_MAX, &uid) != 0)
		return;
	found.uid = (int64_t)uid;
	find_value(text, "USER", found.user, sizeof(found.user));
	find_value(text, "LEADER", value, sizeof(value));
	read_login_user(proc_root, value, &found);
	*ret_user = found;
}
