// SPDX-License-Identifier: Apache-2.0
/* Apart from the control socket, where somebody without a role never holds a place: here everybody may, so a
 * crowd that fills this socket keeps no administrator out of the other one, and this one has no question that
 * could be answered by mistake. Who is told what is the kernel's word on the peer against the uid in the
 * record; a message has no place in which to name somebody else.
 *
 * Rejected: a group for everybody who may be told (nobody would keep it), and a file of notices in each
 * person's runtime folder (root writing where the person could have put a link). */
#include "session_server.h"

#include <string.h>

#include "sekimori/packet_server.h"

struct skm_session_server {
	struct skm_packet_server *packets;
	char *path; /* NULL until the socket file is ours to remove */
};

static int encode_empty(enum skm_control_result result, uint8_t *packet)
{
	const struct skm_control_header header = {.version = SKM_CONTROL_VERSION, .code = (uint8_t)result};
	return skm_control_header_encode(&header, packet, SKM_CONTROL_HEADER_BYTES);
}

static int answer(struct skm_packet_connection *connection, enum skm_control_result result)
{
	uint8_t packet[SKM_CONTROL_HEADER_BYTES];
	int r = encode_empty(result, packet);
	return r < 0 ? r : skm_packet_send(connection, packet, sizeof(packet));
}

static int on_request(void *user, struct skm_packet_connection *connection, const uint8_t *packet, size_t len)
{
	(void)user;
	struct skm_control_header header;
	int r = skm_control_header_decode(packet, len, &header);
	if (r < 0)
		return r;
	if (header.version != SKM_CONTROL_VERSION || header.code != SKM_CONTROL_SUBSCRIBE ||
		header.body_bytes != 0)
		return answer(connection, SKM_CONTROL_BAD_REQUEST);
	r = answer(connection, SKM_CONTROL_OK);
	return r < 0 ? r : SKM_PACKET_STAY;
}

static int open_socket(struct skm_session_server *server, struct skm_loop *loop, const char *path)
{
	const struct skm_packet_options options = {
		.patience_ms = SKM_SESSION_PATIENCE_MS,
		.per_user_max = SKM_SESSION_PER_USER,
		.total_max = SKM_SESSION_PLACES_MAX,
	};
	struct skm_packet_handler handler = {.on_request = on_request, .user = server};
	_Static_assert(sizeof(handler.busy.data) == SKM_CONTROL_HEADER_BYTES, "an answer without a body");
	handler.busy.len = SKM_CONTROL_HEADER_BYTES;
	int r = encode_empty(SKM_CONTROL_BUSY, handler.busy.data);
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

int skm_session_server_new(struct skm_loop *loop, const char *path, struct skm_session_server **ret_server)
{
	struct skm_session_server *server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	int r = open_socket(server, loop, path);
	if (r < 0) {
		(void)skm_session_server_free(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

void skm_session_server_tell(struct skm_session_server *server, uid_t uid, const struct skm_refusal *refusal)
{
	uint8_t packet[SKM_CONTROL_HEADER_BYTES + sizeof(struct skm_refusal) + 16];
	size_t len = 0;
	if (skm_packet_server_connections(server->packets) == 0)
		return;
	int r = skm_refusal_encode(
		refusal, packet + SKM_CONTROL_HEADER_BYTES, sizeof(packet) - SKM_CONTROL_HEADER_BYTES, &len);
	const struct skm_control_header header = {
		.version = SKM_CONTROL_VERSION, .code = SKM_CONTROL_MORE, .body_bytes = (uint32_t)len};
	if (r == 0)
		r = skm_control_header_encode(&header, packet, SKM_CONTROL_HEADER_BYTES);
	/* Only a value that our own hand made wrong cannot be encoded; the record has it all the same. */
	if (r == 0)
		skm_packet_server_tell(server->packets, uid, packet, SKM_CONTROL_HEADER_BYTES + len);
}

struct skm_session_server *skm_session_server_free(struct skm_session_server *server)
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
