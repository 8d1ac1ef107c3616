// SPDX-License-Identifier: GPL-2.0
/*
 * ubdx_stall.c - delays a submitter at the moment when it notifies a server, as if it had been
 * preempted. The parameter task names the submitter. The submitter continues when the parameter
 * changes, or after STALL_LIMIT.
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/sched.h>

#define STALL_LIMIT (10 * HZ)

static int task;
module_param(task, int, 0600);
MODULE_PARM_DESC(task, "thread to be stopped; 0: none");

static int stalled;
module_param(stalled, int, 0400);
MODULE_PARM_DESC(stalled, "1 while the submitter stands still");

static int ubdx_stall_here(struct kprobe *probe, struct pt_regs *regs)
{
	unsigned long end = jiffies + STALL_LIMIT;

	if (likely(current->pid != READ_ONCE(task)))
		return 0;
	WRITE_ONCE(stalled, 1);
	while (current->pid == READ_ONCE(task) && time_before(jiffies, end))
		cpu_relax();
	WRITE_ONCE(stalled, 0);
	return 0;
}

static struct kprobe ubdx_stall_probe = {
	.symbol_name = "__io_uring_cmd_do_in_task",
	.pre_handler = ubdx_stall_here,
};

static int __init ubdx_stall_init(void)
{
	return register_kprobe(&ubdx_stall_probe);
}

static void __exit ubdx_stall_exit(void)
{
	unregister_kprobe(&ubdx_stall_probe);
}

module_init(ubdx_stall_init);
module_exit(ubdx_stall_exit);

MODULE_DESCRIPTION("Stops a submitter of ubdx as it notifies the server");
MODULE_LICENSE("GPL");
