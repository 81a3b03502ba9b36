// SPDX-License-Identifier: Apache-2.0
/* libpam gives nobody the stack it has built, so it is built here once more, by the same rules: a line that
 * libpam cannot understand is one that fails, not one that is missing. Asking libpam itself (pam_start and
 * a wrong password for each service) was rejected: it would need a person, count as an attempt and find only
 * the way that was tried. */
#include "pam_stack.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define JUMP_MAX 1000000
#define UNSET (-100)
#define BROKEN_FILE 1 /* beside 0 and -errno: libpam gives up the file */

struct reading {
	const struct skm_pam_files *files;
	struct skm_pam_stack *stack;
};

static int read_file(struct reading *reading, const char *name, unsigned depth, unsigned level);

const char *skm_pam_module_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* ---- words ---- */

/* The next word, or NULL; "[…]" is one without its brackets, in which "\]" is a bracket. Written over. */
static char *next_word(char **rest)
{
	char *at = *rest + strspn(*rest, " \t\r\n");
	if (!*at) {
		*rest = at;
		return NULL;
	}
	if (*at != '[') {
		size_t len = strcspn(at, " \t\r\n");
		*rest = at[len] ? at + len + 1 : at + len;
		at[len] = '\0';
		return at;
	}
	char *word = ++at;
	char *to = at;
	while (*at && *at != ']') {
		if (at[0] == '\\' && at[1] == ']')
			at++;
		*to++ = *at++;
	}
	*rest = *at ? at + 1 : at;
	*to = '\0';
	return word;
}

/* ---- controls ---- */

static void set_all(int actions[SKM_PAM_CODE_COUNT], int action)
{
	for (size_t i = 0; i < SKM_PAM_CODE_COUNT; i++)
		actions[i] = action;
}

static const char *const code_names[SKM_PAM_CODE_COUNT + 1] = {"success", "open_err", "symbol_err",
	"service_err", "system_err", "buf_err", "perm_denied", "auth_err", "cred_insufficient",
	"authinfo_unavail", "user_unknown", "maxtries", "new_authtok_reqd", "acct_expired", "session_err",
	"cred_unavail", "cred_expired", "cred_err", "no_module_data", "conv_err", "authtok_err",
	"authtok_recover_err", "authtok_lock_busy", "authtok_disable_aging", "try_again", "ignore", "abort",
	"authtok_expired", "module_unknown", "bad_item", "conv_again", "incomplete", "default"};

/* libpam compares beginnings, with capitals apart: in "success=okdefault=bad" there are two pairs. Returns
 * the length, 0 when there is none of these. */
static size_t take_code(const char *text, unsigned *ret_code)
{
	for (unsigned code = 0; code <= SKM_PAM_CODE_COUNT; code++) {
		size_t len = strlen(code_names[code]);
		if (strncmp(text, code_names[code], len) == 0) {
			*ret_code = code;
			return len;
		}
	}
	return 0;
}

static size_t take_action(const char *text, int *ret_action)
{
	static const struct {
		const char *name;
		int action;
	} names[] = {{"ignore", SKM_PAM_ACTION_IGNORE}, {"ok", SKM_PAM_ACTION_OK},
		{"done", SKM_PAM_ACTION_DONE}, {"bad", SKM_PAM_ACTION_BAD}, {"die", SKM_PAM_ACTION_DIE},
		{"reset", SKM_PAM_ACTION_RESET}};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(names); i++) {
		size_t len = strlen(names[i].name);
		if (strncmp(text, names[i].name, len) == 0) {
			*ret_action = names[i].action;
			return len;
		}
	}
	int jump = 0;
	size_t len = 0;
	while (isdigit((unsigned char)text[len]) && jump <= JUMP_MAX)
		jump = jump * 10 + (text[len++] - '0');
	if (jump < 1 || jump > JUMP_MAX)
		return 0;
	*ret_action = jump;
	return len;
}

/* "default" gives its action to whatever has none yet. */
static void set_action(int actions[SKM_PAM_CODE_COUNT], unsigned code, int action)
{
	for (unsigned i = 0; i < SKM_PAM_CODE_COUNT; i++) {
		if (i == code || (code == SKM_PAM_CODE_COUNT && actions[i] == UNSET))
			actions[i] = action;
	}
}

static int set_actions(int actions[SKM_PAM_CODE_COUNT], const char *text)
{
	static const char blank[] = " \t\r\n";
	set_all(actions, UNSET);
	while (*(text += strspn(text, blank))) {
		unsigned code = 0;
		int action = 0;
		size_t len = take_code(text, &code);
		text += len;
		text += strspn(text, blank);
		if (len == 0 || *text++ != '=')
			return -EBADMSG;
		text += strspn(text, blank);
		len = take_action(text, &action);
		if (len == 0)
			return -EBADMSG;
		text += len;
		set_action(actions, code, action);
	}
	set_action(actions, SKM_PAM_CODE_COUNT, SKM_PAM_ACTION_BAD);
	return 0;
}

static void set_control(int actions[SKM_PAM_CODE_COUNT], const char *word)
{
	static const struct {
		const char *word, *actions;
	} plain[] = {{"required", "success=ok new_authtok_reqd=ok ignore=ignore default=bad"},
		{"requisite", "success=ok new_authtok_reqd=ok ignore=ignore default=die"},
		{"sufficient", "success=done new_authtok_reqd=done default=ignore"},
		{"optional", "success=ok new_authtok_reqd=ok default=ignore"}};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(plain); i++) {
		if (strcasecmp(word, plain[i].word) == 0)
			word = plain[i].actions;
	}
	if (set_actions(actions, word) < 0)
		set_all(actions, SKM_PAM_ACTION_BAD);
}

/* ---- lines ---- */

