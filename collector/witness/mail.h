// SPDX-License-Identifier: Apache-2.0
/* The night's result by the system's sendmail. */
#ifndef SKM_WITNESS_MAIL_H
#define SKM_WITNESS_MAIL_H

#include "sekimori/result.h"

/* Gives it to sendmail, which queues. 0; -ECOMM when sendmail did not take it; -errno. */
SKM_NODISCARD int skm_witness_mail(
	const char *sendmail, const char *address, int exit_code, const char *text, size_t len);

#endif
