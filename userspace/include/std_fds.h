/* SPDX-License-Identifier: MIT OR LGPL-2.1 */
/*
 * std_fds.h - make sure that the descriptors 0, 1 and 2 are open. The process that starts a program
 * (cron, for example) may have closed some of them.
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
		/* open() returns the lowest free number, which is fd */
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			_exit(1); /* nowhere to say why */
}

#endif /* UBDX_STD_FDS_H */
