// SPDX-License-Identifier: Apache-2.0
/* When a sign of life is owed: only after a period in which nothing of the agent was sent. */
#include <criterion/criterion.h>
#include <string.h>

#include "alive.h"

#define BOOT "0123456789abcdef0123456789abcdef"
#define OTHER "ffffffffffffffffffffffffffffffff"
#define RECORD(id) "{\"skm\":{\"n\":1,\"b\":\"" id "\",\"bn\":1}}"

static struct skm_loop *loop;
static struct skm_alive alive;
static struct skm_config *config;

static void record(const char *line)
{
	skm_alive_record(&alive, line, strlen(line));
}

static void setup_with(const char *text)
{
	struct skm_config_error error;
	cr_assert_eq(skm_config_parse("t", text, strlen(text), 0, &config, &error), 0, "%s", error.key);
	cr_assert_eq(skm_loop_new(&loop), 0);
	cr_assert_eq(skm_alive_begin(loop, BOOT, &alive), 0);
}

static void setup(void)
{
	setup_with("terminal: { number = \"T\"; };\nforward: { host = \"127.0.0.1\"; name = \"c\"; };");
}

static void teardown(void)
{
	skm_alive_end(&alive);
	loop = skm_loop_free(loop);
	skm_config_freep(&config);
}

TestSuite(forward_alive, .init = setup, .fini = teardown);

/* The timer is the loop's only source, so one round with an event is one expiry. */
static void wait_for_timer(void)
{
	cr_assert_eq(skm_loop_run_once(loop, 10000), 0);
}

Test(forward_alive, a_period_without_a_record_owes_one)
{
	skm_alive_arm(&alive, config, 1, 3600000);
	cr_assert_not(alive.is_owed);
	wait_for_timer();
	cr_assert(alive.is_owed);
}

Test(forward_alive, a_record_in_the_period_is_worth_more)
{
	skm_alive_arm(&alive, config, 1, 1);
	record(RECORD(BOOT));
	wait_for_timer();
	cr_assert_not(alive.is_owed);
	wait_for_timer();
	cr_assert(alive.is_owed, "in the next one there was none");
	record(RECORD(BOOT));
	cr_assert_not(alive.is_owed, "what is not said yet is not needed any more");
}

Test(forward_alive, without_a_collector_no_timer_runs)
{
	skm_config_freep(&config);
	teardown();
	setup_with("terminal: { number = \"T\"; };");
	skm_alive_arm(&alive, config, 1, 1);
	cr_assert_eq(skm_loop_run_once(loop, 50), 0);
	cr_assert_not(alive.is_owed);
}

Test(forward_alive, another_configuration_begins_anew)
{
	skm_alive_arm(&alive, config, 1, 3600000);
	wait_for_timer();
	skm_alive_arm(&alive, config, 3600000, 3600000);
	cr_assert_not(alive.is_owed);
}

/* What had waited on disk when the machine was switched off is sent at the next start, with or without an
 * agent.
 */
Test(forward_alive, a_record_of_another_boot_says_nothing_about_now)
{
	skm_alive_arm(&alive, config, 1, 3600000);
	record(RECORD(OTHER));
	record("{\"detail\":\"\\\",\\\"b\\\":\\\"" BOOT "\\\",\",\"skm\":{\"n\":2,\"b\":\"" OTHER
	       "\",\"bn\":1}}"); /* a text that looks like it */
	wait_for_timer();
	cr_assert(alive.is_owed);
	record(RECORD(OTHER));
	cr_assert(alive.is_owed, "not said yet, and still needed");
	record(RECORD(BOOT));
	cr_assert_not(alive.is_owed);
}

Test(forward_alive, without_a_boot_id_every_record_counts)
{
	skm_alive_end(&alive);
	cr_assert_eq(skm_alive_begin(loop, NULL, &alive), 0);
	skm_alive_arm(&alive, config, 1, 3600000);
	record(RECORD(OTHER));
	wait_for_timer();
	cr_assert_not(alive.is_owed);
}
