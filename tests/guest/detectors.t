#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A debug kernel reports each kind of error that it is meant to detect: lkdtm, which comes with the
# kernel, or a module of ours makes the error once, and the kernel's log must name it. host:lab
# shows that such a log fails a test.
#
# lab: --no-scan --append kasan_multi_shot

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

load
if [[ $UBDX_KERNEL != *-debug ]]; then
	skip "errors are seen" "this is no debug kernel"
	finish
fi

# sees WHAT PATTERN CMD...: CMD makes the kernel log a line that matches PATTERN. CMD itself may
# fail.
sees() {
	local what=$1 pattern=$2 before
	shift 2
	before=$(dmesg | wc -l)
	("$@") >/dev/null 2>&1 || true
	ok "$what" said "$before" "$pattern"
}

said() { dmesg | tail -n "+$(($1 + 1))" | grep -E "$2" || { dmesg | tail -n "+$(($1 + 1))" | head -n 20; return 1; }; }

lkdtm() { echo "$1" >/sys/kernel/debug/provoke-crash/DIRECT; }

errors() {
	insmod ubdx_errors.ko "error=$1"
	rmmod ubdx_errors
}

leak() {
	errors leak
	sleep 6
	echo scan >/sys/kernel/debug/kmemleak
	echo scan >/sys/kernel/debug/kmemleak
	# Forget these leaks, so that the search when the machine ends doesn't report them.
	echo clear >/sys/kernel/debug/kmemleak
}

# The process that makes the error may be killed, but the machine must live on.
echo 0 >/proc/sys/kernel/panic_on_oops
modprobe lkdtm

# Lockdep turns itself off when it reports a lock order. So RCU comes first.
sees "a protected pointer read outside of a grace period" 'suspicious RCU usage' errors rcu
sees "two orders of two locks" 'possible circular locking dependency' errors inversion
sees "a mutex taken under a spinlock" 'BUG: sleeping function called from invalid context' errors sleep
sees "memory that nothing points to" 'kmemleak: [0-9]+ new suspected' leak
sees "a read of freed memory" 'KASAN: slab-use-after-free' errors read-freed
sees "a write to freed memory" 'KASAN: slab-use-after-free' errors write-freed
sees "a read of a freed page" 'KASAN: use-after-free' errors read-freed-page
sees "a write past an object" 'KASAN: slab-out-of-bounds' errors write-past-object
sees "a read past a vmalloc area" 'KASAN: vmalloc-out-of-bounds' errors read-past-vmalloc
sees "memory freed twice" 'KASAN: double-free' lkdtm SLAB_FREE_DOUBLE
sees "an index past an array" 'UBSAN: array-index-out-of-bounds' errors read-past-array
sees "a list's neighbour overwritten" 'list_add corruption' lkdtm CORRUPT_LIST_ADD
sees "a reference count below zero" 'refcount_t: ' lkdtm REFCOUNT_DEC_NEGATIVE
sees "more copied to the user than the object holds" 'usercopy: Kernel memory exposure' lkdtm USERCOPY_SLAB_SIZE_TO
finish
