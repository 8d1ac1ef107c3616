// SPDX-License-Identifier: GPL-2.0
/*
 * ubdx_write.c - makes requests that change a block device, even if the device is read-only. Drivers
 * above a device can do that: the block layer only warns.
 *
 * Loading the module makes the requests. If no request succeeds, loading fails with the error of
 * the last request.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/module.h>

static char *path;
module_param(path, charp, 0);
MODULE_PARM_DESC(path, "block device");

static int ubdx_write_one(struct block_device *bdev, blk_opf_t op)
{
	struct bio *bio = bio_alloc(bdev, 1, op | REQ_SYNC, GFP_KERNEL);
	int ret;

	if (op == REQ_OP_WRITE)
		__bio_add_page(bio, ZERO_PAGE(0), PAGE_SIZE, 0);
	else
		bio->bi_iter.bi_size = PAGE_SIZE;
	ret = submit_bio_wait(bio);
	pr_info("ubdx_write: operation %u: %d\n", (__force u32)op, ret);
	bio_put(bio);
	return ret;
}

static int __init ubdx_write_init(void)
{
	static const blk_opf_t ops[] = { REQ_OP_WRITE, REQ_OP_DISCARD, REQ_OP_WRITE_ZEROES };
	struct file *file = bdev_file_open_by_path(path, BLK_OPEN_READ, NULL, NULL);
	unsigned int i, worked = 0;
	int ret = 0;

	if (IS_ERR(file))
		return PTR_ERR(file);
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		ret = ubdx_write_one(file_bdev(file), ops[i]);
		worked += !ret;
	}
	bdev_fput(file);
	return worked ? 0 : ret;
}

static void __exit ubdx_write_exit(void)
{
}

module_init(ubdx_write_init);
module_exit(ubdx_write_exit);

MODULE_DESCRIPTION("Writes to a block device, even if it is read-only");
MODULE_LICENSE("GPL");
