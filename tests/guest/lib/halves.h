/* SPDX-License-Identifier: GPL-2.0 */
/*
 * halves.h - the server's half of each transfer mode on the bare UAPI, for tests that go through
 * all modes.
 */
#ifndef UBDX_HALVES_H
#define UBDX_HALVES_H

#include "raw.h"

/*
 * @take copies the first @bytes of a WRITE's payload to @buf, the tag's buffer. @give copies @bytes
 * from @buf to the start of a READ's payload. Both return 0 or -errno. NULL: the driver copies to
 * and from @buf itself.
 */
struct mode {
	unsigned int xfer; /* enum ubdx_xfer_mode */
	const char *name;
	int (*take)(struct raw_queue *q, const struct ubdx_desc *desc, char *buf, size_t bytes);
	int (*give)(struct raw_queue *q, const struct ubdx_desc *desc, char *buf, size_t bytes);
};

extern const struct mode modes[];
extern const unsigned int nr_modes;

/* The modes that a server of this mode must offer: the mode itself and, except for copy, user. */
uint64_t mode_offer(const struct mode *mode);
/* Pin the device to this mode. Returns 0 or -errno. */
int mode_pin(const struct raw *raw, const struct mode *mode);

#endif /* UBDX_HALVES_H */
