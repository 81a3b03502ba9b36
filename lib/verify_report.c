// SPDX-License-Identifier: Apache-2.0
/* The word "complete" stands in this file once, behind skm_verification_is_complete. Everything else that can
 * be said of a stream is less: unbroken, but without a key; verified, but not from the beginning; or what is
 * wrong. A report that is short when all is well and exact when it is not was chosen over a table of checks:
 * nobody reads the 40th "OK". */
#include "verify_report.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "sekimori/json.h"
#include "sekimori/record.h"
#include "sekimori/verify_command.h"

#define SAY(japanese, english) skm_text(report->language, japanese, english)
#define OBJECT_BYTES 8192
#define RANGES_SHOWN 20 /* to people; JSON has all */
#define NAME_BYTES 4096
#define TIME_BYTES 64

/* ---- words ---- */

void skm_verify_print_name(FILE *file, const char *name)
{
	char text[NAME_BYTES];
	struct skm_json json;
	skm_json_init(&json, text, sizeof(text));
	(void)skm_json_string_limited(&json, NULL, name, sizeof(text) - 8);
	if (json.len >= 2)
		(void)fwrite(text + 1, 1, json.len - 2, file);
}

static void print_time(FILE *file, int64_t realtime_usec)
{
	char text[TIME_BYTES];
	time_t sec = (time_t)(realtime_usec / (int64_t)SKM_USEC_PER_SEC);
	struct tm local;
	if (localtime_r(&sec, &local) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local) > 0)
		(void)fputs(text, file);
	else
		(void)fprintf(file, "%" PRId64, (int64_t)sec);
}

static void print_range(const struct skm_verify_report *report, uint64_t first, uint64_t last)
{
	char number[SKM_NUMBER_BYTES];
	(void)fputs(skm_number_format(first, number), report->file);
	if (last > first)
		(void)fprintf(report->file, "%s%s", SAY("〜", ".."), skm_number_format(last, number));
}

/* "agent 3fa2…": enough to tell chains of one stream apart. */
static void print_chain(const struct skm_verify_report *report, const struct skm_verification *result)
{
	char id[2 * SKM_CHAIN_ID_BYTES + 1];
	skm_hex_format(result->chain_id, sizeof(result->chain_id), id);
	(void)fprintf(report->file, "  %s %.8s: ", result->stream, id);
}

/* ---- one chain, for people ---- */

static uint64_t count_findings(const struct skm_verification *result)
{
	uint64_t count = 0;
	for (unsigned kind = 0; kind < SKM_FINDING_COUNT_; kind++)
		count += kind == SKM_FINDING_CLOCK ? 0 : result->findings[kind];
	return count;
}

static void print_kinds(const struct skm_verify_report *report, const uint64_t *findings)
{
	const char *separator = "";
	for (unsigned kind = SKM_FINDING_COUNT_; kind-- > 0;) {
		if (findings[kind] == 0)
			continue;
		(void)fprintf(report->file, "%s%s ×%" PRIu64, separator,
			skm_finding_to_string((enum skm_finding_kind)kind), findings[kind]);
		separator = ", ";
	}
}

/* That they are elsewhere is not shown here. */
static void print_deleted(const struct skm_verify_report *report, const struct skm_verification *result)
{
	if (result->deleted_until == 0)
		return;
	(void)fputs(SAY("。記録 ", "; records "), report->file);
	print_range(report, 1, result->deleted_until);
	(void)fputs(
		SAY(" は収集後に保存期間を過ぎて削除されたと記録されています (収集サーバーで確認してください)",
			" were deleted by age after the collector had them, as the log itself says (look there)"),
		report->file);
}

static void print_complete(
	const struct skm_verify_report *report, const struct skm_verification *result, uint64_t until)
{
	(void)fputs(SAY("記録 ", "records "), report->file);
	print_range(report, result->first, until);
	(void)fputs(SAY(" は完全で検証済みです", " complete and verified"), report->file);
	if (until < result->last) {
		(void)fputs(SAY("。記録 ", "; "), report->file);
		print_range(report, until + 1, result->last);
		(void)fputs(
			SAY(" も検証済みですが、その後に続きがあったかは次の検査点まで分かりません",
				" verified too, but whether more followed is open until the next checkpoint"),
			report->file);
	}
	print_deleted(report, result);
	(void)fputc('\n', report->file);
}

