#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The file modes of three nodes, and nothing else, decide who may open them: see
# docs/reliability.md. By default only root may. The test then gives an unprivileged user access to
# one node after the other; the user can do what these nodes allow, and no more.

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

readonly NOBODY=65534 GROUP=4242

# as_nobody CMD...: run CMD as an unprivileged user. as_member CMD...: as the same user, who is then
# a member of a group that the administrator made.
as_nobody() { setpriv --reuid="$NOBODY" --regid="$NOBODY" --clear-groups --inh-caps=-all "$@"; }
as_member() { setpriv --reuid="$NOBODY" --regid="$NOBODY" --groups="$GROUP" --inh-caps=-all "$@"; }

# says TEXT CMD...: CMD is refused and prints TEXT.
says() {
	local text=$1 status=0 output
	shift
	output=$("$@" 2>&1) || status=$?
	echo "$output"
	((status == 1)) && [[ $output == *"$text"* ]]
}
denied() { says "Permission denied" "$@"; }

write_file() { echo "$2" >"$1"; }
export -f write_file
reads() { "$@" dd if="$dev" of=/dev/null bs=4k count=1 status=none; }
writes() { "$@" dd if=/dev/zero of="$dev" bs=4k count=1 status=none; }
# A successful open of the channel makes the caller the server, so this is only for users who must
# be refused.
opens() { "$@" bash -c "exec 9$mode'$node'"; }
no_server() { is_server 0; }
is_server() { [[ $(<"$sys/ubdx/server_pid") == "$1" ]]; }
modes() { stat -c '%n %a %u:%g' /dev/ubdx*; }

load
add --target null --size 1M --recovery reissue
channel=/dev/ubdxc${name#ubdxb} control=/dev/ubdx-control

# ---- the default modes ----

is "$(modes)" "$control 600 0:0
$dev 600 0:0
$channel 600 0:0" "every node is root's"
for node in "$control" "$channel" "$dev"; do
	for mode in "<" ">" "<>"; do
		ok "nobody can't open $node ($mode)" denied opens as_nobody
	done
done
ok "nor list devices" denied as_nobody ubdx list
ok "nor add one" denied as_nobody ubdx add --target null --size 1M
ok "nor delete one" denied as_nobody ubdx del "$dev"
for file in "$sys/ubdx/xfer" /sys/module/ubdx/parameters/*; do
	ok "nor write to $file" denied as_nobody bash -c "write_file $file 1"
done
ok "but everybody can read sysfs" as_nobody cat "$sys/ubdx/state"

# ---- the control node ----

chmod 644 "$control"
ok "control, readable: nobody can list" as_nobody ubdx list
ok "and look" as_nobody ubdx info "$dev"
ok "but not add" denied as_nobody ubdx add --target null --size 1M
ok "nor delete" denied as_nobody ubdx del --force "$dev"
ok "nor set" denied as_nobody ubdx set --xfer copy "$dev"
ok "nor hand the device over" denied as_nobody ubdx recover --live --target null "$dev"
is "$(<"$sys/ubdx/state")" live "all is as it was"

chgrp $GROUP "$control"
chmod 660 "$control"
ok "control, a group's: nobody can't list any more" denied as_nobody ubdx list
ok "a member can" as_member ubdx list
ok "and set" as_member ubdx set --xfer copy "$dev"
ok "but not serve: only root can open the new device's channel" denied as_member ubdx add --target null --size 1M
is "$(ubdx list --json | jq length)" 1 "and the new device doesn't stay"
ok "nor hand the device over to a server that can't open the channel" denied as_member ubdx recover --live --target null "$dev"
is "$(<"$sys/ubdx/state")" live "the server goes on"
ok "nor read" denied reads as_member
ok "nor write" denied writes as_member

# ---- the block device ----

chgrp $GROUP "$dev"
chmod 640 "$dev"
ok "block device, a group may read: a member reads" reads as_member
ok "and doesn't write" denied writes as_member
ok "nobody doesn't read" denied reads as_nobody
chmod 660 "$dev"
ok "block device, a group may write: a member does" writes as_member

# ---- the channel ----

kill -KILL "$server"
ok "the device waits for a server" until_ok 10 no_server
chgrp $GROUP "$channel"
for access in 640:"<" 620:">"; do
	chmod "${access%%:*}" "$channel"
	node=$channel mode=${access#*:}
	ok "channel, mode ${access%%:*}: a member can't open it with $mode" denied opens as_member
done
chmod 640 "$channel"
ok "nor serve" denied as_member ubdx recover --target null "$dev"
chmod 660 "$channel"
ok "channel, a group's: nobody can't serve" denied as_nobody ubdx recover --target null "$dev"
ok "a member can" as_member ubdx recover --target null "$dev"
server=$(<"$sys/ubdx/server_pid")
is "$(stat -c %u "/proc/$server")" $NOBODY "the server is his"
ok "and serves" reads as_member
ok "a second server is refused" says "already has a server" as_member ubdx recover --target null "$dev"
ok "a member deletes the device" as_member ubdx del "$dev"

# ---- a rule of the administrator, which udev applies a moment after the node appears ----

# `ubdx add` waits longer for access to the channel if it sees udev's socket.
mkdir -p /run/udev
[[ -e /run/udev/control ]] || : >/run/udev/control
give_to_group() {
	until_ok 10 test -e "$channel"
	read -rt 0.2 <> <(:) || true
	chgrp $GROUP "$channel"
	chmod 660 "$channel"
}
give_to_group &
ok "a member adds a device, and serves it" as_member ubdx add --target null --size 1M
wait
ok "he deletes it" as_member ubdx del "$dev"

# ---- the kernel parses a partition table only if the server that returns it has CAP_SYS_ADMIN ----

scan() { blockdev --rereadpt "$dev"; }
partition() { [[ -b ${dev}p1 ]]; }
kill_server() {
	kill -KILL "$(<"$sys/ubdx/server_pid")"
	until_ok 10 is_state quiesced
}
truncate -s 16M /tmp/gpt
sfdisk -q --label gpt /tmp/gpt <<<'start=2048,size=8192'
chown $NOBODY /tmp/gpt
serve_gpt() { "$@" --target loop --file /tmp/gpt; }

give_to_group &
dev=$(serve_gpt as_member ubdx add --recovery reissue)
wait
use "$dev"
fails "a member serves a partition table: it isn't scanned" 1 '' until_ok 1 partition
ok "nor is it scanned on request" says "Invalid argument" scan
ok "his server is killed" kill_server
ok "one with CAP_SYS_ADMIN takes over" serve_gpt ubdx recover "$dev"
ok "then it is scanned" until_ok 10 partition
ok "also on request" scan
ok "this server is killed" kill_server
ok "a member takes over" serve_gpt as_member ubdx recover "$dev"
ok "the table isn't scanned any more" says "Invalid argument" scan
ok "what was scanned before stays" dd if="${dev}p1" of=/dev/null bs=4k count=1 iflag=direct status=none
ok "his server is killed, too" kill_server
ok "one with CAP_SYS_ADMIN takes over again" serve_gpt ubdx recover "$dev"
ok "the table can be scanned again" until_ok 10 scan

finish
