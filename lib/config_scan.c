// SPDX-License-Identifier: Apache-2.0
/* Reads the whole text before libconfig does and refuses what libconfig must not see or would report badly.
 * Values do not come from here: libconfig parses them. It was not enough to let libconfig find the errors,
 * because version 1.5
 *   - opens the file of an "@include", which nobody has checked, even when it parses from memory;
 *   - loses memory on syntax errors near strings (its grammar frees no token it drops), so a daemon that
 * reloads would leak;
 *   - names neither the key nor what it found, and keeps the settings above the error;
 *   - frees its tree by recursion, as deep as the file nests.
 * The grammar is lib/grammar.y of libconfig, without its generosities. A stack of fixed depth stands in for
 * recursion. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config_internal.h"
#include "sekimori/io.h"

#define DEPTH_MAX 8  /* the deepest key, usb.rules[].class[], needs 5 */
#define NAMES_MAX 64 /* settings in one group; no group has that many keys */

struct span {
	const char *start;
	size_t len;
	unsigned line;
};

struct frame {
	char open;	  /* '{' also for the file itself, '(' or '[' */
	unsigned line;	  /* where it was opened */
	unsigned index;	  /* in ( ) and [ ]: which element */
	bool is_text;	  /* in [ ]: the first one is a string */
	struct span name; /* in { }: the setting that is being read */
	size_t name_count;
	struct span names[NAMES_MAX];
};

enum state {
	EXPECT_NAME, /* in { }: a name, or the end of it */
	EXPECT_EQUALS,
	EXPECT_FIRST, /* just after ( or [: a value, or the end of it */
	EXPECT_VALUE,
	AFTER_STRING, /* more strings are joined to it */
	AFTER_VALUE,
};

struct scan {
	const char *file;
	struct skm_config_error *error;
	enum state state;
	size_t depth; /* frames[depth - 1] is the innermost; never 0 */
	struct frame frames[DEPTH_MAX];
};

static struct frame *innermost(struct scan *scan)
{
	return &scan->frames[scan->depth - 1];
}

static bool is_name_current(const struct frame *frame)
{
	return frame->open == '{' && frame->name.len > 0;
}

/* "usb.rules[3].vid_pid" out of the stack. */
static void print_key(const struct scan *scan, char *buf, size_t size)
{
	size_t used = 0;
	buf[0] = '\0';
	for (size_t i = 0; i < scan->depth; i++) {
		const struct frame *frame = &scan->frames[i];
		int n = 0;
		if (is_name_current(frame))
			n = snprintf(buf + used, size - used, "%s%.*s", used > 0 ? "." : "",
				(int)frame->name.len, frame->name.start);
		else if (frame->open != '{')
			n = snprintf(buf + used, size - used, "[%u]", frame->index);
		if (n < 0 || (size_t)n >= size - used)
			return;
		used += (size_t)n;
	}
}

static int refuse_at(struct scan *scan, const struct skm_config_token *token, struct skm_config_text allowed)
{
	char key[sizeof(scan->error->key)];
	print_key(scan, key, sizeof(key));
	struct skm_config_place place = {scan->file, token->line, key};
	if (token->kind == SKM_TOKEN_END)
		return skm_config_refuse_words(scan->error, &place,
			(struct skm_config_text){"the end of the file", "ファイルの終わり"}, allowed);
	return skm_config_refuse(scan->error, &place, token->start, token->len, allowed);
}

static bool is_truth_value(const struct skm_config_token *token)
{
	return (token->len == 4 && strncasecmp(token->start, "true", 4) == 0) ||
	       (token->len == 5 && strncasecmp(token->start, "false", 5) == 0);
}

static int on_new_name(struct scan *scan, const struct skm_config_token *token)
{
	struct frame *frame = innermost(scan);
	frame->name = (struct span){token->start, token->len, token->line};
	for (size_t i = 0; i < frame->name_count; i++) {
		const struct span *earlier = &frame->names[i];
		if (earlier->len != token->len || memcmp(earlier->start, token->start, token->len) != 0)
			continue;
		char allowed[64];
		char allowed_ja[96];
		(void)snprintf(
			allowed, sizeof(allowed), "each key once; the first is on line %u", earlier->line);
		(void)snprintf(allowed_ja, sizeof(allowed_ja), "同じキーは1回だけ(最初の記載は%u行目)",
			earlier->line);
		return refuse_at(scan, token, (struct skm_config_text){allowed, allowed_ja});
	}
	if (frame->name_count == NAMES_MAX)
		return refuse_at(scan, token,
			(struct skm_config_text){
				"at most 64 settings in one group", "1つのグループに最大64個の設定"});
	frame->names[frame->name_count++] = frame->name;
	scan->state = EXPECT_EQUALS;
	return 0;
}

