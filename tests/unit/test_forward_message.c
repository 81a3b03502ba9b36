// SPDX-License-Identifier: Apache-2.0
/* The syslog message around the records: their bytes are never touched, and its size is never exceeded. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "message.h"
#include "sekimori/terminal_name.h"

#define HEAD "<109>1 - PC-042 sekimori-agent - - - "

static struct skm_message message; /* too large for a stack */

static void expect_frame(uint32_t txnr, const char *wanted)
{
	size_t len = 0;
	const char *frame = skm_message_frame(&message, txnr, &len);
	cr_expect_eq(len, strlen(wanted));
	cr_expect(len == strlen(wanted) && memcmp(frame, wanted, len) == 0, "%.*s", (int)len, frame);
}

Test(forward_message, one_line)
{
	skm_message_begin(&message, "PC-042", "agent");
	cr_assert(skm_message_add(&message, "{\"a\":1}", 7));
	cr_expect_eq(message.line_count, 1);
	expect_frame(2, "2 syslog 44 " HEAD "{\"a\":1}\n");
	expect_frame(999999999, "999999999 syslog 44 " HEAD "{\"a\":1}\n");
}

Test(forward_message, a_sign_of_life_carries_no_record)
{
	skm_message_begin(&message, "T", "agent");
	cr_assert(skm_message_add(&message, "{1}", 3));
	skm_message_alive(&message, "PC-042", "agent");
	cr_expect_eq(message.line_count, 0);
	expect_frame(3, "3 syslog 43 <109>1 - PC-042 sekimori-agent - alive - on\n");
}

Test(forward_message, several_lines_are_joined_by_a_record_separator)
{
	skm_message_begin(&message, "PC-042", "agent");
	cr_assert(skm_message_add(&message, "{1}", 3));
	cr_assert(skm_message_add(&message, "{22}", 4));
	cr_assert(skm_message_add(&message, "{3}", 3));
	cr_expect_eq(message.line_count, 3);
	expect_frame(7, "7 syslog 49 " HEAD "{1}\x1e{22}\x1e{3}\n");
	skm_message_begin(&message, "T", "auth");
	cr_assert(skm_message_add(&message, "{4}", 3));
	expect_frame(8, "8 syslog 34 <109>1 - T sekimori-auth - - - {4}\n");
}

Test(forward_message, bytes_are_not_touched)
{
	static const char line[] = "{\"x\":\"\xf0\xa0\xae\xb7 \xe3\x88\xb1 \xff\xfe \x7f\xc2\x85\"}";
	size_t len = 0;
	cr_assert(skm_message_can_carry(line, sizeof(line) - 1));
	skm_message_begin(&message, "T", "auth");
	cr_assert(skm_message_add(&message, line, sizeof(line) - 1));
	const char *frame = skm_message_frame(&message, 2, &len);
	cr_expect_eq(memcmp(frame + len - sizeof(line), line, sizeof(line) - 1), 0);
}

Test(forward_message, a_full_one_takes_no_more_and_is_left_as_it_was)
{
	char line[8000];
	memset(line, 'x', sizeof(line));
	skm_message_begin(&message, "PC-042", "agent");
	unsigned count = 0;
	while (skm_message_add(&message, line, sizeof(line)))
		count++;
	cr_expect_eq(count, 7);
	size_t left = SKM_MESSAGE_BYTES_MAX - message.len;
	cr_expect_not(skm_message_add(&message, line, left));
	cr_expect(skm_message_add(&message, line, left - 1), "the separator and what is left");
	cr_expect_eq(message.len, SKM_MESSAGE_BYTES_MAX);
	cr_expect_not(skm_message_add(&message, line, 1));
	cr_expect_eq(message.line_count, 8);
	size_t len = 0;
	const char *frame = skm_message_frame(&message, SKM_RELP_TXNR_MAX, &len);
	cr_expect_eq(len, strlen("999999999 syslog 64000 ") + SKM_MESSAGE_BYTES_MAX + 1);
	cr_expect_eq(frame[len - 1], '\n');
}

Test(forward_message, the_longest_line_fits)
{
	static char line[SKM_MESSAGE_LINE_MAX + 1];
	char terminal[SKM_TERMINAL_BYTES];
	memset(line, 'x', sizeof(line));
	memset(terminal, 'T', sizeof(terminal) - 1);
	terminal[sizeof(terminal) - 1] = '\0';
	skm_message_begin(&message, terminal, "agent");
	cr_expect(skm_message_can_carry(line, SKM_MESSAGE_LINE_MAX));
	cr_expect_not(skm_message_can_carry(line, SKM_MESSAGE_LINE_MAX + 1));
	cr_expect(skm_message_add(&message, line, SKM_MESSAGE_LINE_MAX));
}

Test(forward_message, what_would_not_arrive_whole_is_not_carried)
{
	cr_expect_not(skm_message_can_carry("", 0));
	for (char byte = 0; byte < ' '; byte++) {
		char line[] = {'a', byte, 'b'};
		cr_expect_not(skm_message_can_carry(line, sizeof(line)), "0x%02x", byte);
	}
	cr_expect(skm_message_can_carry(" ", 1));
	cr_expect(skm_message_can_carry("\x7f\xff", 2));
}
