// SPDX-License-Identifier: GPL-2.0
/*
 * ubdx_pause.c - holds one request of a device at a stage of its life, until it is released.
 *
 * For tests of what happens at exactly that moment. The driver under test is the shipped one:
 * nothing is compiled into it. When a request reaches a stage and the stage's event is enabled, the
 * driver calls ubdx_stage_tell(), or, when a request has ended outside a batch, ubdx_trace_emit().
 * A kprobe there redirects the call to this module, as fail_function and live patching do. So the
 * code here runs in the driver's context, not in the probe's, and may sleep in the server's task: an
 * abort can run completely while the server's task is in the middle of a delivery or a commit. In
 * queue_rq, which must not sleep, the code here spins. The skipped function only informs tracers.
 *
 * /sys/module/ubdx_pause/parameters/pause:
 *	write "DEV STAGE SECTOR TASK": when a request of /dev/ubdxbDEV that begins at this sector
 *		reaches this stage (enum ubdx_stage) in this task, hold the request. The task
 *		sleeps. TASK 0: in any task, which spins. Only one request is held.
 *	write "DEV go": release the request; if none is held yet, hold none.
 *	read: a line "DEV STATE" for each device that isn't off. STATE is armed, reached, over, or
 *		expired: the request was not released within the limit.
 */
#include <linux/delay.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sysfs.h>
#include <linux/trace_events.h>
#include <linux/wait.h>

#include "trace.h"

#define PAUSE_DEVS 64
#define PAUSE_LIMIT (60 * HZ) /* if the task sleeps */
#define PAUSE_SPIN (15 * HZ)

enum pause_state { PAUSE_OFF, PAUSE_ARMED, PAUSE_REACHED, PAUSE_OVER, PAUSE_EXPIRED };

static const char *const pause_names[] = { "off", "armed", "reached", "over", "expired" };

/*
 * One for each device. The other fields are written only while state is neither PAUSE_ARMED nor
 * PAUSE_REACHED.
 */
static struct pause {
	int state;
	unsigned int stage;
	u64 sector;
	pid_t task;
} pauses[PAUSE_DEVS];

static DECLARE_WAIT_QUEUE_HEAD(pause_wait);
static DEFINE_MUTEX(pause_lock); /* writers of the parameter */
static atomic_t pause_inside;

static void pause_here(struct pause *p)
{
	unsigned long end = jiffies + PAUSE_SPIN;

	if (p->task)
		wait_event_timeout(pause_wait, READ_ONCE(p->state) != PAUSE_REACHED, PAUSE_LIMIT);
	else
		while (READ_ONCE(p->state) == PAUSE_REACHED && time_before(jiffies, end))
			cpu_relax();
	cmpxchg(&p->state, PAUSE_REACHED, PAUSE_EXPIRED);
	atomic_dec(&pause_inside);
}

/* These replace functions of the driver, and take the same arguments. */

static void pause_in_stage(struct ubdx_queue *q, struct ubdx_slot *slot, enum ubdx_stage stage,
			   u64 now)
{
	pause_here(&pauses[q->dev->id]);
}

static void pause_in_emit(struct ubdx_trace_done *done)
{
	pause_here(&pauses[done->dev]);
}

/* Should this request be held at this stage? True for one caller only. */
static bool pause_wanted(int dev, unsigned int stage, u64 sector)
{
	struct pause *p = &pauses[dev];

	if (dev >= PAUSE_DEVS || READ_ONCE(p->state) != PAUSE_ARMED)
		return false;
	smp_rmb(); /* pairs with smp_store_release() in pause_set() */
	if (p->stage != stage || p->sector != sector ||
	    (p->task && p->task != task_pid_nr(current)))
		return false;
	if (cmpxchg(&p->state, PAUSE_ARMED, PAUSE_REACHED) != PAUSE_ARMED)
		return false;
	atomic_inc(&pause_inside);
	return true;
}

static int pause_at_stage(struct kprobe *kp, struct pt_regs *regs)
{
	struct ubdx_queue *q = (void *)regs_get_kernel_argument(regs, 0);
	struct ubdx_slot *slot = (void *)regs_get_kernel_argument(regs, 1);
	enum ubdx_stage stage = regs_get_kernel_argument(regs, 2);

	if (!pause_wanted(q->dev->id, stage, blk_rq_pos(slot->rq)))
		return 0;
	instruction_pointer_set(regs, (unsigned long)pause_in_stage);
	return 1;
}

