// SPDX-License-Identifier: GPL-2.0
/*
 * ubdx_fail.c - makes an allocation fail in a module's init function, and reports failures that the
 * kernel doesn't report.
 *
 * The kernel's fail-nth counts a task's allocations from the moment when it is set. Loading a
 * module makes a thousand allocations before the module's own code runs, and those are not under
 * test. So this module sets fail-nth when that code begins: write N to the parameter nth, and the
 * N-th allocation in the init function of the next module that is loaded fails.
 *
 * Unless it is patched (lab/debug-kernel-build), the kernel doesn't report a failure that it
 * injects into an allocation with __GFP_NOWARN. This module reports such failures of page
 * allocations, but not those of kmalloc().
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

static int ubdx_fail_asked(struct kretprobe_instance *call, struct pt_regs *regs)
{
	*(gfp_t *)call->data = regs_get_kernel_argument(regs, 0);
	return 0;
}

static int ubdx_fail_answered(struct kretprobe_instance *call, struct pt_regs *regs)
{
	if ((u8)regs_return_value(regs) && *(gfp_t *)call->data & __GFP_NOWARN) {
		pr_info("FAULT_INJECTION: forcing a failure with __GFP_NOWARN\n");
		dump_stack();
	}
	return 0;
}

static struct kretprobe ubdx_fail_pages = {
	.kp.symbol_name = "should_fail_alloc_page",
	.entry_handler = ubdx_fail_asked,
	.handler = ubdx_fail_answered,
	.data_size = sizeof(gfp_t),
};

static int __init ubdx_fail_init(void)
{
	int ret = register_kprobe(&ubdx_fail_probe);

	if (ret)
		return ret;
	ret = register_kretprobe(&ubdx_fail_pages);
	if (ret)
		unregister_kprobe(&ubdx_fail_probe);
	return ret;
}

static void __exit ubdx_fail_exit(void)
{
	unregister_kretprobe(&ubdx_fail_pages);
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
