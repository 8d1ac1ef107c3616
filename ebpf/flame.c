// SPDX-License-Identifier: GPL-2.0
/*
 * flame.c - samples of where the CPU was, folded for flamegraph.pl, inferno or speedscope: one line a
 * stack, frames from the outermost on, and how often it was seen.
 *
 * Kernel frames have names. Frames of programs are file+offset, which addr2line turns into lines; [unknown] if
 * the program ended before anybody could look at what it has mapped where.
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

/* What a program has mapped where: the text of /proc/PID/maps. */
struct process {
	uint32_t tgid;
	char *maps;
};

struct flame {
	unsigned int nr;
	int *fds;
	size_t nr_processes;
	struct process *processes;
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
	while (f && f->nr_processes)
		free(f->processes[--f->nr_processes].maps);
	if (f) {
		free(f->processes);
		free(f->fds);
	}
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

/* ---- programs ---- */

/* NULL if it is gone; one that is a zombie has nothing mapped any more. */
static char *read_maps(uint32_t tgid)
{
	char path[32], *text = NULL;
	size_t room = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%u/maps", tgid);
	file = fopen(path, "re");
	if (!file)
		return NULL;
	if (getdelim(&text, &room, '\0', file) <= 0) {
		free(text);
		text = NULL;
	}
	fclose(file);
	return text;
}

static struct process *find_process(struct flame *f, uint32_t tgid)
{
	struct process *list;
	size_t i;

	for (i = 0; i < f->nr_processes; i++)
		if (f->processes[i].tgid == tgid)
			return &f->processes[i];
	list = realloc(f->processes, (f->nr_processes + 1) * sizeof(*list));
	if (!list)
		return NULL;
	f->processes = list;
	list[f->nr_processes] = (struct process){ .tgid = tgid };
	return &list[f->nr_processes++];
}

/* Look at what servers and submitters have mapped: later they may be gone. */
void flame_look(struct flame *f, int roles_fd)
{
	uint32_t tgid, *last = NULL;

	while (!bpf_map_get_next_key(roles_fd, last, &tgid)) {
		char *maps = read_maps(tgid);
		struct process *p = maps ? find_process(f, tgid) : NULL;

		if (p) {
			free(p->maps);
			p->maps = maps;
		} else {
			free(maps);
		}
		last = &tgid;
	}
}

/* The file that a program has mapped at an address, and where in it. */
static void user_name(char *text, size_t size, struct flame *f, uint32_t tgid, uint64_t address)
{
	const struct process *p = find_process(f, tgid);
	const char *line = p ? p->maps : NULL;
	unsigned long long start, end, offset;
	char path[256];

	snprintf(text, size, "[unknown]");
	for (; line && *line; line = strchr(line, '\n'), line += !!line) {
		*path = '\0';
		if (sscanf(line, "%llx-%llx %*s %llx %*s %*s%*[ ]%255[^\n]", &start, &end, &offset,
			   path) < 3)
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
}

/* ---- output ---- */

static void write_user(FILE *out, struct flame *f, int stacks_fd, const struct sample_key *key)
{
	uint64_t ips[MAX_STACK] = { 0 };
	uint32_t id = key->user_stack;
	char text[300];
	int i;

	if (key->user_stack == LOST_STACK)
		fprintf(out, ";[lost]");
	if (key->user_stack < 0 || bpf_map_lookup_elem(stacks_fd, &id, ips))
		return;
	for (i = MAX_STACK - 1; i >= 0; i--) {
		if (!ips[i])
			continue;
		user_name(text, sizeof(text), f, key->tgid, ips[i]);
		fprintf(out, ";%s", text);
	}
}

static void write_kernel(FILE *out, int stacks_fd, const struct sample_key *key,
			 const struct symbols *symbols)
{
	uint64_t ips[MAX_STACK] = { 0 };
	uint32_t id = key->kernel_stack;
	int i;

	if (key->kernel_stack == LOST_STACK)
		fprintf(out, ";[lost]_[k]");
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
		write_user(out, f, stacks_fd, &key);
		write_kernel(out, stacks_fd, &key, &symbols);
		fprintf(out, " %llu\n", (unsigned long long)seen);
	}
	free_symbols(&symbols);
	errno = 0;
	if (ferror(out) | fclose(out))
		ret = errno ? -errno : -EIO;
	return ret;
}