/* Nothing is wrong as far as one sees; what is missing to a proof. */
static void print_unproven(const struct skm_verify_report *report, const struct skm_verification *result)
{
	(void)fputs(SAY("記録 ", "records "), report->file);
	print_range(report, result->first, result->last);
	(void)fputs(result->macs_checked ? SAY(" は検証済み (欠落なし)", " verified, without a gap")
					 : SAY(" は途切れていません", " unbroken"),
		report->file);
	if (result->deleted_until > 0) {
		print_deleted(report, result);
	} else if (result->begins_late) {
		(void)fputs(SAY("。記録 ", "; records "), report->file);
		print_range(report, 1, result->first - 1);
		(void)fputs(SAY(" はここにありません", " are not here"), report->file);
	}
	if (result->signed_until == 0)
		(void)fputs(SAY("。署名された検査点がなく、封印されていません",
				    "; NOT SEALED: there is no signed checkpoint"),
			report->file);
	else if (result->signed_until < result->last)
		(void)fprintf(report->file,
			SAY("。署名された検査点は記録 %" PRIu64 " まで", "; signed up to record %" PRIu64),
			result->signed_until);
	if (!result->macs_checked)
		(void)fputs(SAY("。鍵がないため、誰が書いたかは証明されていません",
				    "; without the chain's key it is NOT PROVEN who wrote them"),
			report->file);
	(void)fputc('\n', report->file);
}

static void print_ranges(const struct skm_verify_report *report, const struct skm_verification *result,
	const struct skm_verifier *verifier, size_t chain)
{
	uint64_t first, last;
	size_t count = 0;
	while (skm_verifier_range(verifier, chain, count, &first, &last)) {
		if (count == 0)
			(void)fputs(result->macs_checked ? SAY("    検証できた記録: ", "    verified: ")
							 : SAY("    途切れていない記録: ", "    unbroken: "),
				report->file);
		if (count < RANGES_SHOWN) {
			(void)fputs(count ? ", " : "", report->file);
			print_range(report, first, last);
		}
		count++;
	}
	if (count > RANGES_SHOWN)
		(void)fprintf(
			report->file, SAY(" ほか%zu区間", " and %zu more ranges"), count - RANGES_SHOWN);
	(void)fputs(
		count ? "\n" : SAY("    検証できた記録はありません\n", "    verified: none\n"), report->file);
}

static void print_wrong(const struct skm_verify_report *report, const struct skm_verification *result,
	const struct skm_verifier *verifier, size_t chain)
{
	(void)fputs(SAY("完全ではありません: ", "NOT COMPLETE: "), report->file);
	print_kinds(report, result->findings);
	(void)fputc('\n', report->file);
	print_ranges(report, result, verifier, chain);
	if (!result->macs_checked)
		(void)fputs(SAY("    鍵がないため、誰が書いたかは証明されていません\n",
				    "    without the chain's key it is NOT PROVEN who wrote them\n"),
			report->file);
}

/* A head that may be somebody else's must not be remembered as one that was seen. */
static bool is_sound(const struct skm_verification *result)
{
	uint64_t count = 0;
	for (unsigned kind = SKM_FINDING_RESTART; kind < SKM_FINDING_COUNT_; kind++)
		count += result->findings[kind];
	return count == 0;
}

/* Until when this speaks, and what to hand over as a watermark. */
static void print_end(const struct skm_verify_report *report, const struct skm_verification *result)
{
	char id[2 * SKM_CHAIN_ID_BYTES + 1], head[2 * SKM_CHAIN_HASH_BYTES + 1];
	skm_hex_format(result->chain_id, sizeof(result->chain_id), id);
	skm_hex_format(result->head, sizeof(result->head), head);
	(void)fputs("    ", report->file);
	print_time(report->file, result->first_realtime_usec);
	(void)fputs(SAY(" 〜 ", " to "), report->file);
	print_time(report->file, result->last_realtime_usec);
	if (result->ends_with_stop)
		(void)fputs(SAY(" (正常停止)", " (stopped properly)"), report->file);
	if (!result->has_watermark)
		(void)fputs(
			SAY("。確認済みの位置 (--watermark) がないため、この後が切り取られていないかは分かりません",
				"; no watermark: that nothing was cut off behind this is not shown"),
			report->file);
	(void)fputc('\n', report->file);
	if (is_sound(result))
		(void)fprintf(report->file, "    watermark %s:%" PRIu64 ":%s\n", id, result->last, head);
}

