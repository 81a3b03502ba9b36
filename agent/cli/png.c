// SPDX-License-Identifier: Apache-2.0
/* The smallest PNG that every reader takes: one bit a pixel, no filter, stored and not compressed. libpng was
 * rejected: it would be a library, with zlib behind it, linked into a command that root runs, for a picture
 * of some 20 KiB that is looked at once and removed. */
#include "png.h"

#include <stdbool.h>
#include <string.h>

#define SIDE_MAX 177u
#define MARGIN_MAX 16u
#define SCALE_MAX 16u
#define STORED_MAX 65535u /* RFC 1951, 3.2.4 */
#define CHUNK_OVERHEAD 12u
#define HEADER_BYTES 13u

struct output {
	uint8_t *buf; /* large enough: its size was counted before */
	size_t len;
};

static void put(struct output *output, const void *data, size_t len)
{
	memcpy(output->buf + output->len, data, len);
	output->len += len;
}

static void put_u8(struct output *output, uint8_t value)
{
	output->buf[output->len++] = value;
}

static void put_u32(struct output *output, uint32_t value)
{
	const uint8_t bytes[] = {
		(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
	put(output, bytes, sizeof(bytes));
}

/* ISO/IEC 15948, annex D; bit by bit, since 20 KiB once need no table. */
static uint32_t crc32(const uint8_t *data, size_t len)
{
	uint32_t crc = UINT32_MAX;
	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc & 1 ? (crc >> 1) ^ UINT32_C(0xedb88320) : crc >> 1;
	}
	return ~crc;
}

/* RFC 1950, 8.2 */
static uint32_t adler32(const uint8_t *data, size_t len)
{
	uint32_t a = 1;
	uint32_t b = 0;
	for (size_t i = 0; i < len; i++) {
		a = (a + data[i]) % 65521;
		b = (b + a) % 65521;
	}
	return b << 16 | a;
}

/* Returns where the chunk's type begins, for end_chunk. */
static size_t begin_chunk(struct output *output, const char type[4], size_t len)
{
	put_u32(output, (uint32_t)len);
	put(output, type, 4);
	return output->len - 4;
}

static void end_chunk(struct output *output, size_t start)
{
	put_u32(output, crc32(output->buf + start, output->len - start));
}

/* Each row begins with its filter (0); a light pixel is 1. */
static void draw(const struct skm_png_square *square, uint8_t *pixels, size_t row_bytes)
{
	unsigned width = (square->side + 2 * square->margin) * square->scale;
	for (unsigned y = 0; y < width; y++) {
		uint8_t *row = pixels + y * row_bytes;
		unsigned module_y = y / square->scale;
		for (unsigned x = 0; x < width; x++) {
			unsigned module_x = x / square->scale;
			bool is_inside = module_x >= square->margin && module_y >= square->margin &&
					 module_x < square->margin + square->side &&
					 module_y < square->margin + square->side;
			bool is_dark = is_inside &&
				       square->is_dark[(size_t)(module_y - square->margin) * square->side +
						       (module_x - square->margin)];
			if (!is_dark)
				row[1 + x / 8] |= (uint8_t)(0x80U >> x % 8);
		}
	}
}

static size_t block_count(size_t len)
{
	return (len + STORED_MAX - 1) / STORED_MAX;
}

/* A zlib stream (RFC 1950) of stored blocks. */
static void put_zlib(struct output *output, const uint8_t *data, size_t len)
{
	put_u8(output, 0x78);
	put_u8(output, 0x01);
	for (size_t at = 0; at < len;) {
		size_t block = len - at < STORED_MAX ? len - at : STORED_MAX;
		put_u8(output, at + block == len);
		put_u8(output, (uint8_t)block);
		put_u8(output, (uint8_t)(block >> 8));
		put_u8(output, (uint8_t)~block);
		put_u8(output, (uint8_t)(~block >> 8));
		put(output, data + at, block);
		at += block;
	}
	put_u32(output, adler32(data, len));
}

static void put_file(struct output *output, uint32_t width, const uint8_t *pixels, size_t pixels_len)
{
	static const uint8_t signature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
	static const uint8_t one_bit_grey[] = {1, 0, 0, 0, 0};
	put(output, signature, sizeof(signature));
	size_t start = begin_chunk(output, "IHDR", HEADER_BYTES);
	put_u32(output, width);
	put_u32(output, width);
	put(output, one_bit_grey, sizeof(one_bit_grey));
	end_chunk(output, start);
	start = begin_chunk(output, "IDAT", 6 + 5 * block_count(pixels_len) + pixels_len);
	put_zlib(output, pixels, pixels_len);
	end_chunk(output, start);
	start = begin_chunk(output, "IEND", 0);
	end_chunk(output, start);
}

int skm_png_encode(const struct skm_png_square *square, uint8_t **ret_png, size_t *ret_len)
{
	if (square->side == 0 || square->side > SIDE_MAX || square->margin > MARGIN_MAX ||
		square->scale == 0 || square->scale > SCALE_MAX)
		return -EINVAL;
	size_t width = (size_t)(square->side + 2 * square->margin) * square->scale;
	size_t row_bytes = 1 + (width + 7) / 8;
	size_t pixels_len = row_bytes * width;
	uint8_t *pixels = calloc(1, pixels_len);
	struct output output = {.buf = malloc(8 + 3 * CHUNK_OVERHEAD + HEADER_BYTES + 6 +
					      5 * block_count(pixels_len) + pixels_len)};
	if (!pixels || !output.buf) {
		free(pixels);
		free(output.buf);
		return -ENOMEM;
	}
	draw(square, pixels, row_bytes);
	put_file(&output, (uint32_t)width, pixels, pixels_len);
	explicit_bzero(pixels, pixels_len);
	free(pixels);
	*ret_png = output.buf;
	*ret_len = output.len;
	return 0;
}
