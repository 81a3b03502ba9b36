// SPDX-License-Identifier: Apache-2.0
/* Descriptors of devices that stand on desks, as the kernel hands them out in sysfs, and of some that should
 * not. The macros spell the standard layouts (USB 2.0, chapter 9), so that a row reads like a line of lsusb.
 */
#ifndef SEKIMORI_TESTS_USB_SAMPLES_H
#define SEKIMORI_TESTS_USB_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#define U16(value) (uint8_t)((value)&0xff), (uint8_t)((value) >> 8)
#define DEVICE_OF(class_code, vendor, product, configurations)                                        \
	18, 0x01, U16(0x0200), class_code, 0, 0, 64, U16(vendor), U16(product), U16(0x0100), 1, 2, 3, \
		configurations
#define DEVICE(vendor, product) DEVICE_OF(0x00, vendor, product, 1)
#define CONFIGURATION_OF(value, total, interfaces) 9, 0x02, U16(total), interfaces, value, 0, 0xa0, 50
#define CONFIGURATION(total, interfaces) CONFIGURATION_OF(1, total, interfaces)
#define ALTERNATE(number, setting, endpoints, class_code, subclass, protocol) \
	9, 0x04, number, setting, endpoints, class_code, subclass, protocol, 0
#define INTERFACE(number, endpoints, class_code, subclass, protocol) \
	ALTERNATE(number, 0, endpoints, class_code, subclass, protocol)
#define ENDPOINT(address, attributes, bytes) 7, 0x05, address, attributes, U16(bytes), 10
#define BULK_PAIR ENDPOINT(0x81, 0x02, 512), ENDPOINT(0x02, 0x02, 512)
#define HID_DESCRIPTOR 9, 0x21, U16(0x0111), 0, 1, 0x22, U16(65)
#define HID_FUNCTION(number, subclass, protocol)                        \
	INTERFACE(number, 1, 0x03, subclass, protocol), HID_DESCRIPTOR, \
		ENDPOINT((uint8_t)(0x81 + (number)), 0x03, 8)			 /* 25 bytes */
#define STICK_FUNCTION(number) INTERFACE(number, 2, 0x08, 0x06, 0x50), BULK_PAIR /* 23 bytes */
#define ASSOCIATION(first, count, class_code, subclass, protocol) \
	8, 0x0b, first, count, class_code, subclass, protocol, 0
#define CDC_FUNCTIONAL                                                                                     \
	5, 0x24, 0x00, U16(0x0110), 5, 0x24, 0x01, 0x00, 1, 4, 0x24, 0x02, 0x02, 5, 0x24, 0x06, 0, 1 /* 19 \
												      */

static const uint8_t sample_boot_keyboard[] = {
	DEVICE(0x046d, 0xc31c), CONFIGURATION(34, 1), HID_FUNCTION(0, 1, 1)};
static const uint8_t sample_media_keyboard[] = {
	DEVICE(0x046d, 0xc31d), CONFIGURATION(59, 2), HID_FUNCTION(0, 1, 1), HID_FUNCTION(1, 0, 0)};
static const uint8_t sample_three_hid_keyboard[] = {DEVICE(0x04f2, 0x1516), CONFIGURATION(84, 3),
	HID_FUNCTION(0, 1, 1), HID_FUNCTION(1, 0, 0), HID_FUNCTION(2, 0, 0)};
static const uint8_t sample_receiver[] = {DEVICE(0x046d, 0xc52b), CONFIGURATION(84, 3), HID_FUNCTION(0, 1, 1),
	HID_FUNCTION(1, 1, 2), HID_FUNCTION(2, 0, 0)};
static const uint8_t sample_mouse[] = {DEVICE(0x046d, 0xc077), CONFIGURATION(34, 1), HID_FUNCTION(0, 1, 2)};
/* A high-speed hub with one transaction translator a port: the alternate setting differs in protocol. */
static const uint8_t sample_hub[] = {DEVICE_OF(0x09, 0x05e3, 0x0610, 1), CONFIGURATION(41, 1),
	ALTERNATE(0, 0, 1, 0x09, 0x00, 0x01), ENDPOINT(0x81, 0x03, 1), ALTERNATE(0, 1, 1, 0x09, 0x00, 0x02),
	ENDPOINT(0x81, 0x03, 1)};
static const uint8_t sample_stick[] = {DEVICE(0x0781, 0x5581), CONFIGURATION(32, 1), STICK_FUNCTION(0)};
#define UAS_PIPE(address, id) ENDPOINT(address, 0x02, 512), 4, 0x24, id, 0x00
static const uint8_t sample_uas_disk[] = {DEVICE(0x152d, 0x0578), CONFIGURATION(85, 1), STICK_FUNCTION(0),
	ALTERNATE(0, 1, 4, 0x08, 0x06, 0x62), UAS_PIPE(0x01, 1), UAS_PIPE(0x82, 2), UAS_PIPE(0x83, 3),
	UAS_PIPE(0x04, 4)};
static const uint8_t sample_mtp_phone[] = {DEVICE(0x04e8, 0x6860), CONFIGURATION(39, 1),
	INTERFACE(0, 3, 0x06, 0x01, 0x01), BULK_PAIR, ENDPOINT(0x83, 0x03, 28)};