static void print_result(const struct skm_verify_report *report, const struct skm_verification *result,
	const struct skm_verifier *verifier, size_t chain, bool is_complete, uint64_t until)
{
	print_chain(report, result);
	if (is_complete)
		print_complete(report, result, until);
	else if (count_findings(result) == 0)
		print_unproven(report, result);
	else
		print_wrong(report, result, verifier, chain);
	print_end(report, result);
}

/* ---- JSON ---- */

static void put_hex(struct skm_json *json, const char *key, const uint8_t *bytes, size_t len)
{
	char text[2 * SKM_CHAIN_HASH_BYTES + 1];
	skm_hex_format(bytes, len, text);
	skm_json_string(json, key, text);
}

static void put_counts(struct skm_json *json, const char *key, const uint64_t *findings)
{
	skm_json_object_begin(json, key);
	for (unsigned kind = 0; kind < SKM_FINDING_COUNT_; kind++)
		skm_json_uint(json, skm_finding_to_string((enum skm_finding_kind)kind), findings[kind]);
	skm_json_object_end(json);
}

static void put_ranges(struct skm_json *json, const struct skm_verifier *verifier, size_t chain)
{
	uint64_t first, last;
	skm_json_array_begin(json, "ranges");
	for (size_t i = 0; skm_verifier_range(verifier, chain, i, &first, &last); i++) {
		skm_json_array_begin(json, NULL);
		skm_json_uint(json, NULL, first);
		skm_json_uint(json, NULL, last);
		skm_json_array_end(json);
	}
	skm_json_array_end(json);
}

/* One a line, so that a long report can be searched with grep. */
static void print_object(struct skm_verify_report *report, const struct skm_json *json)
{
	(void)fprintf(report->file, "%s\n%.*s", report->has_objects ? "," : "", (int)json->len, json->buf);
	report->has_objects = true;
}

static void put_chain(struct skm_verify_report *report, const struct skm_verification *result,
	const struct skm_verifier *verifier, size_t chain, bool is_complete, uint64_t until)
{
	char text[OBJECT_BYTES];
	struct skm_json json;
	skm_json_init(&json, text, sizeof(text));
	skm_json_object_begin(&json, NULL);
	skm_json_string(&json, "stream", result->stream);
	put_hex(&json, "chain", result->chain_id, sizeof(result->chain_id));
	skm_json_uint(&json, "first", result->first);
	skm_json_uint(&json, "last", result->last);
	skm_json_uint(&json, "records", result->records);
	skm_json_bool(&json, "complete", is_complete);
	if (is_complete)
		skm_json_uint(&json, "complete_until", until);
	else
		skm_json_null(&json, "complete_until");
	skm_json_uint(&json, "deleted_until", result->deleted_until);
	skm_json_bool(&json, "macs_checked", result->macs_checked);
	skm_json_uint(&json, "checkpoints", result->checkpoints);
	skm_json_uint(&json, "signed_until", result->signed_until);
	skm_json_bool(&json, "has_watermark", result->has_watermark);
	skm_json_uint(&json, "unwitnessed", result->unwitnessed);
	skm_json_bool(&json, "ends_with_stop", result->ends_with_stop);
	skm_json_int(&json, "first_time", result->first_realtime_usec / 1000);
	skm_json_int(&json, "last_time", result->last_realtime_usec / 1000);
	put_hex(&json, "head", result->head, sizeof(result->head));
	put_counts(&json, "findings", result->findings);
	put_ranges(&json, verifier, chain);
	skm_json_object_end(&json);
	print_object(report, &json);
}

