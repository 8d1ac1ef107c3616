// SPDX-License-Identifier: GPL-2.0
/*
 * held.c - a server that can hold requests, see held.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "held.h"
#include "tap.h"

atomic_bool holds;
atomic_int held;

int32_t hold_or_answer(struct raw_queue *q, const struct ubdx_desc *desc, char *buf)
{
	if (atomic_load(&holds) && desc->sector == AT / 512) {
		atomic_fetch_add(&held, 1);
		return RAW_HOLD;
	}
	return desc->op == UBDX_OP_FLUSH ? 0 : (int32_t)desc->nr_sectors * 512;
}

void *reader_main(void *arg)
{
	struct reader *r = arg;
	char *mem = raw_mem(4096);

	r->error = pread(r->fd, mem, 4096, AT) == 4096 ? 0 : errno;
	atomic_store(&r->ended, 1);
	return NULL;
}

void reader_start(struct reader *r, const struct raw *raw)
{
	*r = (struct reader){ .fd = raw_bdev(raw, O_RDWR) };
	pthread_create(&r->thread, NULL, reader_main, r);
}

uint32_t state_without_server(const struct raw *raw, unsigned int seconds)
{
	struct ubdx_info info = {};
	int ret;

	within(seconds, (ret = raw_info(raw, &info)) || info.state == UBDX_S_QUIESCED);
	if (ret)
		bail("no such device");
	return info.state;
}

bool killed(pid_t pid)
{
	int status = 0;

	within(10, waitpid(pid, &status, WNOHANG));
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}
