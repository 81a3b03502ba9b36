// SPDX-License-Identifier: Apache-2.0
/* The one configuration file, /etc/sekimori/sekimori.conf (libconfig syntax), and the device register it
 * names.
 *
 * A configuration is read, parsed and validated whole, and handed out only if all of it is right: nothing is
 * ever half applied. The file must be a regular file (no symbolic link), owned by root (or by the effective
 * user when that is not root: for `--check-config` of a private draft), not writable by group or others, at
 * most SKM_CONFIG_BYTES_MAX, UTF-8 without NUL and byte order mark, and without @include. The register must
 * be as trustworthy. */
#ifndef SEKIMORI_CONFIG_H
#define SEKIMORI_CONFIG_H

#include "sekimori/rule.h"

#define SKM_CONFIG_PATH "/etc/sekimori/sekimori.conf"
#define SKM_CONFIG_BYTES_MAX ((size_t)256 * 1024)

enum skm_mode { SKM_MODE_ENFORCE, SKM_MODE_AUDIT, SKM_MODE_COUNT_ };
enum skm_language { SKM_LANGUAGE_JA, SKM_LANGUAGE_EN, SKM_LANGUAGE_COUNT_ };

struct skm_config {
	struct {
		char number[65];	    /* 端末番号; default: host name */
		char section[129];	    /* 所属; default "" */
		enum skm_language language; /* default ja */
	} terminal;
	struct {
		enum skm_mode mode; /* default enforce; never audit when its last day was over at the time of
				       loading */
		/* UNIX time of the first second after the last day of mode "audit", as the file has it; 0 =
		 * none. The mode ends then, without a reload: whoever keeps a configuration compares with the
		 * clock. */
		int64_t audit_until_sec;
		char register_path[4096];      /* "" = none */
		struct skm_rule_set rules;     /* of the file, then of the register */
		uint32_t reconcile_sec;	       /* 10 to 86400, default 300 */
		uint32_t write_deadline_ms;    /* 100 to 60000, default 5000: a device that takes longer is
						  called hung */
		uint32_t receive_buffer_bytes; /* 4 KiB to 128 MiB, default 1 MiB */
	} usb;
	struct {
		uint64_t segment_bytes; /* 64 KiB to 1 GiB, default 16 MiB: when a new audit segment is begun
					 */
	} audit;
	/* First 16 hex digits of the BLAKE2b-256 of file and register: names the policy in records. "builtin"
	 * when the configuration came from no file. */
	char version[17];
};

/* Everything a person needs to mend it. */
struct skm_config_error {
	char file[256];
	unsigned line;	    /* 0 = the file as a whole */
	char key[128];	    /* "usb.rules[3].vid_pid"; "" = the file as a whole */
	char found[256];    /* what stands there, printable; "" = nothing */
	char found_ja[256]; /* the same where it is said in words; "" = take `found` */
	char allowed[256];  /* what may stand there, English */
	char allowed_ja[384];
};

#define SKM_CONFIG_INVALID 1

/* Reads, parses, validates. `now_sec` is the wall clock (for audit_until).
 * 0: *ret_config is a new object, free with skm_config_free. SKM_CONFIG_INVALID: *error says what is wrong
 * (this includes a file that is missing, unreadable, too large or not safe). Negative errno: out of memory
 * and the like. */
SKM_NODISCARD int skm_config_load(
	const char *path, int64_t now_sec, struct skm_config **ret_config, struct skm_config_error *error);
/* The same from memory; `path` is only used in messages. No file is opened: the register is named, not read.
 * Used by tests and the fuzzer. */
SKM_NODISCARD int skm_config_parse(const char *path, const char *text, size_t len, int64_t now_sec,
	struct skm_config **ret_config, struct skm_config_error *error);
/* A valid configuration with all defaults and no rules: what the gate uses when the file is broken at start.
 */
SKM_NODISCARD int skm_config_default(struct skm_config **ret_config);
/* NULL is fine. Returns NULL. */
struct skm_config *skm_config_free(struct skm_config *config);
void skm_config_freep(struct skm_config **config);

/* One line "FILE:LINE: KEY: found …; allowed: …" in the person's language. Returns the length as snprintf
 * does. */
size_t skm_config_error_format(
	const struct skm_config_error *error, enum skm_language language, char *buf, size_t size);

const char *skm_mode_to_string(enum skm_mode mode);

#endif