static void put_finding(struct skm_verify_report *report, const struct skm_finding *finding, const char *path)
{
	static const uint8_t nobody[SKM_CHAIN_ID_BYTES];
	char text[OBJECT_BYTES], sentence[512];
	struct skm_json json;
	skm_finding_describe(finding, report->language == SKM_LANGUAGE_JA, sentence, sizeof(sentence));
	skm_json_init(&json, text, sizeof(text));
	skm_json_object_begin(&json, NULL);
	skm_json_string(&json, "kind", skm_finding_to_string(finding->kind));
	skm_json_string(&json, "cause", skm_cause_to_string(finding->cause));
	if (memcmp(finding->chain_id, nobody, sizeof(nobody)) != 0)
		put_hex(&json, "chain", finding->chain_id, sizeof(finding->chain_id));
	else
		skm_json_null(&json, "chain");
	skm_json_uint(&json, "first", finding->first);
	skm_json_uint(&json, "last", finding->last);
	(void)skm_json_string_limited(&json, "file", path, 1024);
	skm_json_uint(&json, "line", finding->line);
	skm_json_int(&json, "value", finding->value);
	skm_json_string(&json, "text", sentence);
	skm_json_object_end(&json);
	print_object(report, &json);
}

/* ---- the report ---- */

void skm_verify_report_begin(struct skm_verify_report *report)
{
	if (report->json)
		(void)fputs("{\"streams\":[", report->file);
}

static void put_stream(struct skm_verify_report *report)
{
	char text[NAME_BYTES];
	struct skm_json json;
	skm_json_init(&json, text, sizeof(text));
	(void)skm_json_string_limited(&json, NULL, report->stream->folder, sizeof(text) - 8);
	(void)fprintf(report->file, "%s\n{\"from\":%.*s,\"files\":%zu,\"findings\":[",
		report->has_streams ? "," : "", (int)json.len, json.buf, report->stream->count);
	report->has_streams = true;
	report->has_objects = false;
}

void skm_verify_report_stream(struct skm_verify_report *report, const struct skm_verify_stream *stream)
{
	char number[SKM_NUMBER_BYTES];
	report->stream = stream;
	report->is_unread = false;
	if (report->json) {
		put_stream(report);
		return;
	}
	skm_verify_print_name(report->file, stream->folder);
	skm_number_format(stream->count, number);
	(void)fprintf(report->file, SAY(": ファイル %s 個\n", ": files: %s\n"), number);
}

void skm_verify_report_finding(struct skm_verify_report *report, const struct skm_finding *finding)
{
	const struct skm_verify_stream *stream = report->stream;
	const char *path = stream && finding->file > 0 && finding->file <= stream->count
				   ? stream->paths[finding->file - 1]
				   : NULL;
	char sentence[512];
	report->findings[finding->kind]++;
	if (report->json) {
		put_finding(report, finding, path);
		return;
	}
	skm_finding_describe(finding, report->language == SKM_LANGUAGE_JA, sentence, sizeof(sentence));
	(void)fprintf(report->file, "  %-9s ", skm_finding_to_string(finding->kind));
	if (path && finding->line > 0) {
		const char *slash = strrchr(path, '/');
		skm_verify_print_name(report->file, slash ? slash + 1 : path);
		(void)fprintf(report->file, ":%" PRIu64 ": ", finding->line);
	}
	(void)fprintf(report->file, "%s\n", sentence);
}

void skm_verify_report_unread(struct skm_verify_report *report)
{
	report->is_unread = report->is_unknown = report->is_incomplete = true;
}

/* Is the person content with what is known of the chain? */
static bool is_enough(const struct skm_verify_report *report, const struct skm_verification *result)
{
	return result->signed_until > 0 && (result->macs_checked || report->is_chain_only) &&
	       (!result->begins_late || report->may_begin_late);
}

/* Nothing of a stream is complete beside bytes that belong to no chain or could not be read. */
static bool is_clean(const struct skm_verify_report *report, const struct skm_verifier *verifier)
{
	bool is_clean = !report->is_unread;
	for (unsigned kind = 0; kind < SKM_FINDING_COUNT_; kind++)
		is_clean = is_clean && skm_verifier_homeless(verifier, (enum skm_finding_kind)kind) == 0;
	return is_clean;
}

