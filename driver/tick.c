// SPDX-License-Identifier: GPL-2.0
/*
 * tick.c - the tick of a live device: once a second it asks whether the server lives, and whether
 * it is in time.
 *
 * The tick looks at the slots and at the queues' tasks; it takes no lock and changes nothing. If
 * the server has failed, the tick calls ubdx_server_fail(), and the abort ends all requests. A
 * request itself has no timer: blk-mq's expires after queue/io_timeout, as for any disk, and just
 * starts again.
 *
 * The tick runs from ubdx_tick_start() to ubdx_tick_stop(), and only in between may q->srvq be used
 * here: both are called with dev->lock held, before the first request can be published, and before
 * q->srvq is cleared.
 *
 * A request's age doesn't include time in which user space was frozen (suspend, hibernation): the
 * server couldn't answer then. While a freeze is under way no request has an age, and after it
 * every request is as old as the thaw.
 */
#include <linux/blkdev.h>
#include <linux/sched/signal.h>
#include <linux/suspend.h>
#include <linux/timer.h>

#include "dev.h"

#define UBDX_TICK HZ

/* ---- time ---- */

static bool ubdx_frozen; /* user space is frozen, or is about to be, or to thaw */
static unsigned long ubdx_thawed; /* when that was last over, in jiffies; before ubdx_frozen */

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

/* Of a request's @age, the jiffies in which the server could have answered. */
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
 * Will this task never serve again? See ubdx_task_exits(). Before it gets there a task may be held
 * up in the kernel for as long as its storage likes: then it has a pending SIGKILL, if it is being
 * killed or its process executes another program. A task that dumps core has none; its process has
 * SIGNAL_GROUP_EXIT. Both may be read without a lock; task->signal lives as long as the task.
 */
static bool ubdx_task_dies(struct task_struct *task)
{
	return ubdx_task_exits(task) || READ_ONCE(task->signal->flags) & SIGNAL_GROUP_EXIT ||
	       __fatal_signal_pending(task);
}

/*
 * The server's tasks drop requests that they have claimed or use in bounded time. If one hasn't
 * done so a while after the abort, as when no memory can be had for a page table, only a SIGKILL
 * helps.
 */
static bool ubdx_is_stuck(const struct ubdx_slot *slot, u32 age, unsigned long limit)
{
	enum ubdx_slot_state state = ubdx_slot_state(slot);

	return (state == UBDX_SLOT_CLAIMED || state == UBDX_SLOT_ENDING) &&
	       ubdx_awake(age) >= limit + UBDX_TICK;
}

/* Returns true if the server is to blame, so that no other request need be looked at. */
static bool ubdx_tick_slot(struct ubdx_server_queue *srvq, const struct ubdx_slot *slot,
			   unsigned long limit)
{
	u32 age, served = jiffies - srvq->started;

	/* Acquire: with the state of a request comes its start. */
	if ((atomic64_read_acquire(&slot->word) & UBDX_SLOT_STATE) == UBDX_SLOT_IDLE)
		return false;
	age = ubdx_slot_age(slot);
	/* the request belongs to an earlier server, which hasn't dropped it */
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
	/* rounded: all devices of a machine wake it up together */
	queue_delayed_work(ubdx_wq, &dev->tick, round_jiffies_relative(UBDX_TICK));
}

void ubdx_tick_init_dev(struct ubdx_dev *dev)
{
	INIT_DELAYED_WORK(&dev->tick, ubdx_tick);
}

/**
 * ubdx_tick_start - the device has a server, which q->srvq names.
 * @dev:	device. dev->lock is held.
 */
void ubdx_tick_start(struct ubdx_dev *dev)
{
	lockdep_assert_held(&dev->lock);
	queue_delayed_work(ubdx_wq, &dev->tick, round_jiffies_relative(UBDX_TICK));
}

/**
 * ubdx_tick_stop - the device is about to lose its server; also without one.
 * @dev:	device. dev->lock is held.
 */
void ubdx_tick_stop(struct ubdx_dev *dev)
{
	lockdep_assert_held(&dev->lock);
	cancel_delayed_work_sync(&dev->tick);
}
