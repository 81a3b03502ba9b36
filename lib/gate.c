// SPDX-License-Identifier: Apache-2.0
/* Reads and closes the kernel's own gate through sysfs. Everything is written only where it is needed and
 * always read back, because the kernel takes 3 for "allow all" and does not complain. Used by the daemon, by
 * the early boot unit, and for reading by the command when no daemon answers. */
#include "sekimori/gate.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "sekimori/io.h"
#include "sekimori/parse.h"

static const char devices_folder[] = "bus/usb/devices";
static const char module_parameter[] = "module/usbcore/parameters/authorized_default";

static int open_below(const char *sys_root, const char *name, int flags)
{
	SKM_CLEANUP(skm_fd_close) int root = open(sys_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	int fd = openat(root, name, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* A small number in a sysfs file: "0\n", "-1\n". -1 also stands for "cannot be read", which is never closed.
 */
static int read_number(int dirfd, const char *name)
{
	char text[16];
	size_t len = 0;
	if (skm_file_read_at(dirfd, name, text, sizeof(text), &len) != 0)
		return -1;
	text[strcspn(text, "\n")] = '\0';
	uint64_t value = 0;
	return skm_parse_uint(text, 0, 255, &value) == 0 ? (int)value : -1;
}

static int write_zero(int dirfd, const char *name)
{
	SKM_CLEANUP(skm_fd_close) int fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	return skm_fd_write_all(fd, "0", 1);
}

/* "usb" and digits: the kernel's name for a root hub. */
static bool is_controller_name(const char *name)
{
	if (strncmp(name, "usb", 3) != 0 || !name[3])
		return false;
	return strspn(name + 3, "0123456789") == strlen(name + 3);
}

bool skm_controller_is_closed(const struct skm_controller *controller)
{
	return controller->authorized_default == 0 && controller->interface_authorized_default == 0;
}

bool skm_gate_is_closed(const struct skm_gate_state *state)
{
	if (state->has_more || (state->has_module_parameter && state->module_default != 0))
		return false;
	for (unsigned i = 0; i < state->controller_count; i++)
		if (!skm_controller_is_closed(&state->controllers[i]))
			return false;
	return true;
}

static void read_controller(int dirfd, const char *name, struct skm_controller *controller)
{
	(void)snprintf(controller->name, sizeof(controller->name), "%s", name);
	controller->authorized_default = read_number(dirfd, "authorized_default");
	controller->interface_authorized_default = read_number(dirfd, "interface_authorized_default");
}

static int for_each_controller(const char *sys_root, struct skm_gate_state *state)
{
	SKM_CLEANUP(skm_fd_close) int fd = open_below(sys_root, devices_folder, O_RDONLY | O_DIRECTORY);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	DIR *dir = fdopendir(fd);
	if (!dir)
		return -errno;
	(void)skm_fd_take(&fd);
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (!is_controller_name(entry->d_name))
			continue;
		if (state->controller_count == SKM_CONTROLLERS_MAX ||
			strlen(entry->d_name) >= sizeof(state->controllers[0].name)) {
			state->has_more = true;
			continue;
		}
		SKM_CLEANUP(skm_fd_close)
		int hub = openat(dirfd(dir), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (hub >= 0)
			read_controller(hub, entry->d_name, &state->controllers[state->controller_count++]);
	}
	(void)closedir(dir);
	return 0;
}

int skm_gate_read(const char *sys_root, struct skm_gate_state *ret_state)
{
	struct skm_gate_state state = {.module_default = -1};
	SKM_CLEANUP(skm_fd_close) int root = open(sys_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	state.has_module_parameter = faccessat(root, module_parameter, F_OK, 0) == 0;
	if (state.has_module_parameter)
		state.module_default = read_number(root, module_parameter);
	int r = for_each_controller(sys_root, &state);
	if (r < 0)
		return r;
	*ret_state = state;
	return 0;
}

static int close_value(int dirfd, const char *name, int found)
{
	if (found == 0)
		return 0;
	int r = write_zero(dirfd, name);
	if (r < 0)
		return r;
	return read_number(dirfd, name) == 0 ? 0 : -EIO;
}

/* The root hub's own interface is made just after the controller is announced, with the controller's default
 * of that moment. Who closes the default in between leaves the bus without its hub driver: every keyboard on
 * it would be dead. So the root hub, which is the controller itself and no device, is opened. */
static int open_root_hub(const char *sys_root, const char *controller)
{
	char path[sizeof(devices_folder) + 48];
	char name[32];
	(void)snprintf(name, sizeof(name), "%.12s-0:1.0", controller + 3);
	(void)snprintf(path, sizeof(path), "%s/%s", devices_folder, name);
	SKM_CLEANUP(skm_fd_close) int hub = open_below(sys_root, path, O_PATH | O_DIRECTORY);
	if (hub < 0)
		return hub == -ENOENT ? 0 : hub; /* not made yet: its event brings us here again */
	if (read_number(hub, "authorized") != 0)
		return 0;
	SKM_CLEANUP(skm_fd_close)
	int authorized = openat(hub, "authorized", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	int r = authorized < 0 ? -errno : skm_fd_write_all(authorized, "1", 1);
	if (r < 0)
		return r;
	SKM_CLEANUP(skm_fd_close) int probe = open_below(sys_root, "bus/usb/drivers_probe", O_WRONLY);
	return probe < 0 ? probe : skm_fd_write_all(probe, name, strlen(name));
}

int skm_controller_close(const char *sys_root, const char *name, struct skm_controller *ret_before)
{
	char path[sizeof(devices_folder) + 32];
	if (!is_controller_name(name) || strlen(name) >= sizeof(ret_before->name))
		return -EINVAL;
	(void)snprintf(path, sizeof(path), "%s/%s", devices_folder, name);
	SKM_CLEANUP(skm_fd_close) int hub = open_below(sys_root, path, O_PATH | O_DIRECTORY);
	if (hub < 0)
		return hub == -ENOENT ? -ENODEV : hub;
	struct skm_controller before;
	read_controller(hub, name, &before);
	int device = close_value(hub, "authorized_default", before.authorized_default);
	int interface = close_value(hub, "interface_authorized_default", before.interface_authorized_default);
	if (ret_before)
		*ret_before = before;
	if (device < 0 || interface < 0)
		return device < 0 ? device : interface;
	return open_root_hub(sys_root, name);
}

/* New controllers first: one that appears while we walk over the present ones must already be born closed. */
int skm_gate_close(const char *sys_root, struct skm_gate_state *ret_before)
{
	struct skm_gate_state before = {0};
	int r = skm_gate_read(sys_root, &before);
	if (r < 0)
		return r;
	int result = before.has_more ? -E2BIG : 0;
	if (before.has_module_parameter) {
		SKM_CLEANUP(skm_fd_close) int root = open(sys_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
		r = root < 0 ? -errno : close_value(root, module_parameter, before.module_default);
		if (r < 0)
			result = r;
	}
	struct skm_gate_state now = {0};
	r = skm_gate_read(sys_root, &now);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < now.controller_count; i++) {
		r = skm_controller_close(sys_root, now.controllers[i].name, NULL);
		if (r < 0 && r != -ENODEV)
			result = r;
	}
	if (ret_before)
		*ret_before = before;
	return result;
}
