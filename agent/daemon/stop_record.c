// SPDX-License-Identifier: Apache-2.0
/* The collector judges by the reason: every terminal stops its agent in the evening, and that is no alarm; a
 * stop that is nobody's shutdown is one. What cannot be told must not look like the harmless case. */
#include "stop_record.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "service_manager.h"

#define TIMEOUT_MS 700u /* systemd kills us three seconds after it told us to stop */

/* At the very end systemd makes way for systemd-shutdown, which tells whoever is still there to end, and
 * answers nobody: a unit that was masked while it ran is told only then. No other program can become
 * process 1. */
static bool is_going_down(const char *proc_root)
{
	char path[256], name[16] = "";
	(void)snprintf(path, sizeof(path), "%s/1/comm", proc_root);
	SKM_CLEANUP(skm_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, name, sizeof(name) - 1);
	return n > 0 && strncmp(name, "systemd-shutdow", sizeof(name) - 1) == 0;
}

void skm_stop_record(
	const char *manager_path, const char *proc_root, int error, struct skm_record *ret_record)
{
	static const char *const texts[SKM_STOP_COUNT_] = {
		[SKM_STOP_UNKNOWN] = "stopped, and the service manager does not say why: ",
		[SKM_STOP_SHUTDOWN] = "stopped, since the machine goes down",
		[SKM_STOP_SERVICE] = "stopped while the machine goes on: by somebody, or to start again",
		[SKM_STOP_ERROR] = "stopped by an error: ",
	};
	char state[SKM_MANAGER_STATE_BYTES] = "";
	enum skm_stop_reason reason = SKM_STOP_ERROR;
	if (error == 0) {
		error = skm_manager_state_read(manager_path, TIMEOUT_MS, state);
		reason = error < 0 ? SKM_STOP_UNKNOWN : skm_manager_stop_reason(state);
		if (error < 0 && is_going_down(proc_root)) {
			error = 0;
			reason = SKM_STOP_SHUTDOWN;
		}
	}
	const char *why = reason == SKM_STOP_UNKNOWN ? state : "";
	skm_record_init(ret_record, SKM_EVENT_AGENT_STOP);
	ret_record->outcome = reason == SKM_STOP_ERROR ? SKM_OUTCOME_ERROR : SKM_OUTCOME_LOGGED;
	(void)snprintf(ret_record->rule, sizeof(ret_record->rule), "%s", skm_stop_reason_to_string(reason));
	(void)snprintf(ret_record->object, sizeof(ret_record->object), "sekimorid");
	(void)snprintf(ret_record->detail, sizeof(ret_record->detail), "%s%s; the gate stays closed",
		texts[reason], error < 0 ? strerrordesc_np(-error) : why);
}
