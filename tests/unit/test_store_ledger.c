// SPDX-License-Identifier: Apache-2.0
/* What the collector thinks of each record that arrives, whatever the order. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "gap_list.h"
#include "store_lines.h"

#define RECORDS 40
#define NOTICES 64
#define GRACE_SEC 300

/* Prints of stored records, as the index keeps them. */
static struct {
	bool is_stored[RECORDS + 1];
	uint8_t print[RECORDS + 1][SKM_LEDGER_PRINT_BYTES];
} stored;

static struct skm_notice notices[NOTICES];
static size_t notice_count;
static struct skm_record_facts facts[RECORDS + 1];
static struct terminal terminal;
static struct skm_ledger *ledger;

static bool is_known(void *user, const uint8_t *id, uint64_t sequence, uint8_t *ret_print)
{
	(void)user;
	if (id[0] != 7 || sequence > RECORDS || !stored.is_stored[sequence])
		return false;
	memcpy(ret_print, stored.print[sequence], SKM_LEDGER_PRINT_BYTES);
	return true;
}

static void on_notice(void *user, const struct skm_notice *notice)
{
	(void)user;
	cr_assert_lt(notice_count, NOTICES);
	notices[notice_count++] = *notice;
}

static void setup(void)
{
	static const struct skm_ledger_options options = {is_known, on_notice, NULL, GRACE_SEC};
	char line[SKM_RECORD_LINE_MAX];
	terminal_begin(&terminal, "T-1", "agent", 7);
	for (unsigned i = 1; i <= RECORDS; i++) {
		size_t len = terminal_record(&terminal, SKM_EVENT_RESUMED, "x", line);
		cr_assert_eq(skm_record_facts_parse(line, len, &facts[i]), 0);
	}
	cr_assert_eq(skm_ledger_new(&options, &ledger), 0);
}

static void teardown(void)
{
	ledger = skm_ledger_free(ledger);
}

TestSuite(store_ledger, .init = setup, .fini = teardown);

static enum skm_judgement take_from(
	const struct skm_record_facts *record, const char *name, int64_t heard_sec)
{
	struct skm_arrival arrival = {name, record->stream, "10.0.0.1", heard_sec, false};
	enum skm_judgement judgement = SKM_JUDGED_ASIDE;
	cr_assert_eq(skm_ledger_take(ledger, record, &arrival, &judgement), 0);
	if (judgement == SKM_JUDGED_STORE && record->chain_id[0] == 7) {
		stored.is_stored[record->sequence] = true;
		memcpy(stored.print[record->sequence], record->hash, SKM_LEDGER_PRINT_BYTES);
	}
	skm_ledger_keep(ledger);
	return judgement;
}

static enum skm_judgement take(unsigned number)
{
	return take_from(&facts[number], "T-1", 1000 + number);
}

static void take_range(unsigned first, unsigned last)
{
	for (unsigned i = first; i <= last; i++)
		cr_assert_eq(take(i), SKM_JUDGED_STORE, "record %u", i);
}

static const struct skm_chain_entry *entry(void)
{
	const struct skm_chain_entry *found = skm_ledger_find(ledger, terminal.chain.id);
	cr_assert_not_null(found);
	return found;
}

static unsigned count_of(enum skm_notice_kind kind)
{
	unsigned count = 0;
	for (size_t i = 0; i < notice_count; i++)
		count += notices[i].kind == kind;
	return count;
}

static const struct skm_notice *last_notice(void)
{
	cr_assert_gt(notice_count, 0);
	return &notices[notice_count - 1];
}

static void expect(uint64_t complete, uint64_t missing)
{
	cr_assert_eq(skm_chain_entry_complete(entry()), complete, "complete to %lu",
		(unsigned long)skm_chain_entry_complete(entry()));
	cr_assert_eq(skm_chain_entry_missing(entry()), missing, "%lu missing",
		(unsigned long)skm_chain_entry_missing(entry()));
	cr_assert(skm_gaps_are_sound(entry()));
}

Test(store_ledger, follows_an_honest_chain)
{
	take_range(1, RECORDS);
	expect(RECORDS, 0);
	cr_assert_eq(entry()->records, RECORDS);
	cr_assert_eq(memcmp(entry()->head, terminal.chain.head, sizeof(terminal.chain.head)), 0);
	cr_assert_str_eq(entry()->terminal, "T-1");
	cr_assert_str_eq(entry()->address, "10.0.0.1");
	cr_assert_eq(entry()->heard_sec, 1000 + RECORDS);
	cr_assert_eq(notice_count, 1, "only that it begins");
	cr_assert_eq(notices[0].kind, SKM_NOTICE_BEGIN);
}

