// SPDX-License-Identifier: Apache-2.0
/* The words of libconfig's language, read as a person reads them. Where libconfig 1.5 (lib/scanner.l) reads
 * something else than a person does, the token is a FAULT:
 *   - a comment that is never closed: libconfig takes the end of the file for its end, so that all settings
 * below it are silently gone; likewise the last of several joined strings;
 *   - a string over several lines: almost always a forgotten quotation mark, noticed many lines too late;
 *   - "\x00": libconfig drops it; other unknown escapes: it keeps the backslash;
 *   - a carriage return alone: an editor may show a new line where libconfig goes on with a comment;
 *   - an integer that does not fit: libconfig 1.5 cuts it to 32 bits without a word;
 *   - "5min" without quotation marks: libconfig reads the number 5 and then a name. */
#include <string.h>

#include "config_internal.h"
#include "sekimori/parse.h"

static bool is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex_digit(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_name_char(char c)
{
	return is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '*';
}

static bool is_number_char(char c)
{
	return is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '+' || c == '.';
}

static void fault(struct skm_config_token *token, struct skm_config_text allowed)
{
	token->kind = SKM_TOKEN_FAULT;
	token->allowed = allowed;
}

/* The rest of the line, without its end, for messages. */
static size_t line_rest(const char *at, const char *end)
{
	size_t len = 0;
	while (at + len < end && at[len] != '\n' && at[len] != '\r')
		len++;
	return len;
}

/* A carriage return is white space only as the first half of a line end. */
static bool is_lone_return(const struct skm_config_lexer *lexer)
{
	return *lexer->at == '\r' && (lexer->at + 1 == lexer->end || lexer->at[1] != '\n');
}

static void fault_lone_return(struct skm_config_lexer *lexer, struct skm_config_token *token)
{
	token->start = lexer->at;
	token->len = 1;
	token->line = lexer->line;
	fault(token, (struct skm_config_text){"lines that end with LF or CRLF", "LF または CRLF の改行"});
}

/* Behind the end of the line, false at a lone carriage return. */
static bool skip_line_comment(struct skm_config_lexer *lexer)
{
	while (lexer->at < lexer->end && *lexer->at != '\n') {
		if (is_lone_return(lexer))
			return false;
		lexer->at++;
	}
	return true;
}

/* False when the comment has no end. */
static bool skip_block_comment(struct skm_config_lexer *lexer)
{
	for (lexer->at += 2; lexer->at < lexer->end; lexer->at++) {
		if (*lexer->at == '\n')
			lexer->line++;
		if (*lexer->at == '*' && lexer->at + 1 < lexer->end && lexer->at[1] == '/') {
			lexer->at += 2;
			return true;
		}
	}
	return false;
}

static bool is_line_comment(const struct skm_config_lexer *lexer)
{
	return *lexer->at == '#' || (*lexer->at == '/' && lexer->at + 1 < lexer->end && lexer->at[1] == '/');
}

static bool is_block_comment(const struct skm_config_lexer *lexer)
{
	return *lexer->at == '/' && lexer->at + 1 < lexer->end && lexer->at[1] == '*';
}

/* White space and comments. False when the token is a FAULT. */
static bool skip_blank(struct skm_config_lexer *lexer, struct skm_config_token *token)
{
	while (lexer->at < lexer->end) {
		if (is_block_comment(lexer)) {
			token->start = lexer->at;
			token->len = line_rest(lexer->at, lexer->end);
			token->line = lexer->line;
			if (!skip_block_comment(lexer)) {
				fault(token, (struct skm_config_text){"a comment that is closed with */",
						     "*/ で閉じたコメント"});
				return false;
			}
		} else if (is_line_comment(lexer)) {
			if (!skip_line_comment(lexer)) {
				fault_lone_return(lexer, token);
				return false;
			}
		} else if (*lexer->at == '\n') {
			lexer->line++;
			lexer->at++;
		} else if (is_lone_return(lexer)) {
			fault_lone_return(lexer, token);
			return false;
		} else if (strchr(" \t\r\f", *lexer->at)) {
			lexer->at++;
		} else {
			break;
		}
	}
	return true;
}

/* Length of the escape sequence at a backslash, 0 when it is none that libconfig understands. */
static size_t escape_length(const char *at, const char *end)
{
	if (end - at < 2)
		return 0;
	if (at[1] != '\0' && strchr("nrtf\\\"", at[1]))
		return 2;
	if ((at[1] != 'x' && at[1] != 'X') || end - at < 4 || !is_hex_digit(at[2]) || !is_hex_digit(at[3]))
		return 0;
	return at[2] == '0' && at[3] == '0' ? 0 : 4;
}

static void take_string(struct skm_config_lexer *lexer, struct skm_config_token *token)
{
	token->kind = SKM_TOKEN_STRING;
	const char *at = lexer->at + 1;
	while (at < lexer->end && *at != '"' && *at != '\n' && *at != '\r') {
		size_t step = *at == '\\' ? escape_length(at, lexer->end) : 1;
		if (step == 0) {
			token->len = line_rest(token->start, lexer->end);
			fault(token, (struct skm_config_text){
					     "the escapes \\n \\r \\t \\f \\\\ \\\" and \\x01 to \\xff",
					     "\\n \\r \\t \\f \\\\ \\\" および \\x01〜\\xff のエスケープ"});
			return;
		}
		at += step;
	}
	if (at == lexer->end || *at != '"') {
		token->len = line_rest(token->start, lexer->end);
		fault(token, (struct skm_config_text){"text with a closing quotation mark on the same line",
				     "同じ行で引用符 \" を閉じた文字列"});
		return;
	}
	lexer->at = at + 1;
	token->len = (size_t)(lexer->at - token->start);
}

/* Is it [-+]?digits with an optional L or LL, or 0x… ? What else has digits libconfig may judge: no key wants
 * it. */
static bool is_integer(const char *text, size_t len, bool *ret_is_hex)
{
	size_t i = 0;
	bool is_hex = len > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	if (is_hex)
		i = 2;
	else if (text[0] == '+' || text[0] == '-')
		i = 1;
	size_t first = i;
	while (i < len && (is_hex ? is_hex_digit(text[i]) : is_digit(text[i])))
		i++;
	if (i == first)
		return false;
	for (size_t longs = 0; i < len && text[i] == 'L' && longs < 2; longs++)
		i++;
	*ret_is_hex = is_hex;
	return i == len;
}

/* -2^31 to 2^31 - 1, the range in which every version of libconfig agrees. */
static bool integer_fits(const char *text, size_t len, bool is_hex)
{
	uint64_t limit = text[0] == '-' ? UINT64_C(1) << 31 : (UINT64_C(1) << 31) - 1;
	uint64_t value = 0;
	for (size_t i = is_hex ? 2 : 0; i < len && text[i] != 'L'; i++) {
		if (text[i] == '-' || text[i] == '+')
			continue;
		unsigned digit = is_digit(text[i]) ? (unsigned)(text[i] - '0')
						   : (unsigned)((text[i] | 0x20) - 'a' + 10);
		value = value * (is_hex ? 16 : 10) + digit;
		if (value > limit)
			return false;
	}
	return true;
}

/* "1.5", "1e3", ".5": characters only; libconfig has the last word, and no key takes one. */
static bool is_float(const char *text, size_t len)
{
	bool has_digit = false;
	for (size_t i = 0; i < len; i++) {
		has_digit = has_digit || is_digit(text[i]);
		if (!is_digit(text[i]) && !strchr("+-.eE", text[i]))
			return false;
	}
	return has_digit && (memchr(text, '.', len) || memchr(text, 'e', len) || memchr(text, 'E', len));
}

static void take_number(struct skm_config_lexer *lexer, struct skm_config_token *token)
{
	token->kind = SKM_TOKEN_NUMBER;
	while (lexer->at < lexer->end && is_number_char(*lexer->at))
		lexer->at++;
	token->len = (size_t)(lexer->at - token->start);
	bool is_hex = false;
	if (is_integer(token->start, token->len, &is_hex)) {
		if (!integer_fits(token->start, token->len, is_hex))
			fault(token, (struct skm_config_text){"an integer from -2147483648 to 2147483647",
					     "-2147483648〜2147483647 の整数"});
		return;
	}
	if (!is_float(token->start, token->len))
		fault(token, (struct skm_config_text){"text in double quotation marks, such as \"5min\"",
				     "二重引用符で囲んだ文字列(例: \"5min\")"});
}

static enum skm_config_token_kind sign_kind(char c)
{
	switch (c) {
	case '=':
	case ':':
		return SKM_TOKEN_EQUALS;
	case ';':
		return SKM_TOKEN_SEMICOLON;
	case ',':
		return SKM_TOKEN_COMMA;
	case '{':
	case '[':
	case '(':
		return SKM_TOKEN_OPEN;
	case '}':
	case ']':
	case ')':
		return SKM_TOKEN_CLOSE;
	default:
		return SKM_TOKEN_FAULT;
	}
}

void skm_config_token_next(struct skm_config_lexer *lexer, struct skm_config_token *ret_token)
{
	*ret_token = (struct skm_config_token){.kind = SKM_TOKEN_END};
	if (!skip_blank(lexer, ret_token))
		return;
	ret_token->start = lexer->at;
	ret_token->len = 0;
	ret_token->line = lexer->line;
	if (lexer->at == lexer->end)
		return;
	char first = *lexer->at;
	if (first == '"') {
		take_string(lexer, ret_token);
	} else if (is_letter(first) || first == '*') {
		ret_token->kind = SKM_TOKEN_NAME;
		while (lexer->at < lexer->end && is_name_char(*lexer->at))
			lexer->at++;
		ret_token->len = (size_t)(lexer->at - ret_token->start);
	} else if (is_digit(first) || first == '-' || first == '+' || first == '.') {
		take_number(lexer, ret_token);
	} else {
		ret_token->kind = sign_kind(first);
		ret_token->len = 1;
		if (ret_token->kind == SKM_TOKEN_FAULT) {
			ret_token->len = line_rest(lexer->at, lexer->end);
			fault(ret_token, (struct skm_config_text){
						 "a setting: name = \"value\";", "設定: 名前 = \"値\";"});
		}
		lexer->at++;
	}
}
