// SPDX-License-Identifier: GPL-2.0
/*
 * ubdx_errors.c - make one error of those that a debug kernel is there to see, to see whether it does.
 *
 * Loading it with error=NAME makes the error. These are what lkdtm, the kernel's own such module, doesn't have.
 */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

static char *error = "";
module_param(error, charp, 0);
MODULE_PARM_DESC(error, "inversion, sleep, rcu or leak");

static DEFINE_SPINLOCK(lock_a);
static DEFINE_SPINLOCK(lock_b);
static DEFINE_MUTEX(mutex);
static int __rcu *published;

/* Each order alone is fine, and nobody hangs: what is wrong is that there are two. */
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

	/* more than one: a stale pointer may be left in a register or on a stack */
	for (i = 0; i < 8; i++)
		if (!kmalloc(100, GFP_KERNEL))
			pr_info("no memory\n");
}

static int __init ubdx_errors_init(void)
{
	if (!strcmp(error, "inversion"))
		lock_inversion();
	else if (!strcmp(error, "sleep"))
		sleep_in_atomic();
	else if (!strcmp(error, "rcu"))
		read_outside_rcu();
	else if (!strcmp(error, "leak"))
		leak();
	else
		return -EINVAL;
	return 0;
}
module_init(ubdx_errors_init);

static void __exit ubdx_errors_exit(void)
{
}
module_exit(ubdx_errors_exit);

MODULE_DESCRIPTION("Errors that a debug kernel sees");
MODULE_LICENSE("GPL");
