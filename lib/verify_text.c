// SPDX-License-Identifier: Apache-2.0
/* What the verifier's findings are called, and how they are told. Both languages stand in one table, so that
 * neither is forgotten. No text of a record comes in: a finding may be shown as it is.
 *
 * The sentences are patterns of our own: %r numbers of the records concerned, %R the same with "record" or
 * "records" before, %w "was" or "were", %v the value, %s the value in seconds with
 * tenths, signed. printf's own would be formats that no compiler can check. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "verify_internal.h"

static const char *const kinds[SKM_FINDING_COUNT_] = {
	[SKM_FINDING_CLOCK] = "CLOCK",
	[SKM_FINDING_DROP] = "DROP",
	[SKM_FINDING_SILENT] = "SILENT",
	[SKM_FINDING_TORN] = "TORN",
	[SKM_FINDING_RESTART] = "RESTART",
	[SKM_FINDING_TRUNCATED] = "TRUNCATED",
	[SKM_FINDING_GAP] = "GAP",
	[SKM_FINDING_REORDER] = "REORDER",
	[SKM_FINDING_FORK] = "FORK",
	[SKM_FINDING_EDIT] = "EDIT",
	[SKM_FINDING_FORGE] = "FORGE",
	[SKM_FINDING_FOREIGN] = "FOREIGN",
};

struct cause_entry {
	const char *word;
	enum skm_finding_kind kind;
	const char *english, *japanese;
};

static const struct cause_entry causes[SKM_CAUSE_COUNT_] = {
	[SKM_CAUSE_CLOCK_JUMP] = {"clock_jump", SKM_FINDING_CLOCK,
		"at record %r the wall clock jumped by %s s against the time since boot",
		"記録 %r で端末の時計が %s 秒飛んでいます (起動からの経過時間との比較)"},
	[SKM_CAUSE_CLOCK_BACK] = {"clock_back", SKM_FINDING_CLOCK,
		"at record %r, after a boot, the wall clock stands %s s from the record before",
		"記録 %r (再起動後) の時計が、直前の記録より %s 秒戻っています"},
	[SKM_CAUSE_BOOT_BACK] = {"boot_back", SKM_FINDING_CLOCK,
		"at record %r the boot number is lower than before (it was %v)",
		"記録 %r の起動番号が前より小さくなっています (前は %v)"},
	[SKM_CAUSE_DROP_COUNTED] = {"drop_counted", SKM_FINDING_DROP,
		"record %r says that the terminal could not store %v records",
		"端末が %v 件の記録を保存できなかったと、記録 %r に書かれています"},
	[SKM_CAUSE_SILENT] = {"silent", SKM_FINDING_SILENT,
		"between records %r the terminal ran for %v s without writing anything",
		"記録 %r の間、端末は動いていたのに %v 秒間何も記録していません"},
	[SKM_CAUSE_SILENT_SINCE] = {"silent_since", SKM_FINDING_SILENT,
		"after record %r there is nothing more, for %v s until the time asked for, and no stop was recorded",
		"記録 %r の後、指定された時刻までの %v 秒間に記録がなく、停止も記録されていません"},
	[SKM_CAUSE_TORN] = {"torn", SKM_FINDING_TORN,
		"the last line is unfinished (%v bytes): written while power failed, being written, or cut",
		"最後の行が途中で切れています (%v バイト)。書き込み中か、電源断か、切り取りです"},
	[SKM_CAUSE_OTHER_CHAIN] = {"other_chain", SKM_FINDING_RESTART,
		"another chain begins here, with record %r: the terminal was set up anew or lost its key file, "
		"or the log was replaced",
		"ここから別の鎖が記録 %r で始まっています。端末の再設定、鍵ファイルの喪失、または記録の差し替えです"},
	[SKM_CAUSE_NO_KEY] = {"no_key", SKM_FINDING_RESTART,
		"none of the given keys is of this chain: who wrote %R is not proven",
		"与えられた鍵のどれもこの鎖のものではありません。記録 %r を誰が書いたかは証明されません"},
	[SKM_CAUSE_BEFORE_WATERMARK] = {"before_watermark", SKM_FINDING_TRUNCATED,
		"%R %w witnessed and cut off since", "確認済みだった記録 %r が末尾から切り取られています"},
	[SKM_CAUSE_CHAIN_ABSENT] = {"chain_absent", SKM_FINDING_TRUNCATED,
		"nothing of this chain is here, though a watermark (record %v) was given",
		"この鎖の記録がひとつもありません (確認済みの位置 %v が与えられています)"},
	[SKM_CAUSE_MISSING] = {"missing", SKM_FINDING_GAP, "%R missing", "記録 %r がありません"},
	[SKM_CAUSE_LATE] = {"late", SKM_FINDING_REORDER,
		"%R out of place, behind records with higher numbers",
		"記録 %r が、より大きい番号の記録の後ろにあります"},
	[SKM_CAUSE_TWICE] = {"twice", SKM_FINDING_REORDER, "%R here a second time, unchanged",
		"記録 %r が同じ内容でもう一度あります"},
	[SKM_CAUSE_AGAIN] = {"again", SKM_FINDING_REORDER,
		"%R here again, too late for the contents to be compared",
		"記録 %r がもう一度あります (離れすぎていて内容を比較できません)"},
	[SKM_CAUSE_CHAINS_MIXED] = {"chains_mixed", SKM_FINDING_REORDER,
		"this chain goes on with record %r after records of another chain: segments were mixed",
		"別の鎖の記録の後に、この鎖が記録 %r から続いています。記録ファイルが混ざっています"},
	[SKM_CAUSE_TWO_HISTORIES] = {"two_histories", SKM_FINDING_FORK,
		"%R here twice, with different contents: two terminals with one chain, or an old "
		"state that was restored and continued",
		"記録 %r が異なる内容で二つあります。端末の複製、または古い状態に戻した後の継続です"},
	[SKM_CAUSE_OTHER_BRANCH] = {"other_branch", SKM_FINDING_FORK,
		"record %r is genuine but continues from another record than the genuine one before it: an old "
		"state was restored and continued, or the terminal was cloned",
		"記録 %r は本物ですが、直前にある本物の記録とは別の記録の続きです。古い状態への復元か端末の複製です"},
	[SKM_CAUSE_NOT_THE_WITNESSED] = {"not_the_witnessed", SKM_FINDING_FORK,
		"%R: others than those that were witnessed",
		"確認済みの記録から後、記録 %r は確認されたものと異なります"},
	[SKM_CAUSE_LINK] = {"link", SKM_FINDING_EDIT,
		"%R %w changed: what follows does not continue from these bytes",
		"記録 %r が書き換えられています (次の記録とつながりません)"},
	[SKM_CAUSE_LINK_ITSELF] = {"link_itself", SKM_FINDING_EDIT,
		"record %r was changed: it does not name the record before it",
		"記録 %r が書き換えられています (前の記録を指していません)"},
	[SKM_CAUSE_IDENTITY] = {"identity", SKM_FINDING_EDIT,
		"%R %w changed: another number or chain is named than that of the place",
		"記録 %r が書き換えられています (番号または鎖の名前が、その位置と合いません)"},
	[SKM_CAUSE_UNREADABLE] = {"unreadable", SKM_FINDING_EDIT, "%R %w changed beyond being records",
		"記録 %r が書き換えられ、記録として読めなくなっています"},
	[SKM_CAUSE_ALTERED_LINE] = {"altered_line", SKM_FINDING_EDIT,
		"lines that look like records but are none: %v; they were changed or made up",
		"記録に似ているが記録ではない行が %v 行あります。書き換えか偽造です"},
	[SKM_CAUSE_MAC] = {"mac", SKM_FINDING_FORGE,
		"%R %w not written like this with the terminal's key of that number: forged, or changed",
		"記録 %r は、その時点の端末の鍵で書かれたものではありません。偽造か書き換えです"},
	[SKM_CAUSE_MAC_UNCHECKED] = {"mac_unchecked", SKM_FINDING_FORGE,
		"the number %r leaps too far ahead for its key to be derived: not the terminal's numbering",
		"番号 %r は離れすぎていて鍵を導けません。端末の付けた番号ではありません"},
	[SKM_CAUSE_SIGNATURE] = {"signature", SKM_FINDING_FORGE, "the signature of checkpoint %r is wrong",
		"検査点 (記録 %r) の署名が正しくありません"},
	[SKM_CAUSE_CHECKPOINT_ELSEWHERE] = {"checkpoint_elsewhere", SKM_FINDING_FORGE,
		"checkpoint %r was made for another place",
		"検査点 (記録 %r) は別の位置のものです。使い回されています"},
	[SKM_CAUSE_SIGNING_KEY] = {"signing_key", SKM_FINDING_FORGE,
		"checkpoint %r is signed by another key than the one announced before",
		"検査点 (記録 %r) は、前に予告された鍵とは別の鍵で署名されています"},
	[SKM_CAUSE_CHECKPOINT_FORM] = {"checkpoint_form", SKM_FINDING_FORGE,
		"record %r calls itself a checkpoint and carries no signature",
		"記録 %r は検査点のはずですが、署名がありません"},
	[SKM_CAUSE_STREAM_NAME] = {"stream_name", SKM_FINDING_FORGE,
		"%R: of another stream than the chain's first record",
		"記録 %r の種類 (stream) が、この鎖の最初の記録と異なります"},
	[SKM_CAUSE_NO_RECORD] = {"no_record", SKM_FINDING_FOREIGN, "lines that are no records: %v",
		"記録ではない行が %v 行あります"},
	[SKM_CAUSE_TOO_LONG] = {"too_long", SKM_FINDING_FOREIGN, "a line that is longer than any record",
		"どの記録よりも長い行があります"},
	[SKM_CAUSE_TOO_MANY_CHAINS] = {"too_many_chains", SKM_FINDING_FOREIGN,
		"a record of yet another chain: a stream does not have that many",
		"さらに別の鎖の記録があります。ひとつの記録にこれほど多くの鎖はありません"},
};

/* Of one record each, and the same is said of all: neighbours are told together. */
static const bool may_grow[SKM_CAUSE_COUNT_] = {
	[SKM_CAUSE_LATE] = true,
	[SKM_CAUSE_TWICE] = true,
	[SKM_CAUSE_AGAIN] = true,
	[SKM_CAUSE_TWO_HISTORIES] = true,
	[SKM_CAUSE_LINK] = true,
	[SKM_CAUSE_IDENTITY] = true,
	[SKM_CAUSE_MAC] = true,
	[SKM_CAUSE_MAC_UNCHECKED] = true,
	[SKM_CAUSE_STREAM_NAME] = true,
};

