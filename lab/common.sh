# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# common.sh: sourced by the lab's scripts: where the cache is, and how to enter the root file
# system. The cache belongs to the user who runs the lab. Outside the cache and the source tree the
# lab writes only temporary files, and what its options name.

set -euo pipefail
umask 022

lab=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=${lab%/*}
cache=${UBDX_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ubdx}
# The exit status if the lab itself fails, as opposed to the command that it runs.
readonly LAB_FAILED=125

say() { echo "lab: $*" >&2; }
die() { echo "lab: $*" >&2; exit $LAB_FAILED; }

need_tools() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null ||
			die "$tool is missing; run lab/host-deps (or apt-get install mmdebstrap bubblewrap uidmap)"
	done
}

# lock_cache [KIND]: lock the cache until this process ends. So there is one builder at a time (of
# each kind), and others wait and then find the result. A builder uses $cache/tmp.* (tmp-KIND.*).
lock_cache() {
	mkdir -p "$cache"
	exec 9>"$cache/lock${1:+-$1}"
	flock -n 9 || { say "waiting for another build in $cache"; flock 9; }
	# A builder that died left its unfinished work here.
	rm -rf "$cache/tmp${1:+-$1}".*
}

# enter_root ROOT: set the array `sandbox` to a command that runs another command in the root file
# system: without a network, in a fixed environment, with the source tree at /src. Paths, and so the
# things that are built, are the same on every machine. Use it as "${sandbox[@]}" [BWRAP-OPTION...]
# -- CMD...: no shell is then between the caller and CMD, which the caller may have to kill.
enter_root() {
	# shellcheck disable=SC2034 # for the caller
	sandbox=(bwrap --unshare-ipc --unshare-pid --unshare-net --unshare-uts --die-with-parent --hostname ubdx-lab --clearenv
		--setenv PATH /usr/sbin:/usr/bin --setenv HOME /tmp --setenv LANG C.UTF-8 --setenv TERM "${TERM:-dumb}"
		--ro-bind "$1" / --dev /dev --proc /proc --tmpfs /tmp --tmpfs /run --bind "$top" /src --chdir /src)
}

# enter_kernel ROOT NAME: after enter_root, make that kernel available. Debian's kernels are in the
# root. A debug kernel is mounted, and built first if the cache has none. Sets `record` to the file
# that describes the kernel, and `kernel_id` to a unique name for the kernel.
enter_kernel() {
	# shellcheck disable=SC2034 # for the caller
	record=$1/lab/kernels/$2 kernel_id=$2
	[[ -e $record || -L $record ]] || { say "no kernel $2; there are $(ls -C "$1/lab/kernels")"; return 1; }
	[[ -L $record ]] || return 0
	local tree
	tree=$("$lab/debug-kernel" "$2") || exit
	record=$tree/kernel kernel_id=${tree##*/}
	sandbox+=(--ro-bind "$tree" "/lab/debug/${2%-debug}")
}

# field NAME: a field of the kernel's record
field() { sed -n "s/^$1=//p" "$record"; }
