// SPDX-License-Identifier: GPL-2.0
/*
 * ubdx_fail.c - have an allocation fail that a module makes as it begins.
 *
 * The kernel's fail-nth counts a task's allocations from when it is set. Until a module's own code begins the kernel has
 * made a thousand of them to load it, which are not what is to be tested. So here it is set when that begins: write a
 * number to the parameter nth, and the next module that is loaded has that allocation fail.
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/sched.h>

static unsigned int nth;
module_param(nth, uint, 0600);
MODULE_PARM_DESC(nth, "which allocation of the next module's fails; 0: none");

#ifdef CONFIG_FAULT_INJECTION
static int ubdx_fail_begins(struct kprobe *probe, struct pt_regs *regs)
{
	if (nth)
		current->fail_nth = xchg(&nth, 0);
	return 0;
}

static struct kprobe ubdx_fail_probe = {
	.symbol_name = "do_one_initcall",
	.pre_handler = ubdx_fail_begins,
};

static int __init ubdx_fail_init(void)
{
	return register_kprobe(&ubdx_fail_probe);
}

static void __exit ubdx_fail_exit(void)
{
	unregister_kprobe(&ubdx_fail_probe);
}
#else
static int __init ubdx_fail_init(void)
{
	return -EOPNOTSUPP;
}

static void __exit ubdx_fail_exit(void)
{
}
#endif
module_init(ubdx_fail_init);
module_exit(ubdx_fail_exit);

MODULE_DESCRIPTION("Makes allocations of a module fail as it begins");
MODULE_LICENSE("GPL");
