#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# udevd opens and reads each new device. The device can still be deleted at once, and its
# server stopped.

# shellcheck disable=SC2034,SC2317 # for guest.sh; functions are called by ok
UDEV=1
. tests/guest/lib/guest.sh

load
truncate -s 16M /tmp/file
add_and_del() {
	local path
	path=$(ubdx add --target loop --file /tmp/file) && ubdx del "$path"
}
for ((i = 0; i < 10; i++)); do
	add_and_del || break
done
is $i 10 "a device can be deleted as soon as it is there"

for ((i = 0; i < 5; i++)); do
	use "$(ubdx add --target loop --file /tmp/file)"
	kill -TERM "$server"
	until_ok 10 gone "$sys" || break
	until_ok 10 no_process "$server" || break
done
is $i 5 "a server can be stopped as soon as its device is there"
none_left() { [[ $(ubdx list --json | jq length) == 0 ]]; }
ok "none is left" until_ok 10 none_left

finish
