// SPDX-License-Identifier: Apache-2.0
/* What a USB device is, in words. One table says what every class triple means, so that the gate, the records
 * and the reports cannot disagree. The kernel's own knowledge (which driver would bind) was rejected as a
 * source: most ways out of a terminal need no kernel driver at all (MTP, ADB and vendor protocols run over
 * usbfs). */
#include <string.h>

#include "sekimori/device.h"

#define ANY (-1)

/* USB-IF "Defined Class Codes" (usb.org/defined-class-codes). The first row that fits counts: exceptions
 * stand before the class they are taken from. */
static const struct {
	int16_t class_code, subclass, protocol; /* ANY: whatever it is */
	enum skm_device_kind kind;
} kind_table[] = {
	{0x01, ANY, ANY, SKM_KIND_AUDIO},
	/* CDC: the subclass names the model (Class Definitions for Communications Devices 1.2, table 4). */
	{0x02, 0x02, 0xff, SKM_KIND_NETWORK}, /* RNDIS dressed as ACM: what Linux's rndis_host binds to */
	{0x02, 0x02, ANY, SKM_KIND_SERIAL},   /* ACM */
	{0x02, 0x06, ANY, SKM_KIND_NETWORK},  /* ECM */
	{0x02, 0x0c, 0x07, SKM_KIND_NETWORK}, /* EEM */
	{0x02, 0x0d, ANY, SKM_KIND_NETWORK},  /* NCM */
	{0x02, 0x0e, ANY, SKM_KIND_NETWORK},  /* MBIM */
	{0x02, ANY, ANY, SKM_KIND_MODEM}, {0x03, 0x01, 0x01, SKM_KIND_KEYBOARD},
	{0x03, 0x01, 0x02, SKM_KIND_MOUSE}, {0x03, ANY, ANY, SKM_KIND_HID},
	{0x05, ANY, ANY, SKM_KIND_PHYSICAL}, {0x06, ANY, ANY, SKM_KIND_IMAGING},
	{0x07, ANY, ANY, SKM_KIND_PRINTER}, {0x08, ANY, ANY, SKM_KIND_STORAGE},
	{0x09, ANY, ANY, SKM_KIND_HUB},
	/* CDC data: the pipe of a communications interface, which says what flows through it; alone it is
	   only that. */
	{0x0a, ANY, ANY, SKM_KIND_MODEM}, {0x0b, ANY, ANY, SKM_KIND_SMART_CARD},
	{0x0d, ANY, ANY, SKM_KIND_CONTENT_SECURITY}, {0x0e, ANY, ANY, SKM_KIND_VIDEO},
	{0x0f, ANY, ANY, SKM_KIND_HEALTHCARE}, {0x10, ANY, ANY, SKM_KIND_VIDEO}, /* audio/video devices */
	{0x11, ANY, ANY, SKM_KIND_BILLBOARD},
	{0x12, ANY, ANY, SKM_KIND_MISCELLANEOUS}, /* USB Type-C bridge */
	{0x13, ANY, ANY, SKM_KIND_VIDEO},	  /* bulk display protocol */
	{0x14, ANY, ANY, SKM_KIND_MISCELLANEOUS}, /* MCTP over USB */
	{0x3c, ANY, ANY, SKM_KIND_MISCELLANEOUS}, /* I3C */
	{0xdc, ANY, ANY, SKM_KIND_MEASUREMENT},	  /* diagnostic device */
	{0xe0, 0x01, 0x03, SKM_KIND_NETWORK},	  /* RNDIS: a phone that tethers */
	{0xe0, ANY, ANY, SKM_KIND_WIRELESS},
	{0xef, 0x04, ANY, SKM_KIND_NETWORK}, /* RNDIS over Ethernet, Wi-Fi, WiMAX, WWAN, raw IP, GPRS */
	{0xef, 0x05, ANY, SKM_KIND_VIDEO},   /* machine vision */
	{0xef, ANY, ANY, SKM_KIND_MISCELLANEOUS}, {0xfe, 0x01, ANY, SKM_KIND_FIRMWARE_UPGRADE},
	{0xfe, 0x03, ANY, SKM_KIND_MEASUREMENT}, /* USBTMC */
	{0xfe, ANY, ANY, SKM_KIND_APPLICATION},
	{0xff, ANY, ANY,
		SKM_KIND_VENDOR}, /* ADB and fastboot (ff:42), Apple's usbmux (ff:fe:02) and all the rest */
};

