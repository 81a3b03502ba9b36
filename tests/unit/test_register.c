// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "sekimori/config.h"

#define HEADER "id,reason,vid_pid,serial\n"

static struct skm_rule_set set;
static struct skm_config_error error;

static void finish(void)
{
	skm_rule_set_finish(&set);
}

/* From an exact-size copy without a NUL, so that AddressSanitizer sees the first byte read past the end. */
static int parse_bytes(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);
	cr_assert_not_null(copy);
	memcpy(copy, text, len);
	int r = skm_register_parse("register.csv", copy, len, &set, &error);
	free(copy);
	return r;
}

static int parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void assert_parses(const char *text, size_t count)
{
	int r = parse(text);
	cr_assert_eq(
		r, 0, "%s:%u: %s: %s; %s", error.file, error.line, error.key, error.found, error.allowed);
	cr_assert_eq(set.count, count, "%zu rules from\n%s", set.count, text);
}

Test(register, all_columns, .fini = finish)
{
	assert_parses("id,reason,vid_pid,serial,hash,port,connect_type,class,interfaces\n"
		      "USB-0001,税務課の帳票出力,0781:5581,4C530001,"
		      "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1F,1-2.3,hotplug,"
		      "08:06:50 03 network,08:06:62 08:06:50\n",
		1);
	const struct skm_rule *rule = &set.rules[0];
	cr_assert_str_eq(rule->id, "USB-0001");
	cr_assert_str_eq(rule->reason, "税務課の帳票出力");
	cr_assert_eq(rule->action, SKM_RULE_ALLOW);
	cr_assert_eq(rule->criteria, 0x7f);
	cr_assert_eq(rule->vendor_id, 0x0781);
	cr_assert_eq(rule->product_id, 0x5581);
	cr_assert_str_eq(rule->serial, "4C530001");
	cr_assert_eq(rule->descriptor_hash[31], 0x1f);
	cr_assert_str_eq(rule->port, "1-2.3");
	cr_assert_eq(rule->connect_type, SKM_CONNECT_HOTPLUG);
	cr_assert_eq(rule->class_count, 3);
	cr_assert_eq(rule->classes[0].depth, 3);
	cr_assert_eq(rule->classes[1].class_code, 0x03);
	cr_assert_eq(rule->classes[2].depth, SKM_CLASS_DEPTH_KIND);
	cr_assert_eq(rule->interface_count, 2);
	cr_assert_eq(rule->interfaces[0].protocol, 0x50, "sorted");
}

/* What the same two rows may look like. */
Test(register, spellings)
{
	static const char *const texts[] = {
		HEADER "a,x,0781:5581,S1\nb,y,,S 2\n",
		HEADER "a,x,0781:5581,S1\nb,y,,S 2",
		"id,reason,vid_pid,serial\r\na,x,0781:5581,S1\r\nb,y,,S 2\r\n",
		"\xef\xbb\xbf" HEADER "a,x,0781:5581,S1\nb,y,,S 2\n",
		"serial,vid_pid,reason,id\nS1,0781:5581,x,a\nS 2,,y,b\n",
		"\"id\",\"reason\",\"vid_pid\",\"serial\"\n\"a\",\"x\",\"0781:5581\",\"S1\"\n\"b\",\"y\",\"\",\"S 2\"\n",
		HEADER "\na,x,0781:5581,S1\n\n,,,\n\r\nb,y,,S 2\n,,,",
		"id,reason,vid_pid,serial,port,class\na,x,0781:5581,S1,,\nb,y,,S 2,,\n",
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(texts); i++) {
		assert_parses(texts[i], 2);
		cr_assert_str_eq(set.rules[0].id, "a", "%zu", i);
		cr_assert_eq(set.rules[0].criteria, SKM_RULE_VID_PID | SKM_RULE_SERIAL, "%zu", i);
		cr_assert_str_eq(set.rules[1].reason, "y", "%zu", i);
		cr_assert_eq(set.rules[1].criteria, SKM_RULE_SERIAL, "%zu", i);
		cr_assert_str_eq(set.rules[1].serial, "S 2", "%zu", i);
		finish();
	}
}

