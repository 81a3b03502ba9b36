// SPDX-License-Identifier: Apache-2.0
/* The gate's state machine: what is said about a device -> look at it (worker) -> judge (pure) -> record ->
 * open or close (worker) -> settled. Nothing here touches a device, the clock or a file by itself.
 *
 *   add ──► NEW ──inspect──► judge ──record──► apply ──► SETTLED ◄───────┐
 *                   │                                       │           │ as decided
 *                   │ no answer in time                     change, bind, reconcile
 *                   └────────► HUNG (closed) ─┐               └─► inspect ┤
 *            what was decided could not be done │                         │ not as decided:
 *                     FAILED (closed) ──────────┴─ retry ─► inspect         └ record, apply again
 *
 * Order of record and deed: a refusal is enforced first and then recorded. A permission for work (keyboard,
 * mouse, hub, smart-card reader) does not wait for the disk, and not for us either: the worker that looks at
 * such a device judges it with its own copy of the rules and opens it in the same job. We judge for ourselves
 * what it tells, record that, and have closed again what we would not have opened. A permission for anything
 * that can carry data out is given only after its record is on disk; when it cannot be stored, the device
 * stays closed ("builtin:no-record-no-permit") and is judged again when the log works. */
#ifndef SEKIMORI_GATEKEEPER_H
#define SEKIMORI_GATEKEEPER_H

#include "controllers.h"
#include "policy.h"
#include "registry.h"
#include "udev_source.h"
#include "worker.h"

struct skm_gatekeeper_rules {
	const struct skm_policy *policy; /* borrowed */
	bool is_audit_mode;		 /* now, by mode and date */
	bool is_initramfs;
};

struct skm_gatekeeper;

/* Roots are "/sys", "/proc". The pool's results must be given to skm_gatekeeper_on_job. 0 or -ENOMEM. */
SKM_NODISCARD int skm_gatekeeper_new(const char *sys_root, const char *proc_root,
	const struct skm_recorder *recorder, struct skm_gatekeeper **ret_gatekeeper);
struct skm_gatekeeper *skm_gatekeeper_free(struct skm_gatekeeper *gatekeeper);
void skm_gatekeeper_set_pool(struct skm_gatekeeper *gatekeeper, struct skm_worker_pool *pool);
/* Judges every device again when there were rules before; what comes out differently is recorded and applied.
 */
void skm_gatekeeper_set_rules(struct skm_gatekeeper *gatekeeper, const struct skm_gatekeeper_rules *rules);

void skm_gatekeeper_on_event(struct skm_gatekeeper *gatekeeper, const struct skm_usb_event *event);
void skm_gatekeeper_on_job(struct skm_gatekeeper *gatekeeper, const struct skm_job_result *result);
/* Around a scan: what it does not mention and is no longer there is taken as removed; all the rest is looked
 * at again. */
void skm_gatekeeper_scan_begin(struct skm_gatekeeper *gatekeeper);
void skm_gatekeeper_scan_end(struct skm_gatekeeper *gatekeeper);
/* From here on, what appears was plugged in while we watched. */
void skm_gatekeeper_start_is_over(struct skm_gatekeeper *gatekeeper);
/* Looks again at the devices something was said about. True when there are any left to look at later. */
void skm_gatekeeper_look_again(struct skm_gatekeeper *gatekeeper);
bool skm_gatekeeper_has_dirty(const struct skm_gatekeeper *gatekeeper);
/* Tries again what could not be done, so that a keyboard which was slow once does not wait for the next
 * reconcile. The caller spaces the tries. */
bool skm_gatekeeper_has_failed(const struct skm_gatekeeper *gatekeeper);
void skm_gatekeeper_retry(struct skm_gatekeeper *gatekeeper);
/* The log works again: devices that waited for it are judged again. */
void skm_gatekeeper_log_resumed(struct skm_gatekeeper *gatekeeper);
/* Checks and closes the kernel's gate; what was found open is recorded. */
void skm_gatekeeper_check_gate(struct skm_gatekeeper *gatekeeper);

void skm_gatekeeper_get_counts(const struct skm_gatekeeper *gatekeeper, struct skm_status *status);
int skm_gatekeeper_next_device(
	const struct skm_gatekeeper *gatekeeper, const char *after, struct skm_device_report *ret_report);

#endif