Test(store_ledger, drops_duplicates_of_any_age)
{
	take_range(1, 20);
	for (unsigned i = 1; i <= 20; i++)
		cr_assert_eq(take(i), SKM_JUDGED_DROP);
	take_range(21, 25);
	expect(25, 0);
	cr_assert_eq(entry()->duplicates, 20);
	cr_assert_eq(notice_count, 1);
}

Test(store_ledger, finds_and_closes_gaps)
{
	take_range(1, 5);
	take_range(9, 12);
	cr_assert_eq(last_notice()->kind, SKM_NOTICE_GAP);
	cr_assert_eq(last_notice()->first, 6);
	cr_assert_eq(last_notice()->last, 8);
	expect(5, 3);
	take_range(7, 7);
	expect(5, 2);
	take_range(8, 8);
	expect(5, 1);
	cr_assert_eq(count_of(SKM_NOTICE_FILLED), 0);
	take_range(6, 6);
	expect(12, 0);
	cr_assert_eq(last_notice()->kind, SKM_NOTICE_FILLED);
	cr_assert_eq(entry()->breaks, 0, "all of them fit");
	take_range(13, 13);
	cr_assert_eq(count_of(SKM_NOTICE_EDIT), 0);
}

/* Every order of arrival ends in the same state. */
Test(store_ledger, comes_out_complete_from_any_order)
{
	unsigned seed = 1;
	for (unsigned round = 0; round < 200; round++) {
		unsigned order[RECORDS];
		teardown();
		memset(&stored, 0, sizeof(stored));
		notice_count = 0;
		static const struct skm_ledger_options options = {.known = is_known};
		cr_assert_eq(skm_ledger_new(&options, &ledger), 0);
		for (unsigned i = 0; i < RECORDS; i++)
			order[i] = i + 1;
		for (unsigned i = RECORDS - 1; i > 0; i--) {
			seed = seed * 1103515245u + 12345u;
			unsigned j = (seed >> 16) % (i + 1), swapped = order[i];
			order[i] = order[j];
			order[j] = swapped;
		}
		unsigned highest = 0;
		for (unsigned i = 0; i < RECORDS; i++) {
			cr_assert_eq(take(order[i]), SKM_JUDGED_STORE);
			highest = order[i] > highest ? order[i] : highest;
			cr_assert(skm_gaps_are_sound(entry()));
			cr_assert_eq(skm_chain_entry_missing(entry()), highest - (i + 1));
			unsigned whole = 0;
			while (whole < highest && stored.is_stored[whole + 1])
				whole++;
			/* Never more than is true, and exactly that as long as every gap has its place. */
			cr_assert_leq(skm_chain_entry_complete(entry()), whole);
			cr_assert(
				entry()->untracked_missing > 0 || skm_chain_entry_complete(entry()) == whole);
		}
		expect(RECORDS, 0);
		cr_assert_eq(entry()->breaks, 0, "round %u", round);
	}
}

static struct skm_record_facts other_record(unsigned number)
{
	struct skm_record_facts other = facts[number];
	other.hash[0] ^= 1;
	return other;
}

Test(store_ledger, puts_a_branch_aside_and_tells_once)
{
	take_range(1, 20);
	for (unsigned i = 10; i <= 20; i++) {
		struct skm_record_facts other = other_record(i);
		cr_assert_eq(take_from(&other, "T-1", 2000), SKM_JUDGED_FORK);
	}
	cr_assert_eq(entry()->forks, 11);
	cr_assert_eq(count_of(SKM_NOTICE_FORK), 1);
	cr_assert_eq(last_notice()->first, 10);
	expect(20, 0);
	/* Where the branch grows beyond what is known it is stored, and told: the evidence goes on. */
	struct skm_record_facts next = facts[21];
	next.previous_hash[0] ^= 1;
	next.hash[0] ^= 1;
	cr_assert_eq(take_from(&next, "T-1", 2000), SKM_JUDGED_STORE);
	cr_assert_eq(last_notice()->kind, SKM_NOTICE_EDIT);
	cr_assert_eq(entry()->breaks, 1);
}

