// SPDX-License-Identifier: GPL-2.0
/*
 * ubdx_fail.c - makes an allocation fail in a module's init function.
 *
 * The kernel's fail-nth counts a task's allocations from the moment when it is set. Loading a
 * module makes a thousand allocations before the module's own code runs, and those are not under
 * test. So this module sets fail-nth when that code begins: write N to the parameter nth, and the
 * N-th allocation in the next module's init function fails.
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/sched.h>

static unsigned int nth;
module_param(nth, uint, 0600);
MODULE_PARM_DESC(nth, "make the N-th allocation in the next module's init function fail; 0: none");

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

MODULE_DESCRIPTION("Makes an allocation in a module's init function fail");
MODULE_LICENSE("GPL");
