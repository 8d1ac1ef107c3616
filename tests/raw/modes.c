// SPDX-License-Identifier: GPL-2.0
/*
 * modes.c - see modes.h. A mode that the driver has and this doesn't makes the tests that go through all of them fail:
 * a new mode gets an entry here.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "modes.h"
#include "tap.h"

const struct mode modes[] = {
	{ UBDX_XFER_COPY, "copy", NULL, NULL },
};
const unsigned int nr_modes = sizeof(modes) / sizeof(modes[0]);

uint64_t modes_of_driver(void)
{
	struct ubdx_features features = {};
	int fd = open("/dev/" UBDX_CONTROL_NAME, O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UBDX_IOC_FEATURES, &features))
		bail("/dev/" UBDX_CONTROL_NAME ": %s", strerror(errno));
	close(fd);
	return features.xfer_modes;
}
