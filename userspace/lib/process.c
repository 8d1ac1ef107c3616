// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * process.c - what a process must do before it may stand between memory reclaim and a disk.
 */
#include <errno.h>
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

/* Returns 0 or an errno. */
static int ubdx_spare_from_oom(void)
{
	FILE *file = fopen("/proc/self/oom_score_adj", "we");
	int err = 0;

	if (!file)
		return errno;
	if (fputs("-1000", file) < 0)
		err = errno;
	if (fclose(file))
		err = errno;
	return err;
}

void ubdx_process_prepare(ubdx_log_fn log, void *arg)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	const struct ubdx_logger logger = { log, arg };
	int err;

	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0))
		ubdx_log(&logger, LOG_WARNING,
			 "PR_SET_IO_FLUSHER: %s; the device may hang when memory is short",
			 strerror(errno));
	err = ubdx_spare_from_oom();
	if (err)
		ubdx_log(&logger, LOG_WARNING,
			 "oom_score_adj: %s; the server may be killed when memory is short",
			 strerror(err));
	/*
	 * Pages are locked when they are first used: buffers are large and mostly never are. With a
	 * limit on locked memory it is not tried at all, since later mappings, not this call, would
	 * fail.
	 */
	if (setrlimit(RLIMIT_MEMLOCK, &unlimited) ||
	    mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
		ubdx_log(&logger, LOG_WARNING,
			 "mlockall: %s; the server may be swapped out when memory is short",
			 strerror(errno));
}
