// SPDX-License-Identifier: Apache-2.0
/* RELP's framing: what is written, and what of a server's bytes is a frame, a part of one, or neither. */
#include <criterion/criterion.h>
#include <string.h>

#include "relp.h"

#define DATA_MAX 100

static int parse(const char *text, struct skm_relp_frame *ret_frame, size_t *ret_used)
{
	return skm_relp_frame_parse(text, strlen(text), DATA_MAX, ret_frame, ret_used);
}

static void expect_frame(const char *text, uint32_t txnr, const char *command, const char *data, size_t used)
{
	struct skm_relp_frame frame = {0};
	size_t found = 0;
	cr_assert_eq(parse(text, &frame, &found), 0, "%s", text);
	cr_expect_eq(frame.txnr, txnr, "%s", text);
	cr_expect_str_eq(frame.command, command);
	cr_expect_eq(frame.data_len, strlen(data), "%s", text);
	cr_expect(frame.data_len == 0 || memcmp(frame.data, data, frame.data_len) == 0, "%s", text);
	cr_expect_eq(found, used, "%s: %zu", text, found);
}

Test(relp, writes_heads)
{
	char head[SKM_RELP_HEAD_BYTES];
	cr_expect_eq(skm_relp_head_format(7, "syslog", 12, head), strlen("7 syslog 12 "));
	cr_expect_str_eq(head, "7 syslog 12 ");
	cr_expect_eq(skm_relp_head_format(1, "close", 0, head), strlen("1 close 0"));
	cr_expect_str_eq(head, "1 close 0");
	(void)skm_relp_head_format(SKM_RELP_TXNR_MAX, "abcdefghijklmnopqrstuvwxyzabcdefgh", 999999999, head);
	cr_expect_str_eq(head, "999999999 abcdefghijklmnopqrstuvwxyzabcdef 999999999 ");
}

Test(relp, numbers_begin_again_after_the_last)
{
	cr_expect_eq(skm_relp_txnr_next(1), 2);
	cr_expect_eq(skm_relp_txnr_next(SKM_RELP_TXNR_MAX - 1), SKM_RELP_TXNR_MAX);
	cr_expect_eq(skm_relp_txnr_next(SKM_RELP_TXNR_MAX), 1);
}

Test(relp, parses_frames)
{
	expect_frame("1 rsp 6 200 OK\n", 1, "rsp", "200 OK", 15);
	expect_frame("1 rsp 6 200 OK\n2 rsp 6 200 OK\n", 1, "rsp", "200 OK", 15);
	expect_frame("0 serverclose 0\n", 0, "serverclose", "", 16);
	expect_frame("999999999 rsp 3 a\nb\n", 999999999, "rsp", "a\nb", 20);
	expect_frame("1 rsp 3 \n\n\n\n", 1, "rsp", "\n\n\n", 12);
}

Test(relp, every_beginning_of_a_frame_is_partial)
{
	static const char whole[] = "12 rsp 6 200 OK\n";
	struct skm_relp_frame frame;
	size_t used;
	for (size_t len = 0; len < sizeof(whole) - 1; len++)
		cr_expect_eq(skm_relp_frame_parse(whole, len, DATA_MAX, &frame, &used), SKM_RELP_PARTIAL,
			"%zu bytes", len);
	cr_expect_eq(skm_relp_frame_parse("0 serverclose 0", 15, DATA_MAX, &frame, &used), SKM_RELP_PARTIAL);
}

Test(relp, refuses_what_is_no_frame)
{
	static const char *const wrong[] = {
		" rsp 6 200 OK\n",				  /* no number */
		"a rsp 6 200 OK\n",				  /* not a number */
		"-1 rsp 6 200 OK\n",				  /* signed */
		"1234567890 rsp 6 200 OK\n",			  /* too long a number */
		"1  6 200 OK\n",				  /* no command */
		"1 r5p 6 200 OK\n",				  /* not letters */
		"1 abcdefghijklmnopqrstuvwxyzabcdefg 6 200 OK\n", /* too long a command */
		"1 rsp  200 OK\n",				  /* no length */
		"1 rsp x 200 OK\n",				  /* not a length */
		"1 rsp 6\n200 OK\n",				  /* data in another line */
		"1 rsp 0 \n",					  /* a blank before no data */
		"1 rsp 5 200 OK\n",				  /* longer than it says */
		"1 rsp 7 200 OK\n2",				  /* shorter than it says */
		"1 rsp 101 ",					  /* more than is taken */
		"1 rsp 0123456789 ",				  /* too long a length */
		"HTTP/1.1 400 Bad Request\r\n",
		"\n",
		"\x16\x03\x01",
	};
	struct skm_relp_frame frame = {.txnr = 77};
	size_t used = 99;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(wrong); i++)
		cr_expect_eq(parse(wrong[i], &frame, &used), -EBADMSG, "%s", wrong[i]);
	cr_expect_eq(frame.txnr, 77, "outputs are left alone");
	cr_expect_eq(used, 99);
}

static struct skm_relp_frame frame_of(const char *data)
{
	return (struct skm_relp_frame){.txnr = 1, .command = "rsp", .data = data, .data_len = strlen(data)};
}

Test(relp, status)
{
	static const char *const wrong[] = {"", "20", "2x0 OK", "2000 OK", "OK 200", " 200", "200OK"};
	unsigned status = 1;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(wrong); i++) {
		struct skm_relp_frame frame = frame_of(wrong[i]);
		cr_expect_eq(skm_relp_status(&frame, &status), -EBADMSG, "%s", wrong[i]);
	}
	cr_expect_eq(status, 1);
	struct skm_relp_frame ok = frame_of("200 OK\nrelp_version=0"), bare = frame_of("200"),
			      no = frame_of("500 cannot store");
	cr_expect_eq(skm_relp_status(&ok, &status), 0);
	cr_expect_eq(status, 200);
	cr_expect_eq(skm_relp_status(&bare, &status), 0);
	cr_expect_eq(status, 200);
	cr_expect_eq(skm_relp_status(&no, &status), 0);
	cr_expect_eq(status, 500);
}

Test(relp, offers)
{
	static const char *const with[] = {
		"200 OK\nrelp_version=0\nrelp_software=librelp,1.11.0,http://librelp.adiscon.com\ncommands=syslog",
		"200 OK\ncommands=eventlog,syslog\nx=1", "200 OK\ncommands=syslog,eventlog\n"};
	static const char *const without[] = {"200 OK", "200 OK\ncommands=", "200 OK\ncommands=syslogd",
		"200 OK\ncommands=xsyslog,log", "200 OK\nx=syslog\ncommand=syslog", "", "commands"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(with); i++) {
		struct skm_relp_frame frame = frame_of(with[i]);
		cr_expect(skm_relp_offers_command(&frame, "syslog"), "%s", with[i]);
	}
	for (size_t i = 0; i < SKM_ARRAY_SIZE(without); i++) {
		struct skm_relp_frame frame = frame_of(without[i]);
		cr_expect_not(skm_relp_offers_command(&frame, "syslog"), "%s", without[i]);
	}
	struct skm_relp_frame nothing = {0};
	cr_expect_not(skm_relp_offers_command(&nothing, "syslog"));
}
