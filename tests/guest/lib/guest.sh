# shellcheck shell=bash
# shellcheck disable=SC2034 # tests use the variables
# SPDX-License-Identifier: GPL-2.0
#
# guest.sh: shared by the guest's tests: TAP, waiting, the module, devices and their counters, fio.
# A test sources this, and ends with `finish`, unless a program prints its results (run_program).
# The working directory is /ubdx. The guest has no disk: files are in memory.

set -euo pipefail

. tests/tap.sh

# finish: the last checks of a test, that nothing holds a device or the module. Doesn't return.
finish() {
	ok "every device can be deleted" del --all --force
	ok "the module unloads" unload
	echo "1..$tap_count"
	exit $((tap_failed > 0))
}

# ---- waiting ----

# SLOW: how many times longer things take on this machine, see lab/vm. LESS: a test divides the
# amount of its work by this number, which is above 1 on debug kernels.
LESS=1
[[ $UBDX_KERNEL != *-debug ]] || LESS=4
readonly SLOW=${SLOW:-1} LESS

# within SECONDS CMD...: CMD, which is a program, succeeds within that time.
within() { timeout $(($1 * SLOW)) "${@:2}"; }

# until_ok SECONDS CMD...: wait for CMD to succeed.
until_ok() {
	local end=$((SECONDS + $1 * SLOW))
	shift
	until "$@" 2>/dev/null; do
		((SECONDS < end)) || return 1
		read -rt 0.05 <> <(:) || true
	done
}

gone() { [[ ! -e $1 ]]; }
no_process() { ! kill -0 "$1"; }
# is_state STATE: is this the device's state?
is_state() { [[ $(<"$sys/ubdx/state") == "$1" ]]; }

# ---- udev ----

# udev opens and reads a new device, and a device that a writer has closed. That disturbs tests that
# count requests or serve them by hand. So udev is stopped here, unless the test sets UDEV=1 before
# it sources this file.
no_udev() { ! pgrep -x systemd-udevd >/dev/null; }
# end_udev: kill a udevd that doesn't end when it is asked, and show what it waited for.
end_udev() {
	local pid
	for pid in $(pgrep udev); do
		echo "# $(</proc/"$pid"/comm) doesn't end: $(grep ^State "/proc/$pid/status"), $(tr '\n' ' ' <"/proc/$pid/stack")"
	done
	pkill -KILL udev
	until_ok 30 no_udev
}
if [[ ${UDEV:-} ]]; then
	pgrep -x systemd-udevd >/dev/null || /usr/lib/systemd/systemd-udevd --daemon
	udevadm settle
elif pgrep -x systemd-udevd >/dev/null; then
	udevadm control --exit --timeout=5 || true
	until_ok 10 no_udev || end_udev # udevd waits for its workers
fi

# settle: wait until udev is idle.
settle() { [[ ! ${UDEV:-} ]] || udevadm settle; }

# ---- the module ----

readonly PARAMETERS=/sys/module/ubdx/parameters

load() { insmod ubdx.ko; }
module_free() { [[ $(</sys/module/ubdx/refcnt) == 0 ]]; }
unload() { until_ok 10 module_free && rmmod ubdx; }

# run_program PROGRAM [ARGUMENT...]: run a test that is a program, with the module loaded.
run_program() {
	load
	"bin/$1" "${@:2}"
	unload
}

# ---- devices ----

# add OPTION...: add a device. $dev is then its node, $name its name, $sys its folder in sysfs,
# $server its server's process. Nobody but the test then uses the device: the partition scan has
# ended, and `blockdev --rereadpt`, which fails while another program has the device open, succeeds.
add() {
	local path
	# Not `local path=$(...)`, which hides a failure. For the same reason don't call add in a
	# condition.
	path=$(ubdx add "$@")
	use "$path"
	until_ok 10 blockdev --rereadpt "$dev"
	settle
}

