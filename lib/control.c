// SPDX-License-Identifier: Apache-2.0
/* The control protocol's encoders and decoders: pure, no allocation.
 *
 * Every number has an explicit width and is little-endian; a string is its length (16 bits) and its bytes;
 * nothing is padded and no struct is copied whole, so that the two programs need not be of one build and no
 * uninitialised byte ever leaves the agent. Both sides are cursors that remember the first failure, so that
 * the lists of members below read as the format. Rejected: JSON here as well (a parser in the root daemon),
 * and protobuf or D-Bus (a library for two questions). */
#include "sekimori/control.h"

#include <string.h>

#include "sekimori/config.h"

struct writer {
	uint8_t *buf;
	size_t size, len;
	int error; /* the first one: -ENOBUFS, -EINVAL; 0 = none */
};

struct reader {
	const uint8_t *buf;
	size_t size, pos;
	bool is_bad;
};

static void put_bytes(struct writer *writer, const void *bytes, size_t len)
{
	if (!writer->error && writer->size - writer->len < len)
		writer->error = -ENOBUFS;
	if (writer->error || !len)
		return;
	memcpy(writer->buf + writer->len, bytes, len);
	writer->len += len;
}

static void put_number(struct writer *writer, uint64_t value, size_t width)
{
	uint8_t bytes[8];
	for (size_t i = 0; i < width; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	put_bytes(writer, bytes, width);
}

static void put_u8(struct writer *writer, uint8_t value)
{
	put_number(writer, value, 1);
}

static void put_bool(struct writer *writer, bool value)
{
	put_u8(writer, value ? 1 : 0);
}

static void put_u16(struct writer *writer, uint16_t value)
{
	put_number(writer, value, 2);
}

static void put_u32(struct writer *writer, uint32_t value)
{
	put_number(writer, value, 4);
}

static void put_i32(struct writer *writer, int32_t value)
{
	put_number(writer, (uint32_t)value, 4);
}

static void put_u64(struct writer *writer, uint64_t value)
{
	put_number(writer, value, 8);
}

/* An enumeration's value; what is out of its bounds is our own mistake and not sent. */
static void put_enum(struct writer *writer, unsigned value, unsigned count)
{
	if (value >= count && !writer->error)
		writer->error = -EINVAL;
	put_u8(writer, (uint8_t)value);
}

/* `size` is the member's, so that a missing NUL is found and not run past. */
static void put_string(struct writer *writer, const char *text, size_t size)
{
	size_t len = strnlen(text, size);
	if (len == size && !writer->error)
		writer->error = -EINVAL;
	put_u16(writer, (uint16_t)len);
	put_bytes(writer, text, len);
}

static void get_bytes(struct reader *reader, void *ret_bytes, size_t len)
{
	if (reader->size - reader->pos < len)
		reader->is_bad = true;
	if (reader->is_bad || !len)
		return;
	memcpy(ret_bytes, reader->buf + reader->pos, len);
	reader->pos += len;
}

static uint64_t get_number(struct reader *reader, size_t width)
{
	uint8_t bytes[8] = {0};
	get_bytes(reader, bytes, width);
	uint64_t value = 0;
	for (size_t i = 0; i < width; i++)
		value |= (uint64_t)bytes[i] << (8 * i);
	return value;
}

static uint8_t get_u8(struct reader *reader)
{
	return (uint8_t)get_number(reader, 1);
}

static uint16_t get_u16(struct reader *reader)
{
	return (uint16_t)get_number(reader, 2);
}

static uint32_t get_u32(struct reader *reader)
{
	return (uint32_t)get_number(reader, 4);
}

static int32_t get_i32(struct reader *reader)
{
	return (int32_t)get_u32(reader);
}

static uint64_t get_u64(struct reader *reader)
{
	return get_number(reader, 8);
}

/* A number below `count`; anything else is an error and reads as 0, so that nobody indexes with it meanwhile.
 */
static unsigned get_enum(struct reader *reader, unsigned count)
{
	unsigned value = get_u8(reader);
	if (value < count)
		return value;
	reader->is_bad = true;
	return 0;
}

static bool get_bool(struct reader *reader)
{
	return get_enum(reader, 2) == 1;
}

static uint32_t get_count(struct reader *reader, uint32_t max)
{
	uint32_t count = get_u32(reader);
	if (count <= max)
		return count;
	reader->is_bad = true;
	return 0;
}

static void get_string(struct reader *reader, char *ret_text, size_t size)
{
	size_t len = get_u16(reader);
	if (len >= size || len > reader->size - reader->pos || memchr(reader->buf + reader->pos, '\0', len))
		reader->is_bad = true;
	if (reader->is_bad)
		return;
	get_bytes(reader, ret_text, len);
	ret_text[len] = '\0';
}

static int writer_finish(const struct writer *writer, size_t *ret_len)
{
	if (writer->error)
		return writer->error;
	*ret_len = writer->len;
	return 0;
}

/* What is left over is as bad as what is missing. */
static int reader_finish(const struct reader *reader)
{
	return reader->is_bad || reader->pos != reader->size ? -EBADMSG : 0;
}

int skm_control_header_encode(const struct skm_control_header *header, uint8_t *buf, size_t size)
{
	struct writer writer = {.buf = buf, .size = size};
	put_u8(&writer, header->version);
	put_u8(&writer, header->code);
	put_u16(&writer, 0);
	put_u32(&writer, header->body_bytes);
	return writer.error;
}

int skm_control_header_decode(const uint8_t *buf, size_t len, struct skm_control_header *ret_header)
{
	struct reader reader = {.buf = buf, .size = len};
	struct skm_control_header header;
	header.version = get_u8(&reader);
	header.code = get_u8(&reader);
	uint16_t reserved = get_u16(&reader);
	header.body_bytes = get_u32(&reader);
	if (reader.is_bad || reserved != 0)
		return -EBADMSG;
	if (len > SKM_CONTROL_MESSAGE_MAX || header.body_bytes != len - SKM_CONTROL_HEADER_BYTES)
		return -EBADMSG;
	*ret_header = header;
	return 0;
}

static void put_gate(struct writer *writer, const struct skm_gate_state *gate)
{
	put_bool(writer, gate->has_module_parameter);
	put_i32(writer, gate->module_default);
	put_bool(writer, gate->has_more);
	if (gate->controller_count > SKM_CONTROLLERS_MAX) {
		writer->error = -EINVAL;
		return;
	}
	put_u32(writer, gate->controller_count);
	for (unsigned i = 0; i < gate->controller_count; i++) {
		const struct skm_controller *controller = &gate->controllers[i];
		put_string(writer, controller->name, sizeof(controller->name));
		put_i32(writer, controller->authorized_default);
		put_i32(writer, controller->interface_authorized_default);
	}
}

static void get_gate(struct reader *reader, struct skm_gate_state *gate)
{
	gate->has_module_parameter = get_bool(reader);
	gate->module_default = get_i32(reader);
	gate->has_more = get_bool(reader);
	gate->controller_count = get_count(reader, SKM_CONTROLLERS_MAX);
	for (unsigned i = 0; i < gate->controller_count; i++) {
		struct skm_controller *controller = &gate->controllers[i];
		get_string(reader, controller->name, sizeof(controller->name));
		controller->authorized_default = get_i32(reader);
		controller->interface_authorized_default = get_i32(reader);
	}
}

static uint32_t named_disks(uint32_t count)
{
	return count < SKM_SYSTEM_DISKS_NAMED_MAX ? count : SKM_SYSTEM_DISKS_NAMED_MAX;
}

int skm_status_encode(const struct skm_status *status, uint8_t *buf, size_t size, size_t *ret_len)
{
	struct writer writer = {.buf = buf, .size = size};
	put_string(&writer, status->version, sizeof(status->version));
	put_i32(&writer, status->pid);
	put_u64(&writer, status->started_realtime_usec);
	put_bool(&writer, status->gate_is_closed);
	put_gate(&writer, &status->gate);
	put_enum(&writer, status->mode, SKM_MODE_COUNT_);
	put_u64(&writer, (uint64_t)status->audit_until_sec);
	put_string(&writer, status->policy_version, sizeof(status->policy_version));
	put_u64(&writer, status->rule_count);
	put_bool(&writer, status->config_is_broken);
	put_string(&writer, status->config_error, sizeof(status->config_error));
	put_bool(&writer, status->log_is_failing);
	put_string(&writer, status->log_error, sizeof(status->log_error));
	put_u64(&writer, status->log_pending);
	put_u64(&writer, status->log_lost);
	put_u64(&writer, status->log_sequence);
	put_u32(&writer, status->device_count);
	put_u32(&writer, status->refused_count);
	put_u32(&writer, status->partial_count);
	put_u32(&writer, status->hung_count);
	put_u64(&writer, status->overflow_count);
	put_u64(&writer, status->last_reconcile_realtime_usec);
	put_u32(&writer, status->system_disk_count);
	for (uint32_t i = 0; i < named_disks(status->system_disk_count); i++)
		put_string(&writer, status->system_disks[i], sizeof(status->system_disks[i]));
	return writer_finish(&writer, ret_len);
}

int skm_status_decode(const uint8_t *buf, size_t len, struct skm_status *ret_status)
{
	struct reader reader = {.buf = buf, .size = len};
	struct skm_status status = {0};
	get_string(&reader, status.version, sizeof(status.version));
	status.pid = get_i32(&reader);
	status.started_realtime_usec = get_u64(&reader);
	status.gate_is_closed = get_bool(&reader);
	get_gate(&reader, &status.gate);
	status.mode = (uint8_t)get_enum(&reader, SKM_MODE_COUNT_);
	status.audit_until_sec = (int64_t)get_u64(&reader);
	get_string(&reader, status.policy_version, sizeof(status.policy_version));
	status.rule_count = get_u64(&reader);
	status.config_is_broken = get_bool(&reader);
	get_string(&reader, status.config_error, sizeof(status.config_error));
	status.log_is_failing = get_bool(&reader);
	get_string(&reader, status.log_error, sizeof(status.log_error));
	status.log_pending = get_u64(&reader);
	status.log_lost = get_u64(&reader);
	status.log_sequence = get_u64(&reader);
	status.device_count = get_u32(&reader);
	status.refused_count = get_u32(&reader);
	status.partial_count = get_u32(&reader);
	status.hung_count = get_u32(&reader);
	status.overflow_count = get_u64(&reader);
	status.last_reconcile_realtime_usec = get_u64(&reader);
	status.system_disk_count = get_u32(&reader);
	for (uint32_t i = 0; i < named_disks(status.system_disk_count); i++)
		get_string(&reader, status.system_disks[i], sizeof(status.system_disks[i]));
	int r = reader_finish(&reader);
	if (r == 0)
		*ret_status = status;
	return r;
}

static void put_device(struct writer *writer, const struct skm_device *device)
{
	put_string(writer, device->port, sizeof(device->port));
	put_u16(writer, device->bus_number);
	put_u16(writer, device->device_number);
	put_u16(writer, device->vendor_id);
	put_u16(writer, device->product_id);
	put_u16(writer, device->release);
	put_u8(writer, device->device_class);
	put_enum(writer, device->connect_type, SKM_CONNECT_TYPE_COUNT_);
	put_enum(writer, device->descriptor_state, SKM_DESCRIPTOR_STATE_COUNT_);
	put_string(writer, device->manufacturer, sizeof(device->manufacturer));
	put_string(writer, device->product, sizeof(device->product));
	put_string(writer, device->serial, sizeof(device->serial));
	put_bytes(writer, device->descriptor_hash, sizeof(device->descriptor_hash));
}

static void get_device(struct reader *reader, struct skm_device *device)
{
	get_string(reader, device->port, sizeof(device->port));
	device->bus_number = get_u16(reader);
	device->device_number = get_u16(reader);
	device->vendor_id = get_u16(reader);
	device->product_id = get_u16(reader);
	device->release = get_u16(reader);
	device->device_class = get_u8(reader);
	device->connect_type = (enum skm_connect_type)get_enum(reader, SKM_CONNECT_TYPE_COUNT_);
	device->descriptor_state = (enum skm_descriptor_state)get_enum(reader, SKM_DESCRIPTOR_STATE_COUNT_);
	get_string(reader, device->manufacturer, sizeof(device->manufacturer));
	get_string(reader, device->product, sizeof(device->product));
	get_string(reader, device->serial, sizeof(device->serial));
	get_bytes(reader, device->descriptor_hash, sizeof(device->descriptor_hash));
}

/* An interface and what was decided about it travel together, so that the two lists cannot differ in length.
 */
static void put_interfaces(struct writer *writer, const struct skm_device_report *report)
{
	if (report->device.interface_count > SKM_USB_INTERFACES_MAX) {
		writer->error = -EINVAL;
		return;
	}
	put_u32(writer, report->device.interface_count);
	for (unsigned i = 0; i < report->device.interface_count; i++) {
		const struct skm_usb_interface *interface = &report->device.interfaces[i];
		put_u8(writer, interface->configuration);
		put_u8(writer, interface->number);
		put_u8(writer, interface->class_code);
		put_u8(writer, interface->subclass);
		put_u8(writer, interface->protocol);
		put_bool(writer, report->decision.interface_allowed[i]);
	}
}

static void get_interfaces(struct reader *reader, struct skm_device_report *report)
{
	report->device.interface_count = (uint16_t)get_count(reader, SKM_USB_INTERFACES_MAX);
	for (unsigned i = 0; i < report->device.interface_count; i++) {
		struct skm_usb_interface *interface = &report->device.interfaces[i];
		interface->configuration = get_u8(reader);
		interface->number = get_u8(reader);
		interface->class_code = get_u8(reader);
		interface->subclass = get_u8(reader);
		interface->protocol = get_u8(reader);
		report->decision.interface_allowed[i] = get_bool(reader);
	}
}

int skm_device_report_encode(
	const struct skm_device_report *report, uint8_t *buf, size_t size, size_t *ret_len)
{
	struct writer writer = {.buf = buf, .size = size};
	const struct skm_decision *decision = &report->decision;
	put_device(&writer, &report->device);
	put_interfaces(&writer, report);
	put_enum(&writer, decision->verdict, SKM_VERDICT_COUNT_);
	put_string(&writer, decision->rule, sizeof(decision->rule));
	put_string(&writer, decision->reason, sizeof(decision->reason));
	put_string(&writer, decision->allow_rule, sizeof(decision->allow_rule));
	put_enum(&writer, decision->kind, SKM_KIND_COUNT_);
	put_enum(&writer, report->state, SKM_DEVICE_STATE_COUNT_);
	put_bool(&writer, report->is_system_disk);
	put_bool(&writer, report->is_observed);
	return writer_finish(&writer, ret_len);
}

int skm_device_report_decode(const uint8_t *buf, size_t len, struct skm_device_report *ret_report)
{
	struct reader reader = {.buf = buf, .size = len};
	struct skm_device_report report = {0};
	struct skm_decision *decision = &report.decision;
	get_device(&reader, &report.device);
	get_interfaces(&reader, &report);
	decision->verdict = (enum skm_verdict)get_enum(&reader, SKM_VERDICT_COUNT_);
	get_string(&reader, decision->rule, sizeof(decision->rule));
	get_string(&reader, decision->reason, sizeof(decision->reason));
	get_string(&reader, decision->allow_rule, sizeof(decision->allow_rule));
	decision->kind = (enum skm_device_kind)get_enum(&reader, SKM_KIND_COUNT_);
	report.state = (uint8_t)get_enum(&reader, SKM_DEVICE_STATE_COUNT_);
	report.is_system_disk = get_bool(&reader);
	report.is_observed = get_bool(&reader);
	int r = reader_finish(&reader);
	if (r == 0)
		*ret_report = report;
	return r;
}

int skm_forward_notice_encode(
	const struct skm_forward_notice *notice, uint8_t *buf, size_t size, size_t *ret_len)
{
	struct writer writer = {.buf = buf, .size = size};
	put_enum(&writer, notice->kind, SKM_FORWARD_NOTICE_COUNT_);
	put_bool(&writer, notice->stream != 0);
	put_u32(&writer, notice->days);
	put_u64(&writer, notice->count);
	put_u64(&writer, (uint64_t)notice->until_sec);
	return writer_finish(&writer, ret_len);
}

int skm_forward_notice_decode(const uint8_t *buf, size_t len, struct skm_forward_notice *ret_notice)
{
	struct reader reader = {.buf = buf, .size = len};
	struct skm_forward_notice notice = {0};
	notice.kind = (uint8_t)get_enum(&reader, SKM_FORWARD_NOTICE_COUNT_);
	notice.stream = get_bool(&reader) ? 1 : 0;
	notice.days = get_u32(&reader);
	notice.count = get_u64(&reader);
	notice.until_sec = (int64_t)get_u64(&reader);
	int r = reader_finish(&reader);
	if (r == 0)
		*ret_notice = notice;
	return r;
}

int skm_refusal_encode(const struct skm_refusal *refusal, uint8_t *buf, size_t size, size_t *ret_len)
{
	struct writer writer = {.buf = buf, .size = size};
	if (refusal->receipt == 0)
		return -EINVAL;
	put_u64(&writer, refusal->receipt);
	put_bool(&writer, refusal->is_partial);
	put_enum(&writer, refusal->kind, SKM_KIND_COUNT_);
	put_u16(&writer, refusal->vendor_id);
	put_u16(&writer, refusal->product_id);
	put_string(&writer, refusal->product, sizeof(refusal->product));
	put_string(&writer, refusal->reason, sizeof(refusal->reason));
	return writer_finish(&writer, ret_len);
}

int skm_refusal_decode(const uint8_t *buf, size_t len, struct skm_refusal *ret_refusal)
{
	struct reader reader = {.buf = buf, .size = len};
	struct skm_refusal refusal = {0};
	refusal.receipt = get_u64(&reader);
	refusal.is_partial = get_bool(&reader);
	refusal.kind = (uint8_t)get_enum(&reader, SKM_KIND_COUNT_);
	refusal.vendor_id = get_u16(&reader);
	refusal.product_id = get_u16(&reader);
	get_string(&reader, refusal.product, sizeof(refusal.product));
	get_string(&reader, refusal.reason, sizeof(refusal.reason));
	int r = refusal.receipt == 0 ? -EBADMSG : reader_finish(&reader);
	if (r == 0)
		*ret_refusal = refusal;
	return r;
}

const char *skm_device_state_to_string(enum skm_device_state state)
{
	static const char *const words[SKM_DEVICE_STATE_COUNT_] = {
		[SKM_DEVICE_STATE_NEW] = "new",
		[SKM_DEVICE_STATE_SETTLED] = "settled",
		[SKM_DEVICE_STATE_HUNG] = "hung",
		[SKM_DEVICE_STATE_FAILED] = "failed",
	};
	return (unsigned)state < SKM_DEVICE_STATE_COUNT_ ? words[state] : "unknown";
}
