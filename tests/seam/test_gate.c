// SPDX-License-Identifier: Apache-2.0
/* The gate in a folder that looks like /sys. What only a kernel can show (3 means "all") is tested in the
 * virtual terminal. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sekimori/gate.h"
#include "tmpdir.h"

static void make_controller(const char *root, const char *name, const char *device, const char *interface)
{
	tmpdir_write(root, device, "bus/usb/devices/%s/authorized_default", name);
	tmpdir_write(root, interface, "bus/usb/devices/%s/interface_authorized_default", name);
}

Test(gate, closes_everything_and_tells_what_it_found)
{
	char root[TMPDIR_BYTES];
	struct skm_gate_state before;
	struct skm_gate_state after;
	tmpdir_make(root);
	tmpdir_write(root, "1\n", "module/usbcore/parameters/authorized_default");
	make_controller(root, "usb1", "1\n", "1\n");
	make_controller(root, "usb2", "0\n", "1\n");
	make_controller(root, "usb12", "0\n", "0\n");
	make_controller(root, "1-2", "1\n", "1\n"); /* a device, not a controller */
	cr_assert_eq(skm_gate_read(root, &before), 0);
	cr_expect_eq(before.controller_count, 3);
	cr_expect(!skm_gate_is_closed(&before));
	cr_assert_eq(skm_gate_close(root, &before), 0);
	cr_expect_eq(before.module_default, 1);
	cr_assert_eq(skm_gate_read(root, &after), 0);
	cr_expect(skm_gate_is_closed(&after));
	tmpdir_expect(root, "1\n", "bus/usb/devices/1-2/authorized_default");
	tmpdir_remove(root);
}

Test(gate, what_cannot_be_read_is_not_closed)
{
	char root[TMPDIR_BYTES];
	struct skm_gate_state state;
	tmpdir_make(root);
	tmpdir_write(root, "0\n", "bus/usb/devices/usb1/authorized_default");
	cr_assert_eq(skm_gate_read(root, &state), 0);
	cr_expect_eq(state.controllers[0].interface_authorized_default, -1);
	cr_expect(!skm_gate_is_closed(&state));
	cr_expect_lt(skm_gate_close(root, NULL), 0, "and saying it is would be a lie");
	make_controller(root, "usb1", "-1\n", "0\n");
	cr_assert_eq(skm_gate_read(root, &state), 0);
	cr_expect(!skm_gate_is_closed(&state));
	tmpdir_remove(root);
}

Test(gate, a_value_that_does_not_stay_is_an_error)
{
	char root[TMPDIR_BYTES];
	char target[TMPDIR_BYTES + 128];
	struct skm_controller before;
	tmpdir_make(root);
	make_controller(root, "usb1", "1\n", "1\n");
	/* a plain file is not cut by a write: "0" over "11" leaves "01", which is not what was written */
	make_controller(root, "usb2", "11\n", "0\n");
	cr_expect_eq(skm_controller_close(root, "usb2", &before), -EIO);
	cr_expect_eq(before.authorized_default, 11);
	(void)snprintf(target, sizeof(target), "%s/bus/usb/devices/usb1/authorized_default", root);
	cr_assert_eq(unlink(target), 0);
	cr_assert_eq(mkdir(target, 0700), 0);
	cr_expect_lt(skm_controller_close(root, "usb1", &before), 0);
	tmpdir_expect(root, "0", "bus/usb/devices/usb1/interface_authorized_default");
	cr_expect_eq(skm_controller_close(root, "usb9", &before), -ENODEV);
	cr_expect_eq(skm_controller_close(root, "../usb1", &before), -EINVAL);
	tmpdir_remove(root);
}

Test(gate, a_root_hub_that_the_closed_default_caught_is_opened)
{
	char root[TMPDIR_BYTES];
	tmpdir_make(root);
	make_controller(root, "usb3", "0\n", "1\n");
	make_controller(root, "usb4", "0\n", "1\n");
	tmpdir_write(root, "0\n", "bus/usb/devices/3-0:1.0/authorized");
	tmpdir_write(root, "1\n", "bus/usb/devices/4-0:1.0/authorized");
	tmpdir_write(root, "", "bus/usb/drivers_probe");
	cr_assert_eq(skm_gate_close(root, NULL), 0);
	tmpdir_expect(root, "1", "bus/usb/devices/3-0:1.0/authorized");
	tmpdir_expect(root, "3-0:1.0", "bus/usb/drivers_probe");
	tmpdir_expect(root, "0", "bus/usb/devices/usb3/interface_authorized_default");
	tmpdir_remove(root);
}

Test(gate, a_kernel_without_usb_has_no_gate)
{
	char root[TMPDIR_BYTES];
	struct skm_gate_state state;
	tmpdir_make(root);
	cr_assert_eq(skm_gate_read(root, &state), 0);
	cr_expect_eq(state.controller_count, 0);
	cr_expect(skm_gate_is_closed(&state));
	tmpdir_remove(root);
}
