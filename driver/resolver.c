// SPDX-License-Identifier: GPL-2.0
/*
 * resolver.c - resolvers: BPF programs that say where a device's sectors are, in place of extents
 * (extents.c). A resolver is loaded as a struct_ops map of type ubdx_resolver, and has a name. A
 * write of this name to a device's sysfs attribute `resolver` makes the device use the resolver,
 * until another name or "none" is written, the resolver is unloaded, QUIESCE is called, the server
 * ends, or there is no memory for a new table.
 *
 * A device with a resolver has a struct ubdx_table without ranges. The table holds references to
 * the server's files, and bios are sent to these files, as with ranges. A revocation makes a new
 * table. So a server that has changed the data from which its resolver takes the answers can wait
 * for the I/O that used the old data (UBDX_REVOKE_DRAIN).
 *
 * The driver doesn't trust a resolver: it checks the answer for each bio (ubdx_answer_fits()).
 *
 * Locks: ubdx_resolvers_lock, then map->lock.
 */
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/ctype.h>
#include <linux/log2.h>
#include <linux/nospec.h>

#include "extents.h"

static DEFINE_MUTEX(ubdx_resolvers_lock);
static LIST_HEAD(ubdx_resolvers); /* of struct ubdx_resolver_entry */
static LIST_HEAD(ubdx_resolver_maps); /* of struct ubdx_map: all of them */

struct ubdx_resolver_entry {
	struct list_head list;
	const struct ubdx_resolver *resolver;
};

/* ---- the look-up ---- */

static bool ubdx_answer_fits(const struct ubdx_table *table, const struct ubdx_range *range,
			     u32 file)
{
	const fmode_t mode = range->flags == UBDX_EXTENT_READ ? FMODE_READ : FMODE_WRITE;
	const struct ubdx_backing *backing;

	if (file >= UBDX_MAX_FILES)
		return false;
	backing = table->backings[array_index_nospec(file, UBDX_MAX_FILES)];
	return backing && backing->file->f_mode & mode &&
	       !(range->to & (table->map->block_sectors - 1)) &&
	       ubdx_backing_has(backing, range->to + (range->end - range->start), range->flags);
}

/**
 * ubdx_resolver_find - ask the table's resolver.
 * @table:	table with a resolver. The caller is in an RCU read-side section.
 * @bio:	READ or WRITE.
 * @flag:	UBDX_EXTENT_READ or UBDX_EXTENT_WRITE.
 * @range:	out: where the bio's first sectors are.
 *
 * Returns false for a miss, or if the answer can't be used.
 */
bool ubdx_resolver_find(const struct ubdx_table *table, const struct bio *bio, u16 flag,
			struct ubdx_range *range)
{
	const struct ubdx_resolver *resolver = table->resolver;
	const struct ubdx_dev *dev = table->map->dev;
	u32 nr = bio_sectors(bio), chunk = resolver->chunk_sectors, file;
	sector_t start = bio->bi_iter.bi_sector;
	u64 answer;

	/*
	 * The table must be loaded before the program loads its data. A server changes the data, and
	 * then makes a new table and waits for the older ones (UBDX_REVOKE_DRAIN). So this wait
	 * includes all I/O that used the old data.
	 */
	smp_rmb();
	if (flag == UBDX_EXTENT_WRITE && dev->params.attrs & UBDX_ATTR_READ_ONLY)
		return false;
	if (chunk)
		nr = min_t(u32, nr, chunk - (start & (chunk - 1)));
	answer = resolver->resolve(
		start, nr, flag == UBDX_EXTENT_READ ? UBDX_OP_READ : UBDX_OP_WRITE, dev->id);
	if (answer == UBDX_RESOLVER_MISS)
		return false;
	file = (answer >> UBDX_RESOLVER_FILE_SHIFT) - 1; /* of 0, it is too large */
	*range = (struct ubdx_range){
		.start = start,
		.end = start + nr,
		.to = answer & ((1ULL << UBDX_RESOLVER_FILE_SHIFT) - 1),
		.flags = flag,
	};
	if (unlikely(!ubdx_answer_fits(table, range, file))) {
		this_cpu_inc(dev->counts->invalid);
		return false;
	}
	range->file = file;
	return true;
}

