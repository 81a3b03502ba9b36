// SPDX-License-Identifier: Apache-2.0
/* usage: bench_policy ROWS
 * A register of ROWS sticks of one model that differ in serial, the way an office has them: how long it takes
 * to read it, to compile it and to judge by it. A judgement is what the agent does with a device: from its
 * raw descriptors (parsed and hashed) to the decision. Prints one JSON object. Judgements are timed in
 * batches; the median batch counts, which a busy machine does not move. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "device_ops.h"
#include "policy.h"
#include "sekimori/config.h"
#include "sekimori/parse.h"
#include "usb_descriptor.h"

#define BATCHES 501u
#define BATCH 200u

static uint64_t now_nsec(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int compare_times(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;
	return (*left > *right) - (*left < *right);
}

static char *make_register(unsigned rows, size_t *ret_len)
{
	size_t size = 64 + (size_t)rows * 96, len;
	char *text = malloc(size);
	if (!text)
		return NULL;
	len = (size_t)snprintf(text, size, "id,reason,vid_pid,serial\r\n");
	for (unsigned i = 0; i < rows; i++)
		len += (size_t)snprintf(
			text + len, size - len, "USB-%06u,税務課の帳票出力,0781:5581,4C530001%08u\r\n", i, i);
	*ret_len = len;
	return text;
}

/* A stick of two bulk endpoints. */
static const uint8_t descriptors[] = {
	18, 1, 0x00, 0x02, 0, 0, 0, 64, 0x81, 0x07, 0x81, 0x55, 0x00, 0x01, 1, 2, 3, 1, /* device */
	9, 2, 32, 0, 1, 1, 0, 0x80, 100,						/* configuration */
	9, 4, 0, 0, 2, 0x08, 0x06, 0x50, 0,						/* interface */
	7, 5, 0x81, 2, 0x00, 0x02, 0, 7, 5, 0x02, 2, 0x00, 0x02, 0,			/* endpoints */
};

static void judge(const struct skm_policy *policy, const struct skm_device_ops *ops, const char *serial,
	struct skm_decision *decision)
{
	struct skm_device device = {.port = "1-2"};
	skm_usb_descriptors_parse(descriptors, sizeof(descriptors), &device);
	ops->hash(ops->user, descriptors, sizeof(descriptors), device.descriptor_hash);
	memcpy(device.serial, serial, strlen(serial) + 1);
	skm_policy_judge(policy, &device, &(struct skm_judge_context){0}, decision);
}

/* Median time of one judgement; devices of `first` to `first + span`, in an order that no cache can guess. */
static uint64_t time_judgements(
	const struct skm_policy *policy, unsigned first, unsigned span, unsigned *allowed)
{
	static char serials[BATCH][24];
	static uint64_t times[BATCHES];
	const struct skm_device_ops ops = skm_sysfs_ops("/sys");
	uint32_t random = 12345;
	for (unsigned batch = 0; batch < BATCHES; batch++) {
		for (unsigned i = 0; i < BATCH; i++) {
			random = random * 1664525u + 1013904223u;
			(void)snprintf(
				serials[i], sizeof(serials[i]), "4C530001%08u", first + (random >> 8) % span);
		}
		uint64_t begin = now_nsec();
		for (unsigned i = 0; i < BATCH; i++) {
			struct skm_decision decision;
			judge(policy, &ops, serials[i], &decision);
			*allowed += decision.verdict == SKM_VERDICT_ALLOW;
		}
		times[batch] = (now_nsec() - begin) / BATCH;
	}
	qsort(times, BATCHES, sizeof(times[0]), compare_times);
	return times[BATCHES / 2];
}

int main(int argc, char **argv)
{
	uint64_t rows = 0;
	if (argc != 2 || skm_parse_uint(argv[1], 1, SKM_RULES_MAX, &rows) != 0) {
		(void)fprintf(stderr, "usage: %s ROWS (1 to %u)\n", argv[0], SKM_RULES_MAX);
		return 2;
	}
	size_t len;
	char *text = make_register((unsigned)rows, &len);
	if (!text)
		return 3;
	struct skm_rule_set rules = {0};
	struct skm_config_error error;
	struct skm_policy *policy = NULL;
	uint64_t begin = now_nsec();
	int r = skm_register_parse("register.csv", text, len, &rules, &error);
	uint64_t parsed = now_nsec();
	if (r == 0)
		r = skm_policy_compile(&rules, &policy);
	uint64_t compiled = now_nsec();
	if (r != 0) {
		(void)fprintf(stderr, "cannot load %" PRIu64 " rows: %d\n", rows, r);
		return 3;
	}
	unsigned hits = 0, misses = 0;
	uint64_t known = time_judgements(policy, 0, (unsigned)rows, &hits);
	uint64_t unknown = time_judgements(policy, 50000000, 1000000, &misses);
	printf("{\"rows\":%" PRIu64 ",\"bytes\":%zu,\"parse_usec\":%" PRIu64 ",\"compile_usec\":%" PRIu64
	       ",\"judge_registered_nsec\":%" PRIu64 ",\"judge_unknown_nsec\":%" PRIu64 "}\n",
		rows, len, (parsed - begin) / 1000, (compiled - parsed) / 1000, known, unknown);
	(void)skm_policy_free(policy);
	skm_rule_set_finish(&rules);
	free(text);
	/* a benchmark of wrong answers would be worthless */
	return hits == BATCHES * BATCH && misses == 0 ? 0 : 1;
}
