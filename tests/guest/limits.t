#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The block layer sees a device's parameters: block sizes, limits, number of queues, read-only.

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

readonly MIB=1048576

limits() {
	local attribute
	for attribute; do
		printf '%s=%s ' "$attribute" "$(limit "$attribute")"
	done
}

hw_queues() {
	local queues=("$sys"/mq/*)
	echo ${#queues[@]}
}

write_block() { dd if=/dev/urandom of="$dev" bs="$1" count=1 seek=3 oflag=direct status=none; }

# ubdx_write.ko writes when it is loaded, without checking read-only, as a driver stacked on the
# device may. insmod fails if all of its writes fail.
write_from_kernel() {
	insmod ubdx_write.ko "path=$dev"
	rmmod ubdx_write
}
# denied TEXT CMD...: CMD fails with status 1, and its output has TEXT.
denied() {
	local text=$1 status=0 output
	shift
	output=$("$@" 2>&1) || status=$?
	echo "$output"
	((status == 1)) && [[ $output == *"$text"* ]]
}

load

# ---- limits ----

add --target null --size 64M --queues 2 --depth 33 --max-io 4M
is "$(limits max_hw_sectors_kb max_sectors_kb max_segments virt_boundary_mask dma_alignment)" \
	"max_hw_sectors_kb=4096 max_sectors_kb=4096 max_segments=1025 virt_boundary_mask=0 dma_alignment=3 " "--max-io 4M"
is "$(limits logical_block_size physical_block_size minimum_io_size optimal_io_size)" \
	"logical_block_size=512 physical_block_size=4096 minimum_io_size=4096 optimal_io_size=0 " "block sizes, default"
is "$(limits discard_granularity discard_max_hw_bytes discard_max_bytes write_zeroes_max_bytes)" \
	"discard_granularity=4096 discard_max_hw_bytes=$((256 * MIB)) discard_max_bytes=$((256 * MIB)) write_zeroes_max_bytes=$((32 * MIB)) " \
	"discard and zeroes"
is "$(limits stable_writes rotational write_cache fua nr_zones)" \
	"stable_writes=1 rotational=0 write_cache=write through fua=0 nr_zones=0 " "what kind of device it is"
is "$(limits nr_requests)" "nr_requests=33 " "--depth"
is "$(hw_queues)" 2 "--queues"
ok "no elevator, unless one is set" grep -qF "[none]" "$sys/queue/scheduler"
is "$(blockdev --getsize64 "$dev")" $((64 * MIB)) "--size"
del "$dev"

add --target null --size 1M --max-io 4096 --dma-align 512 --physical-block-size 16K --io-opt 64K
is "$(limits max_hw_sectors_kb max_sectors_kb dma_alignment physical_block_size minimum_io_size optimal_io_size)" \
	"max_hw_sectors_kb=4 max_sectors_kb=4 dma_alignment=511 physical_block_size=16384 minimum_io_size=16384 optimal_io_size=65536 " \
	"--max-io 4096 --dma-align --physical-block-size --io-opt"
counts "a longer request is split" write 16 65536 dd if=/dev/zero of="$dev" bs=64k count=1 oflag=direct status=none
del "$dev"

# ---- logical blocks ----

for block in 512 1024 2048 4096; do
	add --target mem --size 1M --block-size $block
	is "$(limits logical_block_size)" "logical_block_size=$block " "--block-size $block"
	is "$(blockdev --getss "$dev")" $block "--block-size $block, by ioctl"
	counts "--block-size $block: one block can be written" write 1 $block write_block $block
	((block == 512)) || fails "--block-size $block: half a block is refused" 1 "Invalid argument" write_block $((block / 2))
	del "$dev"
done

# ---- read-only ----

noise /tmp/file $MIB
cp /tmp/file /tmp/want
chmod a-w /tmp/file
add --target loop --file /tmp/file --read-only
is "$(blockdev --getro "$dev")$(<"$sys/ro")" 11 "--read-only is what the block layer sees"
ok "--read-only: reads" cmp /tmp/want "$dev"
fails "--read-only: a write is refused" 1 "Operation not permitted" write_block 4096
fails "--read-only: a discard is refused" 2 "Operation not supported" blkdiscard "$dev"
fails "--read-only: zeroes are refused" 1 "@(Permission denied|Operation not permitted|Read-only file system)" blkdiscard -z "$dev"
ok "--read-only: it can't be made writable" denied "Permission denied" blockdev --setrw "$dev"
fails "--read-only: after --setrw a write is still refused" 1 "Operation not permitted" write_block 4096
is "$(counted write)$(counted discard)$(counted write_zeroes)" "0 00 00 0" "--read-only: the server has seen none of them"
ok "--read-only: the file is as it was" cmp /tmp/want /tmp/file
del "$dev"

add --target mem --size 1M
ok "another device can be made read-only" blockdev --setro "$dev"
fails "then a write is refused" 1 "Operation not permitted" write_block 4096
ok "and made writable again" blockdev --setrw "$dev"
ok "and written to" write_block 4096
ok "also from within the kernel" write_from_kernel
del "$dev"

add --target mem --size 1M --read-only
fails "--read-only mem: a write is refused" 1 "Operation not permitted" write_block 4096
fails "--read-only mem: also from within the kernel" 1 "Operation not supported" write_from_kernel
is "$(counted write)$(counted discard)$(counted write_zeroes)" "0 00 00 0" "--read-only mem: the server has seen none of them"

finish
