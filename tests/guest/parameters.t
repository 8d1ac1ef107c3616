#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Module parameters and files in sysfs list their values, accept these, and refuse others without a
# change. max_devices applies to the next device.

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

readonly GOOD=(max_devices=0 max_devices=4294967295 xfer=user xfer=map xfer=splice xfer=forward xfer=copy map_when=eager
	map_when=fault allow_partial_pages=Y allow_partial_pages=N)
readonly BAD=(max_devices= max_devices=-1 max_devices=x max_devices=1.5 max_devices=4294967296 xfer=copy2 xfer= xfer=COPY
	xfer=teleport xfer=0 map_when=never map_when= allow_partial_pages=2)

# mode regbuf exists if the kernel can register a request's pages with io_uring
others=" forward"
! grep -q ' io_buffer_register_request$' /proc/kallsyms || others=" regbuf forward"

parameter() { cat "$PARAMETERS/$1"; }

# invalid FILE VALUE: writing VALUE fails with EINVAL or ERANGE.
invalid() {
	local error
	error=$(printf '%s\n' "$2" 2>&1 >"$1") || true
	[[ $error == *": Invalid argument" || $error == *": Numerical result out of range" ]]
}

# ---- modinfo ----

for line in "max_devices:*default 64*" "xfer:*copy, user, map, splice*default copy*" "map_when:*fault, eager*default fault*" \
	"allow_partial_pages:*default N*"; do
	found=
	while read -r parm; do
		# shellcheck disable=SC2053 # a pattern
		[[ $parm == $line ]] && found=1
	done < <(modinfo -p ubdx.ko)
	is "$found" 1 "modinfo lists ${line%%:*} with its values"
done
is "$(modinfo -p ubdx.ko | wc -l)" 4 "and no other"

# ---- insmod ----

for setting in "${BAD[@]}"; do
	fails "insmod refuses $setting" 1 "@(Invalid parameters|Numerical result out of range)" insmod ubdx.ko "$setting"
done
ok "nothing is loaded by then" gone /sys/module/ubdx
insmod ubdx.ko max_devices=2 map_when=eager
is "$(parameter max_devices) $(parameter map_when)" "2 eager" "insmod takes good ones"

# ---- they apply ----

add --target null --size 1M
is "$(ubdx info --json "$dev" | jq -c '[.queues, .depth, .params.max_io_bytes]')" "[1,64,524288]" "a device has the defaults that ubdx add --help names"
add --target null --size 1M --queues 2 --depth 5 --max-io 8K
is "$(ubdx info --json "$dev" | jq -c '[.queues, .depth, .params.max_io_bytes]')" "[2,5,8192]" "or what ubdx add says"
fails "max_devices holds" 1 "delete a device" ubdx add --target null --size 1M
is "$(ubdx features --json | jq -c '[.max_devices, .devices]')" "[2,2]" "features shows it"
echo 3 >"$PARAMETERS/max_devices"
ok "it can be raised" add --target null --size 1M
echo 0 >"$PARAMETERS/max_devices"
is "$(ubdx list --json | jq length)" 3 "lowering it removes no device"
fails "but none is added" 1 "delete a device" ubdx add --target null --size 1M
del --all
unload

# ---- defaults, and run time ----

load
is "$(parameter max_devices) $(parameter xfer)" "64 copy" "defaults"
for setting in "${BAD[@]}"; do
	old=$(parameter "${setting%%=*}")
	ok "$setting is EINVAL" invalid "$PARAMETERS/${setting%%=*}" "${setting#*=}"
	is "$(parameter "${setting%%=*}")" "$old" "$setting changes nothing"
done
for setting in "${GOOD[@]}"; do
	echo "${setting#*=}" >"$PARAMETERS/${setting%%=*}"
	is "$(parameter "${setting%%=*}")" "${setting#*=}" "$setting is taken"
done
echo 64 >"$PARAMETERS/max_devices"
is "$(stat -c %a "$PARAMETERS"/* | sort -u)" 644 "only root can write to them"

# ---- a device's own files ----

add --target null --size 1M --queues 1 --depth 8
mode() { echo "$(<"$sys/ubdx/xfer") / $(<"$sys/ubdx/xfer_wanted")"; }
is "$(mode)" "[copy] user map splice$others / copy" "a device follows the default"
echo copy >"$sys/ubdx/xfer"
is "$(mode)" "[copy] user map splice$others / copy (pinned)" "a mode's name pins it"
for value in copy2 none "" 0; do
	ok "xfer '$value' is EINVAL" invalid "$sys/ubdx/xfer" "$value"
	is "$(mode)" "[copy] user map splice$others / copy (pinned)" "xfer '$value' changes nothing"
done
echo default >"$sys/ubdx/xfer"
is "$(mode)" "[copy] user map splice$others / copy" "default unpins it"
ok "ubdx set pins it, too" ubdx set --xfer copy "$dev"
is "$(mode)" "[copy] user map splice$others / copy (pinned)" "as is shown"

is "$(cd "$sys/ubdx" && echo *)" "counters errors fallbacks files moved queues server_pid state stopping target xfer xfer_wanted" "these files exist"
for file in "$sys"/ubdx/*; do
	# the file `files` is empty, because this server has registered none
	[[ $file == */files ]] || ok "${file##*/} can be read" grep -q . "$file"
	fails "${file##*/} can't be removed" 1 "Operation not permitted" rm "$file"
done
is "$(<"$sys/ubdx/state")" live "state"
is "$(ps -o comm= -p "$(<"$sys/ubdx/server_pid")")" ubdx "server_pid"
is "$(cd "$sys/ubdx" && stat -c '%a %n' -- * | grep -v ^444)" "644 xfer" "only xfer can be written"

# ---- a kernel that lacks a mode ----

if [[ -e ubdx-lacking.ko ]]; then
	del --all
	unload
	insmod ubdx-lacking.ko
	add --target null --size 1M --queues 1 --depth 8
	is "$(ubdx features --json | jq -r '.driver_xfer_modes | join(" ")')" "copy user splice$others" "features doesn't have it"
	is "$(ubdx info --json "$dev" | jq -r '.xfer')" copy "info does without it"
	is "$(mode)" "[copy] user splice$others / copy" "nor is it in the device's list"
	ok "the parameter refuses it" invalid "$PARAMETERS/xfer" map
	ok "so does the device's file" invalid "$sys/ubdx/xfer" map
	fails "and ubdx set" 1 "ubdx: set: " ubdx set --xfer map "$dev"
	fails "and ubdx add" 1 "ubdx: add: " ubdx add --target null --size 1M --xfer map
	for file in "$sys"/ubdx/* "$PARAMETERS"/*; do
		[[ $file == */files ]] || ok "${file##*/} can be read" grep -q . "$file"
	done
	is "$(cut -d' ' -f1 "$sys/ubdx/counters" | uniq | xargs)" "copy user splice$others" "there are counters of the others"
else
	skip "a kernel that lacks a mode" "ubdx-lacking.ko was not built"
fi

finish
