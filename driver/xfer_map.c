// SPDX-License-Identifier: GPL-2.0
/*
 * xfer_map.c - transfer mode `map`: the request's pages are mapped into the server's address space.
 *
 * Each queue has two windows: one for READs, and one for WRITEs, which can't be made writable. Each
 * tag has a place in both. A window is a VM_PFNMAP area: it can hold any page, takes no reference,
 * and can't be pinned (O_DIRECT, process_vm_readv and the like get -EFAULT).
 *
 * The rule: the page table entries are gone, in every process, before the request ends. A thread
 * that maps pages is a user of the request or owns it (slot.h), and sets slot->mapped_by first. The
 * thread that ends the request, or the commit that forwards it, sees mapped_by and unmaps the tag's
 * place through srv->mapping, which has every copy of the window, also a forked child's. Unmapping
 * takes i_mmap_rwsem and can sleep, so a mapped request ends in process context. If the pages were
 * never mapped, nothing is unmapped.
 *
 * The first page fault maps all pages of a request (map_when=fault), or delivery does
 * (map_when=eager). A fault in a place without a request raises SIGBUS. When the server is declared
 * dead, its requests end, perhaps while it accesses their pages. So from then on a fault maps a
 * blank page instead, and SIGBUS doesn't kill the server. In the window for WRITEs the blank page
 * is read-only.
 *
 * The pages of a request that doesn't fill them hold other data, too. Such a request is refused
 * unless allow_partial_pages is set. Then its payload starts at desc->page_offset in the tag's
 * place.
 */
#include <linux/blk-mq.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/pgtable.h>
#include <linux/sched/mm.h>

#include "stage.h"
#include "xfer.h"

#ifndef CONFIG_ARCH_HAS_PTE_SPECIAL
#error "windows need page table entries that are marked special"
#endif

static u64 ubdx_window_bytes(const struct ubdx_queue *q)
{
	return (u64)q->depth * q->dev->params.max_io_bytes;
}

/* The tag's place in the window, as an offset into the channel. */
static u64 ubdx_place(const struct ubdx_slot *slot)
{
	const struct ubdx_queue *q = slot->q;

	return ubdx_window(q->qid, slot->op) + (u64)(slot - q->slots) * q->dev->params.max_io_bytes;
}

/* Bytes from the start of the request's first page to its payload. */
static u32 ubdx_page_offset(struct request *rq)
{
	return offset_in_page(req_bvec(rq).bv_offset);
}

/* ---- can the request be mapped? ---- */

/* Do the segments follow each other, page after page, without holes? */
static bool ubdx_is_linear(const struct request *rq)
{
	struct req_iterator iter;
	struct bio_vec bv;
	unsigned long end = 0;
	struct page *last = NULL;

	rq_for_each_bvec(bv, rq, iter) {
		struct page *page = bv.bv_page + (bv.bv_offset >> PAGE_SHIFT);

		if (last && offset_in_page(end) != offset_in_page(bv.bv_offset))
			return false;
		if (last && offset_in_page(end) && page != last)
			return false;
		end = bv.bv_offset + bv.bv_len;
		last = bv.bv_page + ((end - 1) >> PAGE_SHIFT);
	}
	return true;
}

/* As ubdx_map_refuse(), for a request that might not consist of whole pages. */
static noinline enum ubdx_fallback ubdx_map_refuse_odd(struct ubdx_dev *dev, struct ubdx_slot *slot)
{
	struct request *rq = slot->rq;
	u32 offset = ubdx_page_offset(rq), bytes = blk_rq_bytes(rq);
	bool allow_partial = READ_ONCE(ubdx_allow_partial_pages);

	if ((offset || offset_in_page(bytes)) && !allow_partial)
		return UBDX_FALLBACK_PARTIAL;
	if (PAGE_ALIGN(offset + bytes) > dev->params.max_io_bytes)
		return UBDX_FALLBACK_LONG;
	if (ubdx_rq_may_have_gaps(rq) && !ubdx_is_linear(rq))
		return allow_partial ? UBDX_FALLBACK_GAP : UBDX_FALLBACK_PARTIAL;
	slot->page_offset = offset;
	return UBDX_FALLBACK_NONE;
}

static enum ubdx_fallback ubdx_map_refuse(struct ubdx_dev *dev, struct ubdx_slot *slot)
{
	struct request *rq = slot->rq;

	if (likely(READ_ONCE(ubdx_map_when) == UBDX_MAP_FAULT))
		slot->deliver = false;
	if (likely(!offset_in_page(ubdx_page_offset(rq) | blk_rq_bytes(rq)) &&
		   !ubdx_rq_may_have_gaps(rq)))
		return UBDX_FALLBACK_NONE;
	return ubdx_map_refuse_odd(dev, slot);
}

