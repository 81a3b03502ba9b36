// SPDX-License-Identifier: Apache-2.0
/* Reads authd's object with jansson, for the reasons of record_view.c. With --json the object is passed on as
 * it came, so that a program sees what authd said, not what this reader understood. */
#include "mfa_person.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "sekimori/text.h"

#define LABEL_COLUMNS 18

static const char *string_member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static int64_t larger_member(const json_t *object, const char *key)
{
	const json_t *ways = json_object_get(object, key);
	json_int_t system = json_integer_value(json_object_get(ways, "system"));
	json_int_t self = json_integer_value(json_object_get(ways, "self"));
	return system > self ? system : self;
}

static void view_token(const json_t *token, struct skm_mfa_person_token *ret_token)
{
	*ret_token = (struct skm_mfa_person_token){
		.id = json_integer_value(json_object_get(token, "id")),
		.digits = json_integer_value(json_object_get(token, "digits")),
		.period_sec = json_integer_value(json_object_get(token, "period")),
		.label = string_member(token, "label"),
		.type = string_member(token, "type"),
		.algorithm = string_member(token, "algorithm"),
		.enrolled = string_member(token, "enrolled"),
		.last_used = string_member(token, "last_used"),
	};
}

int skm_mfa_person_parse(const char *text, struct skm_mfa_person *ret_person)
{
	json_t *tree = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	const json_t *enrolled = json_object_get(tree, "enrolled");
	const json_t *tokens = json_object_get(tree, "tokens");
	if (!*string_member(tree, "user") || !json_is_boolean(enrolled) || !json_is_array(tokens)) {
		json_decref(tree);
		return -EBADMSG;
	}
	*ret_person = (struct skm_mfa_person){
		.tree = tree,
		.user = string_member(tree, "user"),
		.state = string_member(tree, "state"),
		.grace_until = string_member(tree, "grace_until"),
		.substitute_until = string_member(tree, "substitute_until"),
		.is_enrolled = json_is_true(enrolled),
		.is_required = json_is_true(json_object_get(tree, "required")),
		.recovery_left = json_integer_value(json_object_get(tree, "recovery_left")),
		.failures = larger_member(tree, "failures"),
		.locked_sec = larger_member(tree, "locked_sec"),
	};
	for (size_t i = 0; i < json_array_size(tokens) && i < SKM_MFA_PERSON_TOKENS_MAX; i++)
		view_token(json_array_get(tokens, i), &ret_person->tokens[ret_person->token_count++]);
	return 0;
}

void skm_mfa_person_finish(struct skm_mfa_person *person)
{
	json_decref(person->tree);
	*person = (struct skm_mfa_person){0};
}

bool skm_mfa_person_is_well(const struct skm_mfa_person *person)
{
	return person->is_enrolled && strcmp(person->state, "ok") == 0 && person->locked_sec == 0;
}

/* ---- words ---- */

static const char *state_text(enum skm_language language, const struct skm_mfa_person *person)
{
	static const struct {
		const char *word, *ja, *en;
	} states[] = {
		{"ok", "登録済み", "registered"},
		{"absent", "未登録", "not registered"},
		{"damaged", "記録が破損", "RECORD DAMAGED"},
		{"wrong-key", "鍵が合わない", "WRONG KEY"},
		{"other-machine", "別の端末の記録", "OTHER MACHINE'S"},
		{"rolled-back", "古い記録", "ROLLED BACK"},
		{"mismatch", "別人の記録", "OTHER PERSON'S"},
		{"unknown", "利用者なし", "no such user"},
		{"error", "読めない", "UNREADABLE"},
	};
	if (person->locked_sec > 0 && strcmp(person->state, "ok") == 0)
		return skm_text(language, "停止中", "LOCKED");
	for (size_t i = 0; i < SKM_ARRAY_SIZE(states); i++) {
		if (strcmp(states[i].word, person->state) == 0)
			return skm_text(language, states[i].ja, states[i].en);
	}
	return person->state;
}

/* "2026-11-21T09:00:00.000+09:00" -> "2026-11-21" */
static void print_day(FILE *file, const char *time)
{
	char day[11];
	(void)snprintf(day, sizeof(day), "%.10s", time);
	skm_text_print(file, day);
}

