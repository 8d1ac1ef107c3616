// SPDX-License-Identifier: GPL-2.0
/*
 * steady.c - preloaded into QEMU on the counting clock: its main loop runs only while the CPU waits.
 *
 * When the CPU has nothing to do QEMU's main loop moves the virtual clock on to the next timer. It tells that by a
 * flag that the CPU sets a moment before it has added its last few instructions to the clock. Mostly the main loop is
 * asleep then, until it is called. But it may just be up for another reason, and then those instructions come on top
 * of the timer's time: one run in some ten is off by three nanoseconds, and from there on takes a course of its own.
 *
 * So the main loop, which is the thread that polls, is kept from going on until the CPU's thread has gone to wait for
 * its condition, and nobody has told it to go on since. Nothing it does is needed earlier: the machine has no input,
 * and writes its output itself. A poll under QEMU's big lock, which the CPU needs to go on, is not the main loop's.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

/* However long the CPU is busy: something else may be wrong, and the machine shall be able to end. */
#define LIMIT_SECONDS 60

/* glibc's names of these: they are called before our constructor is. */
int __pthread_mutex_lock(pthread_mutex_t *mutex);
int __pthread_mutex_unlock(pthread_mutex_t *mutex);

static int (*real_wait)(pthread_cond_t *, pthread_mutex_t *);
static int (*real_signal)(pthread_cond_t *);
static int (*real_broadcast)(pthread_cond_t *);
static int (*real_ppoll)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);

static pthread_cond_t *_Atomic awaited; /* by the CPU's thread; NULL: it is running, or about to */
static pthread_mutex_t *_Atomic big_lock; /* what it waits with; NULL: it never has */
static atomic_bool main_has_it;
static sem_t waits;

__attribute__((constructor)) static void init(void)
{
	/* without a version it would be that of an older condition */
	real_wait = dlvsym(RTLD_NEXT, "pthread_cond_wait", "GLIBC_2.3.2");
	real_signal = dlvsym(RTLD_NEXT, "pthread_cond_signal", "GLIBC_2.3.2");
	real_broadcast = dlvsym(RTLD_NEXT, "pthread_cond_broadcast", "GLIBC_2.3.2");
	real_ppoll = dlsym(RTLD_NEXT, "ppoll");
	sem_init(&waits, 0, 0);
}

/* Asked with every turn of the big lock, of which a CPU that spins takes millions: system calls were nine tenths of a boot. */
static int is_main(void)
{
	/* 1: it is; -1: it isn't */
	static __thread int known __attribute__((tls_model("initial-exec")));

	if (!known)
		known = gettid() == getpid() ? 1 : -1;
	return known > 0;
}

int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	int ret;

	if (is_main())
		return real_wait(cond, mutex);
	atomic_store(&big_lock, mutex);
	atomic_store(&awaited, cond);
	sem_post(&waits);
	ret = real_wait(cond, mutex);
	atomic_store(&awaited, NULL);
	return ret;
}

static void told(pthread_cond_t *cond)
{
	pthread_cond_t *expected = cond;

	atomic_compare_exchange_strong(&awaited, &expected, NULL);
}

int pthread_cond_signal(pthread_cond_t *cond)
{
	told(cond);
	return real_signal(cond);
}

int pthread_cond_broadcast(pthread_cond_t *cond)
{
	told(cond);
	return real_broadcast(cond);
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	int ret = __pthread_mutex_lock(mutex);

	if (mutex == atomic_load(&big_lock) && is_main())
		atomic_store(&main_has_it, true);
	return ret;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	if (mutex == atomic_load(&big_lock) && is_main())
		atomic_store(&main_has_it, false);
	return __pthread_mutex_unlock(mutex);
}

static void wait_for_cpu(void)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += LIMIT_SECONDS;
	while (!atomic_load(&awaited))
		if (sem_timedwait(&waits, &end) && errno == ETIMEDOUT)
			return;
}

int ppoll(struct pollfd *fds, nfds_t nr, const struct timespec *timeout, const sigset_t *mask)
{
	int ret = real_ppoll(fds, nr, timeout, mask);

	if (is_main() && atomic_load(&big_lock) && !atomic_load(&main_has_it))
		wait_for_cpu();
	return ret;
}
