// SPDX-License-Identifier: Apache-2.0
/* A device for a dry run of the policy: from a sysfs folder, a raw "descriptors" file, a umockdev recording,
 * or a description in words. What is judged afterwards is the same value, by the same code, as for a real
 * device. */
#ifndef SEKIMORI_RECORDED_DEVICE_H
#define SEKIMORI_RECORDED_DEVICE_H

#include "sekimori/device.h"

/* Reads what `path` is. 0; -EINVAL with a sentence in `error` for what is none of the three; -errno likewise.
 */
SKM_NODISCARD int skm_recorded_device_read(
	const char *path, struct skm_device *ret_device, char *error, size_t error_bytes);
/* "vid_pid=0781:5581 serial=X port=1-2 connect_type=hotplug hash=… interfaces=03:01:01,08:06:50": words
 * separated by spaces, each once; a serial cannot hold a space here. All interfaces are of configuration 1. 0
 * or -EINVAL with a sentence in `error`. */
SKM_NODISCARD int skm_recorded_device_describe(
	const char *words, struct skm_device *ret_device, char *error, size_t error_bytes);

#endif