static void label(FILE *file, const char *text)
{
	skm_text_cell(file, text, LABEL_COLUMNS);
}

static void print_token(FILE *file, enum skm_language language, const struct skm_mfa_person_token *token)
{
	char id[16];
	(void)snprintf(id, sizeof(id), skm_text(language, "トークン %u", "token %u"), (unsigned)token->id);
	label(file, id);
	skm_text_print(file, token->type);
	(void)fputc(' ', file);
	skm_text_print(file, token->algorithm);
	(void)fprintf(file, skm_text(language, " %u桁", " %u digits"), (unsigned)token->digits);
	if (token->period_sec > 0)
		(void)fprintf(file, skm_text(language, " %u秒", " %u s"), (unsigned)token->period_sec);
	(void)fputs(skm_text(language, " 登録 ", ", registered "), file);
	print_day(file, token->enrolled);
	if (*token->last_used) {
		(void)fputs(skm_text(language, " 最終使用 ", ", last used "), file);
		print_day(file, token->last_used);
	}
	if (*token->label) {
		(void)fputs("  ", file);
		skm_text_print(file, token->label);
	}
	(void)fputc('\n', file);
}

void skm_mfa_person_print(FILE *file, enum skm_language language, const struct skm_mfa_person *person)
{
	label(file, skm_text(language, "利用者", "user"));
	skm_text_print(file, person->user);
	(void)fputc('\n', file);
	label(file, skm_text(language, "状態", "state"));
	skm_text_print(file, state_text(language, person));
	if (person->locked_sec > 0)
		(void)fprintf(file,
			skm_text(language, " (誤り%" PRId64 "回、あと%" PRId64 "分)",
				" (%" PRId64 " wrong codes, %" PRId64 " min to go)"),
			person->failures, (person->locked_sec + 59) / 60);
	(void)fputc('\n', file);
	label(file, skm_text(language, "必須", "required"));
	(void)fputs(
		person->is_required ? skm_text(language, "はい", "yes") : skm_text(language, "いいえ", "no"),
		file);
	if (*person->grace_until) {
		(void)fputs(skm_text(language, " (猶予期限 ", " (grace until "), file);
		print_day(file, person->grace_until);
		(void)fputc(')', file);
	}
	(void)fputc('\n', file);
	for (size_t i = 0; i < person->token_count; i++)
		print_token(file, language, &person->tokens[i]);
	if (person->is_enrolled) {
		label(file, skm_text(language, "代用コード", "recovery codes"));
		(void)fprintf(file, skm_text(language, "残り%" PRId64 "個\n", "%" PRId64 " left\n"),
			person->recovery_left);
	}
	if (*person->substitute_until) {
		label(file, skm_text(language, "期限付きの代用", "substitute code"));
		(void)fputs(skm_text(language, "有効 (終了 ", "open (ends "), file);
		print_day(file, person->substitute_until);
		(void)fputs(")\n", file);
	}
}

/* ---- the table ---- */

static void row(FILE *file, const char *user, const char *state, const char *required, const char *tokens,
	const char *recovery)
{
	skm_text_cell(file, user, 24);
	(void)fputc(' ', file);
	skm_text_cell(file, state, 16);
	(void)fputc(' ', file);
	skm_text_cell(file, required, 9);
	skm_text_cell(file, tokens, 9);
	skm_text_print(file, recovery);
	(void)fputc('\n', file);
}

void skm_mfa_person_print_head(FILE *file, enum skm_language language)
{
	row(file, skm_text(language, "利用者", "USER"), skm_text(language, "状態", "STATE"),
		skm_text(language, "必須", "REQUIRED"), skm_text(language, "トークン", "TOKENS"),
		skm_text(language, "代用コード残り", "RECOVERY CODES LEFT"));
}

void skm_mfa_person_print_row(FILE *file, enum skm_language language, const struct skm_mfa_person *person)
{
	char tokens[16];
	char recovery[24];
	(void)snprintf(tokens, sizeof(tokens), "%zu", person->token_count);
	(void)snprintf(recovery, sizeof(recovery), "%" PRId64, person->recovery_left);
	row(file, person->user, state_text(language, person),
		person->is_required ? skm_text(language, "はい", "yes") : skm_text(language, "いいえ", "no"),
		tokens, recovery);
}