/* ---- mapping ---- */

/* Consecutive pages that are to be mapped together. */
struct ubdx_map_run {
	struct vm_area_struct *vma;
	u64 offset; /* of the first page, in the channel */
	unsigned int nr;
	unsigned int done;
	unsigned long pfns[32];
};

/* Called under the page table's lock. Another thread's fault may have mapped the page already. */
static int ubdx_map_pte(pte_t *pte, unsigned long addr, void *data)
{
	struct ubdx_map_run *run = data;
	unsigned long pfn = run->pfns[run->done++];

	if (pte_none(ptep_get(pte)))
		set_pte_at(run->vma->vm_mm, addr, pte,
			   pte_mkspecial(pfn_pte(pfn, run->vma->vm_page_prot)));
	return 0;
}

/*
 * Map those of the run's pages that lie in the area. Like i915's remap_io_sg() this walks the page
 * tables once for each run. vmf_insert_pfn() would walk them once for each page, and take several
 * times as long (docs/design.md, "map").
 */
static vm_fault_t ubdx_map_put_in(struct ubdx_map_run *run)
{
	struct vm_area_struct *vma = run->vma;
	u64 area = (u64)vma->vm_pgoff << PAGE_SHIFT, bytes = (u64)run->nr * PAGE_SIZE;
	/*
	 * Compare offsets, not addresses: mremap() can move a part of a window so low that the
	 * window's start would be below address 0.
	 */
	u64 start = max(run->offset, area);
	u64 end = min(run->offset + bytes, area + vma->vm_end - vma->vm_start);
	int ret = 0;

	run->done = (start - run->offset) >> PAGE_SHIFT;
	if (start < end)
		ret = apply_to_page_range(vma->vm_mm, vma->vm_start + (start - area), end - start,
					  ubdx_map_pte, run);
	run->offset += bytes;
	run->nr = 0;
	return ret ? VM_FAULT_OOM : VM_FAULT_NOPAGE;
}

/*
 * Map those of the request's pages whose place lies in the area. The caller is a user of the
 * request or owns it, and holds mmap_lock or the area's own lock.
 */
static vm_fault_t ubdx_map_insert(struct ubdx_server *srv, struct vm_area_struct *vma,
				  struct ubdx_slot *slot)
{
	struct ubdx_map_run run = {
		.vma = vma,
		.offset = ubdx_place(slot),
	};
	u32 pos = ubdx_page_offset(slot->rq), nr = 0;
	vm_fault_t ret = VM_FAULT_NOPAGE;
	struct req_iterator iter;
	unsigned int noio;
	struct bio_vec bv;

	WRITE_ONCE(slot->mapped_by, srv); /* first: the end of the request must see it */
	noio = memalloc_noio_save(); /* an allocation must not wait for this request */
	rq_for_each_segment(bv, slot->rq, iter) {
		/* two segments can share a page */
		if (pos >> PAGE_SHIFT == nr) {
			run.pfns[run.nr++] = page_to_pfn(bv.bv_page);
			nr++;
		}
		pos += bv.bv_len;
		if (run.nr < ARRAY_SIZE(run.pfns))
			continue;
		ret = ubdx_map_put_in(&run);
		if (unlikely(ret != VM_FAULT_NOPAGE))
			goto end; /* the macro nests two loops, so break isn't enough */
	}
	if (run.nr)
		ret = ubdx_map_put_in(&run);
end:
	memalloc_noio_restore(noio);
	ubdx_count_moved(slot, UBDX_MOVED_MAPPED, nr);
	return ret;
}

static const struct vm_operations_struct ubdx_map_vm_ops;

/*
 * map_when=eager: map the pages before the server accesses them. If there is no window, or if this
 * would have to wait for mmap_lock, a page fault maps the pages later.
 */
static int ubdx_map_deliver(const struct ubdx_ctx *ctx, struct ubdx_slot *slot)
{
	struct ubdx_server_queue *srvq = ctx->srvq;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	u64 place = ubdx_place(slot), start;

	if (!mmap_read_trylock(mm))
		return 0;
	vma = find_vma(mm, READ_ONCE(srvq->window[slot->op]));
	start = vma ? (u64)vma->vm_pgoff << PAGE_SHIFT : 0;
	/* the window is where mmap() put it, unless the server has moved or unmapped it */
	if (vma && vma->vm_ops == &ubdx_map_vm_ops && vma->vm_private_data == srvq &&
	    place >= start && place - start < vma->vm_end - vma->vm_start)
		ubdx_map_insert(srvq->srv, vma, slot);
	mmap_read_unlock(mm);
	return 0;
}