static void report_chain(struct skm_verify_report *report, const struct skm_verification *result,
	const struct skm_verifier *verifier, size_t chain)
{
	uint64_t until = 0;
	bool is_complete = is_clean(report, verifier) && skm_verification_is_complete(result, &until);
	report->records += result->records;
	report->is_incomplete = report->is_incomplete || !is_complete;
	report->is_unknown = report->is_unknown || (!is_complete && !is_enough(report, result));
	if (report->json)
		put_chain(report, result, verifier, chain, is_complete, until);
	else
		print_result(report, result, verifier, chain, is_complete, until);
}

void skm_verify_report_chains(struct skm_verify_report *report, const struct skm_verifier *verifier)
{
	struct skm_verification result;
	size_t count = 0;
	if (report->json)
		(void)fputs("],\n\"chains\":[", report->file);
	report->has_objects = false;
	while (skm_verifier_get(verifier, count, &result))
		report_chain(report, &result, verifier, count++);
	if (report->json)
		(void)fprintf(report->file, "],\"readable\":%s}", report->is_unread ? "false" : "true");
	if (count > 0)
		return;
	report->is_unknown = report->is_incomplete = true;
	if (!report->json)
		(void)fputs(
			SAY("  記録がひとつもありません\n", "  there is no record at all\n"), report->file);
}

void skm_verify_report_rest(struct skm_verify_report *report)
{
	report->stream = NULL;
	report->has_objects = false;
	if (report->json)
		(void)fputs("],\n\"findings\":[", report->file);
}

void skm_verify_report_keys(struct skm_verify_report *report, const struct skm_verifier_key *keys,
	size_t count, const bool *is_here)
{
	size_t absent = 0;
	report->has_objects = false;
	if (report->json)
		(void)fputs("],\n\"absent\":[", report->file);
	for (size_t i = 0; i < count; i++) {
		char text[OBJECT_BYTES];
		struct skm_json json;
		absent += is_here[i] ? 0 : 1;
		if (is_here[i] || !report->json)
			continue;
		skm_json_init(&json, text, sizeof(text));
		put_hex(&json, NULL, keys[i].chain_id, sizeof(keys[i].chain_id));
		print_object(report, &json);
	}
	if (absent > 0 && !report->json)
		(void)fprintf(report->file,
			SAY("鍵 %zu 件 (全 %zu 件のうち): その鎖の記録はここにひとつもありません\n",
				"%zu of %zu given keys: nothing of their chains is here\n"),
			absent, count);
}

static int worst_of(const struct skm_verify_report *report)
{
	int worst = SKM_FINDING_COUNT_ - 1;
	while (worst >= 0 && report->findings[worst] == 0)
		worst--;
	return worst;
}

void skm_verify_report_end(struct skm_verify_report *report)
{
	int worst = worst_of(report);
	bool is_complete = !report->is_incomplete && worst <= SKM_FINDING_CLOCK;
	if (!report->json) {
		if (worst >= 0) {
			(void)fputs(SAY("見つかったもの: ", "found: "), report->file);
			print_kinds(report, report->findings);
			(void)fputc('\n', report->file);
		}
		return;
	}
	char text[OBJECT_BYTES];
	struct skm_json json;
	skm_json_init(&json, text, sizeof(text));
	skm_json_object_begin(&json, NULL);
	skm_json_uint(&json, "records", report->records);
	skm_json_bool(&json, "complete", is_complete);
	skm_json_string(
		&json, "worst", worst >= 0 ? skm_finding_to_string((enum skm_finding_kind)worst) : NULL);
	put_counts(&json, "counts", report->findings);
	skm_json_int(&json, "exit", skm_verify_report_exit(report));
	skm_json_object_end(&json);
	/* Its members belong to the object that was begun first. */
	(void)fprintf(report->file, "],\n%s\n", text + 1);
}

int skm_verify_report_exit(const struct skm_verify_report *report)
{
	int worst = worst_of(report);
	if (worst >= 0)
		return SKM_VERIFY_EXIT_FOUND + worst;
	return report->is_unknown ? SKM_VERIFY_EXIT_UNKNOWN : SKM_VERIFY_EXIT_COMPLETE;
}
