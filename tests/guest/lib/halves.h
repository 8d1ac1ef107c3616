/* SPDX-License-Identifier: GPL-2.0 */
/*
 * halves.h - the server's half of each transfer mode, on the bare UAPI: what the tests need that go
 * through all modes.
 */
#ifndef UBDX_HALVES_H
#define UBDX_HALVES_H

#include "raw.h"

/*
 * @take: have the first bytes of a WRITE's payload in @buf, the tag's buffer. @give: have them taken from
 * there for a READ. Both return 0 or -errno; NULL: the driver copies them to and from @buf itself.
 */
struct mode {
	unsigned int xfer; /* enum ubdx_xfer_mode */
	const char *name;
	int (*take)(struct raw_queue *q, const struct ubdx_desc *desc, char *buf, size_t bytes);
	int (*give)(struct raw_queue *q, const struct ubdx_desc *desc, char *buf, size_t bytes);
};

extern const struct mode modes[];
extern const unsigned int nr_modes;

/* What a server of this mode has to offer: the mode, and what that falls back to. */
uint64_t mode_offer(const struct mode *mode);
/* Once the device is there: have it take this mode. 0 or -errno. */
int mode_pin(const struct raw *raw, const struct mode *mode);

/* The driver's modes, as in struct ubdx_features. Bails out if it can't be asked. */
uint64_t modes_of_driver(void);

#endif /* UBDX_HALVES_H */
