/* SPDX-License-Identifier: GPL-2.0 */
/*
 * slot.pml - a model of the slot's word (driver/slot.h): one tag, two requests, two servers.
 *
 * Server A may die at any step, stop for ever where the driver waits for A's memory, or commit a
 * request by a sequence number that A guesses. Server B follows, and must serve what A has left:
 * the device recovers with UBDX_RECOVERY_REISSUE. A user, such as a pread by A, comes at any time.
 * When a request is answered or aborted, its pages may be registered with A's ring, and in use by
 * I/O. A may answer that the driver is to do the request's I/O: then the end of the I/O ends the
 * request, in any context. Each access that another thread can see is a step of its own. Memory is
 * sequentially consistent.
 *
 * These hold, each by the assertion with its name:
 *   ONCE		a request ends once, by its owner, and has no user then
 *   OWN		server A commits and accesses no request of server B
 *   LATE		server B doesn't start while I/O that A has forwarded is under way
 *   COMMANDS	no command of A is parked or completed twice
 *   LOST		when nothing can move any more, every request has ended, and A has its
 *			commands back (monitor() makes exceptions for an A that has stopped)
 *
 * tests/host/model.t checks this file as it is, and with each MUTANT defined. Each mutant must make
 * an assertion fail.
 */

#define NR_REQUESTS 2

#define ONCE(expr) assert(expr)
#define OWN(expr) assert(expr)
#define LATE(expr) assert(expr)
#define COMMANDS(expr) assert(expr)
#define LOST(expr) assert(expr)

mtype:state = { IDLE, QUEUED, SERVER, CLAIMED, ENDING, IO };
mtype:request = { FREE, OUT, BATCHED, REQUEUED, ENDED };
mtype:result = { SERVED, AGAIN };
mtype:server = { NONE, A, B };

/* The word. */
mtype:state state = IDLE;
byte seq = 0;
byte users = 0;

mtype:result result = SERVED;
mtype:request request = FREE;
mtype:server published = NONE; /* the server that the request was published to */
byte nr_requests = 0;
byte nr_ended = 0;

mtype:server server = A; /* q->srvq */
bool dead = false; /* A was declared dead */

/*
 * For each server: the tag's command, while it is parked, and after queue_rq has taken it; and the
 * list of what its task has to deliver.
 */
byte parked_a = 1, taken_a = 0; /* the command's number; 0: none */
bool parked_b = true, taken_b = false;
byte pending_a = 0, pending_b = 0; /* a sequence number; 0: the list is empty */
byte nr_parked = 1; /* A's commands, numbered from 1 */
#define MAX_PARKED 5
bool completed[MAX_PARKED + 1];
byte nr_completed = 0;

bool batched = false; /* the request is in the batch of A's queue, which only A's task uses */
bool regbuf = false; /* a registered buffer is the user, and user() adds none: fewer states */
bool registered = false; /* A's ring has a buffer of the request's pages, which is a user */
bool io_out = false; /* and I/O with this buffer is under way */
bool ring_locked = false; /* by A's task */
bool committing = false; /* A's task may own a request in a commit */
bool stopped = false; /* A's task waits for its memory, for ever */
bool stopped_owner = false; /* and owns the request: then the tick kills the process */

/* ---- RCU: a grace period ends when every reader that was there at its start has left ---- */

#define BLK 0
#define TASK 1
#define USER 2

bool reading[3];
bool abort_waits[3];
bool task_waits[3];

inline rcu_lock(who) { reading[who] = true }

inline rcu_unlock(who)
{
	d_step {
		reading[who] = false;
		abort_waits[who] = false;
		task_waits[who] = false
	}
}

/* A macro: an array can't be an inline's argument. */
#define synchronize_rcu(waits)                     \
	d_step {                                   \
		waits[BLK] = reading[BLK];         \
		waits[TASK] = reading[TASK];       \
		waits[USER] = reading[USER]        \
	}                                          \
	!waits[BLK] && !waits[TASK] && !waits[USER]

/* ---- the word's transitions ---- */

/* ubdx_slot_claim() of a QUEUED request, which has no users. */
inline claim(number, from, ok)
{
	d_step {
		ok = (seq == number && state == from && users == 0);
		if
		:: ok -> state = CLAIMED
		:: else
		fi
	}
}

/* ubdx_slot_claim() of a request that may have users. */
inline claim_used(number, from, ok)
{
	d_step {
		ok = (seq == number && state == from);
		if
		:: ok -> state = CLAIMED
		:: else
		fi
	}
}

