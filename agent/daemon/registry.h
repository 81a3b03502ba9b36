// SPDX-License-Identifier: Apache-2.0
/* The USB devices that are there, by the kernel's name, each with its O_PATH descriptor and what was decided.
 */
#ifndef SEKIMORI_REGISTRY_H
#define SEKIMORI_REGISTRY_H

#include "sekimori/control.h"
#include "sekimori/decision.h"

#define SKM_REGISTRY_MAX 4096 /* the kernel has 127 devices a bus */

struct skm_entry {
	char port[SKM_USB_PORT_BYTES];
	int folder; /* O_PATH descriptor of the sysfs folder: dead as soon as the device is */
	enum skm_device_state state;
	uint64_t job_id; /* 0 = no job under way */
	bool is_opening; /* the worker that looked at it opens it now; nothing else is done to it meanwhile */
	bool is_dirty;	 /* something was said about it since the last look */
	bool is_described; /* device and decision hold something */
	bool at_start;
	bool is_system_disk;   /* left as it was found */
	bool is_observed;      /* let pass by mode "audit" */
	bool is_duplicate;     /* came while another showed its serial number; the one that is open is none */
	uint8_t configuration; /* last seen active */
	bool has_failed;       /* the last deed did not succeed, which is on record */
	unsigned corrections;  /* how often it had to be put right since the last reconcile */
	unsigned generation;   /* of the last scan that saw it */
	struct skm_device device;
	struct skm_decision decision; /* what the policy says */
	struct skm_entry *next;	      /* skm_registry::entries, sorted by port */
};

struct skm_registry {
	struct skm_entry *entries;
	unsigned count;
};

struct skm_entry *skm_registry_find(const struct skm_registry *registry, const char *port);
struct skm_entry *skm_registry_find_job(const struct skm_registry *registry, uint64_t job_id);
/* The first whose name sorts after `port`; NULL at the end. */
struct skm_entry *skm_registry_next(const struct skm_registry *registry, const char *port);
/* Opens the folder. 0; -ENOENT, -ENODEV: gone already; -ENOSPC: too many; -ENOMEM, -EMFILE … */
SKM_NODISCARD int skm_registry_add(
	struct skm_registry *registry, const char *port, const char *syspath, struct skm_entry **ret_entry);
void skm_registry_remove(struct skm_registry *registry, struct skm_entry *entry);
void skm_registry_finish(struct skm_registry *registry);
/* Is it still the device that the descriptor was opened for? */
bool skm_entry_is_alive(const struct skm_entry *entry);
/* Does another described device show the same vendor, product and (not empty) serial? */
bool skm_registry_has_twin(const struct skm_registry *registry, const struct skm_entry *entry);

#endif
