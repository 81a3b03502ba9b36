// SPDX-License-Identifier: Apache-2.0
/* One connection, one request at a time, kept open. Certificates are always checked; there is no word that
 * turns it off. Whatever goes wrong (a broken line in the middle of the answer, 429, 503, an answer that is
 * none) has one remedy: the same records again, which replace themselves by their identity. */
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "bulk.h"
#include "sink.h"

#define ANSWER_BYTES_MAX ((size_t)16 << 20)
#define CONNECT_SEC 10L
#define REQUEST_SEC 120L
#define QUERY "/_bulk?filter_path=items.*._id,items.*.status,items.*.error.type"

struct opensearch {
	CURL *curl;
	struct curl_slist *headers;
	struct skm_bytes body, answer;
	size_t limit; /* records in one request: halved when the server finds it too large */
	const struct skm_sink_host *host; /* during send */
	char error[CURL_ERROR_SIZE];
};

static size_t take_answer(char *data, size_t size, size_t count, void *user)
{
	struct opensearch *opensearch = user;
	size_t len = size * count;
	if (len > ANSWER_BYTES_MAX - opensearch->answer.len ||
		skm_bytes_add(&opensearch->answer, data, len) < 0)
		return CURL_WRITEFUNC_ERROR;
	return len;
}

static int watch(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct opensearch *opensearch = user;
	(void)a, (void)b, (void)c, (void)d;
	return opensearch->host->is_stopping(opensearch->host->user);
}

/* After an answer that did not store. */
static int tell_status(struct opensearch *opensearch, long status)
{
	char text[160];
	const struct skm_sink_host *host = opensearch->host;
	if (status == 413 && opensearch->limit > 1)
		opensearch->limit /= 2;
	(void)snprintf(text, sizeof(text), "the server answers %ld%s", status,
		status == 401 || status == 403 ? ": name, password or rights"
		: status == 404		       ? ": no such index, and it may not be made"
		: status == 413		       ? ": the request is too large"
		: status == 429		       ? ": it is overloaded"
					       : "");
	host->tell(host->user, text);
	return SKM_SINK_AGAIN;
}

static int judge(struct opensearch *opensearch, struct skm_output_batch *batch)
{
	struct skm_bulk_verdict verdict;
	char text[SKM_BULK_TROUBLE_BYTES + 64];
	const struct skm_sink_host *host = opensearch->host;
	int r = skm_bulk_judge(
		batch, opensearch->limit, opensearch->answer.data, opensearch->answer.len, &verdict);
	if (r < 0)
		return r;
	if (r == SKM_BULK_UNREADABLE) {
		host->tell(host->user, "the answer is not that of a bulk request");
		return SKM_SINK_AGAIN;
	}
	if (verdict.refused == 0)
		return 0;
	(void)snprintf(text, sizeof(text), "%zu records refused: %s", verdict.refused, verdict.why);
	host->tell(host->user, text);
	return verdict.stored > 0 ? 0 : SKM_SINK_AGAIN;
}

static int send_batch(void *state, struct skm_output_batch *batch, const struct skm_sink_host *host)
{
	struct opensearch *opensearch = state;
	long status = 0;
	opensearch->host = host;
	if (skm_output_batch_pending(batch) == 0)
		return 0;
	int r = skm_bulk_compose(batch, opensearch->limit, &opensearch->body);
	if (r < 0)
		return r;
	opensearch->answer.len = 0;
	opensearch->error[0] = '\0';
	(void)curl_easy_setopt(
		opensearch->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)opensearch->body.len);
	(void)curl_easy_setopt(opensearch->curl, CURLOPT_POSTFIELDS, opensearch->body.data);
	CURLcode code = curl_easy_perform(opensearch->curl);
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return SKM_SINK_AGAIN;
	if (code != CURLE_OK) {
		host->tell(host->user, opensearch->error[0] ? opensearch->error : curl_easy_strerror(code));
		return SKM_SINK_AGAIN;
	}
	(void)curl_easy_getinfo(opensearch->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		return tell_status(opensearch, status);
	return judge(opensearch, batch);
}

static void close_opensearch(void *state)
{
	struct opensearch *opensearch = state;
	if (!opensearch)
		return;
	curl_easy_cleanup(opensearch->curl);
	curl_slist_free_all(opensearch->headers);
	skm_bytes_free(&opensearch->body);
	skm_bytes_free(&opensearch->answer);
	free(opensearch);
}

static bool add_headers(struct opensearch *opensearch)
{
	static const char *const headers[] = {"Content-Type: application/x-ndjson", "Expect:"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(headers); i++) {
		struct curl_slist *list = curl_slist_append(opensearch->headers, headers[i]);
		if (!list)
			return false;
		opensearch->headers = list;
	}
	return true;
}

static bool configure(struct opensearch *opensearch, const struct skm_output_settings *settings,
	const struct skm_sink_secrets *secrets)
{
	char url[2048];
	CURL *curl = opensearch->curl;
	(void)snprintf(url, sizeof(url), "%s/%s" QUERY, settings->place, settings->collection);
	bool is_right =
		curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
#if LIBCURL_VERSION_NUM >= 0x075500
		curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
#else
		curl_easy_setopt(curl, CURLOPT_PROTOCOLS, CURLPROTO_HTTPS) == CURLE_OK &&
#endif
		curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
		/* What the environment says of proxies is not what the administrator said here. */
		curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SEC) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_TIMEOUT, REQUEST_SEC) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, opensearch->headers) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_POST, 1L) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_WRITEDATA, opensearch) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, watch) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_XFERINFODATA, opensearch) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, opensearch->error) == CURLE_OK;
	if (is_right && settings->ca[0])
		is_right = curl_easy_setopt(curl, CURLOPT_CAINFO, settings->ca) == CURLE_OK &&
			   curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK;
	if (is_right && settings->user[0])
		is_right = curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC) == CURLE_OK &&
			   curl_easy_setopt(curl, CURLOPT_USERNAME, settings->user) == CURLE_OK &&
			   curl_easy_setopt(curl, CURLOPT_PASSWORD, secrets->password) == CURLE_OK;
	if (is_right && secrets->certificate[0])
		is_right = curl_easy_setopt(curl, CURLOPT_SSLCERT, secrets->certificate) == CURLE_OK &&
			   curl_easy_setopt(curl, CURLOPT_SSLKEY, secrets->certificate) == CURLE_OK;
	return is_right;
}

int skm_opensearch_open(const struct skm_output_settings *settings, const struct skm_sink_secrets *secrets,
	const struct skm_sink_host *host, struct skm_sink *ret_sink)
{
	struct opensearch *opensearch = calloc(1, sizeof(*opensearch));
	if (!opensearch)
		return -ENOMEM;
	opensearch->host = host;
	opensearch->limit = SKM_BATCH_RECORDS_MAX;
	opensearch->curl = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_easy_init() : NULL;
	if (!opensearch->curl || !add_headers(opensearch) || !configure(opensearch, settings, secrets)) {
		host->tell(host->user, "libcurl cannot do what is needed");
		close_opensearch(opensearch);
		return -ENOTSUP;
	}
	*ret_sink = (struct skm_sink){.send = send_batch, .close = close_opensearch, .state = opensearch};
	return 0;
}