const char *skm_finding_to_string(enum skm_finding_kind kind)
{
	return (unsigned)kind < SKM_FINDING_COUNT_ ? kinds[kind] : "UNKNOWN";
}

const char *skm_cause_to_string(enum skm_finding_cause cause)
{
	return (unsigned)cause < SKM_CAUSE_COUNT_ ? causes[cause].word : "unknown";
}

enum skm_finding_kind skm_cause_kind(enum skm_finding_cause cause)
{
	return (unsigned)cause < SKM_CAUSE_COUNT_ ? causes[cause].kind : SKM_FINDING_FOREIGN;
}

bool skm_cause_may_grow(enum skm_finding_cause cause)
{
	return (unsigned)cause < SKM_CAUSE_COUNT_ && may_grow[cause];
}

char *skm_number_format(uint64_t number, char ret_text[SKM_NUMBER_BYTES])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, number);
	char *to = ret_text;
	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return ret_text;
}

struct text {
	char *buf;
	size_t size, len;
};

/* Cut at the end of a character, terminated. */
static void add(struct text *text, const char *word, size_t word_len)
{
	size_t room = text->size - 1 - text->len;
	if (word_len > room) {
		word_len = room;
		while (word_len > 0 && ((unsigned char)word[word_len] & 0xc0) == 0x80)
			word_len--;
		text->size = text->len + word_len + 1; /* nothing more fits */
	}
	memcpy(text->buf + text->len, word, word_len);
	text->len += word_len;
	text->buf[text->len] = '\0';
}