Test(store_ledger, one_changed_record_does_not_keep_out_the_rest)
{
	take_range(1, 5);
	struct skm_record_facts changed = other_record(6);
	cr_assert_eq(take_from(&changed, "T-1", 2000), SKM_JUDGED_STORE);
	cr_assert_eq(entry()->breaks, 0, "nobody can tell yet");
	take_range(7, RECORDS);
	cr_assert_eq(count_of(SKM_NOTICE_EDIT), 1);
	cr_assert_eq(entry()->breaks, 1);
	expect(RECORDS, 0);
}

Test(store_ledger, tells_a_late_record_that_does_not_fit)
{
	take_range(1, 5);
	take_range(7, 8);
	struct skm_record_facts changed = other_record(6);
	cr_assert_eq(take_from(&changed, "T-1", 2000), SKM_JUDGED_STORE);
	cr_assert_eq(count_of(SKM_NOTICE_EDIT), 1);
	expect(8, 0);
}

Test(store_ledger, a_chain_must_begin_at_its_beginning)
{
	struct skm_record_facts first = facts[1];
	first.previous_hash[3] ^= 4;
	cr_assert_eq(take_from(&first, "T-1", 2000), SKM_JUDGED_STORE);
	cr_assert_eq(last_notice()->kind, SKM_NOTICE_EDIT);
	teardown();
	setup();
	notice_count = 0;
	take_range(5, 6);
	expect(0, 4);
	cr_assert_eq(count_of(SKM_NOTICE_GAP), 1);
}

Test(store_ledger, forgets_what_was_not_stored)
{
	struct skm_arrival arrival = {"T-1", "agent", "10.0.0.1", 5000, false};
	enum skm_judgement judgement;
	take_range(1, 5);
	take_range(8, 9);
	struct skm_chain_entry before = *entry();
	for (unsigned i = 6; i <= 20; i += 2)
		cr_assert_eq(skm_ledger_take(ledger, &facts[i], &arrival, &judgement), 0);
	skm_ledger_undo(ledger);
	cr_assert_eq(memcmp(&before, entry(), sizeof(before)), 0);
	/* also a chain that began in it */
	for (unsigned i = 1; i <= 3; i++) {
		struct skm_record_facts new_chain = facts[1];
		memset(new_chain.chain_id, (int)(100 + i), sizeof(new_chain.chain_id));
		cr_assert_eq(skm_ledger_take(ledger, &new_chain, &arrival, &judgement), 0);
		cr_assert_eq(skm_ledger_take(ledger, &facts[9 + i], &arrival, &judgement), 0);
	}
	cr_assert_eq(skm_ledger_count(ledger), 4);
	skm_ledger_undo(ledger);
	cr_assert_eq(skm_ledger_count(ledger), 1);
	cr_assert_eq(memcmp(&before, entry(), sizeof(before)), 0);
}

Test(store_ledger, keeps_more_gaps_apart_than_it_has_places_for)
{
	for (unsigned i = 1; i <= RECORDS - 1; i += 2)
		cr_assert_eq(take(i), SKM_JUDGED_STORE);
	cr_assert_eq(entry()->gap_count, SKM_LEDGER_GAPS_MAX);
	expect(1, RECORDS / 2 - 1);
	for (unsigned i = RECORDS; i >= 2; i -= 2)
		cr_assert_eq(take(i), SKM_JUDGED_STORE, "record %u", i);
	expect(RECORDS, 0);
	cr_assert_eq(entry()->breaks, 0);
}

Test(store_ledger, tells_another_chain_of_a_terminal)
{
	take_range(1, 5);
	struct skm_record_facts other = facts[1];
	memset(other.chain_id, 9, sizeof(other.chain_id));
	skm_chain_hash_first(other.chain_id, other.previous_hash);
	cr_assert_eq(take_from(&other, "T-1", 2000), SKM_JUDGED_STORE);
	cr_assert_eq(count_of(SKM_NOTICE_RESTART), 1);
	cr_assert(entry()->is_ended);
	/* The old one speaks again: two machines. */
	take_range(6, 6);
	cr_assert_not(entry()->is_ended);
	cr_assert_eq(last_notice()->kind, SKM_NOTICE_MISMATCH);
}