static const uint8_t sample_rndis[] = {DEVICE(0x18d1, 0x4ee3), CONFIGURATION(75, 2),
	ASSOCIATION(0, 2, 0xe0, 0x01, 0x03), INTERFACE(0, 1, 0xe0, 0x01, 0x03), CDC_FUNCTIONAL,
	ENDPOINT(0x83, 0x03, 8), INTERFACE(1, 2, 0x0a, 0x00, 0x00), BULK_PAIR};
static const uint8_t sample_ecm[] = {DEVICE_OF(0x02, 0x0525, 0xa4a2, 1), CONFIGURATION(80, 2),
	INTERFACE(0, 1, 0x02, 0x06, 0x00), 5, 0x24, 0x00, U16(0x0110), 5, 0x24, 0x06, 0, 1, 13, 0x24, 0x0f, 5,
	0, 0, 0, 0, U16(1514), U16(0), 0, ENDPOINT(0x83, 0x03, 16), ALTERNATE(1, 0, 0, 0x0a, 0x00, 0x00),
	ALTERNATE(1, 1, 2, 0x0a, 0x00, 0x00), BULK_PAIR};
static const uint8_t sample_acm[] = {DEVICE_OF(0x02, 0x2341, 0x0043, 1), CONFIGURATION(67, 2),
	INTERFACE(0, 1, 0x02, 0x02, 0x01), CDC_FUNCTIONAL, ENDPOINT(0x83, 0x03, 8),
	INTERFACE(1, 2, 0x0a, 0x00, 0x00), BULK_PAIR};
/* A contact-less reader as used for My Number cards: the class descriptor is 54 bytes long (CCID 1.1,
 * table 5.1-1). */
static const uint8_t sample_ccid_reader[] = {DEVICE(0x054c, 0x0dc9), CONFIGURATION(93, 1),
	INTERFACE(0, 3, 0x0b, 0x00, 0x00), 54, 0x21, U16(0x0110), 0, 7, 3, 0, 0, 0, 0xa0, 0x0f, 0, 0, 0xa0,
	0x0f, 0, 0, 0, 0x80, 0x25, 0, 0, 0, 0xb0, 4, 0, 0, 0xfe, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xba, 4, 0,
	0x0f, 1, 0, 0, 0xff, 0xff, 0, 0, 0, 1, 0, BULK_PAIR, ENDPOINT(0x83, 0x03, 8)};
static const uint8_t sample_keyboard_and_stick[] = {
	DEVICE(0x1532, 0x0203), CONFIGURATION(57, 2), HID_FUNCTION(0, 1, 1), STICK_FUNCTION(1)};
static const uint8_t sample_second_configuration[] = {DEVICE_OF(0, 0x12d1, 0x1446, 2),
	CONFIGURATION_OF(1, 34, 1), HID_FUNCTION(0, 1, 1), CONFIGURATION_OF(2, 32, 1), STICK_FUNCTION(0)};
/* A keyboard that turns into a disk when its driver chooses the second setting. */
static const uint8_t sample_hidden_alternate[] = {DEVICE(0x1234, 0x5678), CONFIGURATION(57, 1),
	HID_FUNCTION(0, 1, 1), ALTERNATE(0, 1, 2, 0x08, 0x06, 0x50), BULK_PAIR};

/* "configuration.interface class:subclass:protocol", as parsed. */
static const struct usb_sample {
	const char *name;
	const uint8_t *bytes;
	size_t len;
	const char *interfaces;
} usb_samples[] = {
#define SAMPLE(name, interfaces)                                        \
	{                                                               \
#name, sample_##name, sizeof(sample_##name), interfaces \
	}
	SAMPLE(boot_keyboard, "1.0 03:01:01"),
	SAMPLE(media_keyboard, "1.0 03:01:01, 1.1 03:00:00"),
	SAMPLE(three_hid_keyboard, "1.0 03:01:01, 1.1 03:00:00, 1.2 03:00:00"),
	SAMPLE(receiver, "1.0 03:01:01, 1.1 03:01:02, 1.2 03:00:00"),
	SAMPLE(mouse, "1.0 03:01:02"),
	SAMPLE(hub, "1.0 09:00:01, 1.0 09:00:02"),
	SAMPLE(stick, "1.0 08:06:50"),
	SAMPLE(uas_disk, "1.0 08:06:50, 1.0 08:06:62"),
	SAMPLE(mtp_phone, "1.0 06:01:01"),
	SAMPLE(rndis, "1.0 e0:01:03, 1.1 0a:00:00"),
	SAMPLE(ecm, "1.0 02:06:00, 1.1 0a:00:00"),
	SAMPLE(acm, "1.0 02:02:01, 1.1 0a:00:00"),
	SAMPLE(ccid_reader, "1.0 0b:00:00"),
	SAMPLE(keyboard_and_stick, "1.0 03:01:01, 1.1 08:06:50"),
	SAMPLE(second_configuration, "1.0 03:01:01, 2.0 08:06:50"),
	SAMPLE(hidden_alternate, "1.0 03:01:01, 1.0 08:06:50"),
#undef SAMPLE
};

#endif
