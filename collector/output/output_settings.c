// SPDX-License-Identifier: Apache-2.0
/* One table says of every key to whom it belongs and what it may be. The shell script that writes the file
 * asks this code whether it is right (--check), so that there is one judge. libconfig was rejected: eight
 * flat words need no language, and this file is written by a program. */
#include "output_settings.h"

#include <stdio.h>
#include <string.h>

#include "sekimori/parse.h"

#define KAFKA (1u << SKM_OUTPUT_KAFKA)
#define OPENSEARCH (1u << SKM_OUTPUT_OPENSEARCH)
#define BOTH (KAFKA | OPENSEARCH)

static const char *const kinds[] = {[SKM_OUTPUT_KAFKA] = "kafka", [SKM_OUTPUT_OPENSEARCH] = "opensearch"};

const char *skm_output_kind_to_string(enum skm_output_kind kind)
{
	return kinds[kind];
}

int skm_output_kind_from_string(const char *word, enum skm_output_kind *ret_kind)
{
	for (size_t i = 0; i < SKM_ARRAY_SIZE(kinds); i++) {
		if (strcmp(word, kinds[i]) == 0) {
			*ret_kind = (enum skm_output_kind)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* ---- what a value may be ---- */

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static bool consists_of(const char *text, const char *letters)
{
	return text[0] && text[strspn(text, letters)] == '\0';
}

static bool is_port(const char *text)
{
	uint64_t port = 0;
	return skm_parse_uint(text, 1, 65535, &port) == 0;
}

/* HOST:PORT; an IPv6 address stands in brackets. `needs_port`: as Kafka has no default. */
static bool is_host(const char *text, size_t len, bool needs_port)
{
	char host[256];
	if (len == 0 || len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	char *port = NULL;
	if (host[0] == '[') {
		char *end = strchr(host, ']');
		if (!end || (end[1] != '\0' && end[1] != ':'))
			return false;
		port = end[1] ? end + 2 : NULL;
		*end = '\0';
		if (!consists_of(host + 1, DIGITS "abcdefABCDEF:."))
			return false;
	} else {
		port = strchr(host, ':');
		if (port)
			*port++ = '\0';
		if (!consists_of(host, LOWER UPPER DIGITS ".-") || host[0] == '-' || host[0] == '.')
			return false;
	}
	return port ? is_port(port) : !needs_port;
}

static bool is_brokers(const char *text)
{
	for (;;) {
		size_t len = strcspn(text, ",");
		if (!is_host(text, len, true))
			return false;
		if (text[len] == '\0')
			return true;
		text += len + 1;
	}
}

/* A name and a password in it would be shown by "status"; a query would change what is asked of the server.
 */
static bool is_url(const char *text)
{
	static const char scheme[] = "https://";
	if (strncmp(text, scheme, sizeof(scheme) - 1) != 0)
		return false;
	text += sizeof(scheme) - 1;
	size_t len = strcspn(text, "/");
	return is_host(text, len, false) &&
	       (text[len] == '\0' || consists_of(text + len, LOWER UPPER DIGITS "/._~-"));
}

static bool is_topic(const char *text)
{
	return strlen(text) <= 249 && consists_of(text, LOWER UPPER DIGITS "._-") && strcmp(text, ".") != 0 &&
	       strcmp(text, "..") != 0;
}

static bool is_index(const char *text)
{
	return strlen(text) <= 200 && consists_of(text, LOWER DIGITS "._-") && !strchr("._-", text[0]);
}

static bool is_path(const char *text)
{
	return text[0] == '/';
}

static bool is_user(const char *text)
{
	return !strchr(text, ':');
}

static bool is_yes_or_no(const char *text)
{
	return strcmp(text, "yes") == 0 || strcmp(text, "no") == 0;
}

static bool is_kind(const char *text)
{
	enum skm_output_kind kind = SKM_OUTPUT_KAFKA;
	return skm_output_kind_from_string(text, &kind) == 0;
}

/* ---- the table ---- */

struct key {
	const char *name;
	unsigned kinds;
	bool is_needed;
	size_t offset, size; /* where the text goes; size 0: see take() */
	bool (*is_right)(const char *value);
	const char *allowed_ja, *allowed_en;
};
#define PLACE(member) \
	offsetof(struct skm_output_settings, member), sizeof(((struct skm_output_settings *)0)->member)

static const struct key keys[] = {
	{"output", BOTH, true, 0, 0, is_kind, "kafka、opensearch（先頭の行）",
		"kafka, opensearch; the first key of all"},
	{"brokers", KAFKA, true, PLACE(place), is_brokers, "ホスト:ポート をコンマ区切りで",
		"HOST:PORT, several with commas"},
	{"topic", KAFKA, true, PLACE(collection), is_topic, "英数字と . _ - 、249 文字まで",
		"letters, digits, . _ - and at most 249 of them"},
	{"url", OPENSEARCH, true, PLACE(place), is_url,
		"https://ホスト[:ポート][/パス]（利用者名は --user で）",
		"https://HOST[:PORT][/PATH]; who logs in is said by --user"},
	{"index", OPENSEARCH, true, PLACE(collection), is_index,
		"英小文字・数字と . _ - 、先頭は英数字、200 文字まで",
		"small letters, digits, . _ - beginning with one of the former, at most 200"},
	{"ca", BOTH, false, PLACE(ca), is_path, "絶対パス", "an absolute path"},
	{"user", BOTH, false, PLACE(user), is_user, "コロンを含まない名前", "a name without a colon"},
	{"plaintext", KAFKA, false, 0, 0, is_yes_or_no, "yes、no", "yes, no"},
};

static int fail(struct skm_output_fault *fault, unsigned line, const struct key *key, const char *found)
{
	fault->line = line;
	fault->allowed_ja = key->allowed_ja;
	fault->allowed_en = key->allowed_en;
	(void)snprintf(fault->key, sizeof(fault->key), "%s", key->name);
	(void)snprintf(fault->found, sizeof(fault->found), "%s", found);
	for (char *at = fault->found; *at; at++) {
		if (*at < ' ' || *at > '~')
			*at = '?';
	}
	return SKM_OUTPUT_SETTINGS_WRONG;
}

struct parser {
	struct skm_output_settings settings;
	struct skm_output_fault *fault;
	unsigned line;
	bool seen[SKM_ARRAY_SIZE(keys)];
};

static int take(struct parser *parser, size_t i, const char *value)
{
	const struct key *key = &keys[i];
	static const struct key twice = {.allowed_ja = "各キー一度だけ", .allowed_en = "each key once"};
	if (parser->seen[i]) {
		struct key wrong = twice;
		wrong.name = key->name;
		return fail(parser->fault, parser->line, &wrong, "twice");
	}
	if (value[0] == '\0' || !key->is_right(value) || (key->size > 0 && strlen(value) >= key->size))
		return fail(parser->fault, parser->line, key, value);
	/* Names of files and of people may be Japanese; control characters are nobody's. */
	for (const char *at = value; *at; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return fail(parser->fault, parser->line, key, value);
	}
	parser->seen[i] = true;
	if (i == 0)
		return skm_output_kind_from_string(value, &parser->settings.kind);
	if (key->size > 0)
		memcpy((char *)&parser->settings + key->offset, value, strlen(value) + 1);
	else
		parser->settings.is_plain = strcmp(value, "yes") == 0;
	return 0;
}

static int take_line(struct parser *parser, char *line)
{
	static const struct key unknown = {.name = "?",
		.allowed_ja =
			"output、brokers、topic、url、index、ca、user、plaintext のうち、この出力のもの",
		.allowed_en =
			"output, brokers, topic, url, index, ca, user, plaintext, as this output has them"};
	char *value = strchr(line, '=');
	if (!value)
		return fail(parser->fault, parser->line, &unknown, line);
	*value++ = '\0';
	for (size_t i = 0; i < SKM_ARRAY_SIZE(keys); i++) {
		if (strcmp(line, keys[i].name) != 0)
			continue;
		/* What else is allowed depends on the first. */
		if (i > 0 && !parser->seen[0])
			return fail(parser->fault, parser->line, &keys[0], line);
		if (!(keys[i].kinds & 1u << parser->settings.kind))
			break;
		return take(parser, i, value);
	}
	return fail(parser->fault, parser->line, &unknown, line);
}

static int check_whole(const struct parser *parser)
{
	for (size_t i = 0; i < SKM_ARRAY_SIZE(keys); i++) {
		if (keys[i].is_needed && keys[i].kinds & 1u << parser->settings.kind && !parser->seen[i])
			return fail(parser->fault, 0, &keys[i], "nothing");
	}
	static const struct key plain = {.name = "plaintext",
		.allowed_ja = "user なしのときだけ yes",
		.allowed_en = "yes only without user"};
	if (parser->settings.is_plain && parser->settings.user[0])
		return fail(parser->fault, 0, &plain, "yes with user");
	return 0;
}

int skm_output_settings_parse(const char *text, size_t len, struct skm_output_settings *ret_settings,
	struct skm_output_fault *ret_fault)
{
	struct skm_output_fault fault = {0};
	struct parser parser = {.fault = &fault};
	static const struct key file = {.name = "?",
		.allowed_ja = "4096 バイトまでの文字列",
		.allowed_en = "text of at most 4096 bytes"};
	int r = 0;
	char *copy =
		len <= SKM_OUTPUT_SETTINGS_BYTES_MAX && !memchr(text, '\0', len) ? strndup(text, len) : NULL;
	if (!copy)
		r = fail(&fault, 1, &file, "something else");
	for (char *line = copy; r == 0 && line && *line;) {
		char *end = strchrnul(line, '\n');
		char *next = *end ? end + 1 : end;
		*end = '\0';
		parser.line++;
		if (line[0] != '\0' && line[0] != '#')
			r = take_line(&parser, line);
		line = next;
	}
	free(copy);
	if (r == 0)
		r = check_whole(&parser);
	if (r != 0) {
		*ret_fault = fault;
		return r;
	}
	size_t place_len = strlen(parser.settings.place);
	while (parser.settings.kind == SKM_OUTPUT_OPENSEARCH && parser.settings.place[place_len - 1] == '/')
		parser.settings.place[--place_len] = '\0';
	*ret_settings = parser.settings;
	return 0;
}

void skm_output_settings_target(
	const struct skm_output_settings *settings, char ret_target[SKM_OUTPUT_TARGET_BYTES])
{
	if (settings->kind == SKM_OUTPUT_KAFKA)
		(void)snprintf(ret_target, SKM_OUTPUT_TARGET_BYTES, "kafka:%s", settings->collection);
	else
		(void)snprintf(
			ret_target, SKM_OUTPUT_TARGET_BYTES, "%s/%s", settings->place, settings->collection);
}