Test(store_ledger, another_stream_of_a_terminal_is_no_restart)
{
	take_range(1, 5);
	struct skm_record_facts other = facts[1];
	memset(other.chain_id, 9, sizeof(other.chain_id));
	snprintf(other.stream, sizeof(other.stream), "auth");
	cr_assert_eq(take_from(&other, "T-1", 2000), SKM_JUDGED_STORE);
	cr_assert_eq(count_of(SKM_NOTICE_RESTART), 0);
	/* But one chain has one stream. */
	struct skm_record_facts mixed = facts[6];
	snprintf(mixed.stream, sizeof(mixed.stream), "auth");
	cr_assert_eq(take_from(&mixed, "T-1", 2000), SKM_JUDGED_ASIDE);
	cr_assert_eq(last_notice()->kind, SKM_NOTICE_MISMATCH);
	take_range(6, 6);
}

Test(store_ledger, tells_a_chain_under_another_name)
{
	take_range(1, 5);
	cr_assert_eq(take_from(&facts[6], "T-2", 2000), SKM_JUDGED_STORE);
	cr_assert_eq(last_notice()->kind, SKM_NOTICE_MISMATCH);
	cr_assert_str_eq(entry()->terminal, "T-2");
}

Test(store_ledger, tells_silence_once_and_when_it_ends)
{
	take_range(1, 5); /* heard at 1005 */
	skm_ledger_watch(ledger, 2205, 0, 1200);
	cr_assert_eq(count_of(SKM_NOTICE_SILENT), 0);
	skm_ledger_watch(ledger, 2206, 2000, 1200);
	cr_assert_eq(count_of(SKM_NOTICE_SILENT), 0, "listening since 2000 only");
	skm_ledger_watch(ledger, 2206, 0, 1200);
	skm_ledger_watch(ledger, 9999, 0, 1200);
	cr_assert_eq(count_of(SKM_NOTICE_SILENT), 1);
	cr_assert(entry()->is_silent);
	cr_assert_eq(take_from(&facts[3], "T-1", 9999), SKM_JUDGED_DROP);
	cr_assert_eq(count_of(SKM_NOTICE_HEARD), 0, "anybody may send an old record again");
	cr_assert(entry()->is_silent);
	cr_assert_eq(entry()->heard_sec, 9999, "but it is said when it came");
	cr_assert_eq(take(6), SKM_JUDGED_STORE);
	cr_assert_eq(count_of(SKM_NOTICE_HEARD), 1);
	skm_ledger_watch(ledger, 9999, 0, 1200);
	cr_assert_eq(count_of(SKM_NOTICE_SILENT), 2);
}

/* An agent that is frozen, and records of yesterday sent once more every few minutes. */
Test(store_ledger, old_records_do_not_put_silence_off)
{
	take_range(1, 5); /* heard at 1005 */
	for (int64_t now_sec = 1100; now_sec < 2300; now_sec += 100)
		(void)take_from(&facts[5], "T-1", now_sec);
	skm_ledger_watch(ledger, 2300, 0, 1200);
	cr_assert_eq(count_of(SKM_NOTICE_SILENT), 1);
}

/* AGENT_STOP with its reason, and the checkpoint behind it, as the agent writes them; `ahead_sec` after the
 * time that the records have. */
static void stop_at(unsigned number, enum skm_stop_reason reason, int64_t heard_sec, int64_t ahead_sec)
{
	struct skm_record_facts stop = facts[number];
	stop.event = SKM_EVENT_AGENT_STOP;
	stop.stop = reason;
	stop.time_msec += ahead_sec * 1000;
	cr_assert_eq(take_from(&stop, "T-1", heard_sec), SKM_JUDGED_STORE);
	stop = facts[number + 1];
	stop.event = SKM_EVENT_CHECKPOINT;
	snprintf(stop.reason, sizeof(stop.reason), "segment");
	cr_assert_eq(take_from(&stop, "T-1", heard_sec), SKM_JUDGED_STORE);
	stop = facts[number + 2];
	stop.event = SKM_EVENT_CHECKPOINT;
	snprintf(stop.reason, sizeof(stop.reason), "stop");
	cr_assert_eq(take_from(&stop, "T-1", heard_sec), SKM_JUDGED_STORE);
}

static void start_at(unsigned number, int64_t heard_sec, int64_t ahead_sec)
{
	struct skm_record_facts start = facts[number];
	start.event = SKM_EVENT_AGENT_START;
	start.time_msec += ahead_sec * 1000;
	cr_assert_eq(take_from(&start, "T-1", heard_sec), SKM_JUDGED_STORE);
}

