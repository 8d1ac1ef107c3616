/* SPDX-License-Identifier: GPL-2.0 */
/*
 * modes.h - the server's half of each transfer mode, on the bare UAPI: what a test needs of it.
 */
#ifndef UBDX_MODES_H
#define UBDX_MODES_H

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

/* The driver's modes, as in struct ubdx_features. Bails out if it can't be asked. */
uint64_t modes_of_driver(void);

#endif /* UBDX_MODES_H */