/* The owner ends the request, or gives it back to blk-mq. */
inline end(how)
{
	d_step {
		ONCE(request == OUT);
		ONCE(users == 0);
		ONCE(state == CLAIMED || state == IO);
		state = IDLE;
		if
		:: how == AGAIN -> request = REQUEUED
		:: else ->
			request = ENDED;
			nr_ended++
		fi
	}
}

/* The owner ends the request, or leaves that to the last user: ubdx_finish() */
inline finish(how, left)
{
	d_step {
		result = how;
		left = (users > 0);
		if
		:: left -> state = ENDING
		:: else
		fi
	}
	if
	:: !left -> end(how)
	:: else
	fi
}

/* ubdx_use_end(). Until here, the request must not end. */
inline drop_user(last)
{
	d_step {
		ONCE(request == OUT && users > 0);
		users--;
		last = (users == 0 && state == ENDING);
		if
		:: last -> state = CLAIMED
		:: else
		fi
	}
	if
	:: last -> end(result)
	:: else
	fi
}

/* io_buffer_unregister(): the buffer stops being a user now, or when the I/O has ended. */
inline unregister(last)
{
	d_step {
		last = (registered && !io_out);
		registered = false
	}
	if
	:: last -> drop_user(last)
	:: else
	fi
}

inline end_batch()
{
	d_step {
		ONCE(request == BATCHED);
		batched = false;
		request = ENDED;
		nr_ended++
	}
}

/* ---- A's commands ---- */

inline complete(command)
{
	d_step {
		COMMANDS(command != 0 && !completed[command]);
		completed[command] = true;
		nr_completed++
	}
}

inline send_back(command)
{
	d_step {
		command = parked_a;
		parked_a = 0
	}
	if
	:: command != 0 -> complete(command)
	:: else
	fi
}

/* ---- blk-mq and queue_rq ---- */

active proctype blk()
{
	mtype:server to;
	bool ok, left;

end_idle:
	do
	:: request == ENDED -> request = FREE
	:: request == REQUEUED || (request == FREE && nr_requests < NR_REQUESTS) ->
		rcu_lock(BLK);
		to = server;
#ifndef MUTANT_PUBLISH_WITHOUT_DEAD
		if
		:: to == A && dead -> to = NONE
		:: else
		fi;
#endif
		if
		:: to == NONE ->
			rcu_unlock(BLK);
			server == B /* BLK_STS_RESOURCE: until there is a server */
		:: else ->
			d_step {
				if
				:: request == FREE -> nr_requests++
				:: else
				fi;
				ONCE(state == IDLE && users == 0);
				request = OUT;
				published = to;
				seq++;
				state = QUEUED
			}
			if
			:: to == A ->
				taken_a = parked_a;
				parked_a = 0;
				if
				:: taken_a == 0 ->
					claim(seq, QUEUED, ok);
					if
					:: ok -> finish(AGAIN, left)
					:: else
					fi;
					rcu_unlock(BLK);
					server == B
				:: else ->
					COMMANDS(pending_a == 0);
					pending_a = seq;
					rcu_unlock(BLK)
				fi
			:: to == B ->
				taken_b = parked_b;
				parked_b = false;
				COMMANDS(taken_b && pending_b == 0);
				pending_b = seq;
				rcu_unlock(BLK)
			fi
		fi
	od
}

/* ---- server A's task ---- */

/* The task leaves the submission, or sleeps in it: ubdx_batch_unplug() */
inline leave_submission()
{
	if
	:: batched -> end_batch()
	:: else
	fi
}

inline stop_at(owner)
{
	if
	:: true
	:: !dead ->
		leave_submission();
		stopped = true;
		stopped_owner = owner;
		committing = owner;
		goto end_stopped
	fi
}