static void expect_told(enum skm_notice_kind kind, unsigned count)
{
	cr_assert_eq(count_of(kind), count, "%s told %u times, not %u", skm_notice_to_string(kind),
		count_of(kind), count);
}

Test(store_ledger, a_stop_that_is_no_shutdown_is_told_once)
{
	static const enum skm_stop_reason reasons[] = {SKM_STOP_SERVICE, SKM_STOP_ERROR, SKM_STOP_UNKNOWN};
	for (unsigned i = 0; i < SKM_ARRAY_SIZE(reasons); i++) {
		unsigned number = 1 + 4 * i;
		int64_t stopped_sec = 10000 * (int64_t)(i + 1);
		stop_at(number, reasons[i], stopped_sec, 0);
		cr_assert(skm_chain_entry_is_stopped_by_hand(entry()));
		skm_ledger_watch(ledger, stopped_sec + GRACE_SEC, 0, 1200);
		expect_told(SKM_NOTICE_STOPPED, i);
		skm_ledger_watch(ledger, stopped_sec + GRACE_SEC + 1, 0, 1200);
		skm_ledger_watch(ledger, stopped_sec + 9000, 0, 1200);
		expect_told(SKM_NOTICE_STOPPED, i + 1);
		start_at(number + 3, stopped_sec + 9000, 9000);
		cr_assert_not(skm_chain_entry_is_stopped_by_hand(entry()));
	}
	expect_told(SKM_NOTICE_STOPPED, 3);
	expect_told(SKM_NOTICE_SILENT, 0);
}

Test(store_ledger, a_restart_and_an_upgrade_are_no_alarm)
{
	stop_at(1, SKM_STOP_SERVICE, 1000, 0);
	skm_ledger_watch(ledger, 1000 + GRACE_SEC, 0, 1200);
	start_at(4, 1000 + GRACE_SEC, GRACE_SEC - 5);
	skm_ledger_watch(ledger, 1000 + GRACE_SEC + 1200, 0, 1200);
	start_at(5, 40000, 36000); /* killed, and started again: that stop is long over */
	expect_told(SKM_NOTICE_STOPPED, 0);
	expect_told(SKM_NOTICE_SILENT, 0);
}

Test(store_ledger, our_own_absence_is_nobodys_stop)
{
	stop_at(1, SKM_STOP_SERVICE, 1000, 0);
	skm_ledger_watch(ledger, 5000 + GRACE_SEC, 5000, 1200);
	expect_told(SKM_NOTICE_STOPPED, 0);
	skm_ledger_watch(ledger, 5001 + GRACE_SEC, 5000, 1200);
	expect_told(SKM_NOTICE_STOPPED, 1);
}

/* Cable out, agent stopped, copied, agent started, cable in: both records come in the same second. */
Test(store_ledger, a_stop_while_nobody_could_hear_it_is_told_afterwards)
{
	stop_at(1, SKM_STOP_SERVICE, 90000, 0);
	start_at(4, 90000, 3600);
	expect_told(SKM_NOTICE_STOPPED, 1);
	cr_assert(strstr(last_notice()->text, "60 minutes"), "%s", last_notice()->text);
	stop_at(5, SKM_STOP_SHUTDOWN, 100000, 3600);
	start_at(8, 100000, 90000);
	stop_at(9, SKM_STOP_SERVICE, 100000, 90000);
	start_at(12, 100000, 90000 + GRACE_SEC - 5);
	expect_told(SKM_NOTICE_STOPPED, 1);
}

Test(store_ledger, a_terminal_that_is_on_without_its_agent_is_silent)
{
	stop_at(1, SKM_STOP_SHUTDOWN, 1000, 0);
	cr_assert_not(skm_chain_entry_is_stopped_by_hand(entry()));
	skm_ledger_watch(ledger, 99999, 0, 1200);
	expect_told(SKM_NOTICE_SILENT, 0);
	cr_assert(skm_ledger_alive(ledger, "T-1", "agent", 100000));
	skm_ledger_watch(ledger, 100001, 0, 1200);
	skm_ledger_watch(ledger, 100002, 0, 1200);
	expect_told(SKM_NOTICE_SILENT, 1);
	cr_assert(entry()->is_silent);
	start_at(4, 100600, 99000);
	expect_told(SKM_NOTICE_HEARD, 1);
	skm_ledger_watch(ledger, 100700, 0, 1200);
	expect_told(SKM_NOTICE_SILENT, 1);
}

