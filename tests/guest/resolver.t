#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Resolvers: BPF programs that say where a device's sectors are. Each resolver of the project is
# loaded and used by a device. The data must then be in the files where the resolver says.

. tests/guest/lib/guest.sh

if [[ ! -e /sys/kernel/btf/vmlinux ]]; then
	load
	fails "a kernel without BTF" 1 "this kernel has no BTF" ubdx-resolver load linear
	skip "resolvers" "this kernel has no BTF"
	finish
fi

mount -t bpf bpf /sys/fs/bpf
first=$(null_disk first 64 10000)
second=$(null_disk second 64 10000)
slow=$(null_disk slow 64 4000000000) # the I/O timeout of null_blk is five seconds
fails "without the driver" 1 "the driver isn't loaded; run modprobe ubdx" ubdx-resolver load linear
load

value() { sed -n "s/^$1 //p" "$sys/ubdx/extents"; }

# ---- linear, with target loop ----

head -c 4M /dev/urandom >/tmp/data
fails "an unknown resolver" 1 "there is no resolver circle" ubdx-resolver load circle
fails "a name that no resolver can have" 1 "--name takes up to 15" ubdx-resolver load linear --name none
fails "a chunk that is no power of two" 64 "--chunk takes a power of two" ubdx-resolver load stripe --chunk 12K
fails "a number with a letter behind it" 64 "--files takes 1 to 64" ubdx-resolver load stripe --files 2x
fails "nothing to do" 64 "say load KIND, or unload NAME" ubdx-resolver load
ok "linear is loaded" ubdx-resolver load linear
fails "not twice" 1 "there is a resolver linear; unload it first, or use --name" ubdx-resolver load linear
ok "and again, with an offset" ubdx-resolver load linear --name moved --offset 1M
add --target loop --file "$first" --direct --extents
is "$(<"$sys/ubdx/resolver")" "[none] linear moved" "a device has none at first"
fails "there is none called nobody" 1 "no resolver nobody is loaded; see ubdx-resolver --help" ubdx set "$dev" --resolver nobody
ok "it is set" ubdx set "$dev" --resolver linear
is "$(<"$sys/ubdx/resolver")" "none [linear] moved" "it is shown"
is "$(ubdx info --json "$dev" | sed -n 's/.*"resolver": *"\([^"]*\)".*/\1/p')" linear "ubdx info shows it, too"
hits=$(value write_hits)
dd if=/tmp/data of="$dev" bs=1M oflag=direct status=none
is "$(($(value write_hits) > hits))" 1 "writes don't come to the server"
ok "they are where it says" cmp -n 4194304 /tmp/data "$first"
ok "another one takes its place while the device is in use" ubdx set "$dev" --resolver moved
dd if="$dev" of=/tmp/back bs=64k count=16 iflag=direct status=none
ok "reads come from where that one says" cmp -n 1048576 -i 1048576:0 /tmp/data /tmp/back
ok "--resolver none" ubdx set "$dev" --resolver none
misses=$(value read_misses)
dd if="$dev" of=/tmp/back bs=64k count=16 iflag=direct status=none
is "$(($(value read_misses) - misses))" 16 "then all reads come to the server"
ok "which has the right data" cmp -n 1048576 /tmp/data /tmp/back

# Beyond the file's end an answer can't be used: the server gets the bio.
ubdx set "$dev" --resolver moved
before=$(value invalid)
dd if="$dev" of=/tmp/back bs=64k skip=1023 count=1 iflag=direct status=none
is "$(($(value invalid) - before))" 1 "an answer beyond the file's end is counted, and the server is asked"

# ---- how a resolver ends ----

touch /tmp/reading
while [[ -e /tmp/reading ]]; do
	dd if="$dev" of=/dev/null bs=64k count=64 iflag=direct status=none || echo "failed" >>/tmp/failed
done &
reader=$!
ok "a resolver in use is unloaded" ubdx-resolver unload moved
is "$(<"$sys/ubdx/resolver")" "[none] linear" "the device has none then"
once_more() { ubdx-resolver load linear --name moved && ubdx set "$dev" --resolver moved && ubdx-resolver unload moved; }
for ((i = 0; i < 20; i++)); do
	once_more || break
done
is "$i" 20 "a resolver is loaded, set and unloaded while I/O runs"
rm /tmp/reading
wait "$reader"
ok "no read fails" test ! -e /tmp/failed
del "$dev"
add --target loop --file "$first" --direct --extents --recovery reissue
ubdx set "$dev" --resolver linear
kill -KILL "$(<"$sys/ubdx/server_pid")"
until_ok 10 grep -q quiesced "$sys/ubdx/state"
is "$(<"$sys/ubdx/resolver")" "[none] linear" "a resolver goes with the server"
fails "a device without a server can't get a resolver" 1 "has no server" ubdx set "$dev" --resolver linear
ubdx del --force "$dev"
fails "the driver can't be unloaded while a resolver is loaded" 1 "in use" rmmod ubdx
ok "the resolver is unloaded" ubdx-resolver unload linear
fails "but not twice" 1 "no resolver linear is loaded" ubdx-resolver unload linear
ok "nothing is left" test ! -e /sys/fs/bpf/ubdx

# ---- stripe and hash, with the test's own server ----

run_tap resolver bin/resolver "$first" "$second" "$slow"

null_disks_gone
umount /sys/fs/bpf
finish