static int on_open(struct scan *scan, const struct skm_config_token *token)
{
	if (innermost(scan)->open == '[')
		return refuse_at(scan, token,
			(struct skm_config_text){
				"text in double quotation marks", "二重引用符で囲んだ文字列"});
	if (scan->depth == DEPTH_MAX)
		return refuse_at(scan, token,
			(struct skm_config_text){"brackets nested at most 7 deep", "括弧の入れ子は7段まで"});
	struct frame *frame = &scan->frames[scan->depth++];
	frame->open = *token->start;
	frame->line = token->line;
	frame->index = 0;
	frame->name = (struct span){0};
	frame->name_count = 0;
	scan->state = frame->open == '{' ? EXPECT_NAME : EXPECT_FIRST;
	return 0;
}

static char closing(char open)
{
	switch (open) {
	case '{':
		return '}';
	case '[':
		return ']';
	default:
		return ')';
	}
}

/* A bracket or the end of the file, where the innermost value may end. */
static int on_close(struct scan *scan, const struct skm_config_token *token)
{
	struct frame *frame = innermost(scan);
	frame->name = (struct span){0};
	if (scan->depth == 1) {
		if (token->kind == SKM_TOKEN_END)
			return 0;
		return refuse_at(scan, token,
			(struct skm_config_text){"a closing bracket only after its opening one",
				"開き括弧に対応する閉じ括弧"});
	}
	if (token->kind == SKM_TOKEN_CLOSE && *token->start == closing(frame->open)) {
		scan->depth--;
		scan->state = AFTER_VALUE;
		return 0;
	}
	char allowed[64];
	char allowed_ja[96];
	(void)snprintf(allowed, sizeof(allowed), "\"%c\" to close the \"%c\" of line %u",
		closing(frame->open), frame->open, frame->line);
	(void)snprintf(allowed_ja, sizeof(allowed_ja), "%u行目の「%c」を閉じる「%c」", frame->line,
		frame->open, closing(frame->open));
	scan->depth--; /* the key is that of the bracket */
	return refuse_at(scan, token, (struct skm_config_text){allowed, allowed_ja});
}

static int on_expected_name(struct scan *scan, const struct skm_config_token *token)
{
	if (token->kind == SKM_TOKEN_NAME && !is_truth_value(token))
		return on_new_name(scan, token);
	if (token->kind == SKM_TOKEN_CLOSE || token->kind == SKM_TOKEN_END)
		return on_close(scan, token);
	innermost(scan)->name = (struct span){0};
	return refuse_at(scan, token,
		(struct skm_config_text){"a setting: name = \"value\";", "設定: 名前 = \"値\";"});
}

static int on_scalar(struct scan *scan, const struct skm_config_token *token)
{
	struct frame *frame = innermost(scan);
	bool is_text = token->kind == SKM_TOKEN_STRING;
	if (frame->index == 0)
		frame->is_text = is_text;
	/* One of another type than the first is no array to libconfig; only strings are wanted anywhere. */
	if (frame->open == '[' && frame->index > 0 && !(is_text && frame->is_text))
		return refuse_at(scan, token,
			(struct skm_config_text){"all elements as text in double quotation marks",
				"すべての要素を二重引用符で囲んだ文字列"});
	scan->state = is_text ? AFTER_STRING : AFTER_VALUE;
	return 0;
}

static int on_expected_value(struct scan *scan, const struct skm_config_token *token)
{
	if (token->kind == SKM_TOKEN_STRING || token->kind == SKM_TOKEN_NUMBER ||
		(token->kind == SKM_TOKEN_NAME && is_truth_value(token)))
		return on_scalar(scan, token);
	if (token->kind == SKM_TOKEN_OPEN)
		return on_open(scan, token);
	if (token->kind == SKM_TOKEN_CLOSE && scan->state == EXPECT_FIRST)
		return on_close(scan, token);
	if (token->kind == SKM_TOKEN_CLOSE && innermost(scan)->open != '{')
		return refuse_at(scan, token,
			(struct skm_config_text){"another element, or no comma before the closing bracket",
				"次の要素(閉じ括弧の前にコンマは書かない)"});
	return refuse_at(scan, token,
		(struct skm_config_text){"text in double quotation marks", "二重引用符で囲んだ文字列"});
}

