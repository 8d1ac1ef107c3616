// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * touch.c - target `touch`: a filter that stands in front of another target. It reads none of each
 * payload, the first bytes or all of it, and computes a checksum. It is for benchmarks and tests:
 * it shows in each transfer mode what it costs to look at a header or at the whole payload.
 *
 * A request's checksum is (1 + the sum of its 64-bit words) * a number that depends on its sector
 * and operation. So it can be computed in parts. The target's checksum is the sum over all
 * requests, in any order. So the same requests with the same content give the same checksum in
 * every mode.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "targets.h"

#define UBDX_TOUCH_HEADER 64

/*
 * The threads of all queues add to @bytes and @sum.
 * @behind: the target that requests go to.
 * @report: file that ubdx_touch_close() writes @bytes and @sum to; -1: none.
 */
struct ubdx_touch {
	struct ubdx_target *behind;
	int report;
	uint64_t bytes;
	uint64_t sum;
};

/* ---- checksum ---- */

/* Four independent sums, so that no addition waits for the previous one. */
typedef uint64_t ubdx_words __attribute__((vector_size(16), aligned(1), may_alias));

static uint64_t ubdx_sum_words(const char *p, uint64_t length)
{
	ubdx_words a = { 0 }, b = a, c = a, d = a;
	uint64_t at, word, rest = 0;

	for (at = 0; at + 4 * sizeof(a) <= length; at += 4 * sizeof(a)) {
		const ubdx_words *words = (const void *)(p + at);

		a += words[0];
		b += words[1];
		c += words[2];
		d += words[3];
	}
	for (; at < length; at += sizeof(word)) {
		memcpy(&word, p + at, sizeof(word));
		rest += word;
	}
	a += b + c + d;
	return a[0] + a[1] + rest;
}

/* The word of the payload that contains @pos, with @byte at @pos and zeroes elsewhere. */
static uint64_t ubdx_sum_byte(uint64_t pos, unsigned char byte)
{
	uint64_t word = 0;

	((unsigned char *)&word)[pos % sizeof(word)] = byte;
	return word;
}

static uint64_t ubdx_sum(uint64_t pos, const char *p, uint64_t length)
{
	uint64_t whole, sum = 0;

	for (; length && pos % sizeof(sum); length--)
		sum += ubdx_sum_byte(pos++, *p++);
	whole = length / sizeof(sum) * sizeof(sum);
	sum += ubdx_sum_words(p, whole);
	for (p += whole, pos += whole, length -= whole; length; length--)
		sum += ubdx_sum_byte(pos++, *p++);
	return sum;
}

/* ---- requests ---- */

static void ubdx_touch_inspect(struct ubdx_target *target, const struct ubdx_desc *desc,
			       uint64_t pos, const void *bytes, uint64_t length)
{
	struct ubdx_touch *touch = target->priv;
	uint64_t factor = (desc->sector << 2 | desc->op << 1) + 1;
	uint64_t sum = ubdx_sum(pos, bytes, length);

	/* Each request counts, also one whose payload is zeroes. */
	if (!pos)
		sum++;
	__atomic_fetch_add(&touch->bytes, length, __ATOMIC_RELAXED);
	__atomic_fetch_add(&touch->sum, sum * factor, __ATOMIC_RELAXED);
}

static int ubdx_touch_resolve(struct ubdx_target *target, const struct ubdx_desc *desc,
			      uint64_t done, struct ubdx_step *step)
{
	const struct ubdx_touch *touch = target->priv;
	int ret = touch->behind->ops->resolve(touch->behind, desc, done, step);

	if (ret || desc->op != UBDX_OP_READ || done >= target->inspect_bytes ||
	    step->kind != UBDX_STEP_DONE || step->flags != UBDX_STEP_NO_DATA)
		return ret;
	/* The target behind has no data for this READ. Fill the inspected part with zeroes. */
	step->kind = UBDX_STEP_MEM;
	step->flags = 0;
	step->addr = (void *)ubdx_zeroes;
	step->length = target->inspect_bytes - done;
	if (step->length > UBDX_ZEROES_BYTES)
		step->length = UBDX_ZEROES_BYTES;
	return 0;
}

/* ---- open and close ---- */

/* Parse "touch,PART[,REPORT]:BEHIND". @report: out: "" for none. Returns BEHIND, or NULL. */
static const char *ubdx_touch_parse(const char *name, uint32_t *inspect_bytes, char *report,
				    size_t size)
{
	const char *part = strchr(name, ','), *behind = strchr(name, ':');
	size_t length, rest;

	if (!part || !behind || part > behind)
		return NULL;
	part++;
	length = strcspn(part, ",:");
	if (length == 4 && !strncmp(part, "none", length))
		*inspect_bytes = 0;
	else if (length == 6 && !strncmp(part, "header", length))
		*inspect_bytes = UBDX_TOUCH_HEADER;
	else if (length == 3 && !strncmp(part, "all", length))
		*inspect_bytes = UINT32_MAX;
	else
		return NULL;

	*report = '\0';
	rest = behind - (part + length);
	if (rest) {
		if (rest < 2 || rest > size)
			return NULL;
		memcpy(report, part + length + 1, rest - 1);
		report[rest - 1] = '\0';
	}
	return behind + 1;
}

static int ubdx_touch_open_report(struct ubdx_touch *touch, const char *path)
{
	if (!*path)
		return 0;
	touch->report = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	return touch->report < 0 ? ubdx_fail(-errno, "target touch: %s: %m", path) : 0;
}

static int ubdx_touch_open(struct ubdx_target *target, const struct ubdx_target_config *config,
			   struct ubdx_params *params)
{
	const char *name = config->name ? config->name : "";
	struct ubdx_touch *touch;
	char report[256];
	int ret;

	name = ubdx_touch_parse(name, &target->inspect_bytes, report, sizeof(report));
	if (!name)
		return ubdx_fail(-EINVAL, "target touch is touch,none|header|all[,FILE]:TARGET");
	touch = calloc(1, sizeof(*touch));
	if (!touch)
		return ubdx_fail(-ENOMEM, "target touch: %m");
	touch->report = -1;
	ret = ubdx_filter_open(target, name, config, params, &touch->behind);
	if (ret)
		goto free;
	if (!(config->flags & UBDX_TARGET_LOOK))
		ret = ubdx_touch_open_report(touch, report);
	if (ret)
		goto close;
	target->priv = touch;
	return 0;

close:
	ubdx_target_close(touch->behind);
free:
	free(touch);
	return ret;
}

static void ubdx_touch_close(struct ubdx_target *target)
{
	struct ubdx_touch *touch = target->priv;

	if (touch->report >= 0) {
		dprintf(touch->report, "%" PRIu64 " %016" PRIx64 "\n", touch->bytes, touch->sum);
		close(touch->report);
	}
	ubdx_target_close(touch->behind);
	free(touch);
}

const struct ubdx_target_ops ubdx_target_touch = {
	.name = "touch",
	.summary = "a filter: reads part of each payload",
	.open = ubdx_touch_open,
	.close = ubdx_touch_close,
	.resolve = ubdx_touch_resolve,
	.inspect = ubdx_touch_inspect,
};
