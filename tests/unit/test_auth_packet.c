// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <string.h>

#include "sekimori/auth.h"

static struct skm_auth_writer writer;
static struct skm_auth_packet packet;

static void expect_refused(const void *bytes, size_t len, int error)
{
	memset(&packet, 0x5a, sizeof(packet));
	struct skm_auth_packet before = packet;
	cr_expect_eq(skm_auth_packet_parse(bytes, len, &packet), error);
	cr_expect_eq(memcmp(&before, &packet, sizeof(packet)), 0, "touched on failure");
}
#define REFUSED(literal, error) expect_refused(literal, sizeof(literal) - 1, error)

Test(auth_packet, what_was_written_is_read)
{
	skm_auth_write_begin(&writer, SKM_AUTH_VERIFY);
	skm_auth_write_text(&writer, SKM_AUTH_TAG_USER, "山田\n%s/..\xff");
	skm_auth_write_bytes(&writer, SKM_AUTH_TAG_ANSWER, "12\0 34", 6);
	skm_auth_write_number(&writer, SKM_AUTH_TAG_FLAGS, SKM_AUTH_FLAG_SPLIT);
	skm_auth_write_number(&writer, SKM_AUTH_TAG_OFFSET_SEC, (uint64_t)INT64_C(-90));
	cr_assert_eq(skm_auth_write_end(&writer), 0);
	cr_assert_eq(skm_auth_packet_parse(writer.buf, writer.len, &packet), 0);
	cr_expect_eq(packet.code, SKM_AUTH_VERIFY);
	char user[64];
	cr_expect_eq(skm_auth_packet_text(&packet, SKM_AUTH_TAG_USER, user, sizeof(user)), 0);
	cr_expect_str_eq(user, "山田\n%s/..\xff");
	cr_expect_eq(packet.field_len[SKM_AUTH_TAG_ANSWER], 6);
	cr_expect_eq(memcmp(packet.field[SKM_AUTH_TAG_ANSWER], "12\0 34", 6), 0);
	cr_expect_eq(skm_auth_packet_number(&packet, SKM_AUTH_TAG_FLAGS, 0), SKM_AUTH_FLAG_SPLIT);
	cr_expect_eq((int64_t)skm_auth_packet_number(&packet, SKM_AUTH_TAG_OFFSET_SEC, 0), -90);
	cr_expect_null(packet.field[SKM_AUTH_TAG_SERVICE]);
}

Test(auth_packet, the_bytes_are_these)
{
	skm_auth_write_begin(&writer, SKM_AUTH_PREPARE);
	skm_auth_write_text(&writer, SKM_AUTH_TAG_USER, "yamada");
	skm_auth_write_number(&writer, SKM_AUTH_TAG_DIGITS, 0x0102030405060708);
	static const char expected[] = "\1\1\1\6\0yamada\x23\x08\0\x08\7\6\5\4\3\2\1";
	cr_assert_eq(writer.len, sizeof(expected) - 1);
	cr_expect_eq(memcmp(writer.buf, expected, writer.len), 0);
}

Test(auth_packet, every_tag_has_one_kind)
{
	unsigned texts = 0, bytes = 0, numbers = 0;
	for (unsigned tag = 0; tag <= SKM_AUTH_TAG_MAX + 1; tag++) {
		skm_auth_write_begin(&writer, 0);
		skm_auth_write_text(&writer, (enum skm_auth_tag)tag, "x");
		texts += skm_auth_write_end(&writer) == 0;
		skm_auth_write_begin(&writer, 0);
		skm_auth_write_bytes(&writer, (enum skm_auth_tag)tag, "\0", 1);
		bytes += skm_auth_write_end(&writer) == 0;
		skm_auth_write_begin(&writer, 0);
		skm_auth_write_number(&writer, (enum skm_auth_tag)tag, 1);
		numbers += skm_auth_write_end(&writer) == 0;
	}
	cr_expect_eq(texts, 8);
	cr_expect_eq(bytes, 4);
	cr_expect_eq(numbers, SKM_AUTH_TAG_MAX - SKM_AUTH_TAG_FLAGS + 1);
}

