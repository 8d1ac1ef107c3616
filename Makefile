# SPDX-License-Identifier: GPL-2.0
#
# On Debian 12 or 13, make run and make test set up all that they need. Tests come in three speeds:
# make check (minutes), make test (half an hour), make test-all (hours).
#
# `all`, `module`, `tools` and `dkms` build with what this machine has. All else is built inside the
# lab's root file system (lab/in), the module for one kernel at a time, into build/.

KERNEL ?= backports
KERNELS := stable backports
DEBUG_KERNELS ?= stable-debug backports-debug
B := build/$(KERNEL)
# SANITIZE=1: userspace with ASan and UBSan
U := build/userspace$(SANITIZE:1=-asan)
# ubdx-trace is built with the types of Debian's kernel. A debug kernel has no types: there
# ubdx-trace refuses to run.
EKERNEL := $(KERNEL:%-debug=%)
E := build/$(EKERNEL)/ebpf$(SANITIZE:1=-asan)
GUEST := build/guest-$(KERNEL)$(SANITIZE:1=-asan)
IN := lab/in
# run a command with the kernel KERNEL available, even if it is a debug kernel
IN_KERNEL := lab/in --kernel $(KERNEL)

FUZZ_SECONDS ?= 1800
SEED := $(or $(SEED),$(shell od -An -N4 -tu4 /dev/urandom))

VERSION := 0.1.0
KDIR ?= /lib/modules/$(shell uname -r)/build
PREFIX ?= /usr/local

.DELETE_ON_ERROR:
.PHONY: help run claims figures reports summary counts run-quick check test test-all test-debug test-asan \
	test-mutants fuzz lint format host lab driver test-modules variants userspace ebpf guest guests all module tools install \
	install-tools uninstall dkms clean clean-lab

help: ## show the targets
	@echo "targets (KERNEL=stable|backports, now $(KERNEL)):"
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 16

# ---- the two commands, and what CI runs beside them ----

run: guest ## compare ubdx with null_blk, loop, NBD and ublk, and break ubdx's cost down: tables, figures, raw data
	@experiments/run.sh --kernel $(KERNEL)

claims: ## check the last run's results against what is claimed of them
	@$(IN) experiments/compare/check.py $(wildcard $(foreach part,compare untouched forwarded resolvers,experiments/results/$(part)/$(KERNEL)))