Test(register, quoted_fields, .fini = finish)
{
	assert_parses(HEADER "a,\"窓口, 2番 \"\"予備\"\"\",0781:5581,\" S,1 \"\n", 1);
	cr_assert_str_eq(set.rules[0].reason, "窓口, 2番 \"予備\"");
	cr_assert_str_eq(set.rules[0].serial, " S,1 ", "blanks may belong to a serial");
}

Test(register, header_only_is_an_empty_register, .fini = finish)
{
	assert_parses(HEADER, 0);
	assert_parses("id,reason", 0);
}

static const struct {
	const char *name;
	const char *text;
	unsigned line;
	const char *key;
	const char *found; /* NULL: whatever */
} faults[] = {
	{"empty file", "", 1, "", ""},
	{"no header", "a,x,0781:5581,S1\n", 1, "a", "a"},
	{"misspelt column", "id,reason,seriall\na,x,S1\n", 1, "seriall", "seriall"},
	{"column in capitals", "ID,reason,serial\na,x,S1\n", 1, "ID", "ID"},
	{"column twice", "id,reason,serial,serial\na,x,S1,S2\n", 1, "serial", "serial"},
	{"unnamed column", "id,reason,serial,\na,x,S1,\n", 1, "", ""},
	{"no id column", "reason,serial\nx,S1\n", 1, "id", ""},
	{"no reason column", "id,serial\na,S1\n", 1, "reason", ""},
	{"too few fields", HEADER "a,x,0781:5581\n", 2, "", "3"},
	{"too many fields", HEADER "a,x,0781:5581,S1,\n", 2, "", "5"},
	{"no id", HEADER "a,x,,S1\n,x,0781:5581,S1\n", 3, "id", ""},
	{"no reason", HEADER "a,,0781:5581,S1\n", 2, "reason", ""},
	{"bad id", HEADER "台帳1,x,0781:5581,S1\n", 2, "id", "台帳1"},
	{"reserved id", HEADER "builtin:office,x,0781:5581,S1\n", 2, "id", "builtin:office"},
	{"id twice", HEADER "a,x,0781:5581,S1\nb,x,0781:5581,S2\na,x,0781:5581,S3\n", 4, "id", "a"},
	{"no criterion", HEADER "a,x,,\n", 2, "", "a"},
	{"bad vid_pid", HEADER "a,x,781:5581,S1\n", 2, "vid_pid", "781:5581"},
	{"spaces around", HEADER "a,x, 0781:5581,S1\n", 2, "vid_pid", " 0781:5581"},
	{"a spreadsheet's number", HEADER "a,x,0781:5581,4.53E+12\n", 2, "serial", "4.53E+12"},
	{"a spreadsheet's round number", HEADER "a,x,0781:5581,1E+12\n", 2, "serial", "1E+12"},
	{"bad hash", "id,reason,hash\na,x,00\n", 2, "hash", "00"},
	{"bad port", "id,reason,port\na,x,usb1\n", 2, "port", "usb1"},
	{"bad connect type", "id,reason,connect_type\na,x,internal\n", 2, "connect_type", "internal"},
	{"bad class", "id,reason,class\na,x,08 8\n", 2, "class", "08 8"},
	{"classes with commas", "id,reason,class\na,x,\"08,03\"\n", 2, "class", "08,03"},
	{"blank class", "id,reason,class\na,x,  \n", 2, "class", "  "},
	{"17 classes", "id,reason,class\na,x,01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11\n", 2,
		"class", NULL},
	{"interface of depth 2", "id,reason,interfaces\na,x,08:06\n", 2, "interfaces", "08:06"},
	{"a kind is no interface", "id,reason,interfaces\na,x,mass-storage\n", 2, "interfaces",
		"mass-storage"},
	{"quote inside a field", HEADER "a,x\"y,0781:5581,S1\n", 2, "reason", "x"},
	{"text behind a quote", HEADER "a,\"x\"y,0781:5581,S1\n", 2, "reason", "x"},
	{"quote not closed", HEADER "a,\"x,0781:5581,S1", 2, "reason", NULL},
	{"quote not closed, more lines", HEADER "a,\"x,0781:5581,S1\nb,y,,S2\n", 2, "reason", NULL},
	{"line break in quotes", HEADER "a,\"x\ny\",0781:5581,S1\n", 2, "reason", "x"},
	{"too few fields, the first one empty", HEADER ",x\n", 2, "", "2"},
	{"tab at the end of a line", HEADER "a,x,0781:5581,S1\t\n", 2, "serial", "S1"},
	{"a letter behind a quote at the end of a line", HEADER "a,x,0781:5581,\"S1\"y\n", 2, "serial", "S1"},
	{"tab", HEADER "a,x\ty,0781:5581,S1\n", 2, "reason", "x"},
	{"a control character of C1", HEADER "a,x\xc2\x9b[2J,0781:5581,S1\n", 2, "reason", "x\\xc2\\x9b[2J"},
	{"a letter that turns the writing direction", HEADER "a,x,\u202e0781:5581,S1\n", 2, "vid_pid",
		"\\xe2\\x80\\xae0781:5581"},
	{"old Macintosh line ends", "id,reason,serial\ra,x,S1\r", 1, "", "serial"},
	{"separated by semicolons", "id;reason;serial\na;x;S1\n", 1, "id;reason;serial", "id;reason;serial"},
	{"Shift_JIS", HEADER "a,x,0781:5581,S1\nb,\x91\xe4,0781:5581,S2\n", 3, "", NULL},
	{"UTF-16", "\xff\xfei", 1, "", NULL},
};

