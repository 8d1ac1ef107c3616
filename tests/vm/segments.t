#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The memory behind a request may lie as it likes: in many small pieces, at any multiple of the alignment, across pages,
# in huge pages; and one request may be as long as is allowed. Every byte goes where it belongs.
#
# lab: --mem 3072

# shellcheck disable=SC2317 # functions are called by ok
. tests/vm/lib.sh

readonly BYTES=$((4 << 20))

# ---- many pieces: xfs_io gives each vector a page of its own, of which it uses the beginning ----

# vectored SIZE VECTORS: one write after the other from that many pieces, then the same read back.
vectored_write() {
	xfs_io -d -c "pwrite -q -V $2 -b $1 -i /tmp/want 0 $BYTES" "$dev"
}

# Only its hexadecimal dump shows what was read.
vectored_read() {
	dump -d -c "pread -v -V $2 -b $1 0 $(($1 * $2))" "$dev" >/tmp/got
	dump -c "pread -v 0 $(($1 * $2))" /tmp/want | cmp - /tmp/got
}

dump() { xfs_io "$@" | grep '^[0-9a-f]*:'; }

vectored() {
	local size=$1 vectors=$2 bytes=$(($1 * $2))
	counts "$vectors pieces of $size: one request each" write $(((BYTES + bytes - 1) / bytes)) $BYTES vectored_write "$size" "$vectors"
	ok "$vectors pieces of $size: written" cmp /tmp/want "$dev"
	counts "$vectors pieces of $size: read" read 1 $bytes vectored_read "$size" "$vectors"
	blkdiscard -z "$dev"
}

# ---- odd places ----

# With fio's checksums, each 512 bytes their own, from memory that is SHIFT bytes off a page's beginning.
verifying() {
	run_fio --name=verify --filename="$dev" --size="$BYTES" --direct=1 --ioengine=io_uring --iodepth=8 \
		--verify=crc32c --verify_interval=512 --verify_fatal=1 "$@"
}

shifted() {
	verifying --iomem_align="$1" --rw=randwrite --bssplit=512/30:1536/20:4k/20:60k/20:1m/10
	verifying --iomem_align="$1" --rw=randread --bsrange=512-1m
}

load

modprobe brd rd_nr=1 rd_size=$((BYTES >> 10))
noise /tmp/want $BYTES
for target in mem "loop --direct --file /dev/ram0"; do
	# shellcheck disable=SC2086 # words
	add --target $target --size $BYTES --max-io 4M
	echo "# $target"
	vectored 512 64
	vectored 1024 8
	vectored 12288 5
	ok "pieces that cross pages" shifted 512
	ok "pieces at a multiple of four" shifted 4
	fails "a piece at less than the alignment is refused" shifted 2
	del "$dev"
done

# ---- long ----

four_mib() { dd if="$1" of="$2" bs=4M count=1 status=none conv=notrunc "$3=direct"; }

add --target mem --size $BYTES --max-io 4M
counts "4 MiB: a write stays in one piece" write 1 $BYTES four_mib /tmp/want "$dev" oflag
counts "4 MiB: so does a read" read 1 $BYTES four_mib "$dev" /tmp/got iflag
ok "4 MiB: it is what was written" cmp /tmp/want /tmp/got

# 1025 pages: the first and the last only in part, so that each of them takes a segment.
counts "4 MiB across 1025 pages: in one piece" write 1 $BYTES \
	verifying --iomem_align=512 --rw=write --bs=4m --iodepth=1 --do_verify=0
ok "4 MiB across 1025 pages: verified" verifying --iomem_align=512 --rw=read --bs=4m --iodepth=1

echo 16 >/proc/sys/vm/nr_hugepages
huge() { verifying --iomem=mmaphuge:/tmp/huge/fio --hugepage-size=2m --bs=4m --iodepth=1 "$@"; }
mkdir -p /tmp/huge
mount -t hugetlbfs none /tmp/huge
counts "huge pages: 4 MiB writes" write 1 $BYTES huge --rw=write --do_verify=0
counts "huge pages: 4 MiB reads, verified" read 1 $BYTES huge --rw=read
del "$dev"

add --target mem --size $BYTES --max-io 64K
ok "longer than the longest request: written" four_mib /tmp/want "$dev" oflag
ok "longer than the longest request: read" four_mib "$dev" /tmp/got iflag
ok "longer than the longest request: the same" cmp /tmp/want /tmp/got

# ---- short ----

short() { dd if=/tmp/want of="$dev" bs=512 count=1024 oflag=direct conv=notrunc status=none; }
blkdiscard "$dev"
counts "512 bytes" write 1024 524288 short
ok "512 bytes: written" cmp -n 524288 /tmp/want "$dev"
ok "512 bytes: nothing else is" zero "$dev" 524288 $((BYTES - 524288))

finish
