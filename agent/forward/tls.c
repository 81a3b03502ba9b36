// SPDX-License-Identifier: Apache-2.0
/* The only file that knows GnuTLS. OpenSSL was measured beside it: with nobody else on the machine using
 * either library, a connected client takes 3.5 MB with GnuTLS and 6 MB with OpenSSL, and a forwarder has to
 * stay below 4.
 *
 * TLS 1.3 and nothing else: one product at both ends, so there is no old peer to be polite to. The name is
 * compared without wildcards, and the certificate must be for servers, or any terminal's could stand for the
 * collector's. */
#include "tls.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "sekimori/io.h"

#define FILE_BYTES_MAX ((size_t)256 * 1024)

/* The profile refuses what is weaker than RSA of 2,048 bits or signed with SHA-1. */
static const char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:%PROFILE_MEDIUM";

struct tls {
	gnutls_certificate_credentials_t credentials;
	gnutls_session_t session;
	bool is_proved;
	/* What the verification refers to for as long as the session lives. */
	gnutls_typed_vdata_st wanted[2];
	char name[256];
	char purpose[32];
	char error[SKM_TRANSPORT_ERROR_BYTES];
};

static void tls_free(void *object)
{
	struct tls *tls = object;
	if (!tls)
		return;
	if (tls->session) {
		/* Politeness, if it fits into the socket: the collector logs an end without it as a fault. */
		if (tls->is_proved)
			(void)gnutls_bye(tls->session, GNUTLS_SHUT_WR);
		gnutls_deinit(tls->session);
	}
	if (tls->credentials)
		gnutls_certificate_free_credentials(tls->credentials);
	free(tls);
}

/* ---- files ---- */

struct file {
	char *text;
	size_t len;
};

static void file_clear(struct file *file)
{
	if (file->text)
		explicit_bzero(file->text, file->len);
	free(file->text);
	*file = (struct file){0};
}

static const char *describe_fault(int r)
{
	static const char *const faults[] = {
		[SKM_FILE_SYMLINK] = "it is a symbolic link",
		[SKM_FILE_NOT_REGULAR] = "it is not a regular file",
		[SKM_FILE_WRONG_OWNER] = "it is owned by neither root nor this service",
		[SKM_FILE_WRITABLE_BY_OTHERS] = "its group or others may write it",
		[SKM_FILE_TOO_LARGE] = "it is too large",
	};
	if (r < 0)
		return strerrordesc_np(-r);
	return (size_t)r < SKM_ARRAY_SIZE(faults) && faults[r] ? faults[r] : "it is not fit";
}

static int read_file(const char *path, struct file *ret_file, char error[SKM_TRANSPORT_ERROR_BYTES])
{
	int r = skm_file_read_trusted(path, FILE_BYTES_MAX, &ret_file->text, &ret_file->len);
	if (r == 0)
		return 0;
	(void)snprintf(
		error, SKM_TRANSPORT_ERROR_BYTES, "cannot use the file %.150s: %s", path, describe_fault(r));
	return r > 0 ? -EPERM : r;
}

static gnutls_datum_t datum_of(const struct file *file)
{
	return (gnutls_datum_t){.data = (unsigned char *)file->text, .size = (unsigned)file->len};
}

static int refuse(char error[SKM_TRANSPORT_ERROR_BYTES], const char *what, const char *path, int code)
{
	(void)snprintf(error, SKM_TRANSPORT_ERROR_BYTES, "%s %.150s: %s", what, path, gnutls_strerror(code));
	return code == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EPROTO;
}

/* The end of the first certificate of ours. */
static int read_not_after(const struct tls *tls, const char *path, int64_t *ret_not_after_sec,
	char error[SKM_TRANSPORT_ERROR_BYTES])
{
	gnutls_x509_crt_t *certificates = NULL;
	unsigned count = 0;
	int code = gnutls_certificate_get_x509_crt(tls->credentials, 0, &certificates, &count);
	if (code < 0)
		return refuse(error, "cannot read the certificate in", path, code);
	time_t not_after = count > 0 ? gnutls_x509_crt_get_expiration_time(certificates[0]) : 0;
	for (unsigned i = 0; i < count; i++)
		gnutls_x509_crt_deinit(certificates[i]);
	gnutls_free(certificates);
	*ret_not_after_sec = not_after;
	return 0;
}

/* A list of what the authority has revoked stands in the same file: there is one place from which trust
 * comes, and a list that is missing cannot be told from one that was never needed. A list that cannot be read
 * is no list. */
static int load_revoked(struct tls *tls, const struct file *ca)
{
	static const char mark[] = "-----BEGIN X509 CRL-----";
	gnutls_datum_t text = datum_of(ca);
	if (!memmem(ca->text, ca->len, mark, sizeof(mark) - 1))
		return 0;
	int code = gnutls_certificate_set_x509_crl_mem(tls->credentials, &text, GNUTLS_X509_FMT_PEM);
	return code < 0 ? code : 0;
}