Test(auth_packet, an_empty_text_is_no_field_but_empty_bytes_are_one)
{
	skm_auth_write_begin(&writer, SKM_AUTH_VERIFY);
	skm_auth_write_text(&writer, SKM_AUTH_TAG_USER, "");
	skm_auth_write_text(&writer, SKM_AUTH_TAG_SERVICE, NULL);
	skm_auth_write_bytes(&writer, SKM_AUTH_TAG_TTY, "", 0);
	cr_expect_eq(writer.len, 2);
	skm_auth_write_bytes(&writer, SKM_AUTH_TAG_ANSWER, NULL, 0);
	cr_assert_eq(skm_auth_write_end(&writer), 0);
	cr_assert_eq(skm_auth_packet_parse(writer.buf, writer.len, &packet), 0);
	cr_expect_null(packet.field[SKM_AUTH_TAG_USER]);
	cr_expect_not_null(packet.field[SKM_AUTH_TAG_ANSWER]);
	cr_expect_eq(packet.field_len[SKM_AUTH_TAG_ANSWER], 0);
}

Test(auth_packet, tags_rise)
{
	skm_auth_write_begin(&writer, 0);
	skm_auth_write_text(&writer, SKM_AUTH_TAG_SERVICE, "su");
	skm_auth_write_text(&writer, SKM_AUTH_TAG_USER, "yamada");
	cr_expect_eq(skm_auth_write_end(&writer), -EINVAL);
	skm_auth_write_begin(&writer, 0);
	skm_auth_write_text(&writer, SKM_AUTH_TAG_USER, "yamada");
	skm_auth_write_text(&writer, SKM_AUTH_TAG_USER, "yamada");
	cr_expect_eq(skm_auth_write_end(&writer), -EINVAL);
	REFUSED("\1\2\2\1\0x\1\1\0y", -EBADMSG);
	REFUSED("\1\2\1\1\0x\1\1\0y", -EBADMSG);
}

Test(auth_packet, a_packet_is_filled_to_its_last_byte_and_no_further)
{
	static char text[SKM_AUTH_PACKET_MAX + 1];
	memset(text, 'x', sizeof(text) - 1);
	skm_auth_write_begin(&writer, 0);
	skm_auth_write_text(
		&writer, SKM_AUTH_TAG_TEXT, text + 6); /* 2 + 3 + 8186 is one byte short of full */
	cr_expect_eq(skm_auth_write_end(&writer), 0);
	skm_auth_write_begin(&writer, 0);
	skm_auth_write_text(&writer, SKM_AUTH_TAG_TEXT, text + 5);
	cr_expect_eq(skm_auth_write_end(&writer), 0);
	cr_expect_eq(writer.len, SKM_AUTH_PACKET_MAX);
	cr_expect_eq(skm_auth_packet_parse(writer.buf, writer.len, &packet), 0);
	skm_auth_write_number(&writer, SKM_AUTH_TAG_FLAGS, 1);
	cr_expect_eq(skm_auth_write_end(&writer), -ENOBUFS);
	for (size_t cut = 0; cut <= 4; cut++) {
		skm_auth_write_begin(&writer, 0);
		skm_auth_write_text(&writer, SKM_AUTH_TAG_TEXT, text + cut);
		cr_expect_eq(skm_auth_write_end(&writer), -ENOBUFS, "%zu", cut);
	}
	skm_auth_write_text(&writer, SKM_AUTH_TAG_USER, "x");
	cr_expect_eq(skm_auth_write_end(&writer), -ENOBUFS, "the first error stays");
	cr_expect_eq(writer.len, 2, "nothing is cut");
}

