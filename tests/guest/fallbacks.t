#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A request that the device's mode can't carry falls back to mode user, and is counted under the
# reason: the request doesn't fill its pages, its pieces are not contiguous, it needs more pages
# than its place in a window has, or its memory can't be put into a pipe. Its bytes still arrive.
# All other requests keep the mode. The event ubdx_done reports the mode of each request and the
# reason for a fallback.

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

readonly BYTES=$((64 << 10))

# ---- ubdx_done, whose numbers are those of driver/uapi/ubdx.h ----

readonly TRACE=/sys/kernel/tracing
readonly -A XFER=([copy]=0 [user]=1 [map]=2 [splice]=3 [regbuf]=4 [forward]=5)
readonly -A FALLBACK=([none]=0 [partial]=1 [gap]=2 [long]=3 [slab]=4 [table]=5 [unaligned]=6)

# traced CMD...: run CMD. /tmp/trace then has the ubdx_done events of its READs and WRITEs.
traced() {
	local status=0
	: >"$TRACE/trace"
	echo 1 >"$TRACE/events/ubdx/ubdx_done/enable"
	"$@" || status=$?
	echo 0 >"$TRACE/events/ubdx/ubdx_done/enable"
	grep -E ' ubdx_done: .* op=[01] ' "$TRACE/trace" >/tmp/trace || true
	return "$status"
}

# seen MODE REASON: how many of these events have that mode and that reason.
seen() { grep -cE " xfer=${XFER[$1]} fallback=${FALLBACK[$2]} " /tmp/trace || true; }
seen_all() { grep -c . /tmp/trace || true; }

# ---- one request after the other ----

# fell [REASON]: how many requests have fallen back for REASON, or for any reason.
fell() {
	local reason requests n=0
	while read -r reason requests; do
		[[ $reason != "${1:-$reason}" ]] || n=$((n + requests))
	done <"$sys/ubdx/fallbacks"
	echo $n
}

# falls REASON REQUESTS WHAT CMD...: CMD makes so many requests, and all fall back for REASON, or
# keep the mode if REASON is none.
falls() {
	local reason=$1 requests=$2 what=$3 mode before all kept
	shift 3
	mode=$(mode_now) before=$(fell "$reason") all=$(fell) kept=$(counted_in "$mode")
	ok "$mode: $what" traced "$@"
	if [[ $reason == none ]]; then
		is "$(seen "$mode" none) $(seen_all)" "$requests $requests" "$mode: $what: events with this mode, all events"
		is "$(($(counted_in "$mode") - kept)) $(($(fell) - all))" "$requests 0" "$mode: $what: requests that keep the mode, that fall back"
	else
		is "$(seen user "$reason") $(seen_all)" "$requests $requests" \
			"$mode: $what: events with mode user and reason \"$reason\", all events"
		is "$(($(fell "$reason") - before)) $(($(fell) - all)) $(($(counted_in "$mode") - kept))" "$requests $requests 0" \
			"$mode: $what: requests that fall back for \"$reason\", for any reason, that keep the mode"
	fi
}

mode_now() { sed 's/.*\[\(.*\)\].*/\1/' "$sys/ubdx/xfer"; }

one() { xfs_io -d -c "pwrite -q -b $1 -i /tmp/want 0 $1" "$dev"; }
# each piece begins a page of its own
pieces() { xfs_io -d -c "pwrite -q -V $2 -b $1 -i /tmp/want 0 $(($1 * $2))" "$dev"; }
# from or to memory that begins 512 bytes into a page; with checksums
shifted() {
	run_fio --name=shifted --filename="$dev" --direct=1 --ioengine=psync --bs=64k --size=64k --iomem_align=512 --verify=crc32c \
		--verify_interval=512 --verify_fatal=1 "$@"
}
arrived() { ok "$(mode_now): it is there" cmp -n "$1" /tmp/want "$dev"; }

# Enabling or disabling an event waits for a grace period.
echo 1 >/sys/kernel/rcu_expedited
load
noise /tmp/want $BYTES
mapfile -t modes < <(ubdx features --json | jq -r '.driver_xfer_modes[]')

for mode in "${modes[@]}"; do
	add --target mem --size 16M --max-io 64K --xfer "$mode"
	falls none 1 "whole pages" one 65536
	[[ $mode == map ]] || falls none 1 "half a page" one 2048
	del "$dev"
done

# ---- pages that are not full, not contiguous, or too many ----