static int load(struct tls *tls, const struct skm_tls_options *options, int64_t *ret_not_after_sec,
	char error[SKM_TRANSPORT_ERROR_BYTES])
{
	SKM_CLEANUP(file_clear) struct file ca = {0};
	SKM_CLEANUP(file_clear) struct file cert = {0};
	SKM_CLEANUP(file_clear) struct file key = {0};
	int r = read_file(options->ca_path, &ca, error);
	if (r == 0)
		r = read_file(options->cert_path, &cert, error);
	if (r == 0)
		r = read_file(options->key_path, &key, error);
	if (r < 0)
		return r;
	gnutls_datum_t ca_text = datum_of(&ca), cert_text = datum_of(&cert), key_text = datum_of(&key);
	int code = gnutls_certificate_allocate_credentials(&tls->credentials);
	if (code == 0)
		code = gnutls_certificate_set_x509_trust_mem(tls->credentials, &ca_text, GNUTLS_X509_FMT_PEM);
	if (code <= 0)
		return refuse(error, "there is no certificate in", options->ca_path, code);
	code = load_revoked(tls, &ca);
	if (code < 0)
		return refuse(
			error, "the list of revoked certificates is damaged in", options->ca_path, code);
	code = gnutls_certificate_set_x509_key_mem2(
		tls->credentials, &cert_text, &key_text, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (code < 0)
		return refuse(error, "the certificate and its key do not fit:", options->cert_path, code);
	return read_not_after(tls, options->cert_path, ret_not_after_sec, error);
}

/* ---- session ---- */

static int prepare(struct tls *tls, const char *name, int fd, char error[SKM_TRANSPORT_ERROR_BYTES])
{
	(void)snprintf(tls->name, sizeof(tls->name), "%s", name);
	(void)snprintf(tls->purpose, sizeof(tls->purpose), "%s", GNUTLS_KP_TLS_WWW_SERVER);
	int code = gnutls_init(
		&tls->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS);
	if (code == 0)
		code = gnutls_priority_set_direct(tls->session, priorities, NULL);
	if (code == 0)
		code = gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE, tls->credentials);
	if (code == 0)
		code = gnutls_server_name_set(tls->session, GNUTLS_NAME_DNS, tls->name, strlen(tls->name));
	if (code < 0)
		return refuse(error, "cannot prepare TLS for", name, code);
	tls->wanted[0] = (gnutls_typed_vdata_st){
		.type = GNUTLS_DT_DNS_HOSTNAME, .data = (unsigned char *)tls->name, .size = 0};
	tls->wanted[1] = (gnutls_typed_vdata_st){
		.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)tls->purpose, .size = 0};
	gnutls_session_set_verify_cert2(
		tls->session, tls->wanted, SKM_ARRAY_SIZE(tls->wanted), GNUTLS_VERIFY_DO_NOT_ALLOW_WILDCARDS);
	gnutls_transport_set_int(tls->session, fd);
	return 0;
}

/* What came out of a call that did not succeed. */
static int outcome(struct tls *tls, int code)
{
	if (code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED)
		return gnutls_record_get_direction(tls->session) ? SKM_TRANSPORT_WRITE : SKM_TRANSPORT_READ;
	if (code == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR) {
		gnutls_datum_t text = {0};
		unsigned status = gnutls_session_get_verify_cert_status(tls->session);
		(void)gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0);
		(void)snprintf(tls->error, sizeof(tls->error),
			"the collector's certificate is refused: %.180s",
			text.data ? (const char *)text.data : "unknown reason");
		gnutls_free(text.data);
		return -EPROTO;
	}
	if (code == GNUTLS_E_FATAL_ALERT_RECEIVED) {
		const char *name = gnutls_alert_get_name(gnutls_alert_get(tls->session));
		(void)snprintf(tls->error, sizeof(tls->error),
			"the collector refuses this terminal's certificate or TLS: %s", name ? name : "?");
		return -EPROTO;
	}
	(void)snprintf(tls->error, sizeof(tls->error), "%s", gnutls_strerror(code));
	return code == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EPROTO;
}

static int tls_handshake(void *object)
{
	struct tls *tls = object;
	int code = gnutls_handshake(tls->session);
	while (code < 0 && code != GNUTLS_E_AGAIN && gnutls_error_is_fatal(code) == 0)
		code = gnutls_handshake(tls->session);
	tls->is_proved = code == 0;
	return code == 0 ? 0 : outcome(tls, code);
}

static int tls_send(void *object, const void *data, size_t len, size_t *ret_sent)
{
	struct tls *tls = object;
	ssize_t n = gnutls_record_send(tls->session, data, len);
	if (n < 0)
		return outcome(tls, (int)n);
	*ret_sent = (size_t)n;
	return 0;
}

static int tls_receive(void *object, void *buf, size_t size, size_t *ret_len)
{
	struct tls *tls = object;
	ssize_t n = gnutls_record_recv(tls->session, buf, size);
	if (n == GNUTLS_E_PREMATURE_TERMINATION)
		n = 0; /* nothing is believed because of an end */
	if (n < 0)
		return outcome(tls, (int)n);
	*ret_len = (size_t)n;
	return 0;
}

static const char *tls_error(void *object)
{
	const struct tls *tls = object;
	return tls->error;
}

int skm_tls_open(const struct skm_tls_options *options, int fd, struct skm_transport *ret_transport,
	int64_t *ret_not_after_sec, char error[SKM_TRANSPORT_ERROR_BYTES])
{
	static const struct skm_transport_ops ops = {.handshake = tls_handshake,
		.send = tls_send,
		.receive = tls_receive,
		.error = tls_error,
		.free = tls_free};
	struct tls *tls = calloc(1, sizeof(*tls));
	int64_t not_after_sec = 0;
	error[0] = '\0';
	if (!tls)
		return -ENOMEM;
	int r = load(tls, options, &not_after_sec, error);
	if (r == 0)
		r = prepare(tls, options->name, fd, error);
	if (r < 0) {
		tls_free(tls);
		return r;
	}
	*ret_transport = (struct skm_transport){.ops = &ops, .object = tls};
	*ret_not_after_sec = not_after_sec;
	return 0;
}
