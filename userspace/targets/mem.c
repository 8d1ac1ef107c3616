// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * mem.c - target `mem`: a RAM disk in the server's memory. It is sparse: a page is allocated when
 * it is first written, and DISCARD frees it. The data are lost when the server exits.
 *
 * Queues need no lock: if requests in flight overlap, any mixture of them is a correct result.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory.h"
#include "targets.h"

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

struct ubdx_mem {
	char *base;
	uint64_t bytes;
	bool unmap;
};

/* The disk must fit: users can write all of it, and its memory can't be swapped out. */
static int ubdx_mem_check_size(uint64_t bytes)
{
	struct ubdx_memory m;

	ubdx_memory_read(&m);
	if (bytes <= m.available)
		return 0;
	return ubdx_fail(-ENOMEM,
			 "target mem: %llu MiB are more than the %s has left (%llu MiB); "
			 "--force-size allows that",
			 (unsigned long long)bytes >> 20, m.owner,
			 (unsigned long long)m.available >> 20);
}

static int ubdx_mem_open(struct ubdx_target *target, const struct ubdx_target_config *config,
			 struct ubdx_params *params)
{
	struct ubdx_mem *mem;
	int ret;

	if (config->path)
		return ubdx_fail(-EINVAL,
				 "target mem keeps its data in memory, so it takes no file");
	if (!config->bytes)
		return ubdx_fail(-EINVAL, "target mem needs a size");
	if (params->recovery != UBDX_RECOVERY_FAIL)
		return ubdx_fail(-EINVAL,
				 "target mem can't be recovered: its data is lost with its server");
	ret = ubdx_target_capacity("target mem", config->bytes, params);
	if (!ret && !(config->flags & UBDX_TARGET_FORCE_SIZE))
		ret = ubdx_mem_check_size(config->bytes);
	if (ret)
		return ret;

	mem = calloc(1, sizeof(*mem));
	if (!mem)
		return ubdx_fail(-ENOMEM, "target mem: %m");
	mem->bytes = config->bytes;
	mem->base = mmap(NULL, mem->bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem->base == MAP_FAILED) {
		ret = ubdx_fail(-errno, "target mem: %llu bytes of memory: %m",
				(unsigned long long)mem->bytes);
		free(mem);
		return ret;
	}

	mem->unmap = !(config->flags & UBDX_TARGET_NO_DISCARD);
	if (!(config->flags & UBDX_TARGET_READ_ONLY)) {
		params->max_write_zeroes_sectors = UBDX_MAX_ZEROES_BYTES >> UBDX_SECTOR_SHIFT;
		if (mem->unmap) {
			params->max_discard_sectors = UBDX_MAX_DISCARD_BYTES >> UBDX_SECTOR_SHIFT;
			params->discard_granularity = sysconf(_SC_PAGESIZE);
		}
	}
	ubdx_target_attrs(config, false, params);
	target->token[0] = mem->bytes;
	target->priv = mem;
	return 0;
}

static void ubdx_mem_close(struct ubdx_target *target)
{
	struct ubdx_mem *mem = target->priv;

	munmap(mem->base, mem->bytes);
	free(mem);
}

/* Free whole pages, which then read as zeroes, and zero the parts of pages at both ends. */
static void ubdx_mem_unmap(char *start, char *end)
{
	uintptr_t page = sysconf(_SC_PAGESIZE);
	char *first = (char *)(((uintptr_t)start + page - 1) & ~(page - 1));
	char *last = (char *)((uintptr_t)end & ~(page - 1));

	/* MADV_DONTNEED refuses locked memory, and old kernels lack MADV_DONTNEED_LOCKED. */
	if (first >= last || (madvise(first, last - first, MADV_DONTNEED_LOCKED) &&
			      madvise(first, last - first, MADV_DONTNEED))) {
		memset(start, 0, end - start);
		return;
	}
	memset(start, 0, first - start);
	memset(last, 0, end - last);
}

static int ubdx_mem_resolve(struct ubdx_target *target, const struct ubdx_desc *desc, uint64_t done,
			    struct ubdx_step *step)
{
	const struct ubdx_mem *mem = target->priv;
	char *start = mem->base + (desc->sector << UBDX_SECTOR_SHIFT);
	uint64_t bytes = ubdx_desc_bytes(desc);

	switch (desc->op) {
	case UBDX_OP_READ:
	case UBDX_OP_WRITE:
		step->kind = UBDX_STEP_MEM;
		step->addr = start + done;
		step->length = bytes - done;
		return 0;
	case UBDX_OP_WRITE_ZEROES:
		if (mem->unmap && !(desc->flags & UBDX_DESC_NOUNMAP))
			ubdx_mem_unmap(start, start + bytes);
		else
			memset(start, 0, bytes);
		return 0;
	case UBDX_OP_DISCARD:
		ubdx_mem_unmap(start, start + bytes);
		return 0;
	case UBDX_OP_FLUSH:
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

const struct ubdx_target_ops ubdx_target_mem = {
	.name = "mem",
	.summary = "RAM disk, sparse; needs --size",
	.open = ubdx_mem_open,
	.close = ubdx_mem_close,
	.resolve = ubdx_mem_resolve,
};
