// SPDX-License-Identifier: Apache-2.0
/* A device for a dry run of the policy: from a sysfs folder, a raw "descriptors" file, a umockdev recording,
 * or a description in words. What is judged afterwards is the same value, by the same code, as for a real
 * device. */
#ifndef SEKIMORI_RECORDED_DEVICE_H
#define SEKIMORI_RECORDED_DEVICE_H

#include "sekimori/device.h"
#include "sekimori/language.h"

struct skm_device_complaint {
	enum skm_language language; /* the caller's: that of the text */
	char text[512];
};

/* Reads what `path` is. 0; -EINVAL with a sentence in *complaint for what is none of the three;
 * -ENOMEM. */
SKM_NODISCARD int skm_recorded_device_read(
	const char *path, struct skm_device *ret_device, struct skm_device_complaint *complaint);
/* "vid_pid=0781:5581 serial=X port=1-2 connect_type=hotplug hash=… interfaces=03:01:01,08:06:50": words
 * separated by spaces, each once; a serial cannot hold a space here. All interfaces are of configuration 1.
 * The same results. */
SKM_NODISCARD int skm_recorded_device_describe(
	const char *words, struct skm_device *ret_device, struct skm_device_complaint *complaint);

#endif