figures: ## redraw the figures from each results.json (boots nothing)
	@$(IN) python3 -B experiments/compare/figure.py $(wildcard $(foreach part,compare untouched forwarded,experiments/results/$(part)/*))
	@$(IN) python3 -B experiments/compare/hitrate.py $(wildcard experiments/results/resolvers/*)
	@$(IN) python3 -B experiments/stages/figure.py $(wildcard experiments/results/stages/*)

reports: ## make results, tables and figures again from the raw data (boots nothing)
	@experiments/again.sh

summary: ## write the comparison's results into README.md
	@$(IN) experiments/compare/summary.py $(addprefix experiments/results/,compare/backports untouched/backports) README.md

counts: ## write the counts of the last whole test runs into docs/reliability.md
	@$(IN) tests/counts.py

run-quick: guest ## the comparison with a part of the grid (CI runs it)
	@experiments/compare/run.sh --kernel $(KERNEL) --quick

# Each of these takes seconds, and all of them run in one machine.
QUICK := access batches fallbacks limits modes operations parameters server-processes stops uapi verify windows

check: guest ## the unit tests, and the guest's quick tests on one kernel (minutes)
	@tests/run 'unit:*' $(QUICK:%=$(KERNEL):%)

test: guests ## all tests, on both kernels (half an hour; TESTS='backports:death unit:*' for some)
	@tests/run $(TESTS)

test-all: ## make test, test-debug, fuzz, test-asan and test-mutants, one after the other (hours)
	@status=0; for target in test test-debug fuzz test-asan test-mutants; do \
		echo "== make $$target"; $(MAKE) --no-print-directory $$target || status=1; done; exit $$status

test-debug: ## the guest's tests on kernels with KASAN, lockdep and kmemleak (DEBUG_KERNELS=stable-debug: on one)
	@$(MAKE) --no-print-directory guests KERNELS="$(DEBUG_KERNELS)"
	@KERNELS="$(DEBUG_KERNELS)" tests/run $(or $(TESTS),$(DEBUG_KERNELS:%='%:*'))

test-asan: ## unit tests and the guest's tests on one kernel, with ASan and UBSan in library and command
	@$(MAKE) --no-print-directory guest SANITIZE=1
	@SANITIZE=1 tests/run $(or $(TESTS),'unit:*' '$(KERNEL):*')

test-mutants: guests ## break the source in one place at a time, and check that a test fails (MUTANTS='commit-*' for some)
	@tests/mutants/run $(MUTANTS)

# A failure prints how to repeat its round: make fuzz SEED=... FUZZ='--round N'.
fuzz: guest ## half an hour of random attacks on the driver (FUZZ_SECONDS=1800, SEED=)
	@set -o pipefail; lab/vm --kernel $(KERNEL) --append init_on_alloc=0 --timeout $$(($(FUZZ_SECONDS) + 300)) --out build/fuzz -- \
		tests/guest/fuzz.t --seed $(SEED) $(or $(FUZZ),--seconds $(FUZZ_SECONDS)) | tee build/fuzz-$(KERNEL).tap

fuzz: SHELL := /bin/bash

lint: host ## W=1, sparse, checkpatch, clang-format, shellcheck, warnings
	@$(IN) tests/lint

format: host ## format the C code as lint demands
	@$(IN) tests/lint --format

# ---- parts ----

host:
	@lab/host-deps

lab: host ## build the lab: root file system, kernels, guest images (once, minutes)
	@for kernel in $(KERNELS); do \
		lab/vm --kernel $$kernel --payload lab -- 'echo "lab: $$(uname -r) boots"' || exit; done

# Copy this folder's files to $(1), except those that $(1) already has. Kbuild searches $(1) for the
# sources of the transfer modes, so a source that was removed here must be removed there, too.
define copy-sources
find . -type f | while read -r f; do cmp -s "$$f" "$(1)/$$f" || install -D -m 644 "$$f" "$(1)/$$f"; done; \
	for f in "$(1)"/*.[ch]; do [ -e "$${f##*/}" ] || case $$f in *.mod.c) ;; *) rm -f "$$f" ;; esac; done
endef

# The sources are copied, so that the modules for two kernels can be built side by side.
copy-driver = cd driver && $(call copy-sources,../$(1)/driver)

driver: host ## build ubdx.ko
	@$(call copy-driver,$(B))
	@$(IN_KERNEL) lab/kbuild $(KERNEL) /src/$(B)/driver

# The tests' modules: they hold a request at a stage, make errors, and the like.
test-modules: driver
	@mkdir -p $(B)/modules && cp -u tests/modules/* $(B)/modules
	@$(IN_KERNEL) lab/kbuild $(KERNEL) /src/$(B)/modules

# The driver, changed by a sed script. $(1): name; $(2): script; $(3): files.
define variant
	@rm -rf $(B)/$(1).new && cp -r driver $(B)/$(1).new
	@cd $(B)/$(1).new && sed -i $(2) $(3)
	@cd $(B)/$(1).new && $(call copy-sources,../$(1))
	@rm -rf $(B)/$(1).new
	@$(IN_KERNEL) lab/kbuild $(KERNEL) /src/$(B)/$(1)
endef

# Two variants of the driver, which only `make guests` builds: without stamps, to measure what they
# cost while no event is enabled; and without mode map, as on a kernel that lacks a mode.
variants: driver
	$(call variant,unstamped,'s/static_branch_unlikely(&ubdx_traced)/false/',*.[ch])
	$(call variant,lacking,'/X(MAP, map)/d',xfer_list.h)

userspace: host ## build libubdx and the ubdx command
	@$(IN) make --no-print-directory -s -j2 -C userspace O=/src/$(U) WERROR=1 $(if $(SANITIZE),SANITIZE=1)

ebpf: userspace ## build ubdx-trace and ubdx-resolver
	@$(IN) bash -c 'make --no-print-directory -s -C ebpf O=/src/$(E) LIB=/src/$(U) WERROR=1 $(if $(SANITIZE),SANITIZE=1) \
		BTF=$$(sed -n s/^modules=//p /lab/kernels/$(EKERNEL))/build/vmlinux'

guest: driver test-modules userspace ebpf $(if $(VARIANTS),variants) ## build and gather what becomes /ubdx in the guest
	@$(IN) make --no-print-directory -s -C tests O=/src/build/tests
	@rm -rf $(GUEST) && mkdir -p $(GUEST)/bin
	@cp $(B)/driver/ubdx.ko $(B)/modules/*.ko $(GUEST)
	@$(if $(VARIANTS),for variant in unstamped lacking; do cp $(B)/$$variant/ubdx.ko $(GUEST)/ubdx-$$variant.ko; done)
	@cp $(U)/ubdx $(E)/ubdx-trace $(E)/ubdx-resolver build/tests/bin/* $(GUEST)/bin
	@cp $(U)/tests/servers.t $(GUEST)/bin/servers
	@cp -r tests $(GUEST)
	@install -D lab/scan $(GUEST)/lab/scan
	@$(IN) tests/guest/lib/sites $(B)/driver/ubdx.ko >$(GUEST)/sites
	@$(IN) make --no-print-directory -s -C experiments stage STAGE=/src/$(GUEST)

guests:
	@for kernel in $(KERNELS); do $(MAKE) --no-print-directory guest KERNEL=$$kernel VARIANTS=1 || exit; done

# ---- this machine: build as the user that owns the sources, then install as root ----

DKMS_SOURCES ?= /usr/src
I := $(CURDIR)/build/install
BTF ?= /sys/kernel/btf/vmlinux
CLANG ?= clang
BPFTOOL ?= /usr/sbin/bpftool

# Don't sign the module if the kernel's signing key isn't here (distributions keep theirs): the
# kernel's build would try to sign, and fail.
UNSIGNED = $(if $(wildcard $(KDIR)/certs/signing_key.pem),,CONFIG_MODULE_SIG_ALL=)

all: module tools ## build module, library and commands for this machine (KDIR=, PREFIX=)

module: ## build the module for the running kernel (KDIR=)
	@$(call copy-driver,build/install)
	$(MAKE) -C $(KDIR) M=$(I)/driver modules

tools: ## build library and commands for this machine; ubdx-trace, ubdx-resolver only with clang, bpftool and BTF
	$(MAKE) -C userspace products O=$(I)/userspace PREFIX=$(PREFIX)
	@if command -v $(CLANG) >/dev/null && [ -x $(BPFTOOL) ] && [ -r $(BTF) ]; then \
		$(MAKE) -C ebpf O=$(I)/ebpf LIB=$(I)/userspace BTF=$(BTF) CLANG=$(CLANG) BPFTOOL=$(BPFTOOL); \
	else echo "tools: no ubdx-trace, no ubdx-resolver: they need clang, bpftool and $(BTF)"; fi

install-tools:
	@$(MAKE) --no-print-directory -C userspace install O=$(I)/userspace PREFIX=$(PREFIX)
	@$(MAKE) --no-print-directory -C ebpf install O=$(I)/ebpf PREFIX=$(PREFIX)

install: ## install what `make all` has built (as root; DESTDIR=, KDIR=, PREFIX=)
	@[ -e $(I)/driver/ubdx.ko ] && [ -e $(I)/userspace/ubdx ] || { \
		echo "install: nothing is built; run make all first, as the user that owns the sources" >&2; exit 1; }
	$(MAKE) -C $(KDIR) M=$(I)/driver INSTALL_MOD_PATH=$(DESTDIR) $(UNSIGNED) modules_install
	$(if $(DESTDIR),,depmod -a)
	@$(MAKE) --no-print-directory install-tools

uninstall: ## remove what `make install` has installed (as root; with the same DESTDIR=, KDIR=, PREFIX=)
	rm -f $(DESTDIR)/lib/modules/$$($(MAKE) -s -C $(KDIR) kernelrelease)/updates/ubdx.ko*
	$(if $(DESTDIR),,depmod -a)
	@$(MAKE) --no-print-directory -C userspace uninstall PREFIX=$(PREFIX)
	@$(MAKE) --no-print-directory -C ebpf uninstall PREFIX=$(PREFIX)

dkms: ## register the module with DKMS, which rebuilds it for each kernel, and install the tools (as root)
	@[ -e $(I)/userspace/ubdx ] || { \
		echo "dkms: nothing is built; run make tools first, as the user that owns the sources" >&2; exit 1; }
	rm -rf $(DKMS_SOURCES)/ubdx-$(VERSION)
	cp -r driver $(DKMS_SOURCES)/ubdx-$(VERSION)
	sed -i 's/@VERSION@/$(VERSION)/' $(DKMS_SOURCES)/ubdx-$(VERSION)/dkms.conf
	dkms install --force ubdx/$(VERSION) $(DKMS_OPTIONS)
	@$(MAKE) --no-print-directory install-tools

clean: ## remove what was built
	rm -rf build

clean-lab: ## remove the lab's cache (root file systems, kernels, images)
	rm -rf "$${UBDX_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/ubdx}"
