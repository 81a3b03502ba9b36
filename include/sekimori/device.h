// SPDX-License-Identifier: Apache-2.0
/* A USB device as the gate sees it before any driver does: a value without pointers, so it can be copied with
 * =, sent to another process, fuzzed and used in parameterised tests.
 *
 * Where the numbers come from: USB 2.0 specification §9.6 (descriptors; a string descriptor has at most 255
 * bytes, so 126 UTF-16 units, at most 378 bytes of UTF-8); Linux include/linux/usb.h (USB_MAXCONFIG 8,
 * USB_MAXINTERFACES 32); Documentation/ABI/stable/sysfs-bus-usb (descriptors, authorized, port/connect_type).
 */
#ifndef SEKIMORI_DEVICE_H
#define SEKIMORI_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sekimori/result.h"

#define SKM_USB_STRING_BYTES 380 /* 126 units * 3 bytes + NUL, rounded up */
#define SKM_USB_PORT_BYTES 64	 /* kernel name of a device, "1-2.3.4": at most 7 tiers deep */
#define SKM_USB_INTERFACES_MAX \
	256 /* 8 configurations * 32 interfaces; distinct class triples of one interface count */
#define SKM_DESCRIPTOR_HASH_BYTES 32

/* /sys/…/port/connect_type; the firmware's word (ACPI _UPC/_PLD), so "unknown" is common. */
enum skm_connect_type {
	SKM_CONNECT_UNKNOWN,
	SKM_CONNECT_HOTPLUG,
	SKM_CONNECT_HARDWIRED,
	SKM_CONNECT_NOT_USED,
	SKM_CONNECT_TYPE_COUNT_,
};

/* Why raw descriptors could not be believed. Everything but OK is refused whole. */
enum skm_descriptor_state {
	SKM_DESCRIPTOR_OK,
	SKM_DESCRIPTOR_EMPTY,	      /* no byte at all */
	SKM_DESCRIPTOR_TRUNCATED,     /* ends inside a descriptor or a configuration */
	SKM_DESCRIPTOR_CONTRADICTION, /* lengths or types that cannot be true */
	SKM_DESCRIPTOR_TOO_LARGE,     /* more than we are willing to judge */
	SKM_DESCRIPTOR_STATE_COUNT_,
};

/* One class triple that an interface shows in one of its alternate settings. An interface whose alternate
 * settings differ in class has several entries with the same configuration and number. */
struct skm_usb_interface {
	uint8_t configuration; /* bConfigurationValue */
	uint8_t number;	       /* bInterfaceNumber */
	uint8_t class_code;
	uint8_t subclass;
	uint8_t protocol;
};

struct skm_device {
	char port[SKM_USB_PORT_BYTES]; /* kernel name, unique at one moment: "1-2.3" */
	uint16_t bus_number;
	uint16_t device_number; /* devnum: changes at each enumeration */
	uint16_t vendor_id;
	uint16_t product_id;
	uint16_t release; /* bcdDevice */
	uint8_t device_class;
	enum skm_connect_type connect_type;
	enum skm_descriptor_state descriptor_state;
	/* Bytes as the device gave them through the kernel (UTF-8, but do not trust that): only the newline
	 * that sysfs appends is gone. "" = none. */
	char manufacturer[SKM_USB_STRING_BYTES];
	char product[SKM_USB_STRING_BYTES];
	char serial[SKM_USB_STRING_BYTES];
	uint8_t descriptor_hash[SKM_DESCRIPTOR_HASH_BYTES]; /* BLAKE2b-256 of the sysfs file "descriptors" */
	uint16_t interface_count;
	struct skm_usb_interface
		interfaces[SKM_USB_INTERFACES_MAX]; /* sorted by configuration, number, class triple */
};

/* What an interface is, in the words of an office. The first is what a class we do not know becomes. */
enum skm_device_kind {
	SKM_KIND_UNKNOWN,
	SKM_KIND_HUB,
	SKM_KIND_KEYBOARD,
	SKM_KIND_MOUSE,
	SKM_KIND_HID, /* HID without the boot protocol */
	SKM_KIND_SMART_CARD,
	SKM_KIND_STORAGE,
	SKM_KIND_IMAGING, /* still image class: cameras (PTP) and phones (MTP) */
	SKM_KIND_NETWORK,
	SKM_KIND_SERIAL,
	SKM_KIND_MODEM, /* other communications device class functions */
	SKM_KIND_WIRELESS,
	SKM_KIND_PRINTER,
	SKM_KIND_AUDIO,
	SKM_KIND_VIDEO,
	SKM_KIND_FIRMWARE_UPGRADE, /* DFU */
	SKM_KIND_MEASUREMENT,	   /* USBTMC, diagnostics */
	SKM_KIND_HEALTHCARE,
	SKM_KIND_CONTENT_SECURITY,
	SKM_KIND_PHYSICAL,
	SKM_KIND_BILLBOARD,
	SKM_KIND_MISCELLANEOUS,
	SKM_KIND_APPLICATION, /* application specific class, other than those above */
	SKM_KIND_VENDOR,
	SKM_KIND_COUNT_,
};

/* Class triple -> kind. Pure. Source: usb.org "Defined Class Codes"; the table is in lib/device.c. */
enum skm_device_kind skm_usb_interface_kind(const struct skm_usb_interface *interface);

/* "mass-storage", … : stable words for JSON. Never NULL; an impossible value gives "unknown". */
const char *skm_device_kind_to_string(enum skm_device_kind kind);
const char *skm_connect_type_to_string(enum skm_connect_type type);
const char *skm_descriptor_state_to_string(enum skm_descriptor_state state);
/* For people: kind in Japanese or English ("USBメモリ等の記憶装置", "mass storage"). Never NULL. */
const char *skm_device_kind_to_text(enum skm_device_kind kind, bool japanese);

/* 0, or -EINVAL when the word is none of the table's. */
SKM_NODISCARD int skm_connect_type_from_string(const char *word, enum skm_connect_type *ret_type);
SKM_NODISCARD int skm_device_kind_from_string(const char *word, enum skm_device_kind *ret_kind);

/* True when both were made from the same enumeration of the same device: port, devnum, ids, strings,
 * descriptors. */
bool skm_device_equal(const struct skm_device *a, const struct skm_device *b);

#endif