Test(register, faults, .fini = finish)
{
	for (size_t i = 0; i < SKM_ARRAY_SIZE(faults); i++) {
		memset(&error, 0xa5, sizeof(error));
		cr_assert_eq(parse(faults[i].text), SKM_REGISTER_INVALID, "%s", faults[i].name);
		cr_assert_str_eq(error.file, "register.csv", "%s", faults[i].name);
		cr_assert_eq(error.line, faults[i].line, "%s: line %u", faults[i].name, error.line);
		cr_assert_str_eq(error.key, faults[i].key, "%s: key '%s'", faults[i].name, error.key);
		if (faults[i].found)
			cr_assert_str_eq(
				error.found, faults[i].found, "%s: found '%s'", faults[i].name, error.found);
		cr_assert_gt(strlen(error.allowed), 0, "%s", faults[i].name);
		cr_assert_gt(strlen(error.allowed_ja), 0, "%s", faults[i].name);
		cr_assert_eq(set.count, 0, "%s", faults[i].name);
	}
}

Test(register, nul_byte, .fini = finish)
{
	static const char text[] = HEADER "a,x\0y,0781:5581,S1\n";
	cr_assert_eq(parse_bytes(text, sizeof(text) - 1), SKM_REGISTER_INVALID);
	cr_assert_eq(error.line, 2);
	cr_assert_str_eq(error.key, "reason");
}

Test(register, serials_that_only_resemble_numbers, .fini = finish)
{
	assert_parses(
		"id,reason,serial\na,x,453E12\nb,x,4.53E12\nc,x,4.53E+\nd,x,.53E+12\ne,x,4.53E+12A\nf,x,0012\n"
		"g,x,1E+\nh,x,E+12\n",
		8);
}

Test(register, lengths, .fini = finish)
{
	static const struct {
		const char *column;
		const char *before;
		size_t longest;
	} rows[] = {
		{"reason", "reason,id,serial\n", SKM_REASON_BYTES - 1},
		{"serial", "serial,id,reason\n", SKM_USB_STRING_BYTES - 1},
		{"id", "id,reason,serial\n", SKM_RULE_ID_BYTES - 1},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(rows); i++) {
		for (size_t excess = 0; excess < 2; excess++) {
			char text[2048], value[512];
			memset(value, 'a', rows[i].longest + excess);
			value[rows[i].longest + excess] = '\0';
			(void)snprintf(text, sizeof(text), "%s%s,z,z\n", rows[i].before, value);
			cr_assert_eq(parse(text), excess ? SKM_REGISTER_INVALID : 0, "%s + %zu",
				rows[i].column, excess);
			if (excess)
				cr_assert_str_eq(error.key, rows[i].column);
			finish();
		}
	}
}

