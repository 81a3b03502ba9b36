// SPDX-License-Identifier: Apache-2.0
/* Runs a fuzz target over every file of its corpus, so that what the fuzzers once found is checked by the
 * ordinary tests, without libFuzzer. An empty or missing corpus is a failure: it would check nothing. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *folder, const char *name)
{
	char path[4096];
	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return -1;
	FILE *file = fopen(path, "rbe");
	if (!file)
		return -1;
	static uint8_t buf[1024 * 1024];
	size_t len = fread(buf, 1, sizeof(buf), file);
	(void)fclose(file);
	/* an exact-size heap copy lets AddressSanitizer see the first byte read past the end */
	uint8_t *copy = malloc(len ? len : 1);
	if (!copy)
		return -1;
	for (size_t i = 0; i < len; i++)
		copy[i] = buf[i];
	(void)LLVMFuzzerTestOneInput(copy, len);
	free(copy);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
		return 2;
	}
	DIR *dir = opendir(argv[1]);
	if (!dir) {
		fprintf(stderr, "cannot open the corpus %s\n", argv[1]);
		return 1;
	}
	unsigned count = 0;
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		if (replay_file(argv[1], entry->d_name) < 0) {
			fprintf(stderr, "cannot replay %s/%s\n", argv[1], entry->d_name);
			return 1;
		}
		count++;
	}
	(void)closedir(dir);
	printf("%u inputs replayed from %s\n", count, argv[1]);
	return count ? 0 : 1;
}
