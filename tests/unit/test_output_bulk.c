// SPDX-License-Identifier: Apache-2.0
/* OpenSearch's bulk protocol: what is asked, and what an answer may make us believe. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "bulk.h"

static struct skm_output_batch batch;
static struct skm_bytes body;

static void add(const char *line, size_t len, const char *id)
{
	struct skm_output_record *record = &batch.records[batch.count++];
	*record = (struct skm_output_record){.offset = batch.text.len, .len = len};
	(void)strcpy(record->id, id);
	cr_assert_eq(skm_bytes_add(&batch.text, line, len), 0);
}

#define CHAIN "00112233445566778899aabbccddeeff"

static void set_up(void)
{
	cr_assert_eq(skm_output_batch_init(&batch), 0);
	add("{\"a\":1}", 7, CHAIN "-1");
	add("{\"b\":\"\xff\"}", 9, CHAIN "-2");
	add("{\"c\":3}", 7, CHAIN "-3");
}

static void tear_down(void)
{
	skm_output_batch_free(&batch);
	skm_bytes_free(&body);
}

TestSuite(output_bulk, .init = set_up, .fini = tear_down);

static void expect_body(size_t limit, const char *expected)
{
	cr_assert_eq(skm_bulk_compose(&batch, limit, &body), 0);
	cr_assert_eq(body.len, strlen(expected), "%.*s", (int)body.len, body.data);
	cr_assert_arr_eq(body.data, expected, body.len, "%.*s", (int)body.len, body.data);
}

static int judge(size_t limit, const char *answer, struct skm_bulk_verdict *ret_verdict)
{
	return skm_bulk_judge(&batch, limit, answer, strlen(answer), ret_verdict);
}

#define ITEM(n, status) "{\"index\":{\"_id\":\"" CHAIN "-" #n "\",\"status\":" #status "}}"
#define REFUSED(n, status)                                             \
	"{\"index\":{\"_id\":\"" CHAIN "-" #n "\",\"status\":" #status \
	",\"error\":{\"type\":\"some_exception\"}}}"

Test(output_bulk, request)
{
	/* What is no UTF-8 goes in base64 from the beginning. */
	expect_body(10, "{\"index\":{\"_id\":\"" CHAIN "-1\"}}\n{\"a\":1}\n"
			"{\"index\":{\"_id\":\"" CHAIN "-2\"}}\n"
			"{\"skm\":{\"c\":\"" CHAIN "\",\"n\":2},\"skm_base64\":\"eyJiIjoi/yJ9\"}\n"
			"{\"index\":{\"_id\":\"" CHAIN "-3\"}}\n{\"c\":3}\n");
	expect_body(1, "{\"index\":{\"_id\":\"" CHAIN "-1\"}}\n{\"a\":1}\n");
	batch.records[0].is_done = batch.records[1].is_done = true;
	batch.records[2].form = SKM_OUTPUT_IN_BASE64;
	expect_body(10, "{\"index\":{\"_id\":\"" CHAIN "-3\"}}\n"
			"{\"skm\":{\"c\":\"" CHAIN "\",\"n\":3},\"skm_base64\":\"eyJjIjozfQ==\"}\n");
	batch.records[2].form = SKM_OUTPUT_BY_NAME;
	expect_body(10, "{\"index\":{\"_id\":\"" CHAIN "-3\"}}\n"
			"{\"skm\":{\"c\":\"" CHAIN "\",\"n\":3}}\n");
}

Test(output_bulk, each_item_counts)
{
	struct skm_bulk_verdict verdict;
	cr_assert_eq(judge(10,
			     "{\"errors\":false,\"items\":[" ITEM(1, 201) "," REFUSED(2, 429) "," REFUSED(
				     3, 400) "]}",
			     &verdict),
		0);
	cr_assert(batch.records[0].is_done && !batch.records[1].is_done && !batch.records[2].is_done);
	cr_assert_eq(batch.records[1].form, SKM_OUTPUT_AS_IT_IS);
	cr_assert_eq(batch.records[2].form, SKM_OUTPUT_IN_BASE64);
	cr_assert_eq(verdict.stored, 1u);
	cr_assert_eq(verdict.refused, 2u);
	cr_assert_str_eq(verdict.why, "429 some_exception");
	/* The rest; what is refused in base64 too goes by its name. */
	cr_assert_eq(judge(10, "{\"items\":[" ITEM(2, 200) "," REFUSED(3, 400) "]}", &verdict), 0);
	cr_assert(batch.records[1].is_done && !batch.records[2].is_done);
	cr_assert_eq(batch.records[2].form, SKM_OUTPUT_BY_NAME);
	cr_assert_eq(skm_output_batch_pending(&batch), 1u);
}

