// SPDX-License-Identifier: Apache-2.0
/* What systemd says of the machine: is it going down, or does it go on? */
#ifndef SEKIMORI_SERVICE_MANAGER_H
#define SEKIMORI_SERVICE_MANAGER_H

#include <stdint.h>

#include "sekimori/stop_reason.h"

#define SKM_MANAGER_SOCKET "/run/systemd/private" /* where systemctl asks as root; nobody else may */
#define SKM_MANAGER_STATE_BYTES 32

/* The property SystemState of org.freedesktop.systemd1(5): "running", "degraded", "stopping", … Waits for
 * timeout_ms at most. 0; -ETIMEDOUT; -EBADMSG: no answer to be understood; -errno: nobody there. */
SKM_NODISCARD int skm_manager_state_read(
	const char *socket_path, uint32_t timeout_ms, char ret_state[SKM_MANAGER_STATE_BYTES]);
/* Why a service is stopped that is stopped now. Pure. */
enum skm_stop_reason skm_manager_stop_reason(const char *state);

#endif
