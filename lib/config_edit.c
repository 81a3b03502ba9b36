// SPDX-License-Identifier: Apache-2.0
/* libconfig can write a file too, but only its tree: the comments, in which the people of the office have
 * written down why, would be gone. So the text is edited at the places that the scanner's own words show.
 *
 * One change at a time, each on the text that the one before left: the file is small, and no list of places
 * has to be kept right while the text moves. */
#include "sekimori/config_edit.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "config_internal.h"

/* A setting in the text: from its name, to its value's last byte, and to its terminator (or the same). */
struct place {
	const char *name, *value, *value_end, *end;
};

/* The group in the text. */
struct group_place {
	const char *open, *close; /* the brackets; NULL = there is no such group */
	struct place setting;	  /* the one looked for; name NULL = not there */
	struct place last;	  /* the last one of the group; name NULL = the group is empty */
};

static bool is_word(const struct skm_config_token *token, const char *word)
{
	return token->len == strlen(word) && memcmp(token->start, word, token->len) == 0;
}

/* `token` is the name; afterwards it is what follows the setting. The text was scanned: it is well-formed. */
static void take_setting(
	struct skm_config_lexer *lexer, struct skm_config_token *token, struct place *ret_place)
{
	struct place place = {.name = token->start};
	unsigned depth = 0;
	skm_config_token_next(lexer, token); /* = */
	skm_config_token_next(lexer, token);
	place.value = token->start;
	do {
		if (token->kind == SKM_TOKEN_OPEN)
			depth++;
		else if (token->kind == SKM_TOKEN_CLOSE)
			depth--;
		place.value_end = token->start + token->len;
		bool is_string = token->kind == SKM_TOKEN_STRING;
		skm_config_token_next(lexer, token);
		/* Strings that follow each other are one. */
		if (depth == 0 && !(is_string && token->kind == SKM_TOKEN_STRING))
			break;
	} while (token->kind != SKM_TOKEN_END);
	place.end = place.value_end;
	if (token->kind == SKM_TOKEN_SEMICOLON || token->kind == SKM_TOKEN_COMMA) {
		place.end = token->start + token->len;
		skm_config_token_next(lexer, token);
	}
	*ret_place = place;
}

/* Looks into the group whose `{` has just been read. */
static void look_into(struct skm_config_lexer *lexer, const char *name, struct group_place *ret_place)
{
	struct skm_config_token token;
	skm_config_token_next(lexer, &token);
	while (token.kind == SKM_TOKEN_NAME) {
		bool is_it = is_word(&token, name);
		take_setting(lexer, &token, &ret_place->last);
		if (is_it)
			ret_place->setting = ret_place->last;
	}
	ret_place->close = token.start;
}

static int find(const char *text, size_t len, const char *group, const char *name, struct group_place *ret)
{
	struct group_place found = {0};
	struct skm_config_lexer lexer = {text, text + len, 1};
	struct skm_config_token token;
	skm_config_token_next(&lexer, &token);
	while (token.kind == SKM_TOKEN_NAME && !found.open) {
		if (!is_word(&token, group)) {
			struct place passed;
			take_setting(&lexer, &token, &passed);
			continue;
		}
		skm_config_token_next(&lexer, &token); /* = */
		skm_config_token_next(&lexer, &token);
		if (token.kind != SKM_TOKEN_OPEN || *token.start != '{')
			return SKM_CONFIG_EDIT_NOT_A_GROUP;
		found.open = token.start;
		look_into(&lexer, name, &found);
	}
	*ret = found;
	return 0;
}

/* ---- lines ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\f';
}

/* Where the line of `at` begins when only blanks stand before it there, else NULL. */
static const char *line_start(const char *text, const char *at)
{
	while (at > text && is_blank(at[-1]))
		at--;
	return at == text || at[-1] == '\n' ? at : NULL;
}

/* Behind the end of the line when only blanks stand from `at` to there, else NULL. */
static const char *line_end(const char *end, const char *at)
{
	while (at < end && (is_blank(*at) || *at == '\r'))
		at++;
	if (at == end)
		return at;
	return *at == '\n' ? at + 1 : NULL;
}

static const char *newline_of(const char *text, size_t len)
{
	const char *newline = memchr(text, '\n', len);
	return newline && newline > text && newline[-1] == '\r' ? "\r\n" : "\n";
}

/* ---- pieces ---- */

/* Text with [from, to) replaced. */
static int splice(const char *text, size_t len, const char *from, const char *to, const char *piece,
	char **ret_text, size_t *ret_len)
{
	if (!from || !to || to < from)
		return -EINVAL; /* never: the scanner would have refused the text */
	size_t before = (size_t)(from - text);
	size_t after = len - (size_t)(to - text);
	size_t piece_len = strlen(piece);
	char *result = malloc(before + piece_len + after + 1);
	if (!result)
		return -ENOMEM;
	memcpy(result, text, before);
	memcpy(result + before, piece, piece_len);
	memcpy(result + before + piece_len, to, after);
	*ret_len = before + piece_len + after;
	result[*ret_len] = '\0';
	*ret_text = result;
	return 0;
}

