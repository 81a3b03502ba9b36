// SPDX-License-Identifier: Apache-2.0
/* TLS 1.3 to the collector, with a certificate on each side. */
#ifndef SKM_FORWARD_TLS_H
#define SKM_FORWARD_TLS_H

#include "transport.h"

struct skm_tls_options {
	const char *ca_path, *cert_path, *key_path; /* PEM; beside the authority's, a list of revoked ones */
	const char *name;			    /* that the collector's certificate must carry */
};

/* The files are read anew for each connection, so that a renewed certificate needs no restart; they must be
 * as trustworthy as the configuration. *ret_not_after_sec: the end of our own certificate (UNIX time). 0;
 * -errno, -EPROTO for what TLS itself finds wrong. */
SKM_NODISCARD int skm_tls_open(const struct skm_tls_options *options, int fd,
	struct skm_transport *ret_transport, int64_t *ret_not_after_sec,
	char error[SKM_TRANSPORT_ERROR_BYTES]);

#endif