/* The sign of life of a machine proves nothing of its agent. */
Test(store_ledger, being_on_makes_nothing_look_better)
{
	take_range(1, 5); /* heard at 1005 */
	cr_assert(skm_ledger_alive(ledger, "T-1", "agent", 2200));
	cr_assert_eq(entry()->heard_sec, 1005);
	skm_ledger_watch(ledger, 2205, 0, 1200);
	expect_told(SKM_NOTICE_SILENT, 0);
	skm_ledger_watch(ledger, 2206, 0, 1200);
	expect_told(SKM_NOTICE_SILENT, 1);
	cr_assert(strstr(last_notice()->text, "the terminal is on"), "%s", last_notice()->text);
	cr_assert(skm_ledger_alive(ledger, "T-1", "agent", 2300));
	cr_assert(entry()->is_silent);
	expect_told(SKM_NOTICE_HEARD, 0);
	cr_assert_not(skm_ledger_alive(ledger, "T-1", "auth", 2300), "it has no such chain");
	cr_assert_not(skm_ledger_alive(ledger, "T-2", "agent", 2300));
	cr_assert_eq(skm_ledger_count(ledger), 1, "and gets none");
}

Test(store_ledger, a_sign_of_life_from_before_the_shutdown_is_none_after_it)
{
	take_range(1, 5);
	cr_assert(skm_ledger_alive(ledger, "T-1", "agent", 1900));
	stop_at(6, SKM_STOP_SHUTDOWN, 2000, 0);
	skm_ledger_watch(ledger, 99999, 0, 1200);
	expect_told(SKM_NOTICE_SILENT, 0);
}

Test(store_ledger, knows_whether_the_login_asks_as_last_switched)
{
	take_range(1, 1);
	cr_assert_eq(entry()->factor_rule, SKM_FACTOR_UNKNOWN);
	struct skm_record_facts record = facts[2];
	record.event = SKM_EVENT_MFA_LOGIN_ON;
	(void)take_from(&record, "T-1", 2);
	cr_assert_eq(entry()->factor_rule, SKM_FACTOR_REQUIRED);
	take_range(3, 3);
	cr_assert_eq(entry()->factor_rule, SKM_FACTOR_REQUIRED);
	record = facts[4];
	record.event = SKM_EVENT_MFA_LOGIN_OFF;
	(void)take_from(&record, "T-1", 4);
	cr_assert_eq(entry()->factor_rule, SKM_FACTOR_NOT_REQUIRED);
}

Test(store_ledger, who_announced_a_stop_is_not_silent)
{
	take_range(1, 5);
	struct skm_record_facts stop = facts[6];
	stop.event = SKM_EVENT_AGENT_STOP;
	stop.stop = SKM_STOP_SHUTDOWN;
	cr_assert_eq(take_from(&stop, "T-1", 1006), SKM_JUDGED_STORE);
	stop = facts[7];
	stop.event = SKM_EVENT_CHECKPOINT;
	snprintf(stop.reason, sizeof(stop.reason), "stop");
	cr_assert_eq(take_from(&stop, "T-1", 1007), SKM_JUDGED_STORE);
	skm_ledger_watch(ledger, 99999, 0, 1200);
	cr_assert_eq(count_of(SKM_NOTICE_SILENT), 0);
	cr_assert_eq(count_of(SKM_NOTICE_STOPPED), 0);
	take_range(8, 8);
	skm_ledger_watch(ledger, 99999, 0, 1200);
	cr_assert_eq(count_of(SKM_NOTICE_SILENT), 1);
}

Test(store_ledger, a_stopped_agent_beside_a_living_stream_is_silent)
{
	take_range(1, 5);
	struct skm_record_facts stop = facts[6];
	stop.event = SKM_EVENT_AGENT_STOP;
	stop.stop = SKM_STOP_SHUTDOWN;
	cr_assert_eq(take_from(&stop, "T-1", 1006), SKM_JUDGED_STORE);
	struct skm_record_facts login = facts[1];
	memset(login.chain_id, 9, sizeof(login.chain_id));
	snprintf(login.stream, sizeof(login.stream), "auth");
	cr_assert_eq(take_from(&login, "T-1", 1010), SKM_JUDGED_STORE);
	skm_ledger_watch(ledger, 9000, 0, 1200);
	cr_assert_eq(count_of(SKM_NOTICE_SILENT), 0, "that login was before the stop went far");
	login.sequence = 2;
	memcpy(login.previous_hash, login.hash, sizeof(login.hash));
	cr_assert_eq(take_from(&login, "T-1", 10000), SKM_JUDGED_STORE);
	skm_ledger_watch(ledger, 10100, 0, 1200);
	cr_assert_eq(count_of(SKM_NOTICE_SILENT), 0, "the agent may still be on its way");
	skm_ledger_watch(ledger, 11201, 0, 1200);
	cr_assert_eq(count_of(SKM_NOTICE_SILENT), 1);
	skm_ledger_watch(ledger, 99999, 0, 1200);
	cr_assert_eq(count_of(SKM_NOTICE_SILENT), 1);
}