active proctype task_a()
{
	byte number, command, held = 0; /* the request that A's process has, if any */
	bool ok, left, was_dead, gone = false, guessed = false;

end_idle:
	if
	:: pending_a != 0 ->
		d_step {
			number = pending_a;
			pending_a = 0
		}
		if
		:: !gone -> goto deliver
		:: true -> goto nobody
		fi
	:: held != 0 && !gone ->
		number = held;
		held = 0;
		goto commit
	:: held != 0 && !gone -> /* the process never answers */
		stopped = true;
		goto end_stopped
	:: !guessed && !gone ->
		/* guess a sequence number; it may be that of a request that hasn't come yet */
		if
		:: number = seq
		:: number = seq + 1
		fi;
		guessed = true;
		goto commit
	fi;

	/* Task work that finds that the queue's task can't serve any more: ubdx_deliver_dead() */
nobody:
	gone = true;
	command = taken_a; /* read first: after the request's end the tag can be published again */
	claim(number, QUEUED, ok);
	if
	:: ok -> finish(AGAIN, left)
	:: else
	fi;
	complete(command);
	goto end_idle;

deliver:
	command = taken_a;
	claim(number, QUEUED, ok);
	if
	:: !ok ->
		complete(command);
		goto end_idle
	:: else
	fi;
	if
	:: true /* mode copy faults its buffer in: ubdx_slot_pass(QUEUED), and claims again */ ->
		rcu_lock(TASK);
		was_dead = dead;
		if
		:: was_dead -> finish(AGAIN, left)
		:: else -> state = QUEUED
		fi;
		rcu_unlock(TASK);
		if
		:: was_dead ->
			complete(command);
			goto end_idle
		:: else
		fi;
		stop_at(false);
		claim_used(number, QUEUED, ok);
		if
		:: !ok ->
			complete(command);
			goto end_idle
		:: else
		fi
	:: true
	fi;
	if
	:: regbuf /* ubdx_slot_add_user(), io_buffer_register_request() */ ->
		ring_locked = true;
		d_step {
#ifndef MUTANT_BUFFER_IS_NO_USER
			users++;
#endif
			registered = true
		}
	:: true
	fi;
	rcu_lock(TASK);
	was_dead = dead;
#ifdef MUTANT_DELIVER_WITHOUT_DEAD
	was_dead = false;
#endif
	if
	:: was_dead -> skip
	:: else -> state = SERVER
	fi;
	rcu_unlock(TASK);
	if
	:: was_dead ->
#ifndef MUTANT_DELIVER_WITHOUT_RECALL
		unregister(left);
#endif
		finish(AGAIN, left)
	:: else
	fi;
	ring_locked = false;
	complete(command);
	if
	:: !was_dead -> held = number
	:: else
	fi;
	goto end_idle;

commit:
	committing = true;
	rcu_lock(TASK);
	was_dead = dead;
#ifdef MUTANT_COMMIT_WITHOUT_DEAD
	was_dead = false;
#endif
	if
	:: was_dead -> ok = false
	:: else ->
#ifdef MUTANT_COMMIT_WITHOUT_SECTION
		rcu_unlock(TASK);
#endif
		claim_used(number, SERVER, ok)
	fi;
	OWN(!ok || published == A);
	rcu_unlock(TASK);
	if
	:: !ok -> goto leave
	:: else
	fi;
	ring_locked = true;
	unregister(left);
	ring_locked = false;
	if
	:: true /* the payload's copy faults: ubdx_slot_pass(SERVER), and claims again */ ->
		rcu_lock(TASK);
		was_dead = dead;
		if
		:: was_dead -> finish(AGAIN, left)
		:: else -> state = SERVER
		fi;
		rcu_unlock(TASK);
		if
		:: was_dead -> goto leave
		:: else
		fi;
		stop_at(false);
		claim_used(number, SERVER, ok);
		if
		:: !ok -> goto leave
		:: else
		fi
	:: true -> stop_at(true)
	fi;
	d_step {
		COMMANDS(parked_a == 0);
		nr_parked++;
		COMMANDS(nr_parked <= MAX_PARKED);
		parked_a = nr_parked
	}
	if
	:: state = IO /* the driver does the I/O: ubdx_commit_forward() */
	:: users > 0 -> finish(SERVED, left)
	:: users == 0 -> end(SERVED)
	:: users == 0 ->
		/* another commit follows: ubdx_batch_add() */
		d_step {
			ONCE(request == OUT && users == 0 && state == CLAIMED);
			state = IDLE;
			request = BATCHED;
			batched = true
		}
	fi;
	if
	:: dead ->
		leave_submission(); /* the task sleeps in synchronize_rcu() */
#ifndef MUTANT_UNPARK_WITHOUT_GRACE_PERIOD
		synchronize_rcu(task_waits);
#endif
		send_back(command)
	:: else
	fi;
leave:
	committing = false;
#ifndef MUTANT_BATCH_OUTLIVES_SUBMISSION
	leave_submission();
#endif
	goto end_idle;

end_stopped:
	do
	:: pending_a != 0 && !stopped_owner -> /* the process is killed; its task work runs */
		d_step {
			number = pending_a;
			pending_a = 0
		}
		command = taken_a;
		claim(number, QUEUED, ok);
		if
		:: ok -> finish(AGAIN, left)
		:: else
		fi;
		complete(command)
	od
}

