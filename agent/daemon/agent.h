// SPDX-License-Identifier: Apache-2.0
/* The agent put together: the only place that knows all modules. */
#ifndef SEKIMORI_AGENT_H
#define SEKIMORI_AGENT_H

#include <stdbool.h>

#include "sekimori/result.h"

/* Every path, so that tests run the shipped code in folders of their own. Borrowed for the agent's life. */
struct skm_agent_options {
	const char *config_path;
	const char *sys_root, *proc_root, *run_root;
	const char *log_folder;	    /* of the stream "agent" */
	const char *chain_path;	    /* of its chain's state */
	const char *collected_path; /* the forwarder's state */
	const char *control_path, *session_path;
	const char *manager_path;      /* the service manager's socket */
	const char *udev_group;	       /* "kernel" */
	const char *initramfs_devices; /* not NULL: the early form, see skm_agent_run; a file of permitted
					  devices */
};

void skm_agent_options_default(struct skm_agent_options *ret_options);

/* Runs until SIGTERM or SIGINT. 0 or -errno.
 * The early form (initramfs) opens hubs and boot keyboards, and the devices that carry the system, so that a
 * passphrase can be typed and the root file system found; it has no configuration, no log and no socket. */
SKM_NODISCARD int skm_agent_run(const struct skm_agent_options *options);

#endif