static vm_fault_t ubdx_map_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct ubdx_server_queue *srvq = vma->vm_private_data;
	u64 at = (u64)vmf->pgoff << PAGE_SHIFT, tag;
	u8 op = vma->vm_flags & VM_MAYWRITE ? UBDX_OP_READ : UBDX_OP_WRITE;
	struct ubdx_use use = {};
	vm_fault_t fault;
	int ret;

	if (vma->vm_mm != srvq->srv->mm)
		return VM_FAULT_SIGBUS;
	tag = div_u64(at - ubdx_window(srvq->q->qid, op), srvq->q->dev->params.max_io_bytes);
	use.slot = &srvq->q->slots[array_index_nospec(tag, srvq->q->depth)];
	use.seq = ubdx_slot_seq(use.slot);
	ret = ubdx_use_begin(srvq->srv, &use, op, UBDX_ACCESS_MAP);
	if (ret == -ENODEV)
		return vmf_insert_pfn(vma, vmf->address, page_to_pfn(srvq->srv->blank[op]));
	if (ret)
		return VM_FAULT_SIGBUS;
	ubdx_count_moved(use.slot, UBDX_MOVED_FAULTS, 1);
	if (at - ubdx_place(use.slot) < ubdx_page_offset(use.slot->rq) + blk_rq_bytes(use.slot->rq))
		fault = ubdx_map_insert(srvq->srv, vma, use.slot);
	else
		fault = VM_FAULT_SIGBUS; /* beyond the end of the request */
	ubdx_use_end(&use);
	return fault;
}

static const struct vm_operations_struct ubdx_map_vm_ops = {
	.fault = ubdx_map_fault,
};

/* Allocate a blank page. It is freed with the ubdx_server, which every window keeps alive. */
static int ubdx_map_blank(struct ubdx_server *srv, u8 op)
{
	struct page *page;

	if (READ_ONCE(srv->blank[op]))
		return 0;
	page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!page)
		return -ENOMEM;
	if (cmpxchg(&srv->blank[op], NULL, page))
		__free_page(page);
	return 0;
}

/**
 * ubdx_map_mmap - make a window.
 * @srv:	server; the caller is one of its tasks.
 * @vma:	area.
 * @offset:	where in the channel, at least UBDX_MMAP_WINDOWS.
 */
int ubdx_map_mmap(struct ubdx_server *srv, struct vm_area_struct *vma, u64 offset)
{
	u64 qid = offset >> UBDX_WINDOW_SHIFT & (UBDX_MAX_QUEUES - 1);
	bool write = offset & UBDX_WINDOW_WRITE;
	u8 op = write ? UBDX_OP_WRITE : UBDX_OP_READ;
	struct ubdx_server_queue *srvq;
	int ret;

	if (qid >= srv->nr_queues || offset != ubdx_window(qid, op))
		return -EINVAL;
	srvq = srv->queues[array_index_nospec(qid, srv->nr_queues)];
	if (vma->vm_end - vma->vm_start != ubdx_window_bytes(srvq->q) ||
	    !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	/* max_io_bytes is a multiple of 4096, and pages can be larger */
	if (!PAGE_ALIGNED(srvq->q->dev->params.max_io_bytes))
		return -EINVAL;
	/* the window for WRITEs must not be writable, and the window for READs must be */
	if (vma->vm_flags & VM_EXEC || !(vma->vm_flags & VM_WRITE) != write)
		return -EPERM;
	ret = ubdx_map_blank(srv, op);
	if (ret)
		return ret;
	vm_flags_mod(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP,
		     VM_MAYEXEC | (write ? VM_MAYWRITE : 0));
	vma->vm_ops = &ubdx_map_vm_ops;
	vma->vm_private_data = srvq;
	WRITE_ONCE(srvq->window[op], vma->vm_start);
	return 0;
}

/* ---- unmapping ---- */

static void ubdx_map_unmap(struct ubdx_slot *slot)
{
	u64 bytes = PAGE_ALIGN(ubdx_page_offset(slot->rq) + blk_rq_bytes(slot->rq));

	ubdx_count_moved(slot, UBDX_MOVED_ZAPS, 1);
	unmap_mapping_range(&slot->mapped_by->mapping, ubdx_place(slot), bytes, 1);
}

const struct ubdx_xfer_ops ubdx_xfer_map = {
	.name = "map",
	.mode = UBDX_XFER_MAP,
	.moves = true,
	.deliver = { ubdx_map_deliver, ubdx_map_deliver },
	.trusts = true,
	.falls_back = true,
	.access = UBDX_ACCESS_BYTES | UBDX_ACCESS_MAP,
	.refuse = ubdx_map_refuse,
	.unmap = ubdx_map_unmap,
};