# use DEV: set the same variables for an existing device.
use() {
	dev=$1 name=${1#/dev/} sys=/sys/block/${1#/dev/}
	server=$(<"$sys/ubdx/server_pid")
}

del() { settle && ubdx del "$@" >/dev/null; }

# limit NAME: an attribute of the device's queue.
limit() { cat "$sys/queue/$1"; }

# counted OP: how many requests of that kind the device has served in all modes, and how many bytes.
counted() {
	local op requests bytes n=0 total=0
	while read -r _ op requests bytes; do
		[[ $op != "$1" ]] || n=$((n + requests)) total=$((total + bytes))
	done <"$sys/ubdx/counters"
	echo "$n $total"
}

# counted_in MODE: how many READs and WRITEs the device has served in that mode.
counted_in() {
	local mode op requests n=0
	while read -r mode op requests _; do
		[[ $mode != "$1" || $op != @(read|write) ]] || n=$((n + requests))
	done <"$sys/ubdx/counters"
	echo $n
}

# errors: the sum of the device's error counters.
errors() {
	local count n=0
	while read -r _ count; do
		n=$((n + count))
	done <"$sys/ubdx/errors"
	echo $n
}

# counts WHAT OP REQUESTS BYTES CMD...: CMD succeeds, and makes exactly that many requests of that
# kind, of that many bytes in total.
counts() {
	local what=$1 op=$2 requests=$3 bytes=$4 before after
	shift 4
	before=$(counted "$op")
	ok "$what" "$@"
	after=$(counted "$op")
	is "$((${after% *} - ${before% *})) $((${after#* } - ${before#* }))" "$requests $bytes" "$what: $op requests, bytes"
}

# ---- contents ----

# noise FILE BYTES: fill a file with random bytes.
noise() { head -c "$2" /dev/urandom >"$1"; }

# zero FILE OFFSET BYTES: are all bytes there zero?
zero() { cmp -n "$3" -i "$2:0" "$1" /dev/zero; }

allocated() { stat -c %b "$1"; }

# ---- fio ----

# run_fio ARGS...: run fio quietly. It must not create a file if the device is gone.
run_fio() {
	fio --minimal --output=/dev/null --eta=never --allow_file_create=0 "$@"
}

# start_load OPTION...: two jobs write and verify, again and again until stop_load, which fails if a
# job has failed.
start_load() {
	rm -f /tmp/load_stop
	until [[ -e /tmp/load_stop ]]; do
		run_fio --name=load --filename="$dev" --direct=1 --ioengine=io_uring --iodepth=16 --numjobs=2 --size=2m \
			--offset_increment=2m --rw=randwrite --verify=crc32c --verify_interval=512 --verify_fatal=1 \
			--verify_backlog=64 "$@" || exit 1
	done &
	load_pid=$!
	until_ok 30 loaded
}

loaded() {
	local writes
	writes=$(counted write)
	((${writes% *} > 100))
}

# stop_load WHAT. Don't call it through ok(), whose subshell can't wait for the load.
stop_load() {
	local status=0
	touch /tmp/load_stop
	wait "$load_pid" || status=$?
	is $status 0 "$1"
}

# ---- disks ----

# null_disk NAME MIB NSEC [ATTRIBUTE=VALUE...]: make a null_blk disk that keeps its data. Each I/O
# takes NSEC and ends in a timer's interrupt. Attributes are those of null_blk in configfs. Prints
# the disk's node.
null_disk() {
	local setting config=/sys/kernel/config/nullb/$1
	if ! mountpoint -q /sys/kernel/config; then
		modprobe null_blk nr_devices=0
		mount -t configfs configfs /sys/kernel/config
	fi
	mkdir "$config"
	for setting in size="$2" memory_backed=1 blocksize=512 discard=1 irqmode=2 completion_nsec="$3" "${@:4}" power=1; do
		echo "${setting#*=}" >"$config/${setting%%=*}"
	done
	until_ok 10 test -b "/dev/$1"
	echo "/dev/$1"
}

null_disks_gone() {
	rmdir /sys/kernel/config/nullb/*/
	umount /sys/kernel/config
}

# ---- file systems ----

# many_files FOLDER: make a tree of files of the guest's system and some two thousand small files.
many_files() {
	mkdir -p "$1/small" "$1/usr"
	head -qc 16K /usr/bin/* | (cd "$1/small" && split -a 4 -b 2099)
	tar -c -C /usr share sbin | tar -x -C "$1/usr"
}

# filesystem_works WHAT TREE MOUNT_OPTIONS MKFS CHECK...: make a file system on $dev. The file
# system keeps the files of the folder TREE, and many changes to them, when it is mounted again.
# CHECK finds no error.
filesystem_works() {
	local what=$1 tree=$2 options=$3 mkfs=$4 mnt=/tmp/mnt
	shift 4
	mkdir -p $mnt
	ok "$what: mkfs" "$mkfs" -q "$dev"
	ok "$what: mount" mount -o "$options" "$dev" $mnt
	ok "$what: untar" copy_tree "$tree" $mnt
	ok "$what: every file is there" diff -r --no-dereference "$tree" $mnt/tree
	ok "$what: umount" umount $mnt
	ok "$what: check" "$@" "$dev"
	ok "$what: mount again" mount -o "$options" "$dev" $mnt
	ok "$what: every file is on the device" diff -r --no-dereference "$tree" $mnt/tree
	ok "$what: change" change_tree $mnt
	ok "$what: trim" fstrim $mnt
	content $mnt >/tmp/content
	ok "$what: umount once more" umount $mnt
	ok "$what: check once more" "$@" "$dev"
	ok "$what: mount once more" mount -o "$options" "$dev" $mnt
	ok "$what: what was not changed is as before" diff -r --no-dereference "$tree/usr" $mnt/tree/moved
	is "$(content $mnt)" "$(</tmp/content)" "$what: and the changes are on the device"
	ok "$what: umount at last" umount $mnt
	rm /tmp/content
}

# content FOLDER: the folder's files, and a checksum of them and of their content.
content() { (cd "$1" && find . -type f -printf '%p %s\n' -exec cksum {} + | sort | cksum); }

copy_tree() {
	mkdir "$2/tree"
	tar -c -C "$1" . | tar -x -C "$2/tree"
	sync -f "$2"
}

change_tree() {
	find "$1/tree/small" -type f -name '*[a-m]' -delete
	find "$1/tree/small" -type f -name '*[n-p]' -exec truncate -s 5000 {} +
	mv "$1/tree/usr" "$1/tree/moved"
	ln -P "$1/tree/moved/sbin"/* "$1"
}
