// SPDX-License-Identifier: Apache-2.0
/* Pure: the built-in list of devices that an office cannot work without. Internal to the policy. */
#ifndef SEKIMORI_POLICY_OFFICE_H
#define SEKIMORI_POLICY_OFFICE_H

#include "sekimori/device.h"

/* Keyboards with media keys and receivers for keyboard and mouse have two to four HID interfaces; the
 * drive-by kind of programmable keyboard tends to have more. */
#define SKM_OFFICE_HID_INTERFACES_MAX 4u

/* Is entry `index` of the device's interfaces on the list? */
bool skm_office_allows(const struct skm_device *device, size_t index);
/* The same in the initramfs, where a passphrase may have to be typed and nothing else happens. */
bool skm_office_allows_early(const struct skm_device *device, size_t index);

#endif