static const struct {
	const char *word, *english, *japanese;
} kind_names[SKM_KIND_COUNT_] = {
	[SKM_KIND_UNKNOWN] = {"unknown", "unknown device", "種類不明の機器"},
	[SKM_KIND_HUB] = {"hub", "hub", "USBハブ"},
	[SKM_KIND_KEYBOARD] = {"keyboard", "keyboard", "キーボード"},
	[SKM_KIND_MOUSE] = {"mouse", "mouse", "マウス"},
	[SKM_KIND_HID] = {"hid", "other input device", "その他の入力装置"},
	[SKM_KIND_SMART_CARD] = {"smart-card", "smart card reader", "ICカードリーダー"},
	[SKM_KIND_STORAGE] = {"mass-storage", "mass storage", "USBメモリ等の記憶装置"},
	[SKM_KIND_IMAGING] = {"imaging", "camera or phone (PTP/MTP)", "カメラ・スマートフォン(PTP/MTP)"},
	[SKM_KIND_NETWORK] = {"network", "network adapter", "ネットワーク機器(テザリング等)"},
	[SKM_KIND_SERIAL] = {"serial", "serial port", "シリアル通信装置"},
	[SKM_KIND_MODEM] = {"modem", "communications device", "モデム等の通信装置"},
	[SKM_KIND_WIRELESS] = {"wireless", "wireless adapter (Bluetooth etc.)", "無線装置(Bluetooth等)"},
	[SKM_KIND_PRINTER] = {"printer", "printer", "プリンター"},
	[SKM_KIND_AUDIO] = {"audio", "audio device", "音声機器"},
	[SKM_KIND_VIDEO] = {"video", "video device", "映像機器"},
	[SKM_KIND_FIRMWARE_UPGRADE] = {"firmware-upgrade", "firmware upgrade (DFU)",
		"ファームウェア書換え機能(DFU)"},
	[SKM_KIND_MEASUREMENT] = {"measurement", "measuring or diagnostic device", "計測・診断装置"},
	[SKM_KIND_HEALTHCARE] = {"healthcare", "personal healthcare device", "健康管理機器"},
	[SKM_KIND_CONTENT_SECURITY] = {"content-security", "content security device", "著作権保護装置"},
	[SKM_KIND_PHYSICAL] = {"physical", "force feedback device", "力覚装置"},
	[SKM_KIND_BILLBOARD] = {"billboard", "USB-C billboard", "USB-C接続情報表示機能"},
	[SKM_KIND_MISCELLANEOUS] = {"miscellaneous", "miscellaneous device", "雑機器"},
	[SKM_KIND_APPLICATION] = {"application", "application specific device", "特定用途機器"},
	[SKM_KIND_VENDOR] = {"vendor", "vendor specific device", "製造者独自方式の機器"},
};

static const char *const connect_type_words[SKM_CONNECT_TYPE_COUNT_] = {
	/* the words of the sysfs file, Documentation/ABI/testing/sysfs-bus-usb */
	[SKM_CONNECT_UNKNOWN] = "unknown",
	[SKM_CONNECT_HOTPLUG] = "hotplug",
	[SKM_CONNECT_HARDWIRED] = "hardwired",
	[SKM_CONNECT_NOT_USED] = "not used",
};