static void answer_to_one(const char *item)
{
	struct skm_bulk_verdict verdict;
	char answer[256];
	(void)snprintf(answer, sizeof(answer), "{\"items\":[%s]}", item);
	cr_assert_eq(judge(10, answer, &verdict), 0);
}

Test(output_bulk, left_out_only_when_the_server_takes_its_name)
{
	const struct skm_output_record *record = &batch.records[0];
	batch.count = 1;
	/* It takes nothing at all: round and round, whatever else it says. */
	for (unsigned i = 0; i < 7; i++) {
		cr_assert_eq(record->form, i % 3);
		answer_to_one(REFUSED(1, 429));
		cr_assert_eq(record->form, i % 3);
		answer_to_one(REFUSED(1, 400));
		cr_assert(!record->is_done);
	}
	cr_assert_eq(record->form, SKM_OUTPUT_IN_BASE64);
	answer_to_one(REFUSED(1, 400));
	answer_to_one(ITEM(1, 201));
	/* It takes documents, so it is asked once more. */
	cr_assert(!record->is_done);
	cr_assert_eq(record->form, SKM_OUTPUT_AS_IT_IS);
	answer_to_one(REFUSED(1, 400));
	answer_to_one(REFUSED(1, 503));
	cr_assert(!record->is_done);
	answer_to_one(REFUSED(1, 400));
	cr_assert(record->is_done && record->is_left_out);
}

Test(output_bulk, what_is_taken_in_the_end_is_not_left_out)
{
	const struct skm_output_record *record = &batch.records[0];
	batch.count = 1;
	answer_to_one(REFUSED(1, 400));
	answer_to_one(REFUSED(1, 400));
	answer_to_one(ITEM(1, 201));
	answer_to_one(REFUSED(1, 400));
	answer_to_one(ITEM(1, 200));
	cr_assert(record->is_done && !record->is_left_out);
}

Test(output_bulk, limit)
{
	struct skm_bulk_verdict verdict;
	cr_assert_eq(judge(2, "{\"items\":[" ITEM(1, 201) "," ITEM(2, 201) "]}", &verdict), 0);
	cr_assert(batch.records[0].is_done && batch.records[1].is_done && !batch.records[2].is_done);
}

Test(output_bulk, what_is_no_answer_stores_nothing)
{
	static const char *const answers[] = {"", "{}", "null", "[]", "{\"items\":[]}", "{\"items\":{}}",
		"{\"items\":[" ITEM(1, 201) "," ITEM(2, 201) "]}",
		"{\"items\":[" ITEM(1, 201) "," ITEM(2, 201) "," ITEM(2, 201) "]}",
		"{\"items\":[" ITEM(1, 201) "," ITEM(3, 201) "," ITEM(2, 201) "]}",
		"{\"items\":[" ITEM(1, 201) "," ITEM(2, 201) "," ITEM(3, 201) "," ITEM(3, 201) "]}",
		"{\"items\":[" ITEM(1, 201) "," ITEM(2, 201) "," ITEM(3, "201") "]}",
		"{\"items\":[" ITEM(1, 201) "," ITEM(2, 201) ",{\"create\":{\"_id\":\"" CHAIN
							     "-3\",\"status\":201}}]}",
		"{\"items\":[" ITEM(1, 201) "," ITEM(2, 201) "," ITEM(3, 201) "]", "{\"items\":[1,2,3]}"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(answers); i++) {
		struct skm_bulk_verdict verdict;
		cr_assert_eq(judge(10, answers[i], &verdict), SKM_BULK_UNREADABLE, "%s", answers[i]);
		cr_assert_eq(skm_output_batch_pending(&batch), 3u, "%s", answers[i]);
	}
}

Test(output_bulk, words_of_the_server_are_made_harmless)
{
	struct skm_bulk_verdict verdict;
	batch.count = 1;
	cr_assert_eq(judge(10,
			     "{\"items\":[{\"index\":{\"_id\":\"" CHAIN
			     "-1\",\"status\":403,\"error\":{\"type\":\"a\\u001b[31m\\n\"}}}]}",
			     &verdict),
		0);
	cr_assert_str_eq(verdict.why, "403 a?[31m?");
}
