// SPDX-License-Identifier: Apache-2.0
/* machine-id(5) says that the number is confidential and that programs show a keyed hash of it instead:
 * HMAC-SHA256 with the number as the key, over a fixed number of the program's, cut to 128 bits, as
 * sd_id128_get_machine_app_specific(3) does. */
#include <fcntl.h>
#include <string.h>

#include "hmac.h"
#include "sekimori/chain.h"
#include "sekimori/io.h"
#include "service.h"

/* Made once with `systemd-id128 new`. Another value would make every record one of another machine. */
static const uint8_t program_id[16] = {
	0x22, 0xa8, 0xc0, 0x57, 0x54, 0x34, 0x4c, 0x19, 0xb2, 0xee, 0x66, 0x4c, 0x08, 0xe7, 0xb6, 0x9a};

int skm_machine_id_read(const char *path, uint8_t ret_machine[SKM_MACHINE_ID_BYTES])
{
	char text[64];
	size_t len = 0;
	int r = skm_file_read_at(AT_FDCWD, path, text, sizeof(text), &len);
	if (r < 0)
		return r == -EFBIG ? -EBADMSG : r;
	uint8_t key[16];
	uint8_t mac[SKM_HMAC_BYTES_MAX];
	if (len != 2 * sizeof(key) && !(len == 2 * sizeof(key) + 1 && text[len - 1] == '\n'))
		return -EBADMSG; /* "uninitialized" among others */
	if (skm_hex_parse(text, sizeof(key), key) < 0)
		return -EBADMSG;
	bool is_zero = true;
	for (size_t i = 0; i < sizeof(key); i++)
		is_zero = is_zero && key[i] == 0;
	if (is_zero)
		return -EBADMSG;
	struct skm_hmac_key ready;
	skm_hmac_key_set(&ready, SKM_OTP_SHA256, key, sizeof(key));
	(void)skm_hmac(&ready, program_id, sizeof(program_id), mac);
	skm_hmac_key_clear(&ready);
	memcpy(ret_machine, mac, SKM_MACHINE_ID_BYTES);
	return 0;
}
