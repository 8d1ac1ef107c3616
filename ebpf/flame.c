// SPDX-License-Identifier: GPL-2.0
/*
 * flame.c - samples of where the CPU was, folded for flamegraph.pl, inferno or speedscope: one line a
 * stack, frames from the outermost on, and how often it was seen.
 *
 * Kernel frames have names. Frames of programs are file+offset, which addr2line turns into lines.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "trace.h"

#define SAMPLES_PER_SECOND 997 /* a prime, so as not to run in step with anything */

struct flame {
	unsigned int nr;
	int *fds;
};

struct symbol {
	uint64_t address;
	char *name;
};

struct symbols {
	size_t nr;
	struct symbol *list;
};

/* Sample every CPU, and have the program with this descriptor look at each sample. */
struct flame *flame_open(int program_fd)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.freq = 1,
		.sample_freq = SAMPLES_PER_SECOND,
	};
	struct flame *f = calloc(1, sizeof(*f));
	int cpu, nr = sysconf(_SC_NPROCESSORS_CONF);

	if (!f)
		return NULL;
	f->fds = calloc(nr, sizeof(*f->fds));
	for (cpu = 0; f->fds && cpu < nr; cpu++) {
		int fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

		if (fd < 0)
			continue;
		f->fds[f->nr++] = fd;
		if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, program_fd) ||
		    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0))
			break;
	}
	if (f->nr && cpu == nr)
		return f;
	flame_close(f);
	return NULL;
}

void flame_close(struct flame *f)
{
	unsigned int i;

	for (i = 0; f && i < f->nr; i++)
		close(f->fds[i]);
	if (f)
		free(f->fds);
	free(f);
}

/* ---- names ---- */

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

static void read_kernel_symbols(struct symbols *s)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	unsigned long long address;
	size_t room = 0;
	char name[256];
	char type;

	while (file && fscanf(file, "%llx %c %255s%*[^\n]", &address, &type, name) == 3) {
		if ((type | 32) != 't' || !address)
			continue;
		if (s->nr == room) {
			struct symbol *list;

			room = room ? 2 * room : 65536;
			list = realloc(s->list, room * sizeof(*list));
			if (!list)
				break;
			s->list = list;
		}
		s->list[s->nr++] = (struct symbol){ address, strdup(name) };
	}
	if (file)
		fclose(file);
	qsort(s->list, s->nr, sizeof(*s->list), by_address);
}

static void free_symbols(struct symbols *s)
{
	while (s->nr)
		free(s->list[--s->nr].name);
	free(s->list);
}

static const char *kernel_name(const struct symbols *s, uint64_t address)
{
	size_t low = 0, high = s->nr;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (s->list[mid].address <= address)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? s->list[low - 1].name : "[kernel]";
}

/* The file that a program has mapped at an address, and where in it. */
static void user_name(char *text, size_t size, unsigned int pid, uint64_t address)
{
	unsigned long long start, end, offset;
	char line[512], path[256];
	FILE *maps;

	snprintf(text, size, "[unknown]");
	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		*path = '\0';
		if (sscanf(line, "%llx-%llx %*s %llx %*s %*s %255s", &start, &end, &offset, path) <
		    3)
			continue;
		if (address < start || address >= end)
			continue;
		if (*path == '/')
			snprintf(text, size, "%s+0x%llx", strrchr(path, '/') + 1,
				 (unsigned long long)address - start + offset);
		else if (*path)
			snprintf(text, size, "%s", path);
		break;
	}
	if (maps)
		fclose(maps);
}

/* ---- output ---- */

static void write_user(FILE *out, int stacks_fd, const struct sample_key *key)
{
	uint64_t ips[MAX_STACK] = { 0 };
	uint32_t id = key->user_stack;
	char text[300];
	int i;

	if (key->user_stack < 0 || bpf_map_lookup_elem(stacks_fd, &id, ips))
		return;
	for (i = MAX_STACK - 1; i >= 0; i--) {
		if (!ips[i])
			continue;
		user_name(text, sizeof(text), key->tgid, ips[i]);
		fprintf(out, ";%s", text);
	}
}

static void write_kernel(FILE *out, int stacks_fd, const struct sample_key *key,
			 const struct symbols *symbols)
{
	uint64_t ips[MAX_STACK] = { 0 };
	uint32_t id = key->kernel_stack;
	int i;

	if (key->kernel_stack < 0 || bpf_map_lookup_elem(stacks_fd, &id, ips))
		return;
	for (i = MAX_STACK - 1; i >= 0; i--)
		if (ips[i])
			fprintf(out, ";%s_[k]", kernel_name(symbols, ips[i]));
}

/* Returns 0 or a negative errno. */
int flame_write(struct flame *f, int samples_fd, int stacks_fd, const char *path)
{
	struct symbols symbols = { 0 };
	struct sample_key key, *last = NULL;
	FILE *out = fopen(path, "we");
	uint64_t seen;
	int ret = 0;

	if (!out)
		return -errno;
	read_kernel_symbols(&symbols);
	while (!bpf_map_get_next_key(samples_fd, last, &key)) {
		last = &key;
		if (bpf_map_lookup_elem(samples_fd, &key, &seen))
			continue;
		fprintf(out, "%s;%.*s", role_names[key.role < NR_ROLES ? key.role : R_OTHER],
			(int)sizeof(key.comm), key.comm);
		write_user(out, stacks_fd, &key);
		write_kernel(out, stacks_fd, &key, &symbols);
		fprintf(out, " %llu\n", (unsigned long long)seen);
	}
	free_symbols(&symbols);
	errno = 0;
	if (ferror(out) | fclose(out))
		ret = errno ? -errno : -EIO;
	return ret;
}
