// SPDX-License-Identifier: Apache-2.0
/* Hexadecimal digits in groups of four were chosen over base32: they are what witness.jsonl, `b2sum` and
 * every other tool show, so an eye can compare them, and no letter of them looks like a digit. Each row has
 * its own two check digits, so that a slip of the finger is found at its row and not by reading 64 digits
 * again. Plain text was chosen over PDF: every printer's `lp` takes it, and in 30 years everybody can still
 * read it. */
#include "form.h"

#include <inttypes.h>
#include <string.h>

#define ROW_BYTES ((size_t)SKM_WITNESS_HASH_BYTES / SKM_WITNESS_ROWS)
#define DIGITS_PLAIN ((size_t)2 * SKM_WITNESS_HASH_BYTES)
#define DIGITS_CHECKED (DIGITS_PLAIN + (size_t)2 * SKM_WITNESS_ROWS)
#define LABEL_COLUMNS 40
#define RULE "----------------------------------------------------------------------------\n"

/* ---- printing ---- */

static uint8_t check_byte(unsigned row, const uint8_t *bytes)
{
	const uint8_t number = (uint8_t)row;
	uint8_t hash[SKM_WITNESS_HASH_BYTES];
	skm_witness_hash(SKM_DOMAIN_ROW, &number, 1, bytes, ROW_BYTES, hash);
	return hash[0];
}

void skm_witness_groups_print(FILE *file, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		(void)fprintf(file, "%s%02x", i > 0 && i % 2 == 0 ? " " : "", bytes[i]);
}

/* The label, and blanks up to where values stand. Letters that are not ASCII here are two columns wide. */
static void print_label(FILE *file, const char *label)
{
	int width = 0;
	for (const char *at = label; *at; at++) {
		if ((unsigned char)*at < 0x80)
			width++;
		else if (((unsigned char)*at & 0xc0) == 0xc0)
			width += 2;
	}
	(void)fprintf(file, "  %s%*s", label, width < LABEL_COLUMNS ? LABEL_COLUMNS - width : 1, "");
}

static void print_count(FILE *file, const char *label, uint64_t count)
{
	char number[SKM_NUMBER_BYTES];
	print_label(file, label);
	(void)fprintf(file, "%15s\n", skm_number_format(count, number));
}

static void print_days(FILE *file, const struct skm_witness_entry *entry)
{
	char first[SKM_WITNESS_DAY_BYTES], last[SKM_WITNESS_DAY_BYTES];
	skm_witness_day_format(entry->first_day, first);
	skm_witness_day_format(entry->last_day, last);
	print_label(file, "対象日 / days");
	if (entry->first_day == entry->last_day)
		(void)fprintf(file, "%s\n", first);
	else
		(void)fprintf(file, "%s 〜 %s\n", first, last);
	print_label(file, "証明番号 / number");
	(void)fprintf(file, "%" PRIu64 "\n", entry->number);
	print_label(file, "作成 / made (UTC)");
	(void)fprintf(file, "%s\n", entry->made);
}

static void print_again(FILE *file, const struct skm_witness_entry *entry, const uint8_t *earlier_root)
{
	if (entry->again == 0)
		return;
	(void)fprintf(file,
		"\n  ※ 第 %" PRIu64 " 号の再証明。前の用紙も保管し、理由を備考に記入する\n"
		"     Witnessed before as number %" PRIu64 ": keep that paper, write why below.\n",
		entry->again, entry->again);
	if (!earlier_root)
		return;
	(void)fputs("     前の値 / root then: ", file);
	skm_witness_groups_print(file, earlier_root, ROW_BYTES);
	(void)fputs(" …\n", file);
}

static const char *conclusion(const struct skm_witness_entry *entry, bool has_findings)
{
	if (entry->is_complete)
		return has_findings ? "時計を除き、完全で検証済み / complete and verified, but for clocks"
				    : "完全で検証済み / complete and verified";
	if (entry->exit_code == 0)
		return "求めた範囲で異常なし。完全とは証明していない /\n"
		       "    nothing wrong in what was asked for; NOT PROVEN complete";
	return has_findings
		       ? "完全ではない / NOT COMPLETE"
		       : "証明できない (鍵・検査点・記録の不足) / NOT PROVEN (key, checkpoint or records)";
}

static void print_findings(FILE *file, const struct skm_witness_entry *entry)
{
	static const char *const words[SKM_FINDING_COUNT_] = {
		[SKM_FINDING_CLOCK] = "時計の狂い / wrong clock",
		[SKM_FINDING_DROP] = "端末が数えた欠損 / counted losses",
		[SKM_FINDING_SILENT] = "無応答 / silence",
		[SKM_FINDING_TORN] = "途中で切れた行 / unfinished line",
		[SKM_FINDING_RESTART] = "別の鎖の開始 / another chain begins",
		[SKM_FINDING_TRUNCATED] = "末尾の切り取り / cut off at the end",
		[SKM_FINDING_GAP] = "番号の欠落 / missing numbers",
		[SKM_FINDING_REORDER] = "順序の入替え / wrong order",
		[SKM_FINDING_FORK] = "分岐 (複製・巻戻し) / two histories",
		[SKM_FINDING_EDIT] = "書き換え / changed bytes",
		[SKM_FINDING_FORGE] = "偽造 / forged",
		[SKM_FINDING_FOREIGN] = "記録でない行 / no records"};
	bool has_any = false;
	if (entry->changed > 0)
		(void)fprintf(file,
			"    ※ 証明後にファイルが変わった証明 / entries whose files changed: %" PRIu64 "\n",
			entry->changed);
	for (unsigned kind = SKM_FINDING_COUNT_; kind-- > 0;) {
		if (entry->findings[kind] == 0)
			continue;
		has_any = true;
		(void)fprintf(file, "    %-9s %8" PRIu64 "  %s\n",
			skm_finding_to_string((enum skm_finding_kind)kind), entry->findings[kind],
			words[kind]);
	}
	(void)fprintf(file, "    %s\n", conclusion(entry, has_any));
	(void)fprintf(file, "    終了コード / exit status %u\n", entry->exit_code);
}

