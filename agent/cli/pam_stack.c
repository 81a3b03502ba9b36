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

/* A file that is being read; those that include it lie below. */
struct open_file {
	char *text, *rest; /* rest NULL = at its end */
	unsigned level;	   /* of its lines */
	unsigned outer_level;
	bool is_pasted; /* by @include */
	bool takes_ours;
};

struct reading {
	const struct skm_pam_files *files;
	struct skm_pam_stack *stack;
	unsigned depth;
	struct open_file open[SKM_PAM_DEPTH_MAX + 1];
};

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

static int add_broken(struct reading *reading, unsigned level)
{
	return add_line(reading, SKM_PAM_BROKEN, level) ? 0 : -E2BIG;
}

/* Files that authselect keeps and ours replaces. */
static bool is_authselect_file(const char *name)
{
	static const char *const names[] = {
		"system-auth", "password-auth", "fingerprint-auth", "smartcard-auth"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static int open_file(struct reading *reading, const char *name, struct open_file file)
{
	if (!name || reading->depth > SKM_PAM_DEPTH_MAX)
		return -ENOENT;
	file.text = malloc(SKM_PAM_FILE_BYTES);
	if (!file.text)
		return -ENOMEM;
	int r = reading->files->read(reading->files->user, name, file.text, SKM_PAM_FILE_BYTES);
	if (r < 0) {
		free(file.text);
		return r;
	}
	file.rest = file.text;
	file.takes_ours = reading->files->assumes_ours && strcmp(name, "common-auth") == 0;
	reading->open[reading->depth++] = file;
	if (!reading->files->assumes_ours || !is_authselect_file(name))
		return 0;
	char ours[] = SKM_PAM_OUR_MODULE;
	return add_module(reading, "required", ours, file.level);
}

/* A file that is not there is a line that fails. */
static int follow(struct reading *reading, const char *name, unsigned level, unsigned outer_level)
{
	int r = open_file(reading, name, (struct open_file){.level = level, .outer_level = outer_level});
	return r == -ENOENT ? add_broken(reading, outer_level) : r;
}

/* An @include that cannot be followed spoils the file that it stands in. */
static int paste(struct reading *reading, const char *name, unsigned level)
{
	int r = open_file(
		reading, name, (struct open_file){.level = level, .outer_level = level, .is_pasted = true});
	return r == -ENOENT ? BROKEN_FILE : r;
}

static int read_auth(struct reading *reading, char *rest, unsigned level)
{
	const char *control = next_word(&rest);
	if (!control)
		return add_broken(reading, level);
	if (strcasecmp(control, "include") == 0)
		return follow(reading, next_word(&rest), level, level);
	if (strcasecmp(control, "substack") != 0)
		return add_module(reading, control, rest, level);
	if (!add_line(reading, SKM_PAM_SUBSTACK, level))
		return -E2BIG;
	return follow(reading, next_word(&rest), level + 1, level);
}

static int read_line(struct reading *reading, char *line, unsigned level)
{
	static const char *const others[] = {"account", "password", "session"};
	char *rest = line;
	const char *type = next_word(&rest);
	if (!type)
		return 0;
	if (strcasecmp(type, "@include") == 0)
		return paste(reading, next_word(&rest), level);
	if (type[0] == '-') /* libpam then keeps silent about a missing module; it fails all the same */
		type++;
	if (strcasecmp(type, "auth") == 0)
		return read_auth(reading, rest, level);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(others); i++) {
		if (strcasecmp(type, others[i]) == 0)
			return 0;
	}
	/* A type that is none counts as auth, since that is the most sensitive one. */
	return add_broken(reading, level);
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

/* The next line of the file, with those that continue it. 0 or -E2BIG. */
static int take_line(struct open_file *file, char *line, size_t size)
{
	size_t len = 0;
	line[0] = '\0';
	while (file->rest) {
		char *piece = strsep(&file->rest, "\n");
		bool goes_on = trim(piece);
		size_t piece_len = strlen(piece);
		if (len + piece_len + 2 > size)
			return -E2BIG;
		memcpy(line + len, piece, piece_len + 1);
		len += piece_len;
		if (!goes_on)
			break;
		line[len++] = ' ';
		line[len] = '\0';
	}
	return 0;
}

static void close_last(struct reading *reading)
{
	free(reading->open[--reading->depth].text);
}

/* libpam gives up the file, and each one that pasted it; who merely included it goes on with a line that
 * fails. */
static int give_up(struct reading *reading)
{
	while (reading->depth > 1) {
		struct open_file *file = &reading->open[reading->depth - 1];
		bool is_pasted = file->is_pasted;
		unsigned outer_level = file->outer_level;
		close_last(reading);
		if (!is_pasted)
			return add_broken(reading, outer_level);
	}
	close_last(reading);
	reading->stack->is_broken = true;
	return 0;
}

static int read_step(struct reading *reading)
{
	struct open_file *file = &reading->open[reading->depth - 1];
	char line[4096];
	if (!file->rest) {
		char ours[] = SKM_PAM_OUR_MODULE;
		int r = file->takes_ours ? add_module(reading, "required", ours, file->level) : 0;
		close_last(reading);
		return r;
	}
	int r = take_line(file, line, sizeof(line));
	if (r == 0)
		r = read_line(reading, line, file->level);
	return r == BROKEN_FILE ? give_up(reading) : r;
}

int skm_pam_stack_read(
	const struct skm_pam_files *files, const char *service, struct skm_pam_stack *ret_stack)
{
	struct skm_pam_stack *stack = calloc(1, sizeof(*stack));
	if (!stack)
		return -ENOMEM;
	struct reading reading = {.files = files, .stack = stack};
	int r = open_file(&reading, service, (struct open_file){0});
	while (r == 0 && reading.depth > 0)
		r = read_step(&reading);
	while (reading.depth > 0)
		close_last(&reading);
	if (r == 0)
		*ret_stack = *stack;
	free(stack);
	return r;
}
