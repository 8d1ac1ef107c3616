/* SPDX-License-Identifier: MIT OR LGPL-2.1 */
/*
 * std_fds.h - for programs started by cron, systemd and the like, which may have closed some of the
 * descriptors 0, 1 and 2.
 */
#ifndef UBDX_STD_FDS_H
#define UBDX_STD_FDS_H

#include <fcntl.h>
#include <unistd.h>

/*
 * Call this first in main(). It opens /dev/null on each of the three that is closed. Otherwise the
 * next open() would get that number: the file would receive what is printed, or a daemon's dup2()
 * would close it.
 */
static inline void std_fds_open(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		/* the lowest free number: this one */
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			_exit(1); /* nowhere to say why */
}

#endif /* UBDX_STD_FDS_H */
