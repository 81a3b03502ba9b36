// SPDX-License-Identifier: Apache-2.0
/* What is asked and answered on the control socket; who may, how many, and for how long, is the packet
 * server's. A list is sent as the socket drains: only the name of the last device sent is kept per caller,
 * and one packet when he is slow, so he costs little and never sees half of a device. */
#include "control_server.h"

#include <string.h>

#include "sekimori/decision.h"

struct question {
	uint8_t operation;		/* enum skm_control_operation */
	char after[SKM_USB_PORT_BYTES]; /* SKM_CONTROL_DEVICES: the last one that was sent */
};

struct skm_control_server {
	struct skm_control_source asked;
	struct skm_packet_server *packets;
	unsigned forward_role; /* its bit; 0 = not among the groups */
	char *path;	       /* NULL until the socket file is ours to remove */
};

void skm_control_server_refresh_roles(struct skm_control_server *server)
{
	skm_packet_server_refresh_roles(server->packets);
}

static int encode_answer(enum skm_control_result result, uint8_t *packet, size_t body_len)
{
	struct skm_control_header header = {
		.version = SKM_CONTROL_VERSION, .code = (uint8_t)result, .body_bytes = (uint32_t)body_len};
	return skm_control_header_encode(&header, packet, SKM_CONTROL_HEADER_BYTES);
}

/* The body stands in the packet already, behind the place of the header. */
static int send_answer(struct skm_packet_connection *connection, enum skm_control_result result,
	uint8_t *packet, size_t body_len)
{
	int r = encode_answer(result, packet, body_len);
	return r < 0 ? r : skm_packet_send(connection, packet, SKM_CONTROL_HEADER_BYTES + body_len);
}

static int send_empty(struct skm_packet_connection *connection, enum skm_control_result result)
{
	uint8_t packet[SKM_CONTROL_HEADER_BYTES];
	return send_answer(connection, result, packet, 0);
}

static int send_status(const struct skm_control_server *server, struct skm_packet_connection *connection)
{
	uint8_t packet[SKM_CONTROL_MESSAGE_MAX];
	struct skm_status status = {0};
	server->asked.status(server->asked.user, &status);
	size_t len = 0;
	int r = skm_status_encode(
		&status, packet + SKM_CONTROL_HEADER_BYTES, sizeof(packet) - SKM_CONTROL_HEADER_BYTES, &len);
	return r < 0 ? r : send_answer(connection, SKM_CONTROL_OK, packet, len);
}

/* One step of the list. */
static int on_room(void *user, struct skm_packet_connection *connection)
{
	const struct skm_control_server *server = user;
	struct question *question = skm_packet_data_of(connection);
	uint8_t packet[SKM_CONTROL_MESSAGE_MAX];
	struct skm_device_report report = {0};
	if (server->asked.next_device(server->asked.user, question->after, &report) == 0) {
		int r = send_empty(connection, SKM_CONTROL_END);
		return r < 0 ? r : SKM_PACKET_DONE;
	}
	size_t len = 0;
	int r = skm_device_report_encode(
		&report, packet + SKM_CONTROL_HEADER_BYTES, sizeof(packet) - SKM_CONTROL_HEADER_BYTES, &len);
	if (r == 0)
		r = send_answer(connection, SKM_CONTROL_MORE, packet, len);
	if (r < 0)
		return r;
	memcpy(question->after, report.device.port, sizeof(question->after));
	return SKM_PACKET_MORE;
}

static bool may_read(const struct skm_control_server *server, const struct skm_packet_caller *caller)
{
	return caller->uid == 0 || (caller->roles & ~server->forward_role) != 0;
}

