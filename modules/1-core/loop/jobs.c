/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jobs — a bounded queue and the threads that work it off.
 */
#include "inside.h"

struct job {
	struct job *next;
	struct loop *back;
	void (*work)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

struct jobs {
	pthread_mutex_t lock;
	pthread_cond_t news; /* a job, or the end */
	struct job *first;
	struct job **tail;
	size_t waiting;
	size_t queue_max;
	bool ending;
	unsigned count;
	pthread_t threads[];
};

/* NULL: the queue is empty and stays so. */
static struct job *
next_job(struct jobs *j)
{
	struct job *job;

	pthread_mutex_lock(&j->lock);
	while (j->first == NULL && !j->ending)
		pthread_cond_wait(&j->news, &j->lock);
	job = j->first;
	if (job != NULL) {
		j->first = job->next;
		if (j->first == NULL)
			j->tail = &j->first;
		j->waiting--;
	}
	pthread_mutex_unlock(&j->lock);
	return job;
}

static void *
jobs_main(void *arg)
{
	struct jobs *j = arg;
	struct job *job;

	while ((job = next_job(j)) != NULL) {
		job->work(job->arg);
		loop_post(job->back, job->done, job->arg);
		mem_free(&job);
	}
	return NULL;
}

struct jobs *
jobs_new(unsigned threads, size_t queue_max)
{
	struct jobs *j;

	CHECK(threads >= 1 && queue_max >= 1);
	j = mem_new(sizeof(*j) + threads * sizeof(j->threads[0]));
	CHECK(pthread_mutex_init(&j->lock, NULL) == 0);
	CHECK(pthread_cond_init(&j->news, NULL) == 0);
	j->tail = &j->first;
	j->queue_max = queue_max;
	j->count = threads;
	for (unsigned i = 0; i < threads; i++)
		CHECK(pthread_create(&j->threads[i], NULL, jobs_main, j) == 0);
	return j;
}

void
jobs_free(struct jobs **jp)
{
	struct jobs *j = *jp;

	if (j == NULL)
		return;
	pthread_mutex_lock(&j->lock);
	j->ending = true;
	pthread_cond_broadcast(&j->news);
	pthread_mutex_unlock(&j->lock);
	for (unsigned i = 0; i < j->count; i++)
		CHECK(pthread_join(j->threads[i], NULL) == 0);
	pthread_cond_destroy(&j->news);
	pthread_mutex_destroy(&j->lock);
	mem_free(jp);
}

enum err
jobs_submit(struct jobs *j, struct loop *back, void (*work)(void *arg),
    void (*done)(void *arg), void *arg)
{
	struct job *job = mem_new(sizeof(*job));
	bool room;

	*job = (struct job){NULL, back, work, done, arg};
	pthread_mutex_lock(&j->lock);
	room = j->waiting < j->queue_max;
	if (room) {
		*j->tail = job;
		j->tail = &job->next;
		j->waiting++;
		pthread_cond_signal(&j->news);
	}
	pthread_mutex_unlock(&j->lock);
	if (!room)
		mem_free(&job);
	return room ? OK : ERR_BUSY;
}
