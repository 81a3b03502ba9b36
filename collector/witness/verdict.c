// SPDX-License-Identifier: Apache-2.0
/* The witness judges no record itself: an auditor can run the very same program on the very same files and
 * has to get the very same report. A second way into the verifier was rejected, since then there would be two
 * verdicts to compare; and the keys of all terminals stay in a process that ends. */
#include "verdict.h"

#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sekimori/verify_command.h"

int skm_witness_program_run(char *const *argv, int stdoutfd, int stdinfd, int *ret_exit)
{
	posix_spawn_file_actions_t actions;
	pid_t pid = 0;
	int status = 0;
	int r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return -r;
	r = posix_spawn_file_actions_adddup2(&actions, stdoutfd, STDOUT_FILENO);
	if (r == 0 && stdinfd >= 0)
		r = posix_spawn_file_actions_adddup2(&actions, stdinfd, STDIN_FILENO);
	if (r == 0)
		r = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (r != 0)
		return -r;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	if (!WIFEXITED(status))
		return -ECHILD;
	*ret_exit = WEXITSTATUS(status);
	return 0;
}

static bool get_count(const json_t *object, const char *key, uint64_t *ret_count)
{
	const json_t *value = json_object_get(object, key);
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*ret_count = (uint64_t)json_integer_value(value);
	return true;
}

static bool get_hex(const json_t *object, const char *key, uint8_t *ret_bytes, size_t len)
{
	const json_t *value = json_object_get(object, key);
	return json_is_string(value) && json_string_length(value) == 2 * len &&
	       skm_hex_parse(json_string_value(value), len, ret_bytes) == 0;
}

static bool get_findings(const json_t *object, const char *key, uint64_t ret_findings[SKM_FINDING_COUNT_])
{
	const json_t *counts = json_object_get(object, key);
	for (unsigned kind = 0; kind < SKM_FINDING_COUNT_; kind++) {
		if (!get_count(
			    counts, skm_finding_to_string((enum skm_finding_kind)kind), &ret_findings[kind]))
			return false;
	}
	return true;
}

/* A head that may be somebody else's must not become what next night is measured by. */
static int take_chain(const json_t *chain, struct skm_witness_heads *heads)
{
	uint64_t findings[SKM_FINDING_COUNT_], serious = 0;
	struct skm_watermark mark;
	if (!get_hex(chain, "chain", mark.chain_id, sizeof(mark.chain_id)) ||
		!get_hex(chain, "head", mark.hash, sizeof(mark.hash)) ||
		!get_count(chain, "last", &mark.sequence) || mark.sequence == 0 ||
		mark.sequence > SKM_WITNESS_SEQUENCE_MAX || !get_findings(chain, "findings", findings))
		return -EBADMSG;
	for (unsigned kind = SKM_FINDING_RESTART; kind < SKM_FINDING_COUNT_; kind++)
		serious += findings[kind];
	return serious == 0 ? skm_witness_heads_put(heads, &mark) : 0;
}

static int take_report(const json_t *report, int exit_code, struct skm_witness_heads *heads,
	struct skm_witness_verdict *verdict)
{
	const json_t *streams = json_object_get(report, "streams"), *stream, *chain;
	size_t i, j;
	uint64_t said = 0;
	if (!json_is_array(streams) || !get_count(report, "exit", &said) || said != (uint64_t)exit_code ||
		!get_findings(report, "counts", verdict->findings))
		return -EBADMSG;
	verdict->is_complete = json_is_true(json_object_get(report, "complete"));
	verdict->exit_code = (unsigned)exit_code;
	json_array_foreach(streams, i, stream)
	{
		json_array_foreach(json_object_get(stream, "chains"), j, chain)
		{
			int r = take_chain(chain, heads);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int skm_witness_verdict_read(const char *report, size_t len, int exit_code, struct skm_witness_heads *heads,
	struct skm_witness_verdict *ret_verdict)
{
	struct skm_witness_verdict verdict = {.exit_code = 0};
	if (exit_code != SKM_VERIFY_EXIT_COMPLETE && exit_code != SKM_VERIFY_EXIT_UNKNOWN &&
		(exit_code < SKM_VERIFY_EXIT_FOUND ||
			exit_code >= SKM_VERIFY_EXIT_FOUND + SKM_FINDING_COUNT_))
		return -EBADMSG;
	json_t *root = json_loadb(report, len, JSON_REJECT_DUPLICATES, NULL);
	int r = root ? take_report(root, exit_code, heads, &verdict) : -EBADMSG;
	json_decref(root);
	if (r < 0)
		return r;
	skm_witness_hash(SKM_DOMAIN_REPORT, report, len, NULL, 0, verdict.report_hash);
	*ret_verdict = verdict;
	return 0;
}