static int take_notice(const struct skm_control_server *server, struct skm_packet_connection *connection,
	const uint8_t *body, size_t len)
{
	const struct skm_packet_caller *caller = skm_packet_caller_of(connection);
	struct skm_forward_notice notice;
	if (caller->uid != 0 && (caller->roles & server->forward_role) == 0)
		return send_empty(connection, SKM_CONTROL_DENIED);
	if (!server->asked.notice || skm_forward_notice_decode(body, len, &notice) < 0)
		return send_empty(connection, SKM_CONTROL_BAD_REQUEST);
	int r = server->asked.notice(server->asked.user, caller, &notice);
	return send_empty(connection, r < 0 ? SKM_CONTROL_BUSY : SKM_CONTROL_OK);
}

static int on_request(void *user, struct skm_packet_connection *connection, const uint8_t *packet, size_t len)
{
	struct question *question = skm_packet_data_of(connection);
	struct skm_control_header header;
	int r = skm_control_header_decode(packet, len, &header);
	if (r < 0)
		return r;
	if (header.version == SKM_CONTROL_VERSION && header.code == SKM_CONTROL_NOTICE)
		return take_notice(user, connection, packet + SKM_CONTROL_HEADER_BYTES, header.body_bytes);
	if (header.version != SKM_CONTROL_VERSION || header.body_bytes != 0 ||
		(header.code != SKM_CONTROL_STATUS && header.code != SKM_CONTROL_DEVICES))
		return send_empty(connection, SKM_CONTROL_BAD_REQUEST);
	if (!may_read(user, skm_packet_caller_of(connection)))
		return send_empty(connection, SKM_CONTROL_DENIED);
	question->operation = header.code;
	return question->operation == SKM_CONTROL_DEVICES ? SKM_PACKET_MORE : send_status(user, connection);
}

static bool admit(void *user, const struct skm_packet_caller *caller)
{
	(void)user;
	return caller->uid == 0 || caller->roles != 0;
}

static int open_socket(struct skm_control_server *server, struct skm_loop *loop, const char *path,
	const char *const *role_groups, size_t role_group_count)
{
	const struct skm_packet_options options = {
		.patience_ms = SKM_CONTROL_PATIENCE_MS,
		.per_user_max = SKM_CONTROL_CONNECTIONS_PER_UID,
		.total_max = SKM_CONTROL_CONNECTIONS_MAX,
		.data_bytes = sizeof(struct question),
		.role_groups = role_groups,
		.role_group_count = role_group_count,
	};
	struct skm_packet_handler handler = {
		.admit = admit, .on_request = on_request, .on_room = on_room, .user = server};
	_Static_assert(sizeof(handler.denied.data) == SKM_CONTROL_HEADER_BYTES, "an answer without a body");
	handler.denied.len = handler.busy.len = SKM_CONTROL_HEADER_BYTES;
	int r = encode_answer(SKM_CONTROL_DENIED, handler.denied.data, 0);
	if (r == 0)
		r = encode_answer(SKM_CONTROL_BUSY, handler.busy.data, 0);
	if (r < 0)
		return r;
	SKM_CLEANUP(skm_fd_close) int fd = -1;
	r = skm_packet_listen(path, &fd);
	if (r < 0)
		return r;
	server->path = strdup(path);
	if (!server->path) {
		(void)unlink(path);
		return -ENOMEM;
	}
	return skm_packet_server_new(loop, &fd, &options, &handler, &server->packets);
}

int skm_control_server_new(struct skm_loop *loop, const char *path, const struct skm_control_source *source,
	const char *const *role_groups, size_t role_group_count, struct skm_control_server **ret_server)
{
	struct skm_control_server *server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	server->asked = *source;
	for (size_t i = 0; i < role_group_count && i < SKM_PACKET_ROLES_MAX; i++)
		if (strcmp(role_groups[i], SKM_CONTROL_FORWARD_GROUP) == 0)
			server->forward_role |= 1u << i;
	int r = open_socket(server, loop, path, role_groups, role_group_count);
	if (r < 0) {
		(void)skm_control_server_free(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

struct skm_control_server *skm_control_server_free(struct skm_control_server *server)
{
	if (!server)
		return NULL;
	server->packets = skm_packet_server_free(server->packets);
	if (server->path)
		(void)unlink(server->path);
	free(server->path);
	free(server);
	return NULL;
}
