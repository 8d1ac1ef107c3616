// SPDX-License-Identifier: GPL-2.0
/*
 * steady.c - preloaded into QEMU on the counting clock: lets QEMU's main loop run only while the
 * CPU waits.
 *
 * When the CPU is idle, QEMU's main loop advances the virtual clock to the next timer. The CPU's
 * thread says by a flag that it is idle. It sets the flag a moment before it adds its last few
 * instructions to the clock. Usually the main loop sleeps at that moment, and is woken later. But
 * if the main loop runs for another reason, it advances the clock first, and those instructions
 * are added to the timer's time. That happens in about one run in ten: the clock is then off by
 * three nanoseconds, and the rest of the run takes another course.
 *
 * So after each poll the main loop waits until the CPU's thread waits for its condition and nobody
 * has signalled the condition since. Nothing that the main loop does is needed earlier: the machine
 * has no input, and writes its output itself. A poll while the main thread holds QEMU's big lock is
 * let through, because the CPU needs that lock to go on.
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

/* Wait no longer than this: if something else is wrong, it must still be possible to end QEMU. */
#define LIMIT_SECONDS 60

/* Called by glibc's own names, because QEMU locks mutexes before our constructor has run. */
int __pthread_mutex_lock(pthread_mutex_t *mutex);
int __pthread_mutex_unlock(pthread_mutex_t *mutex);

static int (*real_wait)(pthread_cond_t *, pthread_mutex_t *);
static int (*real_signal)(pthread_cond_t *);
static int (*real_broadcast)(pthread_cond_t *);
static int (*real_ppoll)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);

/* The condition that the CPU's thread waits for; NULL: the thread runs, or is about to run. */
static pthread_cond_t *_Atomic awaited;
/* The mutex with which the CPU's thread waits; NULL: the thread has never waited. */
static pthread_mutex_t *_Atomic big_lock;
static atomic_bool main_has_it;
static sem_t waits;

__attribute__((constructor)) static void init(void)
{
	/* Without a version, dlsym() would return functions for an older type of condition. */
	real_wait = dlvsym(RTLD_NEXT, "pthread_cond_wait", "GLIBC_2.3.2");
	real_signal = dlvsym(RTLD_NEXT, "pthread_cond_signal", "GLIBC_2.3.2");
	real_broadcast = dlvsym(RTLD_NEXT, "pthread_cond_broadcast", "GLIBC_2.3.2");
	real_ppoll = dlsym(RTLD_NEXT, "ppoll");
	sem_init(&waits, 0, 0);
}

/*
 * Whether this is the main thread. The result is kept: this is called each time that the big lock
 * is taken, and a CPU that spins takes it millions of times. The system calls took nine tenths of a
 * boot.
 */
static int is_main(void)
{
	/* 1: yes; -1: no */
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
