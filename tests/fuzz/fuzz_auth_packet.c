// SPDX-License-Identifier: Apache-2.0
/* What the parser accepts must be the one spelling of what it gave: written again from its fields, it is the
 * same bytes. */
#include <stdlib.h>
#include <string.h>

#include "sekimori/auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_back(const struct skm_auth_packet *packet, enum skm_auth_tag tag)
{
	static char text[SKM_AUTH_PACKET_MAX];
	size_t len = packet->field_len[tag];
	int r = skm_auth_packet_text(packet, tag, text, sizeof(text));
	if (r == 0 && (strlen(text) != len || memcmp(text, packet->field[tag], len) != 0))
		abort();
	if (r == 0 && skm_auth_packet_text(packet, tag, text, len) != -EMSGSIZE)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct skm_auth_packet packet;
	static struct skm_auth_writer writer;
	int r = skm_auth_packet_parse(data, size, &packet);
	if (r != 0 && r != -EPROTO && r != -EBADMSG)
		abort();
	if (r != 0)
		return 0;
	skm_auth_write_begin(&writer, packet.code);
	for (unsigned i = 0; i <= SKM_AUTH_TAG_MAX; i++) {
		enum skm_auth_tag tag = (enum skm_auth_tag)i;
		if (!packet.field[i])
			continue;
		if (packet.field[i] < data || packet.field[i] + packet.field_len[i] > data + size)
			abort();
		read_back(&packet, tag);
		if (i >= SKM_AUTH_TAG_FLAGS)
			skm_auth_write_number(&writer, tag, skm_auth_packet_number(&packet, tag, 0));
		else
			skm_auth_write_bytes(&writer, tag, packet.field[i], packet.field_len[i]);
	}
	if (skm_auth_write_end(&writer) != 0 || writer.len != size || memcmp(writer.buf, data, size) != 0)
		abort();
	return 0;
}