static int pause_at_emit(struct kprobe *kp, struct pt_regs *regs)
{
	struct ubdx_trace_done *done = (void *)regs_get_kernel_argument(regs, 0);

	if (!pause_wanted(done->dev, UBDX_T_DONE, done->sector))
		return 0;
	instruction_pointer_set(regs, (unsigned long)pause_in_emit);
	return 1;
}

/*
 * Does nothing, but keeps the kernel from optimising the probe into a jump (CONFIG_OPTPROBES): a
 * handler that is called by such a jump couldn't redirect the call.
 */
static void pause_post(struct kprobe *kp, struct pt_regs *regs, unsigned long flags)
{
}

static struct kprobe pause_probes[] = {
	{ .symbol_name = "ubdx_stage_tell",
	  .pre_handler = pause_at_stage,
	  .post_handler = pause_post },
	{ .symbol_name = "ubdx_trace_emit",
	  .pre_handler = pause_at_emit,
	  .post_handler = pause_post },
};

/* ---- the parameter ---- */

static int pause_set(const char *value, const struct kernel_param *kp)
{
	unsigned int dev, stage;
	struct pause *p;
	u64 sector;
	int task, n, ret = 0;

	n = sscanf(value, "%u %u %llu %d", &dev, &stage, &sector, &task);
	if (n < 1 || dev >= PAUSE_DEVS)
		return -EINVAL;
	p = &pauses[dev];
	mutex_lock(&pause_lock);
	if (n == 4 && READ_ONCE(p->state) == PAUSE_REACHED) {
		ret = -EBUSY;
	} else if (n == 4) {
		WRITE_ONCE(p->state, PAUSE_OFF);
		p->stage = stage;
		p->sector = sector;
		p->task = task;
		/* pairs with smp_rmb() in pause_wanted() */
		smp_store_release(&p->state, PAUSE_ARMED);
	} else {
		/* if no request has come yet, none will be held */
		WRITE_ONCE(p->state, READ_ONCE(p->state) == PAUSE_REACHED ? PAUSE_OVER : PAUSE_OFF);
		wake_up_all(&pause_wait);
	}
	mutex_unlock(&pause_lock);
	return ret;
}

static int pause_get(char *buf, const struct kernel_param *kp)
{
	unsigned int dev, state;
	int len = 0;

	for (dev = 0; dev < PAUSE_DEVS; dev++) {
		state = READ_ONCE(pauses[dev].state);
		if (state != PAUSE_OFF)
			len += sysfs_emit_at(buf, len, "%u %s\n", dev, pause_names[state]);
	}
	return len;
}

static const struct kernel_param_ops pause_ops = { .set = pause_set, .get = pause_get };
module_param_cb(pause, &pause_ops, NULL, 0600);
MODULE_PARM_DESC(pause,
		 "\"DEV STAGE SECTOR TASK\" to stop a request there, \"DEV go\" to let it go on");

static int __init pause_init(void)
{
	struct kprobe *probes[] = { &pause_probes[0], &pause_probes[1] };
	int ret = register_kprobes(probes, ARRAY_SIZE(probes));

	if (ret)
		return ret;
	/* the driver's stages are no-ops unless an event is enabled */
	ret = trace_set_clr_event("ubdx", NULL, 1);
	if (ret)
		unregister_kprobes(probes, ARRAY_SIZE(probes));
	return ret;
}

static void __exit pause_exit(void)
{
	struct kprobe *probes[] = { &pause_probes[0], &pause_probes[1] };
	unsigned int dev;

	unregister_kprobes(probes, ARRAY_SIZE(probes));
	trace_set_clr_event("ubdx", NULL, 0);
	for (dev = 0; dev < PAUSE_DEVS; dev++)
		WRITE_ONCE(pauses[dev].state, PAUSE_OVER);
	wake_up_all(&pause_wait);
	/* wait until the tasks that were held have left this module's code */
	do {
		msleep(20);
	} while (atomic_read(&pause_inside));
	msleep(20);
}

module_init(pause_init);
module_exit(pause_exit);

MODULE_DESCRIPTION("stop a request of ubdx at a stage, for tests");
MODULE_LICENSE("GPL");
