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
/* Of whom is a second factor required, once the PAM stack asks for one? */
enum skm_mfa_require {
	SKM_MFA_REQUIRE_ALL,
	SKM_MFA_REQUIRE_ENROLLED,
	SKM_MFA_REQUIRE_GROUPS,
	SKM_MFA_REQUIRE_COUNT_
};
#define SKM_MFA_GROUPS_MAX 16
#define SKM_GROUP_NAME_BYTES 33
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
		/* Mode "audit" does not run before this, 366 days and its last day before the end: a clock
		 * that stands there is wrong, and cannot tell the end. */
		int64_t audit_from_sec;
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
		bool has_verifier_key;
		uint8_t verifier_key[32]; /* 64 hex digits: the public key to which the first key of a chain
					     is sealed, so that its owner can check the MACs */
		uint32_t checkpoint_sec;  /* 1 min to 1 h, default 10 min */
		uint32_t retention_sec;	  /* 60 to 3650 days, default 400: how long segments stay that the
					     collector has; 0 = for ever ("never") */
	} audit;
	struct {
		/* mfa.require: "all" (default), "enrolled", or names of groups: their members and all who are
		 * enrolled. */
		enum skm_mfa_require require;
		uint8_t group_count;
		char groups[SKM_MFA_GROUPS_MAX][SKM_GROUP_NAME_BYTES];
		/* mfa.grace_until, a date: until then those who are not enrolled pass with a reminder. UNIX
		 * time of the first second after it; 0 = none. At most 366 days ahead, as audit_until. */
		int64_t grace_until_sec;
		uint32_t free_tries; /* 1 to 100, default 5 */
		uint32_t delay_sec; /* mfa.delay, 1 s to 1 h, default 15min: the wait after the last free try,
				       doubled by each further failure … */
		uint32_t delay_max_sec;	 /* mfa.delay_max, … up to this, 1 s to 1 day, default 4h */
		uint8_t window_steps;	 /* mfa.window, 0 to 2, default 1 */
		uint8_t drift_max_steps; /* mfa.drift_max, 0 to 10, default 4 */
		uint8_t look_ahead;	 /* mfa.look_ahead, 1 to 10, default 5 */
		unsigned algorithms;	 /* mfa.algorithms, bits 1 << enum skm_otp_algorithm; default sha256,
					    sha512 */
		bool self_enrol; /* mfa.self_enrol, "yes" (default) or "no": who has no record may make their
				    first one themselves */
		uint8_t substitute_days_max; /* mfa.substitute_days_max, 1 to 7, default 7 */
		char issuer[65];	     /* mfa.issuer, default "Sekimori": how apps name the account */
		bool has_escrow_key;
		uint8_t escrow_key[32]; /* mfa.escrow_key, 64 hex digits: the offline public key */
	} mfa;
	struct {
		char host[46];	 /* IPv4 or IPv6 address of the collector; "" (default) = records stay here */
		uint16_t port;	 /* 1 to 65535, default 20514 */
		char name[254];	 /* DNS name that the collector's certificate must carry */
		char ca[4096];	 /* PEM files, each with a default below /etc/sekimori/forward */
		char cert[4096]; /* of this terminal, then what signed it */
		char key[4096];	 /* of cert */
		uint32_t jitter_ms; /* forward.start_jitter, 0 s to 1 h, default 1min: the first attempt comes
				       within it */
		uint32_t retry_first_ms; /* 100 ms to 1 h, default 1s, doubled by each failure … */
		uint32_t retry_max_ms;	 /* … up to this, 1 s to 1 day, default 5min */
	} forward;
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

/* Reads, parses, validates. `now_sec` is the wall clock, which says whether a date is too far ahead; where it
 * stands before the file's last change, that time is taken instead.
 * 0: *ret_config is a new object, free with skm_config_free. SKM_CONFIG_INVALID: *error says what is wrong
 * (this includes a file that is missing, too large or not safe). Negative errno: out of memory, no right to
 * read and the like; when that was met in reading, error->file is the file, of two. */
SKM_NODISCARD int skm_config_load(
	const char *path, int64_t now_sec, struct skm_config **ret_config, struct skm_config_error *error);
/* The same without the register, which is named, not read: the policy of logins must neither wait for a large
 * list of USB devices nor fall with a broken one. The version then names the file alone. */
SKM_NODISCARD int skm_config_load_file(
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
