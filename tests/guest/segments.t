#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The memory behind a request may lie anywhere: in many small pieces, at any multiple of the
# alignment, across pages, in huge pages. A request may have the largest size that is allowed. Every
# byte goes to its place, in each transfer mode. The request has the mode that was selected, or
# falls back for the expected reason.
#
# lab: --mem 3072 --timeout 600

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

readonly BYTES=$((4 << 20))

# ---- the mode that carried a request ----

# fell REASON: how many requests have fallen back for REASON.
fell() { sed -n "s/^$1 //p" "$sys/ubdx/fallbacks"; }

# fell_all: how many requests have fallen back for any reason.
fell_all() {
	local requests n=0
	while read -r _ requests; do
		n=$((n + requests))
	done <"$sys/ubdx/fallbacks"
	echo $n
}

payloads() {
	local reads writes
	reads=$(counted read) writes=$(counted write)
	echo $((${reads% *} + ${writes% *}))
}

# by MAP[:ODD] ok|counts WHAT ...: run ok or counts. In addition, each request with a payload must
# have the mode $mode. Or each must have fallen back: in mode map for the reason MAP, unless that is
# none; in modes regbuf and forward for the reason ODD, if there is one.
by() {
	local reason=none before kept all fallen
	[[ $mode != map ]] || reason=${1%:*}
	[[ $mode != @(regbuf|forward) || $1 != *:* ]] || reason=${1#*:}
	before=$(payloads) kept=$(counted_in "$mode") all=$(fell_all) fallen=$([[ $reason == none ]] || fell "$reason")
	"${@:2}"
	before=$(($(payloads) - before)) kept=$(($(counted_in "$mode") - kept)) all=$(($(fell_all) - all))
	ok "$3: there are requests" test $before -gt 0
	if [[ $reason == none ]]; then
		is "$kept $all" "$before 0" "$3: requests in the mode, others"
	else
		is "$kept $all $(($(fell "$reason") - fallen))" "0 $before $before" "$3: requests in the mode, others, for \"$reason\""
	fi
}

# ---- many pieces: xfs_io puts each vector at the beginning of a page of its own ----

# vectored_write SIZE VECTORS: write the whole device, each write from so many pieces of SIZE bytes.
vectored_write() {
	xfs_io -d -c "pwrite -q -V $2 -b $1 -i /tmp/want 0 $BYTES" "$dev"
}

# vectored_read SIZE VECTORS: read once into so many pieces, and compare. The only form in which
# xfs_io shows what it has read is a hexadecimal dump.
vectored_read() {
	dump -d -c "pread -v -V $2 -b $1 0 $(($1 * $2))" "$dev" >/tmp/dump
	dump -c "pread -v 0 $(($1 * $2))" /tmp/want | cmp - /tmp/dump
}

dump() { xfs_io "$@" | grep '^[0-9a-f]*:'; }

vectored() {
	local reason=$1 size=$2 vectors=$3
	local bytes=$((size * vectors)) what="$mode: $vectors pieces of $size"
	by "$reason" counts "$what: one request each" write $(((BYTES + bytes - 1) / bytes)) $BYTES vectored_write "$size" "$vectors"
	ok "$what: written" cmp /tmp/want "$dev"
	by "$reason" counts "$what: read" read 1 $bytes vectored_read "$size" "$vectors"
	blkdiscard -z "$dev"
}

# ---- odd places ----

# fio writes a checksum for each 512 bytes, and verifies it.
verifying() {
	run_fio --name=verify --filename="$dev" --size="$BYTES" --direct=1 --ioengine=io_uring --iodepth=8 \
		--verify=crc32c --verify_interval=512 --verify_fatal=1 "$@"
}

# shifted SHIFT: write from, and read to, memory that begins SHIFT bytes into a page.
shifted() {
	verifying --iomem_align="$1" --rw=randwrite --bssplit=512/30:1536/20:4k/20:60k/20:1m/10
	verifying --iomem_align="$1" --rw=randread --bsrange=512-1m
}

four_mib() { dd if="$1" of="$2" bs=4M count=1 status=none conv=notrunc "$3=direct"; }
across() { verifying --iomem_align=512 --bs=4m --iodepth=1 "$@"; }
huge() { verifying --iomem=mmaphuge:/tmp/huge/fio --hugepage-size=2m "$@"; }
short() { dd if=/tmp/want of="$dev" bs=512 count=1024 oflag=direct conv=notrunc status=none; }

# pieces TARGET...: requests in many pieces, and at odd places.
pieces() {
	add --target "$@" --size $BYTES --max-io 4M --xfer "$mode"
	vectored partial 512 64
	vectored partial 1024 8
	vectored none 12288 5
	by partial ok "$mode: pieces that cross pages" shifted 512
	by partial:unaligned ok "$mode: pieces at a multiple of four" shifted 4
	fails "$mode: a piece at less than the alignment is refused" 1 "Invalid argument" shifted 2
	del "$dev"
}

# The largest request, and larger ones.
long() {
	add --target mem --size $BYTES --max-io 4M --xfer "$mode"
	by none counts "$mode: 4 MiB: a write stays in one piece" write 1 $BYTES four_mib /tmp/want "$dev" oflag
	by none counts "$mode: 4 MiB: so does a read" read 1 $BYTES four_mib "$dev" /tmp/got iflag
	ok "$mode: 4 MiB: it is what was written" cmp /tmp/want /tmp/got
	blkdiscard -z "$dev"
	by none counts "$mode: 1024 single pages: one request" write 1 $BYTES vectored_write 4096 1024
	ok "$mode: 1024 single pages: written" cmp /tmp/want "$dev"
	by none counts "$mode: 256 single pages: read" read 1 $((1 << 20)) vectored_read 4096 256
	by partial counts "$mode: 1024 pieces of 512: one request each" write 8 $BYTES vectored_write 512 1024

	# 1025 pages. The first and the last are used in part, so each takes a segment.
	by partial counts "$mode: 4 MiB across 1025 pages: in one piece" write 1 $BYTES across --rw=write --do_verify=0
	by partial counts "$mode: 4 MiB across 1025 pages: verified" read 1 $BYTES across --rw=read
	if [[ $mode == map ]]; then
		echo 1 >$PARAMETERS/allow_partial_pages
		by none ok "$mode: pieces that cross pages, shown whole" shifted 512
		by long counts "$mode: 4 MiB across 1025 pages, shown whole" write 1 $BYTES across --rw=write --do_verify=0
		by long counts "$mode: and verified" read 1 $BYTES across --rw=read
		echo 0 >$PARAMETERS/allow_partial_pages
	fi

	by none counts "$mode: huge pages: 4 MiB writes" write 1 $BYTES huge --bs=4m --iodepth=1 --rw=write --do_verify=0
	by none counts "$mode: huge pages: 4 MiB reads, verified" read 1 $BYTES huge --bs=4m --iodepth=1 --rw=read
	by none ok "$mode: parts of huge pages" huge --bsrange=4k-512k --blockalign=4k --rw=randwrite
	by partial ok "$mode: less than a page of huge pages" huge --bs=512 --size=256k --rw=randwrite
	del "$dev"

	add --target mem --size $BYTES --max-io 64K --xfer "$mode"
	by none ok "$mode: longer than the longest request: written" four_mib /tmp/want "$dev" oflag
	by none ok "$mode: longer than the longest request: read" four_mib "$dev" /tmp/got iflag
	ok "$mode: longer than the longest request: the same" cmp /tmp/want /tmp/got
	blkdiscard "$dev"
	by partial counts "$mode: 512 bytes" write 1024 524288 short
	ok "$mode: 512 bytes: written" cmp -n 524288 /tmp/want "$dev"
	ok "$mode: 512 bytes: nothing else is" zero "$dev" 524288 $((BYTES - 524288))
	del "$dev"
}

load
mapfile -t modes < <(ubdx features --json | jq -r '.driver_xfer_modes[]')
modprobe brd rd_nr=1 rd_size=$((BYTES >> 10))
noise /tmp/want $BYTES
echo 16 >/proc/sys/vm/nr_hugepages
mkdir -p /tmp/huge
mount -t hugetlbfs none /tmp/huge

for mode in "${modes[@]}"; do
	pieces mem
	pieces loop --direct --file /dev/ram0
	long
done
ok "each of the modes was tried" test ${#modes[@]} -ge 4
# Map whole requests at delivery, not by a fault.
mode=map
echo eager >$PARAMETERS/map_when
long
echo fault >$PARAMETERS/map_when

finish