/* ---- a device's choice ---- */

static struct ubdx_resolver_entry *ubdx_resolver_by_name(const char *name)
{
	struct ubdx_resolver_entry *entry;

	lockdep_assert_held(&ubdx_resolvers_lock);
	list_for_each_entry(entry, &ubdx_resolvers, list)
		if (sysfs_streq(name, entry->resolver->name))
			return entry;
	return NULL;
}

/**
 * ubdx_resolver_attach - let a resolver answer for a device.
 * @dev:	device with a map.
 * @name:	resolver's name, or "none".
 *
 * Returns 0; -ENOENT: no such resolver; -EINVAL: its chunks are smaller than a logical block; or an
 * error of ubdx_map_set_resolver().
 */
int ubdx_resolver_attach(struct ubdx_dev *dev, const char *name)
{
	struct ubdx_resolver_entry *entry;
	u32 chunk;
	int ret;

	mutex_lock(&ubdx_resolvers_lock);
	if (sysfs_streq(name, "none")) {
		ret = ubdx_map_set_resolver(dev, NULL);
		goto unlock;
	}
	entry = ubdx_resolver_by_name(name);
	ret = -ENOENT;
	if (!entry)
		goto unlock;
	chunk = entry->resolver->chunk_sectors;
	ret = -EINVAL;
	if (!chunk || chunk >= dev->map->block_sectors)
		ret = ubdx_map_set_resolver(dev, entry->resolver);
unlock:
	mutex_unlock(&ubdx_resolvers_lock);
	return ret;
}

/**
 * ubdx_resolver_show - list all resolvers, the device's in brackets.
 * @dev:	device with a map.
 * @buf:	a page.
 *
 * Returns the number of characters.
 */
ssize_t ubdx_resolver_show(struct ubdx_dev *dev, char *buf)
{
	const struct ubdx_resolver *mine;
	struct ubdx_resolver_entry *entry;
	ssize_t len;

	mutex_lock(&ubdx_resolvers_lock);
	mine = READ_ONCE(dev->map->resolver);
	len = sysfs_emit(buf, mine ? "none" : "[none]");
	list_for_each_entry(entry, &ubdx_resolvers, list)
		len += sysfs_emit_at(buf, len, mine == entry->resolver ? " [%s]" : " %s",
				     entry->resolver->name);
	mutex_unlock(&ubdx_resolvers_lock);
	return len + sysfs_emit_at(buf, len, "\n");
}

/* Each map is in ubdx_resolver_maps from its allocation until it is freed. */
void ubdx_resolver_add_map(struct ubdx_map *map)
{
	mutex_lock(&ubdx_resolvers_lock);
	list_add_tail(&map->maps, &ubdx_resolver_maps);
	mutex_unlock(&ubdx_resolvers_lock);
}

void ubdx_resolver_del_map(struct ubdx_map *map)
{
	mutex_lock(&ubdx_resolvers_lock);
	list_del(&map->maps);
	mutex_unlock(&ubdx_resolvers_lock);
}

/* ---- struct_ops ---- */

static int ubdx_resolver_init(struct btf *btf)
{
	return 0;
}

/* A resolver can call only BPF's base helpers, such as those that access BPF maps. */
static const struct bpf_verifier_ops ubdx_resolver_verifier_ops = {
	.get_func_proto = bpf_base_func_proto,
	.is_valid_access = bpf_tracing_btf_ctx_access,
};

static int ubdx_resolver_check_member(const struct btf_type *t, const struct btf_member *member,
				      const struct bpf_prog *prog)
{
	return prog->sleepable ? -EINVAL : 0;
}