static int on_after_value(struct scan *scan, const struct skm_config_token *token)
{
	struct frame *frame = innermost(scan);
	if (token->kind == SKM_TOKEN_STRING && scan->state == AFTER_STRING)
		return 0;
	if (frame->open == '{') {
		if (token->kind != SKM_TOKEN_SEMICOLON && token->kind != SKM_TOKEN_COMMA)
			return on_expected_name(scan, token);
		frame->name = (struct span){0};
		scan->state = EXPECT_NAME;
		return 0;
	}
	if (token->kind == SKM_TOKEN_COMMA) {
		frame->index++;
		scan->state = EXPECT_VALUE;
		return 0;
	}
	if (token->kind == SKM_TOKEN_CLOSE || token->kind == SKM_TOKEN_END)
		return on_close(scan, token);
	return refuse_at(scan, token,
		(struct skm_config_text){"a comma between elements, or the closing bracket",
			"要素の間のコンマ、または閉じ括弧"});
}

static int on_token(struct scan *scan, const struct skm_config_token *token)
{
	if (token->kind == SKM_TOKEN_FAULT)
		return refuse_at(scan, token, token->allowed);
	switch (scan->state) {
	case EXPECT_NAME:
		return on_expected_name(scan, token);
	case EXPECT_EQUALS:
		if (token->kind != SKM_TOKEN_EQUALS)
			return refuse_at(scan, token,
				(struct skm_config_text){
					"\"=\" or \":\" after the name", "名前の後の「=」または「:」"});
		scan->state = EXPECT_VALUE;
		return 0;
	case EXPECT_FIRST:
	case EXPECT_VALUE:
		return on_expected_value(scan, token);
	case AFTER_STRING:
	case AFTER_VALUE:
		return on_after_value(scan, token);
	}
	return -EINVAL;
}

/* ---- the text as bytes ---- */

/* A line that begins with @include, also inside a comment: which of them a version of libconfig honours is
 * its secret. */
static bool is_include(const char *line, size_t len)
{
	static const char word[] = "@include";
	size_t i = 0;
	while (i < len && (line[i] == ' ' || line[i] == '\t' || line[i] == '\f' || line[i] == '\r'))
		i++;
	return len - i >= sizeof(word) - 1 && strncasecmp(line + i, word, sizeof(word) - 1) == 0;
}

static int check_line(
	const struct skm_config_place *place, const char *line, size_t len, struct skm_config_error *error)
{
	if (memchr(line, '\0', len))
		return skm_config_refuse_words(error, place,
			(struct skm_config_text){"a NUL byte", "NUL文字"},
			(struct skm_config_text){"text", "テキスト"});
	if (!skm_utf8_is_valid(line, len))
		return skm_config_refuse(error, place, line, len,
			(struct skm_config_text){
				"UTF-8 (is it Shift_JIS?)", "UTF-8(Shift_JISで保存していませんか)"});
	if (is_include(line, len))
		return skm_config_refuse(error, place, line, len,
			(struct skm_config_text){
				"no @include at the beginning of a line: one file holds everything",
				"行頭に @include は書けません(設定は1つのファイルにまとめます)"});
	return 0;
}

static int check_bytes(const char *file, const char *text, size_t len, struct skm_config_error *error)
{
	static const char byte_order_mark[] = "\xef\xbb\xbf";
	struct skm_config_place place = {file, 0, ""};
	if (len > SKM_CONFIG_BYTES_MAX) {
		char found[32];
		(void)snprintf(found, sizeof(found), "%zu bytes", len);
		return skm_config_refuse(error, &place, found, strlen(found),
			(struct skm_config_text){"at most 262144 bytes", "262144バイト以下"});
	}
	place.line = 1;
	if (len >= 3 && memcmp(text, byte_order_mark, 3) == 0)
		return skm_config_refuse_words(error, &place,
			(struct skm_config_text){"a byte order mark", "バイト順マーク(BOM)"},
			(struct skm_config_text){"UTF-8 without a byte order mark", "BOMなしのUTF-8"});
	for (size_t i = 0; i < len; place.line++) {
		const char *newline = memchr(text + i, '\n', len - i);
		size_t line_len = newline ? (size_t)(newline - text) - i : len - i;
		int r = check_line(&place, text + i, line_len, error);
		if (r != 0)
			return r;
		i += line_len + 1;
	}
	return 0;
}

int skm_config_scan(const char *file, const char *text, size_t len, struct skm_config_error *error)
{
	int r = check_bytes(file, text, len, error);
	if (r != 0)
		return r;
	struct scan scan = {.file = file, .error = error, .state = EXPECT_NAME, .depth = 1};
	scan.frames[0].open = '{';
	struct skm_config_lexer lexer = {text, text + len, 1};
	struct skm_config_token token;
	do {
		skm_config_token_next(&lexer, &token);
		r = on_token(&scan, &token);
	} while (r == 0 && token.kind != SKM_TOKEN_END);
	return r;
}