static struct skm_pam_line *add_line(struct reading *reading, enum skm_pam_kind kind, unsigned level)
{
	if (reading->stack->count == SKM_PAM_LINES_MAX)
		return NULL;
	struct skm_pam_line *line = &reading->stack->lines[reading->stack->count++];
	*line = (struct skm_pam_line){.kind = kind, .level = level};
	set_all(line->actions, SKM_PAM_ACTION_BAD);
	return line;
}

static int add_module(struct reading *reading, const char *control, char *rest, unsigned level)
{
	const char *path = next_word(&rest);
	struct skm_pam_line *line = add_line(reading, path ? SKM_PAM_MODULE : SKM_PAM_BROKEN, level);
	if (!line)
		return -E2BIG;
	set_control(line->actions, control);
	(void)snprintf(line->path, sizeof(line->path), "%s", path ? path : "");
	for (const char *word; (word = next_word(&rest));) {
		size_t len = strlen(line->arguments);
		(void)snprintf(
			line->arguments + len, sizeof(line->arguments) - len, "%s%s", len ? " " : "", word);
	}
	return 0;
}

/* A file that is not there is a line that fails, of the level of the one that names it. */
static int follow(
	struct reading *reading, const char *name, unsigned depth, unsigned level, unsigned level_inside)
{
	int r = !name || depth >= SKM_PAM_DEPTH_MAX ? -ENOENT
						    : read_file(reading, name, depth + 1, level_inside);
	if (r != -ENOENT && r != BROKEN_FILE)
		return r;
	return add_line(reading, SKM_PAM_BROKEN, level) ? 0 : -E2BIG;
}

/* An @include that cannot be followed spoils the whole file: pam_start fails. */
static int paste(struct reading *reading, const char *name, unsigned depth, unsigned level)
{
	int r = !name || depth >= SKM_PAM_DEPTH_MAX ? -ENOENT : read_file(reading, name, depth + 1, level);
	return r == -ENOENT ? BROKEN_FILE : r;
}

static int read_auth(struct reading *reading, char *rest, unsigned depth, unsigned level)
{
	const char *control = next_word(&rest);
	if (!control)
		return add_line(reading, SKM_PAM_BROKEN, level) ? 0 : -E2BIG;
	if (strcasecmp(control, "include") == 0)
		return follow(reading, next_word(&rest), depth, level, level);
	if (strcasecmp(control, "substack") != 0)
		return add_module(reading, control, rest, level);
	if (!add_line(reading, SKM_PAM_SUBSTACK, level))
		return -E2BIG;
	return follow(reading, next_word(&rest), depth, level, level + 1);
}

static int read_line(struct reading *reading, char *line, unsigned depth, unsigned level)
{
	static const char *const others[] = {"account", "password", "session"};
	char *rest = line;
	const char *type = next_word(&rest);
	if (!type)
		return 0;
	if (strcasecmp(type, "@include") == 0)
		return paste(reading, next_word(&rest), depth, level);
	if (type[0] == '-') /* libpam then keeps silent about a missing module; it fails all the same */
		type++;
	if (strcasecmp(type, "auth") == 0)
		return read_auth(reading, rest, depth, level);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(others); i++) {
		if (strcasecmp(type, others[i]) == 0)
			return 0;
	}
	/* A type that is none counts as auth, since that is the most sensitive one. */
	return add_line(reading, SKM_PAM_BROKEN, level) ? 0 : -E2BIG;
}

/* Cuts the comment and the blanks at the end; true when the line goes on in the next one. */
static bool trim(char *line)
{
	line[strcspn(line, "#")] = '\0';
	size_t len = strlen(line);
	while (len > 0 && isspace((unsigned char)line[len - 1]))
		len--;
	bool goes_on = len > 0 && line[len - 1] == '\\';
	line[goes_on ? len - 1 : len] = '\0';
	return goes_on;
}

static int read_text(struct reading *reading, char *text, unsigned depth, unsigned level)
{
	char whole[4096] = "";
	size_t len = 0;
	char *rest = text;
	for (char *line; (line = strsep(&rest, "\n"));) {
		bool goes_on = trim(line);
		size_t line_len = strlen(line);
		if (len + line_len + 2 > sizeof(whole))
			return -E2BIG;
		memcpy(whole + len, line, line_len + 1);
		len += line_len;
		if (goes_on && rest) {
			whole[len++] = ' ';
			whole[len] = '\0';
			continue;
		}
		int r = read_line(reading, whole, depth, level);
		if (r != 0)
			return r;
		len = 0;
		whole[0] = '\0';
	}
	return 0;
}

static int read_file(struct reading *reading, const char *name, unsigned depth, unsigned level)
{
	SKM_CLEANUP(skm_free) char *text = malloc(SKM_PAM_FILE_BYTES);
	if (!text)
		return -ENOMEM;
	int r = reading->files->read(reading->files->user, name, text, SKM_PAM_FILE_BYTES);
	if (r == 0)
		r = read_text(reading, text, depth, level);
	if (r != 0 || !reading->files->assumes_ours || strcmp(name, "common-auth") != 0)
		return r;
	char ours[] = SKM_PAM_OUR_MODULE;
	return add_module(reading, "required", ours, level);
}

int skm_pam_stack_read(
	const struct skm_pam_files *files, const char *service, struct skm_pam_stack *ret_stack)
{
	SKM_CLEANUP(skm_free) struct skm_pam_stack *stack = calloc(1, sizeof(*stack));
	if (!stack)
		return -ENOMEM;
	struct reading reading = {files, stack};
	int r = read_file(&reading, service, 0, 0);
	if (r < 0)
		return r;
	stack->is_broken = r == BROKEN_FILE;
	*ret_stack = *stack;
	return 0;
}
