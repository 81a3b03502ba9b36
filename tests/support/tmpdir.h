// SPDX-License-Identifier: Apache-2.0
/* A folder of a test's own, and files in it. Each failure is the test's failure. */
#ifndef SKM_TEST_TMPDIR_H
#define SKM_TEST_TMPDIR_H

#include "sekimori/result.h"

#define TMPDIR_BYTES 64

void tmpdir_make(char ret_root[TMPDIR_BYTES]);
/* Removes it with all that is in it. */
void tmpdir_remove(const char *root);
/* Writes a file below root, making the folders on the way. */
void tmpdir_write(const char *root, const char *text, const char *path_format, ...) SKM_PRINTF(3, 4);
/* Fails unless the file holds exactly this. */
void tmpdir_expect(const char *root, const char *text, const char *path_format, ...) SKM_PRINTF(3, 4);

#endif
