// SPDX-License-Identifier: Apache-2.0
/* Which USB devices carry a mounted system file system or an active swap area. Such a device is never cut
 * off: a machine that runs from it would die with everything unsaved. It does not get a permit either: it is
 * only left as it was found. */
#ifndef SEKIMORI_SYSTEM_DISK_H
#define SEKIMORI_SYSTEM_DISK_H

#include "sekimori/device.h"

#define SKM_SYSTEM_DISKS_MAX 16

struct skm_system_disks {
	unsigned count;
	/* Kernel names of USB devices, hubs on the way included: cutting a hub off cuts off what hangs on it.
	 */
	char ports[SKM_SYSTEM_DISKS_MAX][SKM_USB_PORT_BYTES];
};

/* The mount points that count: / /usr /boot /boot/efi /efi /var /var/log /etc /home /opt /srv /nix, and every
 * swap area. sys_root "/sys", proc_root "/proc"; the mounts are those of
 * process 1, since our own view is narrowed by the unit's sandbox. Always gives an answer; what cannot be
 * read carries nothing.
 */
void skm_system_disks_find(const char *sys_root, const char *proc_root, struct skm_system_disks *ret_disks);
bool skm_system_disks_has(const struct skm_system_disks *disks, const char *port);

#endif
