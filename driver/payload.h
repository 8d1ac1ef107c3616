/* SPDX-License-Identifier: GPL-2.0 */
/*
 * payload.h - copy between a request's pages and user memory.
 *
 * The caller owns the request or is a user of it, and must not wait for a page fault on user
 * memory. A fault can take any time. If the memory is a mapping of the device itself, the fault can
 * even wait for this request. So a copy stops at the first page that isn't present. The caller then
 * lets go of the request (ubdx_slot_pass(), ubdx_use_end()), calls ubdx_fault_in(), and tries
 * again.
 *
 * The copies are _copy_to_iter() and _copy_from_iter(), not the checked forms: a journal's pages
 * come from slab caches without a usercopy region, and hardened usercopy would refuse them.
 */
#ifndef UBDX_PAYLOAD_H
#define UBDX_PAYLOAD_H

#include <linux/blk-mq.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#ifdef CONFIG_HIGHMEM
#error "a multi-page bvec must be contiguous in the kernel's address space"
#endif

typedef size_t (*ubdx_copy_fn)(void *addr, size_t bytes, struct iov_iter *i);

static inline size_t ubdx_to_iter(void *addr, size_t bytes, struct iov_iter *i)
{
	return _copy_to_iter(addr, bytes, i);
}

static inline size_t ubdx_from_iter(void *addr, size_t bytes, struct iov_iter *i)
{
	return _copy_from_iter(addr, bytes, i);
}

/*
 * Copy @bytes, starting at byte @skip of the request. Stops at the request's end, and at the first
 * page of @iter that isn't present. Returns the number of bytes copied.
 */
static __always_inline size_t ubdx_payload_copy(struct request *rq, size_t skip, size_t bytes,
						struct iov_iter *iter, ubdx_copy_fn copy)
{
	struct req_iterator rq_iter;
	struct bio_vec bv;
	size_t done = 0;

	pagefault_disable();
	/*
	 * Without high memory the pages of a multi-page bvec are contiguous in the kernel's address
	 * space too, so one copy suffices.
	 */
	rq_for_each_bvec(bv, rq, rq_iter) {
		size_t want, got;

		if (skip && skip >= bv.bv_len) {
			skip -= bv.bv_len;
			continue;
		}
		want = min_t(size_t, bv.bv_len - skip, bytes - done);
		got = copy(bvec_virt(&bv) + skip, want, iter);
		done += got;
		skip = 0;
		if (got < want || done == bytes)
			goto end; /* the macro nests two loops, so break isn't enough */
	}
end:
	pagefault_enable();
	return done;
}

/*
 * Fault in one page. -ENOMEM: another try may succeed; -EFAULT: none will; -EINTR: the caller is
 * being killed.
 */
static inline int ubdx_fault_in_page(bool dest, struct iov_iter *iter)
{
	unsigned long addr = (unsigned long)iter_iov_addr(iter);
	struct mm_struct *mm = current->mm;
	bool unlocked;
	int ret;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	ret = fixup_user_fault(mm, addr, dest ? FAULT_FLAG_WRITE : 0, &unlocked);
	mmap_read_unlock(mm);
	return !ret || ret == -ENOMEM || ret == -EINTR ? ret : -EFAULT;
}

#define UBDX_MAX_IN_VAIN 16

/**
 * ubdx_fault_in - fault in user memory. The pages can be reclaimed before the caller uses them.
 * @dest:	the copy will write to the memory.
 * @iter:	memory.
 * @bytes:	length.
 * @in_vain:	how many calls before this one, in a row, did not help the copy. Their number is
 *		bounded: some memory can be faulted in but not copied to (a shadow stack), and when
 *		memory is short the last page that is faulted in can evict the first.
 *
 * Returns 0; -EFAULT if no page can be faulted in, or if more than UBDX_MAX_IN_VAIN calls did not
 * help; -ENOMEM if no page can be faulted in at present; -EINTR if the caller is being killed.
 */
static inline int ubdx_fault_in(bool dest, struct iov_iter *iter, size_t bytes,
				unsigned int in_vain)
{
	size_t missing;
	int ret = 0;

	cond_resched();
	if (in_vain)
		bytes = min(bytes, PAGE_SIZE);
	missing = dest ? fault_in_iov_iter_writeable(iter, bytes) :
			 fault_in_iov_iter_readable(iter, bytes);
	/* try one page, to learn the error; this can also succeed by now */
	if (missing == bytes || in_vain > UBDX_MAX_IN_VAIN)
		ret = ubdx_fault_in_page(dest, iter);
	if (!ret && in_vain > UBDX_MAX_IN_VAIN)
		ret = -EFAULT;
	if (!ret && fatal_signal_pending(current))
		ret = -EINTR;
	return ret;
}

#endif /* UBDX_PAYLOAD_H */
