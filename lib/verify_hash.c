// SPDX-License-Identifier: Apache-2.0
/* Nearly all of the time goes into BLAKE2b, and nearly all of it can be shared: see the header. A fork and
 * join for each block of lines was chosen over a queue between threads: what is judged stays in one thread
 * and in order, and nothing a line says can make the threads disagree.
 *
 * A faster BLAKE2b than libsodium's was rejected: it would be a second library for the same primitive. */
#include "verify_hash.h"

#include <pthread.h>
#include <signal.h>

#define LINES_PER_THREAD_MIN 32 /* below, waking somebody up costs more than it saves */

struct skm_verify_hasher {
	pthread_t threads[SKM_VERIFY_THREADS_MAX - 1];
	unsigned helpers; /* threads that run */
	pthread_mutex_t lock;
	pthread_cond_t begin, done;
	bool is_ending;
	uint64_t round;	  /* of work; each helper does its share of each */
	unsigned started; /* helpers that have taken a number */
	unsigned working;
	struct skm_verify_hashed *lines;
	size_t count;
};

static void hash_lines(struct skm_verify_hashed *lines, size_t count)
{
	uint8_t before[SKM_CHAIN_HASH_BYTES];
	for (size_t i = 0; i < count; i++) {
		size_t body_len = 0;
		lines[i].has_hash =
			skm_verify_line_tail(lines[i].text, lines[i].len, &body_len, before, NULL) == 0;
		if (lines[i].has_hash)
			skm_chain_hash_next(before, lines[i].text, body_len, lines[i].hash);
	}
}

/* Share `index` of helpers + 1. */
static void hash_share(struct skm_verify_hashed *lines, size_t count, unsigned index, unsigned shares)
{
	size_t begin = count * index / shares, end = count * (index + 1) / shares;
	hash_lines(lines + begin, end - begin);
}

static void *help(void *user)
{
	struct skm_verify_hasher *hasher = user;
	uint64_t round = 0;
	(void)pthread_mutex_lock(&hasher->lock);
	unsigned index = ++hasher->started;
	for (;;) {
		while (!hasher->is_ending && hasher->round == round)
			(void)pthread_cond_wait(&hasher->begin, &hasher->lock);
		if (hasher->is_ending)
			break;
		round = hasher->round;
		struct skm_verify_hashed *lines = hasher->lines;
		size_t count = hasher->count;
		unsigned shares = hasher->helpers + 1;
		(void)pthread_mutex_unlock(&hasher->lock);
		hash_share(lines, count, index, shares);
		(void)pthread_mutex_lock(&hasher->lock);
		if (--hasher->working == 0)
			(void)pthread_cond_signal(&hasher->done);
	}
	(void)pthread_mutex_unlock(&hasher->lock);
	return NULL;
}

int skm_verify_hasher_new(unsigned threads, struct skm_verify_hasher **ret_hasher)
{
	struct skm_verify_hasher *hasher = calloc(1, sizeof(*hasher));
	if (!hasher)
		return -ENOMEM;
	(void)pthread_mutex_init(&hasher->lock, NULL);
	(void)pthread_cond_init(&hasher->begin, NULL);
	(void)pthread_cond_init(&hasher->done, NULL);
	/* Signals are the first thread's business. */
	sigset_t all, before;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	while (hasher->helpers + 1 < threads && hasher->helpers < SKM_VERIFY_THREADS_MAX - 1) {
		if (pthread_create(&hasher->threads[hasher->helpers], NULL, help, hasher) != 0)
			break;
		hasher->helpers++;
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	*ret_hasher = hasher;
	return 0;
}

struct skm_verify_hasher *skm_verify_hasher_free(struct skm_verify_hasher *hasher)
{
	if (!hasher)
		return NULL;
	(void)pthread_mutex_lock(&hasher->lock);
	hasher->is_ending = true;
	(void)pthread_cond_broadcast(&hasher->begin);
	(void)pthread_mutex_unlock(&hasher->lock);
	for (unsigned i = 0; i < hasher->helpers; i++)
		(void)pthread_join(hasher->threads[i], NULL);
	(void)pthread_cond_destroy(&hasher->done);
	(void)pthread_cond_destroy(&hasher->begin);
	(void)pthread_mutex_destroy(&hasher->lock);
	free(hasher);
	return NULL;
}

void skm_verify_hasher_run(struct skm_verify_hasher *hasher, struct skm_verify_hashed *lines, size_t count)
{
	unsigned shares = hasher->helpers + 1;
	if (shares == 1 || count < (size_t)shares * LINES_PER_THREAD_MIN) {
		hash_lines(lines, count);
		return;
	}
	(void)pthread_mutex_lock(&hasher->lock);
	hasher->lines = lines;
	hasher->count = count;
	hasher->working = hasher->helpers;
	hasher->round++;
	(void)pthread_cond_broadcast(&hasher->begin);
	(void)pthread_mutex_unlock(&hasher->lock);
	hash_share(lines, count, 0, shares);
	(void)pthread_mutex_lock(&hasher->lock);
	while (hasher->working > 0)
		(void)pthread_cond_wait(&hasher->done, &hasher->lock);
	(void)pthread_mutex_unlock(&hasher->lock);
}