Test(auth_packet, each_fault_is_refused)
{
	expect_refused("", 0, -EBADMSG);
	REFUSED("\1", -EBADMSG);
	REFUSED("\0\2", -EPROTO);
	REFUSED("\2\2\1\1\0x", -EPROTO);
	REFUSED("\1\2\1", -EBADMSG);	  /* tag without length */
	REFUSED("\1\2\1\1", -EBADMSG);	  /* half a length */
	REFUSED("\1\2\1\2\0x", -EBADMSG); /* longer than the packet */
	REFUSED("\1\2\6\2\0x", -EBADMSG); /* by one byte, where any byte may stand */
	REFUSED("\1\2\1\xff\xffx", -EBADMSG);
	REFUSED("\1\2\0\1\0x", -EBADMSG);		     /* tag 0 */
	REFUSED("\1\2\x0d\1\0x", -EBADMSG);		     /* between texts and numbers */
	REFUSED("\1\2\x30\x08\0\0\0\0\0\0\0\0\0", -EBADMSG); /* behind the last */
	REFUSED("\1\2\xff\1\0x", -EBADMSG);
	REFUSED("\1\2\1\0\0", -EBADMSG);		 /* empty text */
	REFUSED("\1\2\1\3\0a\0b", -EBADMSG);		 /* NUL in a text */
	REFUSED("\1\2\x20\7\0\0\0\0\0\0\0\0", -EBADMSG); /* number of seven bytes */
	REFUSED("\1\2\x20\x09\0\0\0\0\0\0\0\0\0\0", -EBADMSG);
	static uint8_t large[SKM_AUTH_PACKET_MAX + 1] = {SKM_AUTH_VERSION};
	expect_refused(large, sizeof(large), -EBADMSG);
}

Test(auth_packet, a_text_is_given_whole_or_not_at_all)
{
	skm_auth_write_begin(&writer, 0);
	skm_auth_write_text(&writer, SKM_AUTH_TAG_USER, "yamada");
	skm_auth_write_bytes(&writer, SKM_AUTH_TAG_ANSWER, "123456", 6);
	cr_assert_eq(skm_auth_packet_parse(writer.buf, writer.len, &packet), 0);
	char text[8] = "before";
	cr_expect_eq(skm_auth_packet_text(&packet, SKM_AUTH_TAG_USER, text, 6), -EMSGSIZE);
	cr_expect_str_eq(text, "");
	cr_expect_eq(skm_auth_packet_text(&packet, SKM_AUTH_TAG_USER, text, 7), 0);
	cr_expect_str_eq(text, "yamada");
	cr_expect_eq(skm_auth_packet_text(&packet, SKM_AUTH_TAG_RHOST, text, 7), -ENOENT);
	cr_expect_str_eq(text, "");
	cr_expect_eq(skm_auth_packet_text(&packet, SKM_AUTH_TAG_ANSWER, text, 7), -ENOENT, "bytes, not text");
	cr_expect_eq(skm_auth_packet_text(&packet, SKM_AUTH_TAG_USER, text, 0), -EMSGSIZE);
}

Test(auth_packet, a_number_that_is_not_there_is_the_fallback)
{
	cr_assert_eq(skm_auth_packet_parse((const uint8_t *)"\1\2", 2, &packet), 0);
	cr_expect_eq(skm_auth_packet_number(&packet, SKM_AUTH_TAG_DIGITS, 6), 6);
	cr_expect_eq(skm_auth_packet_number(&packet, SKM_AUTH_TAG_USER, 7), 7);
}

Test(auth_packet, every_outcome_has_a_word_of_its_own)
{
	for (unsigned i = 0; i < SKM_AUTH_OUTCOME_COUNT_; i++) {
		const char *word = skm_auth_outcome_to_string((enum skm_auth_outcome)i);
		cr_assert_not_null(word);
		for (unsigned k = 0; k < i; k++)
			cr_expect_str_neq(word, skm_auth_outcome_to_string((enum skm_auth_outcome)k));
	}
	cr_expect_str_eq(skm_auth_outcome_to_string(SKM_AUTH_WRONG_KEY), "wrong_key");
	cr_expect_str_eq(skm_auth_outcome_to_string((enum skm_auth_outcome)250), "unknown");
}