static const char *const descriptor_state_words[SKM_DESCRIPTOR_STATE_COUNT_] = {
	[SKM_DESCRIPTOR_OK] = "ok",
	[SKM_DESCRIPTOR_EMPTY] = "empty",
	[SKM_DESCRIPTOR_TRUNCATED] = "truncated",
	[SKM_DESCRIPTOR_CONTRADICTION] = "contradiction",
	[SKM_DESCRIPTOR_TOO_LARGE] = "too-large",
};

static bool fits(int16_t wanted, uint8_t value)
{
	return wanted == ANY || wanted == value;
}

enum skm_device_kind skm_usb_interface_kind(const struct skm_usb_interface *interface)
{
	for (size_t i = 0; i < SKM_ARRAY_SIZE(kind_table); i++)
		if (fits(kind_table[i].class_code, interface->class_code) &&
			fits(kind_table[i].subclass, interface->subclass) &&
			fits(kind_table[i].protocol, interface->protocol))
			return kind_table[i].kind;
	return SKM_KIND_UNKNOWN;
}

const char *skm_device_kind_to_string(enum skm_device_kind kind)
{
	return (unsigned)kind < SKM_KIND_COUNT_ ? kind_names[kind].word : kind_names[SKM_KIND_UNKNOWN].word;
}

const char *skm_device_kind_to_text(enum skm_device_kind kind, bool japanese)
{
	if ((unsigned)kind >= SKM_KIND_COUNT_)
		kind = SKM_KIND_UNKNOWN;
	return japanese ? kind_names[kind].japanese : kind_names[kind].english;
}

int skm_device_kind_from_string(const char *word, enum skm_device_kind *ret_kind)
{
	for (unsigned i = 0; i < SKM_KIND_COUNT_; i++) {
		if (strcmp(word, kind_names[i].word) == 0) {
			*ret_kind = (enum skm_device_kind)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *skm_connect_type_to_string(enum skm_connect_type type)
{
	return connect_type_words[(unsigned)type < SKM_CONNECT_TYPE_COUNT_ ? type : SKM_CONNECT_UNKNOWN];
}

int skm_connect_type_from_string(const char *word, enum skm_connect_type *ret_type)
{
	for (unsigned i = 0; i < SKM_CONNECT_TYPE_COUNT_; i++) {
		if (strcmp(word, connect_type_words[i]) == 0) {
			*ret_type = (enum skm_connect_type)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *skm_descriptor_state_to_string(enum skm_descriptor_state state)
{
	return (unsigned)state < SKM_DESCRIPTOR_STATE_COUNT_ ? descriptor_state_words[state] : "unknown";
}

static bool interfaces_equal(const struct skm_device *a, const struct skm_device *b)
{
	if (a->interface_count != b->interface_count || a->interface_count > SKM_USB_INTERFACES_MAX)
		return false;
	/* five bytes without padding, so the bytes are the value */
	_Static_assert(sizeof(struct skm_usb_interface) == 5, "an interface entry has no padding");
	return memcmp(a->interfaces, b->interfaces, a->interface_count * sizeof(a->interfaces[0])) == 0;
}

bool skm_device_equal(const struct skm_device *a, const struct skm_device *b)
{
	/* Strings are compared as strings: what stands behind their end is nobody's word. */
	return strncmp(a->port, b->port, sizeof(a->port)) == 0 && a->bus_number == b->bus_number &&
	       a->device_number == b->device_number && a->vendor_id == b->vendor_id &&
	       a->product_id == b->product_id && a->release == b->release &&
	       a->device_class == b->device_class && a->descriptor_state == b->descriptor_state &&
	       strncmp(a->manufacturer, b->manufacturer, sizeof(a->manufacturer)) == 0 &&
	       strncmp(a->product, b->product, sizeof(a->product)) == 0 &&
	       strncmp(a->serial, b->serial, sizeof(a->serial)) == 0 &&
	       memcmp(a->descriptor_hash, b->descriptor_hash, sizeof(a->descriptor_hash)) == 0 &&
	       interfaces_equal(a, b);
}