static void print_root(FILE *file, const struct skm_witness_entry *entry)
{
	(void)fputs("  証明値 / root (行末の2桁は検算用 / the last two digits check their row)\n\n", file);
	for (unsigned row = 0; row < SKM_WITNESS_ROWS; row++) {
		const uint8_t *bytes = entry->root + row * ROW_BYTES;
		(void)fprintf(file, "      %u:  ", row + 1);
		skm_witness_groups_print(file, bytes, ROW_BYTES);
		(void)fprintf(file, "  -  %02x\n", check_byte(row + 1, bytes));
	}
}

void skm_witness_form_print(FILE *file, const struct skm_witness_entry *entry, const uint8_t *earlier_root)
{
	uint8_t fingerprint[SKM_WITNESS_FINGERPRINT_BYTES];
	char day[SKM_WITNESS_DAY_BYTES];
	skm_witness_fingerprint(entry->key, fingerprint);
	skm_witness_day_format(entry->last_day, day);
	(void)fputs("  監査記録 証明書 (関守)\n  Sekimori: witness of the audit records\n" RULE, file);
	print_days(file, entry);
	print_again(file, entry, earlier_root);
	(void)fputs("\n", file);
	print_count(file, "記録のあった端末 / terminals heard", entry->terminals);
	print_count(file, "鎖 (記録の系列) / chains", entry->chains);
	print_count(file, "記録 (行) / records (lines)", entry->records);
	print_count(file, "ファイル / files", entry->files);
	(void)fputs("\n  検証結果 / verification of all records so far\n", file);
	print_findings(file, entry);
	(void)fputs(RULE, file);
	print_root(file, entry);
	(void)fputs("\n  署名鍵の指紋 / fingerprint of the signing key\n\n      ", file);
	skm_witness_groups_print(file, fingerprint, sizeof(fingerprint));
	(void)fputs("\n" RULE, file);
	(void)fprintf(file,
		"  照合: 証明値をそのまま入力します / To check, type the root as it stands:\n"
		"    sekimori-witness check --records DIR --day %s --root '…'\n\n"
		"  この用紙は、システム管理者とは別の部署で保管してください。\n"
		"  Keep this page in another department than that of the system's administrators.\n\n\n",
		day);
	(void)fputs("  備考 / remarks ________________________________________________________\n\n\n"
		    "  担当者印 / made by  ____________________   日付 / date ________________\n\n\n"
		    "  立会人印 / witness  ____________________   日付 / date ________________\n",
		file);
}

/* ---- what was typed ---- */

/* The digits alone, as small letters, without the numbers of rows ("1:"); how many, or `size` when there are
 * too many or other letters. */
static size_t take_digits(const char *text, char *ret_digits, size_t size)
{
	static const char capitals[] = "ABCDEF", small[] = "abcdef";
	size_t len = 0, word_len = 0;
	for (; *text; text++) {
		const char *capital = strchr(capitals, *text);
		char letter = *text;
		if (capital)
			letter = small[capital - capitals];
		if (letter == ':' && word_len == 1)
			len--;
		if (strchr(" \t\r\n-:", letter)) {
			word_len = 0;
			continue;
		}
		if (len + 1 == size || !strchr("0123456789abcdef", letter))
			return size;
		ret_digits[len++] = letter;
		word_len++;
	}
	ret_digits[len] = '\0';
	return len;
}

int skm_witness_typed_parse(const char *text, uint8_t *ret_bytes, size_t len)
{
	char digits[DIGITS_PLAIN + 2];
	return take_digits(text, digits, sizeof(digits)) == 2 * len ? skm_hex_parse(digits, len, ret_bytes)
								    : -EINVAL;
}

int skm_witness_root_parse(
	const char *text, uint8_t ret_root[SKM_WITNESS_HASH_BYTES], size_t *ret_digits, unsigned *ret_row)
{
	char digits[DIGITS_CHECKED + 2];
	uint8_t root[SKM_WITNESS_HASH_BYTES], check = 0;
	size_t len = take_digits(text, digits, sizeof(digits));
	*ret_digits = len;
	if (len != DIGITS_PLAIN && len != DIGITS_CHECKED)
		return -EINVAL;
	size_t row_digits = len / SKM_WITNESS_ROWS;
	for (unsigned row = 0; row < SKM_WITNESS_ROWS; row++) {
		const char *begin = digits + row * row_digits;
		if (skm_hex_parse(begin, ROW_BYTES, root + row * ROW_BYTES) < 0)
			return -EINVAL;
		if (len == DIGITS_PLAIN)
			continue;
		if (skm_hex_parse(begin + 2 * ROW_BYTES, 1, &check) < 0)
			return -EINVAL;
		if (check != check_byte(row + 1, root + row * ROW_BYTES)) {
			*ret_row = row + 1;
			return -EBADMSG;
		}
	}
	memcpy(ret_root, root, sizeof(root));
	return 0;
}