Test(store_ledger, learns_the_gate_the_clock_and_the_losses)
{
	struct skm_record_facts record = facts[1];
	record.event = SKM_EVENT_AGENT_START;
	take_from(&record, "T-1", 1);
	cr_assert_eq(entry()->gate, SKM_GATE_CLOSED);
	record = facts[2];
	record.event = SKM_EVENT_CONTROLLER_OPEN;
	record.outcome = SKM_OUTCOME_ERROR;
	take_from(&record, "T-1", facts[2].time_msec / 1000 + 7);
	cr_assert_eq(entry()->gate, SKM_GATE_OPEN);
	cr_assert_eq(entry()->delay_msec, 7000 - facts[2].time_msec % 1000);
	cr_assert_eq(entry()->offset_usec, -1500);
	cr_assert(entry()->is_synchronised);
	record = facts[3];
	record.event = SKM_EVENT_AUDIT_MODE;
	record.lost = 12;
	take_from(&record, "T-1", 3);
	cr_assert_eq(entry()->gate, SKM_GATE_AUDIT);
	cr_assert_eq(entry()->lost, 12);
	cr_assert_eq(last_notice()->kind, SKM_NOTICE_DROP);
}

Test(store_ledger, holds_many_chains)
{
	for (unsigned i = 1; i <= 5000; i++) {
		struct skm_record_facts record = facts[1];
		char name[16];
		memset(record.chain_id, 0, sizeof(record.chain_id));
		memcpy(record.chain_id + 8, &i,
			sizeof(i)); /* ids that a hash of their first bytes does not spread */
		snprintf(name, sizeof(name), "T-%u", i);
		notice_count = 0;
		cr_assert_eq(take_from(&record, name, 1), SKM_JUDGED_STORE);
	}
	cr_assert_eq(skm_ledger_count(ledger), 5000);
	cr_assert_str_eq(skm_ledger_get(ledger, 4711)->terminal, "T-4712");
	cr_assert_null(skm_ledger_get(ledger, 5000));
}

Test(store_ledger, refuses_a_state_that_is_none)
{
	struct skm_chain_entry broken = {.sequence = 10, .gap_count = 1};
	broken.gaps[0] = (struct skm_gap){.first = 5, .last = 4};
	cr_assert_eq(skm_ledger_restore(ledger, &broken), -EINVAL);
	broken.gaps[0] = (struct skm_gap){.first = 5, .last = 10};
	cr_assert_eq(skm_ledger_restore(ledger, &broken), -EINVAL);
	broken.gap_count = SKM_LEDGER_GAPS_MAX + 1;
	cr_assert_eq(skm_ledger_restore(ledger, &broken), -EINVAL);
	broken.gap_count = 0;
	memset(broken.stream, 'x', sizeof(broken.stream));
	cr_assert_eq(skm_ledger_restore(ledger, &broken), -EINVAL);
	broken.stream[0] = '\0';
	cr_assert_eq(skm_ledger_restore(ledger, &broken), 0);
	cr_assert_eq(skm_ledger_restore(ledger, &broken), -EEXIST);
}

Test(store_ledger, has_a_word_for_every_notice)
{
	for (unsigned i = 0; i < SKM_NOTICE_COUNT_; i++) {
		cr_assert_str_neq(skm_notice_to_string((enum skm_notice_kind)i), "UNKNOWN");
		for (unsigned j = 0; j < i; j++)
			cr_assert_str_neq(skm_notice_to_string((enum skm_notice_kind)i),
				skm_notice_to_string((enum skm_notice_kind)j));
	}
	cr_assert_str_eq(skm_notice_to_string(SKM_NOTICE_COUNT_), "UNKNOWN");
}
