// SPDX-License-Identifier: GPL-2.0
/*
 * ubdx_errors.c - makes one error that a debug kernel should report.
 *
 * Loading it with error=NAME makes the error. These are errors that lkdtm, the kernel's own module
 * for this, doesn't have, and errors that are found only in code that the compiler instruments,
 * such as this module and the driver.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>

static char *error = "";
module_param(error, charp, 0);
MODULE_PARM_DESC(error, "which error to make; see the table in the source");

static DEFINE_SPINLOCK(lock_a);
static DEFINE_SPINLOCK(lock_b);
static DEFINE_MUTEX(mutex);
static int __rcu *published;
static int table[8];

/* An index beyond the table. It is a parameter, so that the compiler can't know it. */
static unsigned int beyond = 9;
module_param(beyond, uint, 0);

/* Each order alone is fine, and nothing deadlocks here. The error is that there are two orders. */
static void lock_inversion(void)
{
	spin_lock(&lock_a);
	spin_lock(&lock_b);
	spin_unlock(&lock_b);
	spin_unlock(&lock_a);
	spin_lock(&lock_b);
	spin_lock(&lock_a);
	spin_unlock(&lock_a);
	spin_unlock(&lock_b);
}

static void sleep_in_atomic(void)
{
	spin_lock(&lock_a);
	mutex_lock(&mutex);
	mutex_unlock(&mutex);
	spin_unlock(&lock_a);
}

static void read_outside_rcu(void)
{
	if (rcu_dereference(published))
		pr_info("published\n");
}

static noinline void leak(void)
{
	int i;

	/*
	 * Many objects: kmemleak misses those to which a stale pointer is left in a register, on a
	 * stack, or in the per-CPU cache of objects (Linux 7.3).
	 */
	for (i = 0; i < 96; i++)
		if (!kmalloc(100, GFP_KERNEL))
			pr_info("no memory\n");
}

static void read_freed(void)
{
	char *p = kmalloc(100, GFP_KERNEL);

	kfree(p);
	(void)READ_ONCE(p[50]);
}

static void write_freed(void)
{
	char *p = kmalloc(100, GFP_KERNEL);

	kfree(p);
	WRITE_ONCE(p[50], 1);
}

static void read_freed_page(void)
{
	struct page *page = alloc_page(GFP_KERNEL);
	char *p;

	if (!page)
		return;
	p = page_address(page);
	__free_page(page);
	(void)READ_ONCE(p[50]);
}

static void write_past_object(void)
{
	char *p = kmalloc(100, GFP_KERNEL);

	WRITE_ONCE(p[100], 1);
	kfree(p);
}

static void read_past_vmalloc(void)
{
	char *p = vmalloc(100);

	(void)READ_ONCE(p[200]);
	vfree(p);
}

static void read_past_array(void)
{
	table[0] = table[beyond];
}

static const struct {
	const char *name;
	void (*make)(void);
} errors[] = {
	{ "inversion", lock_inversion },
	{ "sleep", sleep_in_atomic },
	{ "rcu", read_outside_rcu },
	{ "leak", leak },
	{ "read-freed", read_freed },
	{ "write-freed", write_freed },
	{ "read-freed-page", read_freed_page },
	{ "write-past-object", write_past_object },
	{ "read-past-vmalloc", read_past_vmalloc },
	{ "read-past-array", read_past_array },
};

static int __init ubdx_errors_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		if (!strcmp(error, errors[i].name)) {
			errors[i].make();
			return 0;
		}
	}
	return -EINVAL;
}
module_init(ubdx_errors_init);

static void __exit ubdx_errors_exit(void)
{
}
module_exit(ubdx_errors_exit);

MODULE_DESCRIPTION("Errors that a debug kernel sees");
MODULE_LICENSE("GPL");
