# SPDX-License-Identifier: GPL-2.0
#
# Everything is built inside the lab's root file system (lab/in), for one kernel at a time, into build/$(KERNEL).

KERNEL ?= backports
B := build/$(KERNEL)
GUEST := build/guest-$(KERNEL)
IN := lab/in

.DELETE_ON_ERROR:
.PHONY: help host lab driver userspace peer test-programs guest test clean clean-lab

help: ## show the targets
	@echo "targets (KERNEL=stable|backports, now $(KERNEL)):"
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 16

host:
	@lab/host-deps

lab: host ## build the lab: root file system, kernels, guest images (once, minutes)
	@lab/vm --kernel stable --payload lab -- 'echo "lab: $$(uname -r) boots"'
	@lab/vm --kernel backports --payload lab -- 'echo "lab: $$(uname -r) boots"'

# The sources are copied, so that the trees of two kernels can be built side by side.
driver: host ## build ubdx.ko
	@mkdir -p $(B)/driver
	@cp -ru --preserve=timestamps driver/. $(B)/driver/
	@$(IN) lab/kbuild $(KERNEL) /src/$(B)/driver

userspace: host ## build libubdx and the ubdx command
	@$(IN) make --no-print-directory -s -j2 -C userspace

test-programs:
	@$(IN) make --no-print-directory -s -C tests/raw

peer:
	@$(IN) make --no-print-directory -s -C experiments/baselines

guest: driver userspace ## gather what goes to /ubdx in the guest
	@rm -rf $(GUEST) && mkdir -p $(GUEST)/bin
	@cp $(B)/driver/ubdx.ko $(GUEST)
	@cp build/userspace/ubdx $(GUEST)/bin
	@cp -r tests $(GUEST)
	@$(IN) make -s -C tests/raw O=/src/build/tests
	@cp build/tests/* $(GUEST)/bin
	@$(IN) make -s -C experiments stage STAGE=/src/$(GUEST)

clean: ## remove what was built
	rm -rf build

clean-lab: ## remove the lab's cache (root file systems, kernels, images)
	rm -rf "$${UBDX_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/ubdx}"