/* ---- a thread of A that accesses the payload ---- */

active proctype user()
{
	byte number;
	bool was_dead, last, in = false;

	if
	:: regbuf = true;
		goto done
	:: true
	fi;
	seq != 0;
	number = seq;
	rcu_lock(USER);
	was_dead = dead;
#ifdef MUTANT_USER_WITHOUT_DEAD
	was_dead = false;
#endif
	d_step {
		in = (!was_dead && seq == number && state == SERVER);
		if
		:: in -> users++
		:: else
		fi
	}
	OWN(!in || published == A);
	rcu_unlock(USER);
	if
	:: in -> drop_user(last)
	:: else
	fi;
done:
	skip
}

/* ---- fixed I/O of A with a registered buffer ---- */

active proctype fixed_io()
{
	bool last;

end_idle:
	atomic { registered -> io_out = true };
	d_step {
		ONCE(request == OUT);
		io_out = false;
		last = !registered
	}
	if
	:: last -> drop_user(last)
	:: else
	fi
}

/* ---- the driver's own I/O, which A has asked for ---- */

active proctype forwarded_io()
{
	bool left;

end_idle:
	do
	:: state == IO ->
		/* ubdx_end_io() */
		d_step {
			result = SERVED;
			left = (users > 0);
#ifdef MUTANT_IO_FORGETS_USERS
			left = false;
#endif
			if
			:: left -> state = ENDING
			:: else
			fi
		}
		if
		:: !left -> end(SERVED)
		:: else
		fi
	od
}

/* ---- ATTACH's command ends: ubdx_chan_detach() ---- */

active proctype detach()
{
	bool last;

end_idle:
	regbuf && dead;
	atomic { !ring_locked -> ring_locked = true };
#ifndef MUTANT_BUFFER_STAYS_IN_DEAD_RING
	unregister(last);
#endif
	ring_locked = false
}

/* ---- ubdx_server_abort(A), then B's START ---- */

active proctype abort()
{
	byte number, command;
	bool ok, left;

	dead = true;
#ifndef MUTANT_ABORT_WITHOUT_GRACE_PERIOD
	synchronize_rcu(abort_waits);
#endif
	number = seq;
	claim(number, QUEUED, ok);
#ifndef MUTANT_ABORT_SKIPS_SERVER
	if
	:: !ok -> claim_used(number, SERVER, ok)
	:: else
	fi;
#endif
#ifdef MUTANT_ABORT_CLAIMS_IO
	if
	:: !ok -> claim_used(number, IO, ok)
	:: else
	fi;
#endif
	if
	:: ok -> finish(AGAIN, left)
	:: else
	fi;
#ifdef MUTANT_ABORT_ENDS_BATCH
	if
	:: batched -> end_batch()
	:: else
	fi;
#endif
	send_back(command);
	server = NONE;
	synchronize_rcu(abort_waits);
	if
	:: /* A has failed: ubdx_dev_may_start(), in this order */
#ifndef MUTANT_START_BESIDE_FORMER
		!committing;
#endif
#ifndef MUTANT_START_BESIDE_IO
		state != IO;
#endif
		skip
	:: state == IDLE /* ubdx_dev_quiesce(): A lives on, without a request */
	fi;
	d_step {
		LATE(state != IO);
		server = B
	}
}

/* ---- server B, which is honest and lives ---- */

active proctype task_b()
{
	byte number;
	bool ok, left;

end_idle:
	do
	:: pending_b != 0 ->
		d_step {
			number = pending_b;
			pending_b = 0
		}
		claim(number, QUEUED, ok);
		OWN(ok);
		taken_b = false;
		state = SERVER;
		claim_used(number, SERVER, ok);
		OWN(ok);
		parked_b = true;
		finish(SERVED, left)
	od
}

/* When nothing else can move. */
active proctype monitor()
{
	timeout;
	if
	:: stopped_owner
	:: else ->
		LOST(nr_ended == NR_REQUESTS && (request == FREE || request == ENDED));
		LOST(state == IDLE && users == 0);
		LOST(parked_a == 0);
		LOST(stopped || nr_completed == nr_parked)
	fi
}
