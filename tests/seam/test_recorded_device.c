// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "recorded_device.h"
#include "tmpdir.h"

#define STICK                                                                                        \
	"120100020000004081078155000101020301090220000101008032090400000208065000070581020002000705" \
	"0202000200"

static int read_text(const char *text, struct skm_device *ret_device)
{
	char root[TMPDIR_BYTES];
	char path[TMPDIR_BYTES + 32];
	struct skm_device_complaint complaint = {.language = SKM_LANGUAGE_EN};
	tmpdir_make(root);
	tmpdir_write(root, text, "recording");
	(void)snprintf(path, sizeof(path), "%s/recording", root);
	int r = skm_recorded_device_read(path, ret_device, &complaint);
	cr_expect_eq(r == 0, complaint.text[0] == '\0', "%d, \"%s\"", r, complaint.text);
	tmpdir_remove(root);
	return r;
}

Test(recorded_device, reads_lines_with_and_without_a_blank)
{
	static const char *const recordings[] = {
		"P:/devices/usb1/1-1\nH:descriptors=" STICK "\nA:product=Pen\\n\nA:serial=S1\\n\n",
		"P: /devices/usb1/1-1\nE: SUBSYSTEM=usb\nH: descriptors=" STICK
		"\nA: product=Pen\\n\nA: serial=S1\\n\n\n",
		"P: /devices/usb1\nH: descriptors=" STICK "\nA: serial=hub\\n\n\n"
		"P: /devices/usb1/1-1\nH: descriptors=" STICK "\nA: product=Pen\\n\nA: serial=S1\\n\n",
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(recordings); i++) {
		struct skm_device device;
		cr_assert_eq(read_text(recordings[i], &device), 0, "%zu", i);
		cr_expect_eq(device.vendor_id, 0x0781);
		cr_expect_eq(device.interface_count, 1);
		cr_expect_str_eq(device.port, "1-1");
		cr_expect_str_eq(device.product, "Pen");
		cr_expect_str_eq(device.serial, "S1");
	}
}

/* g_strescape of GLib, and what a device that means harm writes there: bytes are bytes, as in /sys. */
Test(recorded_device, takes_escapes_for_the_bytes_they_stand_for)
{
	static const struct {
		const char *written, *read;
	} cases[] = {
		{"\\346\\234\\255\\345\\271\\214\\\"7\\n", "札幌\"7"},
		{" 0123 \\n", " 0123 "},
		{"a\\\\n\\n", "a\\n"},
		{"\\b\\t\\f\\r\\v.\\n", "\b\t\f\r\v."},
		{"a\\nb\\n\\n", "a\nb\n"},
		{"\\1234\\18\\7", "S4\0018\a"},
		{"\\377\\200\\n", "\xff\x80"},
		{"abc\\000def\\n", "abc"},
		{"no end", "no end"},
		{"a\\", "a\\"},
		{"", ""},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		struct skm_device device;
		char text[512];
		(void)snprintf(text, sizeof(text),
			"P: /devices/usb1/1-1\nH: descriptors=" STICK "\nA: serial=%s\n", cases[i].written);
		cr_assert_eq(read_text(text, &device), 0, "%s", cases[i].written);
		cr_expect_str_eq(device.serial, cases[i].read, "%s", cases[i].written);
	}
}

Test(recorded_device, refuses_what_is_no_recording_of_a_device)
{
	static const char *const recordings[] = {
		"P: /devices/usb1/1-1\nA: serial=S1\\n\n",
		"P: /devices/usb1/1-1\nH: descriptors=120\n",
		"P: /devices/usb1/1-1\nH: descriptors=1x\n",
		"P: /devices/usb1/1-1\nH:\nA:\n",
	};
	struct skm_device device;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(recordings); i++)
		cr_expect_eq(read_text(recordings[i], &device), -EINVAL, "%zu", i);
}
