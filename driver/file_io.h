/* SPDX-License-Identifier: GPL-2.0 */
/*
 * file_io.h - I/O on a file in a worker, see file_io.c.
 */
#ifndef UBDX_FILE_IO_H
#define UBDX_FILE_IO_H

#include <linux/bio.h>
#include <linux/fs.h>

#include "backing.h"

/**
 * struct ubdx_file_io - a READ or WRITE on a backing without a block device.
 * @backing:	file; the caller holds a reference until @done.
 * @bio:	the submitter's, for its cgroup and priority.
 * @opf:	operation, and REQ_FUA.
 * @bvecs:	pages.
 * @nr_bvecs:	number of @bvecs.
 * @skip:	the I/O begins so many bytes into @bvecs.
 * @bytes:	length of the I/O.
 * @pos:	offset in the file, in bytes.
 * @done:	called when the I/O has ended, with the number of bytes or an errno. Any context.
 *		This function may submit @io again.
 * @guarded:	the file system can't be frozen.
 * @refs:	one of the worker, one of the I/O.
 * @ret:	what the I/O returned.
 * @work:	runs the I/O.
 * @iocb:	the I/O.
 *
 * The caller sets the members before @guarded.
 */
struct ubdx_file_io {
	struct ubdx_backing *backing;
	struct bio *bio;
	blk_opf_t opf;
	const struct bio_vec *bvecs;
	unsigned int nr_bvecs;
	unsigned int skip;
	unsigned int bytes;
	u64 pos;
	void (*done)(struct ubdx_file_io *io, long ret);

	bool guarded;
	atomic_t refs;
	long ret;
	struct delayed_work work;
	struct kiocb iocb;
};

bool ubdx_file_guard(struct ubdx_file_io *io);
void ubdx_file_unguard(struct ubdx_file_io *io);
void ubdx_file_submit(struct ubdx_file_io *io, unsigned long delay);

#endif /* UBDX_FILE_IO_H */