add --target mem --size 16M --max-io 64K --xfer map
falls none 1 "whole pages" one 8192
falls partial 1 "half a page" one 2048
arrived 2048
falls partial 1 "a page and a half" one 6144
arrived 6144
falls partial 1 "in pieces" pieces 1024 8
arrived 8192
echo 1 >$PARAMETERS/allow_partial_pages
falls none 1 "half a page, which is allowed now" one 2048
arrived 2048
falls none 1 "whole pages in pieces" pieces 4096 8
arrived 32768
falls gap 1 "in pieces with gaps" pieces 1024 8
arrived 8192
falls none 1 "the longest request" one 65536
arrived 65536
falls long 1 "the longest request, across one more page" shifted --rw=write --do_verify=0
falls long 1 "the same, read and verified" shifted --rw=read
echo 0 >$PARAMETERS/allow_partial_pages
del "$dev"

# ---- memory that can't be put into a pipe ----

# ext4's journal copies blocks that look like its own into memory from a slab cache, unless a block
# fills a page.
escaped() {
	mkfs.ext4 -q -b 1024 "$dev"
	mkdir -p /tmp/mnt
	mount -o data=journal "$dev" /tmp/mnt
	cp /tmp/magic /tmp/mnt
	sync -f /tmp/mnt
	umount /tmp/mnt
}
kept() {
	mount "$dev" /tmp/mnt
	cmp /tmp/magic /tmp/mnt/magic
	umount /tmp/mnt
	e2fsck -fn "$dev"
}
for ((i = 0; i < 64; i++)); do
	printf '\xc0\x3b\x39\x98'
	head -c 1020 /dev/urandom
done >/tmp/magic

# Room for the events of a file system's requests.
echo 4096 >$TRACE/buffer_size_kb
for mode in "${modes[@]}"; do
	add --target mem --size 64M --xfer "$mode"
	ok "$mode: a journal with blocks that look like its own" traced escaped
	[[ $mode != splice ]] || ok "$mode: some of it fell back" test "$(fell slab)" -gt 0
	for reason in partial gap long slab; do
		is "$(seen user $reason)" "$(fell $reason)" "$mode: as many events say \"$reason\" as were counted"
	done
	ok "$mode: some events have this mode" test "$(seen "$mode" none)" -gt 0
	is "$(seen "$mode" none)" "$(($(seen_all) - $(fell)))" "$mode: all others are of fallbacks"
	ok "$mode: the file is as it was written" kept
	is "$(errors)" 0 "$mode: no request failed"
	del "$dev"
done

# ---- a server that can't open a pipe ----

# The server then moves the payloads with the calls of mode user. The requests keep their mode.
spliced() { sed -n 's/^spliced_bytes //p' "$sys/ubdx/moved"; }
reads() { dd if="$dev" of=/tmp/got bs=64k count=1 iflag=direct status=none && cmp /tmp/got /tmp/want; }
splices() {
	local before
	before=$(spliced)
	one 65536
	(($(spliced) > before))
}

cp /tmp/want /tmp/backing
ubdx add --foreground --target loop --file /tmp/backing --depth 8 --xfer copy >/tmp/out 2>/tmp/err &
until_ok 10 grep -qx "/dev/ubdxb0" /tmp/out
use "$(</tmp/out)"
until_ok 10 blockdev --rereadpt "$dev"
prlimit --pid "$server" --nofile=1:
ubdx set --xfer splice 0
before=$(spliced)
ok "no descriptor for a pipe: a READ is served" reads
noise /tmp/want $BYTES
ok "no descriptor for a pipe: a WRITE is served" one 65536
ok "no descriptor for a pipe: it is there" cmp /tmp/want /tmp/backing
is "$(spliced)" "$before" "no descriptor for a pipe: nothing went through one"
ok "no descriptor for a pipe: the server says so" grep -q "a pipe for mode splice: Too many open files" /tmp/err
prlimit --pid "$server" --nofile=1024:
ok "with descriptors again, payloads go through a pipe again" until_ok 10 splices
is "$(errors)" 0 "no descriptor for a pipe: no request failed"
del "$dev"

# ---- many at once ----

# Submitters on all CPUs at once add to the same counters.
readonly EACH=$((5000 / LESS))
add --target null --size 4M --xfer map
echo 2 >"$sys/queue/nomerges"
was=$(fell)
ok "four clients at once, whose requests all fall back" run_fio --name=many --filename="$dev" --direct=1 --ioengine=io_uring \
	--iodepth=8 --numjobs=4 --bs=512 --rw=randread --number_ios=$EACH
is $(($(fell) - was)) $((4 * EACH)) "   each is counted"
del "$dev"

finish