SKM_PRINTF(6, 7)
static int splice_printf(const char *text, size_t len, const char *at, char **ret_text, size_t *ret_len,
	const char *format, ...)
{
	SKM_CLEANUP(skm_free) char *piece = NULL;
	__builtin_va_list args;
	__builtin_va_start(args, format);
	int n = vasprintf(&piece, format, args);
	__builtin_va_end(args);
	if (n < 0) {
		piece = NULL;
		return -ENOMEM;
	}
	return splice(text, len, at, at, piece, ret_text, ret_len);
}

static int append_group(const char *text, size_t len, const char *group,
	const struct skm_config_change *change, char **ret_text, size_t *ret_len)
{
	const char *newline = newline_of(text, len);
	/* Behind a comment without a line end, the group would be a part of it. */
	const char *gap = len > 0 && text[len - 1] != '\n' ? newline : "";
	return splice_printf(text, len, text + len, ret_text, ret_len, "%s%s%s: {%s  %s = %s;%s};%s", gap,
		len > 0 ? newline : "", group, newline, change->name, change->value, newline, newline);
}

static int add_setting(const char *text, size_t len, const struct group_place *place,
	const struct skm_config_change *change, char **ret_text, size_t *ret_len)
{
	const char *newline = newline_of(text, len);
	const char *line = line_start(text, place->close);
	if (!line && place->last.name) {
		/* `mfa: { a = "b"; };` on one line; the last terminator may be missing */
		bool is_open = place->last.end == place->last.value_end;
		return splice_printf(text, len, place->last.end, ret_text, ret_len, "%s %s = %s;",
			is_open ? ";" : "", change->name, change->value);
	}
	if (!line) {
		const char *behind = place->open + 1;
		return splice_printf(text, len, behind, ret_text, ret_len, " %s = %s;%s", change->name,
			change->value, *behind == '}' ? " " : "");
	}
	/* The neighbours' indent, where there are any on lines of their own. */
	const char *model = place->last.name ? line_start(text, place->last.name) : NULL;
	int indent_len = model ? (int)(place->last.name - model) : (int)(place->close - line);
	return splice_printf(text, len, line, ret_text, ret_len, "%.*s%s%s = %s;%s", indent_len,
		model ? model : line, model ? "" : "  ", change->name, change->value, newline);
}

/* With its line, when it has one to itself. */
static int remove_setting(
	const char *text, size_t len, const struct place *setting, char **ret_text, size_t *ret_len)
{
	const char *from = line_start(text, setting->name);
	const char *to = line_end(text + len, setting->end);
	if (!from || !to) {
		from = setting->name;
		to = setting->end;
	}
	return splice(text, len, from, to, "", ret_text, ret_len);
}

static int apply(const char *text, size_t len, const char *group, const struct skm_config_change *change,
	char **ret_text, size_t *ret_len)
{
	struct group_place place;
	int r = find(text, len, group, change->name, &place);
	if (r != 0)
		return r;
	if (!change->value) {
		if (place.setting.name)
			return remove_setting(text, len, &place.setting, ret_text, ret_len);
		return splice(text, len, text, text, "", ret_text, ret_len);
	}
	if (place.setting.name)
		return splice(text, len, place.setting.value, place.setting.value_end, change->value,
			ret_text, ret_len);
	if (!place.open)
		return append_group(text, len, group, change, ret_text, ret_len);
	return add_setting(text, len, &place, change, ret_text, ret_len);
}

int skm_config_edit(const char *path, const char *text, size_t len, const struct skm_config_edit *edit,
	char **ret_text, size_t *ret_len, struct skm_config_error *error)
{
	SKM_CLEANUP(skm_free) char *current = NULL;
	size_t current_len = 0;
	int r = skm_config_scan(path, text, len, error);
	if (r == 0)
		r = splice(text, len, text, text, "", &current, &current_len);
	for (size_t i = 0; r == 0 && current && i < edit->count; i++) {
		char *next = NULL;
		size_t next_len = 0;
		r = apply(current, current_len, edit->group, &edit->changes[i], &next, &next_len);
		if (r == 0) {
			free(current);
			current = next;
			current_len = next_len;
		}
	}
	if (r != 0)
		return r;
	*ret_text = current;
	current = NULL;
	*ret_len = current_len;
	return 0;
}

int skm_config_quote(const char *value, char *ret_text, size_t size)
{
	size_t len = 0;
	if (size < 3)
		return -ENOBUFS;
	ret_text[len++] = '"';
	for (; *value; value++) {
		if ((unsigned char)*value < 0x20 || *value == 0x7f)
			return -EINVAL;
		bool is_escaped = *value == '"' || *value == '\\';
		if (size - len < (is_escaped ? 4U : 3U))
			return -ENOBUFS;
		if (is_escaped)
			ret_text[len++] = '\\';
		ret_text[len++] = *value;
	}
	ret_text[len++] = '"';
	ret_text[len] = '\0';
	return 0;
}