/* What is found may be long and hostile: it is cut between characters and holds no control character. */
Test(register, found_is_printable, .fini = finish)
{
	char text[2048] = "id,reason,vid_pid\na,x,xx";
	for (size_t i = 0; i < 100; i++)
		strcat(text, "漢");
	cr_assert_eq(parse(text), SKM_REGISTER_INVALID);
	cr_assert_eq(strlen(error.found), 2 + 84 * 3);
	cr_assert_str_eq(error.found + 2 + 82 * 3, "漢…");

	cr_assert_eq(skm_register_parse("reg\x1b[2J\xff.csv", "x", 1, &set, &error), SKM_REGISTER_INVALID);
	cr_assert_str_eq(error.file, "reg\\x1b[2J\\xff.csv");
	for (size_t i = 0; i < 600; i++)
		strcat(text, "a");
	cr_assert_eq(parse(text), SKM_REGISTER_INVALID);
	cr_assert_str_eq(error.key, "vid_pid", "longer than any field");
	cr_assert(strstr(error.allowed, "511"), "%s", error.allowed);
	strcpy(text, "id,reason,vid_pid\na,\"");
	memset(text + strlen(text), 'a', 512);
	cr_assert_eq(parse(text), SKM_REGISTER_INVALID);
	cr_assert_str_eq(error.key, "reason", "the same in quotation marks");
	cr_assert(strstr(error.allowed, "511"), "%s", error.allowed);
}

Test(register, appends_or_leaves_alone, .fini = finish)
{
	struct skm_rule rule = {
		.id = "conf", .reason = "r", .action = SKM_RULE_DENY, .criteria = SKM_RULE_VID_PID};
	cr_assert_eq(skm_rule_set_add(&set, &rule), 0);
	cr_assert_eq(parse(HEADER "a,x,0781:5581,S1\nb,x,0781:5581,S1\nc,,,\n"), SKM_REGISTER_INVALID);
	cr_assert_eq(set.count, 1);
	cr_assert_str_eq(set.rules[0].id, "conf");
	assert_parses(HEADER "a,x,0781:5581,S1\n", 2);
	cr_assert_str_eq(set.rules[0].id, "conf");
	cr_assert_eq(parse(HEADER "conf,x,0781:5581,S1\n"), SKM_REGISTER_INVALID,
		"the id of a rule that was there before");
	cr_assert_eq(error.line, 2);
	cr_assert_str_eq(error.key, "id");
	cr_assert_eq(set.count, 2);
}

Test(register, too_many_rows, .fini = finish)
{
	size_t size = (SKM_RULES_MAX + 2) * 24;
	char *text = malloc(size);
	cr_assert_not_null(text);
	size_t used = (size_t)snprintf(text, size, "id,reason,serial\n");
	for (unsigned i = 0; i <= SKM_RULES_MAX; i++)
		used += (size_t)snprintf(text + used, size - used, "r%u,x,s%u\n", i, i);
	cr_assert_eq(parse_bytes(text, used), SKM_REGISTER_INVALID);
	cr_assert_eq(error.line, SKM_RULES_MAX + 2);
	cr_assert_eq(set.count, 0);
	/* without the last row it fits */
	used = (size_t)((char *)memrchr(text, '\n', used - 1) - text);
	cr_assert_eq(parse_bytes(text, used), 0);
	cr_assert_eq(set.count, SKM_RULES_MAX);
	free(text);
}

Test(register, too_many_bytes, .fini = finish)
{
	char *text = calloc(1, SKM_REGISTER_BYTES_MAX + 1);
	cr_assert_not_null(text);
	cr_assert_eq(skm_register_parse("r", text, SKM_REGISTER_BYTES_MAX + 1, &set, &error),
		SKM_REGISTER_INVALID);
	cr_assert_eq(error.line, 0);
	free(text);
}
