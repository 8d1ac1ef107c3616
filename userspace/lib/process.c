// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * process.c - settings of a server's process. Memory reclaim writes dirty pages to the server's
 * devices, so it may have to wait for this process.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <syslog.h>

#include "lib.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

/* ubdx_process_prepare() was called. */
static bool ubdx_is_prepared;

static int ubdx_write_oom_score(const char *text)
{
	FILE *file = fopen("/proc/self/oom_score_adj", "we");
	int err = 0;

	if (!file)
		return errno;
	if (fputs(text, file) < 0)
		err = errno;
	if (fclose(file))
		err = errno;
	return err;
}

/*
 * Called when the device is live: from now on the OOM killer spares the process, if
 * ubdx_process_prepare() was called. Until then the OOM killer may kill it: setting up its buffers
 * may be what exhausts memory.
 */
void ubdx_spare_from_oom(const struct ubdx_logger *logger)
{
	int err = ubdx_is_prepared ? ubdx_write_oom_score("-1000") : 0;

	if (err)
		ubdx_log(logger, LOG_WARNING,
			 "oom_score_adj: %s; the server may be killed when memory is short",
			 strerror(err));
}

void ubdx_process_prepare(ubdx_log_fn log, void *arg)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	const struct ubdx_logger logger = { log, arg };

	ubdx_is_prepared = true;
	/* Threads allocate little, and only when they start and end, so one arena is enough. */
	mallopt(M_ARENA_MAX, 1);
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0))
		ubdx_log(&logger, LOG_WARNING,
			 "PR_SET_IO_FLUSHER: %s; the device may hang when memory is short",
			 strerror(errno));
	/*
	 * Lock pages when they are first used: most pages of the buffers are never used. If the
	 * limit on locked memory can't be raised, don't lock: later mappings would fail.
	 */
	if (setrlimit(RLIMIT_MEMLOCK, &unlimited) ||
	    mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
		ubdx_log(
			&logger, LOG_WARNING,
			"locking its memory: %s; the server may be swapped out when memory is short",
			strerror(errno));
}
