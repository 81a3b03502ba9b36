// SPDX-License-Identifier: Apache-2.0
/* Bytes that grow. */
#ifndef SEKIMORI_STORE_BYTE_BUFFER_H
#define SEKIMORI_STORE_BYTE_BUFFER_H

#include <stdint.h>
#include <string.h>

#include "sekimori/result.h"

struct skm_bytes {
	char *data;
	size_t len, size;
};

/* Room for `more` bytes behind len. 0 or -ENOMEM. */
SKM_NODISCARD static inline int skm_bytes_reserve(struct skm_bytes *text, size_t more)
{
	size_t size = text->size ? text->size : 65536;
	if (text->size - text->len >= more)
		return 0;
	while (size - text->len < more) {
		if (size > SIZE_MAX / 2)
			return -ENOMEM;
		size *= 2;
	}
	char *data = realloc(text->data, size);
	if (!data)
		return -ENOMEM;
	text->data = data;
	text->size = size;
	return 0;
}

SKM_NODISCARD static inline int skm_bytes_add(struct skm_bytes *text, const char *data, size_t len)
{
	int r = skm_bytes_reserve(text, len);
	if (r < 0)
		return r;
	memcpy(text->data + text->len, data, len);
	text->len += len;
	return 0;
}

static inline void skm_bytes_free(struct skm_bytes *text)
{
	free(text->data);
	*text = (struct skm_bytes){.data = NULL};
}

#endif
