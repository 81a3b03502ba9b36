// SPDX-License-Identifier: Apache-2.0
/* Pure: the bytes of the sysfs file "descriptors" -> what the device claims to be. No IO, no allocation, no
 * log.
 *
 * The file holds the 18-byte device descriptor, then every configuration with all that follows it
 * (wTotalLength bytes each), as the device sent them: little-endian (USB 2.0 §9.6). It is there for an
 * unauthorised device too. */
#ifndef SEKIMORI_USB_DESCRIPTOR_H
#define SEKIMORI_USB_DESCRIPTOR_H

#include "sekimori/device.h"

/* 18 + 8 configurations of at most 65535 bytes. */
#define SKM_DESCRIPTORS_BYTES_MAX (18u + 8u * 65535u)

/* Fills vendor_id, product_id, release, device_class, descriptor_state, interface_count and interfaces
 * (sorted, distinct) of *device and nothing else. When descriptor_state is not OK, interface_count is 0 and
 * the ids are as far as they could be read. Strict where a lie could hide an interface, lenient where real
 * keyboards are sloppy: descriptors of unknown type are stepped over by their length; a wrong bNumInterfaces
 * or a repeated interface is tolerated, since every interface descriptor that is present counts; a last
 * configuration that announces more than there is is believed when the device shows only HID interfaces. Hub
 * devices (device class 09) appear through their interfaces like all others. */
void skm_usb_descriptors_parse(const uint8_t *bytes, size_t len, struct skm_device *device);

#endif
