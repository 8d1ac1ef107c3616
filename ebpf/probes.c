// SPDX-License-Identifier: GPL-2.0
/*
 * probes.c - chooses the programs of ubdx-trace.bpf.c by the options and by the events that the
 * kernel has, and attaches them.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tracer.h"

const struct probe_kind probe_list[] = {
	{ "on_done", "ubdx_done", 0 },
	{ "on_stage", "ubdx_stage", SET_ROLES },
	{ "on_fork", "sched_process_fork", SET_ROLES },
	{ "on_free", "sched_process_free", SET_ROLES },
	{ "on_switch", "sched_switch", SET_CPU },
	{ "on_wakeup", "sched_wakeup", SET_CPU },
	{ "on_softirq", "softirq_entry", SET_CPU },
	{ "on_softirq_end", "softirq_exit", SET_CPU },
	{ "on_syscall", "sys_enter", SET_SYSCALLS },
	{ "on_sqe", "io_uring_submit_req", SET_URING },
	{ "on_cqe", "io_uring_complete", SET_URING },
	{ "on_iowq", "io_uring_queue_async_work", SET_URING },
	{ "on_fault", "page_fault_user", SET_MEMORY },
	{ "on_kernel_fault", "page_fault_kernel", SET_MEMORY },
	{ "on_tlb_flush", "tlb_flush", SET_MEMORY },
	{ "on_bio", "block_bio_queue", SET_BLOCK },
	{ "on_split", "block_split", SET_BLOCK },
	{ "on_backmerge", "block_bio_backmerge", SET_BLOCK },
	{ "on_frontmerge", "block_bio_frontmerge", SET_BLOCK },
	{ "on_rq_merge", "block_rq_merge", SET_BLOCK },
	{ "on_insert", "block_rq_insert", SET_BLOCK },
	{ "on_issue", "block_rq_issue", SET_BLOCK },
	{ "on_requeue", "block_rq_requeue", SET_BLOCK },
	{ "on_complete", "block_rq_complete", SET_BLOCK },
};

const size_t nr_probe_kinds = ARRAY_SIZE(probe_list);

_Static_assert(ARRAY_SIZE(probe_list) <= MAX_PROBES, "room for them in a snapshot");

struct bpf_program *probe_program(struct tracer *t, const struct probe_kind *kind)
{
	return bpf_object__find_program_by_name(t->skel->obj, kind->program);
}

/* UBDX_TRACE_WITHOUT=EVENT,... in the environment hides events, for tests. */
static bool is_hidden(const char *event)
{
	const char *hidden = getenv("UBDX_TRACE_WITHOUT"), *found;
	size_t length = strlen(event);

	for (found = hidden ? strstr(hidden, event) : NULL; found; found = strstr(found + 1, event))
		if ((found == hidden || found[-1] == ',') &&
		    (!found[length] || found[length] == ','))
			return true;
	return false;
}

/* @btf: the module's, which includes the kernel's. */
static bool has_event(const struct btf *btf, const char *event)
{
	char name[64];

	snprintf(name, sizeof(name), "btf_trace_%s", event);
	return !is_hidden(event) && btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF) > 0;
}

/* --timeline copies a whole struct ubdx_trace_done, so the module's must have the same size. */
static bool has_layout(const struct btf *btf)
{
	int id = btf__find_by_name_kind(btf, "ubdx_trace_done", BTF_KIND_STRUCT);

	return id > 0 && btf__resolve_size(btf, id) == sizeof(struct ubdx_trace_done);
}

/* Select the programs to load. Prints one line that names the missing events. */
static int choose_by(struct tracer *t, const struct btf *btf)
{
	bool softirq = has_event(btf, "softirq_entry") && has_event(btf, "softirq_exit");
	bool cpu = has_event(btf, "sched_switch");
	const char *comma =
		"ubdx-trace: this kernel lacks these events, so their figures are n/a: ";
	size_t i;

	if (!has_event(btf, "ubdx_done") || !has_layout(btf))
		return trace_fail(
			"the module's event ubdx_done is missing or has another layout; are the module and ubdx-trace of the same version?");
	for (i = 0; i < nr_probe_kinds; i++) {
		const struct probe_kind *kind = &probe_list[i];
		bool here = has_event(btf, kind->event);

		if (kind->set && !(t->sets & kind->set)) {
			bpf_program__set_autoload(probe_program(t, kind), false);
			continue;
		}
		if (!here) {
			fprintf(stderr, "%s%s", comma, kind->event);
			comma = ", ";
		}
		/* softirq_entry and softirq_exit need each other and sched_switch */
		if (!strncmp(kind->event, "softirq_", 8))
			here = softirq && cpu;
		bpf_program__set_autoload(probe_program(t, kind), here);
	}
	if (comma[0] == ',')
		fputc('\n', stderr);
	t->skel->rodata->want_cpu = t->sets & SET_CPU && cpu;
	bpf_program__set_autoload(t->skel->progs.on_begin, t->skel->rodata->want_cpu);
	return 0;
}

/* Returns 0, or the exit status after it has printed why. */
int choose_programs(struct tracer *t)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	struct btf *module = kernel ? btf__load_module_btf("ubdx", kernel) : NULL;
	int ret;

	if (!module)
		ret = trace_fail("the %s's BTF can't be read: %s", kernel ? "module" : "kernel",
				 strerror(errno));
	else
		ret = choose_by(t, module);
	btf__free(module);
	btf__free(kernel);
	return ret;
}

/*
 * A CPU's role becomes known when the role changes, which can take long. So a program runs once on
 * each CPU to find out. A CPU that is offline can't run it. When such a CPU comes online, its time
 * until the first change has no role.
 */
static void begin(struct tracer *t)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .flags = BPF_F_TEST_RUN_ON_CPU);

	if (!bpf_program__autoload(t->skel->progs.on_begin))
		return;
	for (run.cpu = 0; run.cpu < (unsigned int)t->nr_cpus; run.cpu++)
		bpf_prog_test_run_opts(bpf_program__fd(t->skel->progs.on_begin), &run);
}

/* Returns 0, or the exit status after it has printed why. */
int attach_programs(struct tracer *t)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(probe_list); i++) {
		struct bpf_program *prog = probe_program(t, &probe_list[i]);

		if (!bpf_program__autoload(prog) || prog == t->skel->progs.on_stage)
			continue;
		t->links[i] = bpf_program__attach(prog);
		if (!t->links[i])
			return trace_fail("%s can't be attached to: %s", probe_list[i].event,
					  strerror(errno));
	}
	begin(t);
	return 0;
}
