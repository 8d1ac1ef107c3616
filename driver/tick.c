// SPDX-License-Identifier: GPL-2.0
/*
 * tick.c - the tick of a live device: once a second it checks whether the server is alive and in
 * time.
 *
 * The tick only reads the slots and the queues' tasks, and takes no lock. If the server has failed,
 * the tick calls ubdx_server_fail(), and the abort ends or requeues the requests. If a task of the
 * dead server doesn't let go of a request, the tick kills the server.
 *
 * blk-mq's own timer of a request expires after queue/io_timeout, as for any disk, but
 * ubdx_timeout() just restarts it.
 *
 * The tick runs from ubdx_tick_start() to ubdx_tick_stop(), both under dev->lock. ubdx_tick_start()
 * is called after q->srvq is set, and ubdx_tick_stop() before q->srvq is cleared, so the tick can
 * use q->srvq.
 *
 * A request's age doesn't include time in which user space was frozen (suspend, hibernation),
 * because the server couldn't answer then. During a freeze every age is 0. After it, the age of an
 * older request counts from the thaw.
 */
#include <linux/blkdev.h>
#include <linux/sched/signal.h>
#include <linux/suspend.h>
#include <linux/timer.h>

#include "dev.h"

#define UBDX_TICK HZ

/* ---- time ---- */

static bool ubdx_frozen; /* from before user space freezes until it has thawed */
static unsigned long ubdx_thawed; /* jiffies of the last thaw; written before ubdx_frozen */

static int ubdx_pm_notify(struct notifier_block *nb, unsigned long event, void *data)
{
	switch (event) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		WRITE_ONCE(ubdx_frozen, true);
		break;
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		WRITE_ONCE(ubdx_thawed, jiffies);
		/* pairs with smp_load_acquire() in ubdx_awake() */
		smp_store_release(&ubdx_frozen, false);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block ubdx_pm_nb = { .notifier_call = ubdx_pm_notify };

int __init ubdx_tick_init(void)
{
	ubdx_thawed = jiffies;
	return register_pm_notifier(&ubdx_pm_nb);
}

void ubdx_tick_exit(void)
{
	unregister_pm_notifier(&ubdx_pm_nb);
}

/* How many of the last @age jiffies count: those since the last thaw; none during a freeze. */
static unsigned long ubdx_awake(u32 age)
{
	/* pairs with smp_store_release() in ubdx_pm_notify() */
	if (smp_load_acquire(&ubdx_frozen))
		return 0;
	return min((unsigned long)age, jiffies - READ_ONCE(ubdx_thawed));
}

/*
 * How long the server may keep a request, in jiffies. A smaller queue/io_timeout shortens that. A
 * larger one doesn't prolong it: users rely on the device's own timeout.
 */
static unsigned long ubdx_limit(const struct ubdx_dev *dev)
{
	return min_t(unsigned long, msecs_to_jiffies(dev->params.timeout_ms),
		     READ_ONCE(dev->queue->rq_timeout));
}

/**
 * ubdx_is_late - has the server kept a request for longer than it may?
 * @slot:	slot, with a request.
 */
bool ubdx_is_late(const struct ubdx_slot *slot)
{
	return ubdx_awake(ubdx_slot_age(slot)) >= ubdx_limit(slot->q->dev);
}

/* ---- is the server dead, or late? ---- */

/*
 * Will this task never serve again? Either it exits (ubdx_task_exits()), or it will exit after a
 * system call, for example on slow storage. In the second case the task has a pending SIGKILL,
 * because it is being killed or because another thread calls execve(); or its process has
 * SIGNAL_GROUP_EXIT, which is also set while the process dumps core. Both can be read without a
 * lock; task->signal lives as long as the task.
 */
static bool ubdx_task_dies(struct task_struct *task)
{
	return ubdx_task_exits(task) || READ_ONCE(task->signal->flags) & SIGNAL_GROUP_EXIT ||
	       __fatal_signal_pending(task);
}

/*
 * Does a dead server still own or use the request, a tick after the I/O timeout? The server's tasks
 * should let go of a request in bounded time. If they don't, for example because they get no memory
 * for a page table, only a SIGKILL helps.
 */
static bool ubdx_is_stuck(const struct ubdx_slot *slot, u32 age, unsigned long limit)
{
	enum ubdx_slot_state state = ubdx_slot_state(slot);

	return (state == UBDX_SLOT_CLAIMED || state == UBDX_SLOT_ENDING) &&
	       ubdx_awake(age) >= limit + UBDX_TICK;
}

/*
 * Returns true if this call has declared the server dead, or killed it. Then the queue's other
 * requests need not be checked.
 */
static bool ubdx_tick_slot(struct ubdx_server_queue *srvq, const struct ubdx_slot *slot,
			   unsigned long limit)
{
	unsigned long served = jiffies - srvq->started;
	enum ubdx_slot_state state;
	u32 age;

	/* Acquire pairs with ubdx_slot_begin(): the start isn't older than the state. */
	state = atomic64_read_acquire(&slot->word) & UBDX_SLOT_STATE;
	/* IO: the server has answered */
	if (state == UBDX_SLOT_IDLE || state == UBDX_SLOT_IO)
		return false;
	age = ubdx_slot_age(slot);
	/* an earlier server's request that still has users */
	if (age > served)
		return false;
	if (!READ_ONCE(srvq->dead)) {
		if (ubdx_awake(age) < limit)
			return false;
		ubdx_server_fail(srvq->srv);
		return true;
	}
	if (!ubdx_is_stuck(slot, age, limit))
		return false;
	ubdx_server_kill(srvq->srv);
	return true;
}

static void ubdx_tick_queue(struct ubdx_queue *q, unsigned long limit)
{
	struct ubdx_server_queue *srvq = rcu_dereference_protected(q->srvq, true);
	u16 tag;

	if (!READ_ONCE(srvq->dead) && ubdx_task_dies(srvq->task))
		ubdx_server_fail(srvq->srv);
	for (tag = 0; tag < q->depth; tag++)
		if (ubdx_tick_slot(srvq, &q->slots[tag], limit))
			break;
}

static void ubdx_tick(struct work_struct *work)
{
	struct ubdx_dev *dev = container_of(to_delayed_work(work), struct ubdx_dev, tick);
	unsigned int i;

	for (i = 0; i < dev->params.nr_queues; i++) {
		ubdx_tick_queue(dev->queues[i], ubdx_limit(dev));
		cond_resched();
	}
	/* rounded, so that the ticks of all devices wake the machine together */
	queue_delayed_work(ubdx_wq, &dev->tick, round_jiffies_relative(UBDX_TICK));
}

void ubdx_tick_init_dev(struct ubdx_dev *dev)
{
	INIT_DELAYED_WORK(&dev->tick, ubdx_tick);
}

/**
 * ubdx_tick_start - start the tick of a device that has a server, to which q->srvq points.
 * @dev:	device. dev->lock is held.
 */
void ubdx_tick_start(struct ubdx_dev *dev)
{
	lockdep_assert_held(&dev->lock);
	queue_delayed_work(ubdx_wq, &dev->tick, round_jiffies_relative(UBDX_TICK));
}

/**
 * ubdx_tick_stop - stop the tick, if it runs, before the device loses its server.
 * @dev:	device. dev->lock is held.
 */
void ubdx_tick_stop(struct ubdx_dev *dev)
{
	lockdep_assert_held(&dev->lock);
	cancel_delayed_work_sync(&dev->tick);
}