static bool ubdx_resolver_name_ok(const char *name)
{
	size_t i, len = strnlen(name, UBDX_RESOLVER_NAME);

	for (i = 0; i < len; i++)
		if (!isascii(name[i]) || (!isalnum(name[i]) && name[i] != '-' && name[i] != '_'))
			return false;
	return len && len < UBDX_RESOLVER_NAME && strcmp(name, "none");
}

/* Copy @member if it is data. Returns 1 for data, 0 for a function, -EINVAL for a wrong value. */
static int ubdx_resolver_init_member(const struct btf_type *t, const struct btf_member *member,
				     void *kdata, const void *udata)
{
	const struct ubdx_resolver *from = udata;
	struct ubdx_resolver *to = kdata;

	switch (__btf_member_bit_offset(t, member) / 8) {
	case offsetof(struct ubdx_resolver, name):
		if (!ubdx_resolver_name_ok(from->name))
			return -EINVAL;
		memcpy(to->name, from->name, sizeof(to->name));
		return 1;
	case offsetof(struct ubdx_resolver, chunk_sectors):
		if (from->chunk_sectors && !is_power_of_2(from->chunk_sectors))
			return -EINVAL;
		to->chunk_sectors = from->chunk_sectors;
		return 1;
	}
	return 0;
}

static int ubdx_resolver_validate(void *kdata)
{
	return ((struct ubdx_resolver *)kdata)->resolve ? 0 : -EINVAL;
}

static int ubdx_resolver_reg(void *kdata, struct bpf_link *link)
{
	const struct ubdx_resolver *resolver = kdata;
	struct ubdx_resolver_entry *entry;
	int ret = 0;

	entry = kzalloc(sizeof(*entry), GFP_KERNEL_ACCOUNT);
	if (!entry)
		return -ENOMEM;
	entry->resolver = resolver;
	mutex_lock(&ubdx_resolvers_lock);
	if (ubdx_resolver_by_name(resolver->name))
		ret = -EEXIST;
	else
		list_add_tail(&entry->list, &ubdx_resolvers);
	mutex_unlock(&ubdx_resolvers_lock);
	if (ret)
		kfree(entry);
	return ret;
}

/*
 * BPF frees the program an RCU grace period after this. By then no look-up uses a table that has
 * the resolver.
 */
static void ubdx_resolver_unreg(void *kdata, struct bpf_link *link)
{
	struct ubdx_resolver_entry *entry;
	struct ubdx_map *map;

	mutex_lock(&ubdx_resolvers_lock);
	entry = ubdx_resolver_by_name(((struct ubdx_resolver *)kdata)->name);
	list_del(&entry->list);
	kfree(entry);
	list_for_each_entry(map, &ubdx_resolver_maps, maps)
		ubdx_map_forget_resolver(map, kdata);
	mutex_unlock(&ubdx_resolvers_lock);
}

/* BPF takes the functions' types from these. They are never called. */
static u64 ubdx_resolver_no_resolve(u64 sector, u32 nr_sectors, u32 op, u32 dev)
{
	return UBDX_RESOLVER_MISS;
}

static struct ubdx_resolver ubdx_resolver_stubs = {
	.resolve = ubdx_resolver_no_resolve,
};

static struct bpf_struct_ops ubdx_resolver_ops = {
	.verifier_ops = &ubdx_resolver_verifier_ops,
	.init = ubdx_resolver_init,
	.check_member = ubdx_resolver_check_member,
	.init_member = ubdx_resolver_init_member,
	.validate = ubdx_resolver_validate,
	.reg = ubdx_resolver_reg,
	.unreg = ubdx_resolver_unreg,
	.cfi_stubs = &ubdx_resolver_stubs,
	.name = "ubdx_resolver",
	.owner = THIS_MODULE,
};

/* Nothing unregisters the type: it goes with the module. Without it, all but resolvers works. */
void ubdx_resolvers_init(void)
{
	if (register_bpf_struct_ops(&ubdx_resolver_ops, ubdx_resolver))
		pr_warn("ubdx: this kernel can't load resolvers\n");
}