static void add_field(struct text *text, const struct skm_finding *finding, char field, bool japanese)
{
	char number[2 * SKM_NUMBER_BYTES];
	uint64_t magnitude = finding->value < 0 ? 0 - (uint64_t)finding->value : (uint64_t)finding->value;
	switch (field) {
	case 'w':
		add(text, finding->last > finding->first ? "were" : "was",
			finding->last > finding->first ? 4 : 3);
		break;
	case 'R':
		add(text, "records ", finding->last > finding->first ? 7 : 6);
		add(text, " ", 1);
		__attribute__((fallthrough));
	case 'r':
		skm_number_format(finding->first, number);
		add(text, number, strlen(number));
		if (finding->last > finding->first) {
			add(text, japanese ? "〜" : "..", strlen(japanese ? "〜" : ".."));
			skm_number_format(finding->last, number);
			add(text, number, strlen(number));
		}
		break;
	case 's':
		add(text, finding->value < 0 ? "-" : "+", 1);
		skm_number_format(magnitude / 1000, number);
		add(text, number, strlen(number));
		(void)snprintf(number, sizeof(number), ".%u", (unsigned)(magnitude % 1000 / 100));
		add(text, number, strlen(number));
		break;
	default:
		skm_number_format(magnitude, number);
		add(text, number, strlen(number));
	}
}

void skm_finding_describe(const struct skm_finding *finding, bool japanese, char *ret_text, size_t size)
{
	struct text text = {ret_text, size, 0};
	if (size == 0)
		return;
	ret_text[0] = '\0';
	if ((unsigned)finding->cause >= SKM_CAUSE_COUNT_)
		return;
	const char *pattern = japanese ? causes[finding->cause].japanese : causes[finding->cause].english;
	for (;;) {
		const char *percent = strchr(pattern, '%');
		add(&text, pattern, percent ? (size_t)(percent - pattern) : strlen(pattern));
		if (!percent || !percent[1])
			return;
		add_field(&text, finding, percent[1], japanese);
		pattern = percent + 2;
	}
}
