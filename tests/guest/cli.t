#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The ubdx command does what it says. If it can't, it says why in one line, exits with 1 (with 2 if
# the command line is wrong), and leaves nothing behind.

# shellcheck disable=SC2016,SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

# ---- refusals ----

# Nodes, devices, and processes that serve them.
everything() {
	echo /dev/ubdx* /sys/block/ubdx* /sys/class/ubdx-chan/*
	grep -lx ubdx /proc/[0-9]*/comm 2>/dev/null || true
}
same_as() { [[ $(everything) == "$1" ]]; }

# refuses STATUS PATTERN CMD...: CMD exits with STATUS, prints one line that matches PATTERN, and
# leaves everything as it was in $before.
refuses() {
	local want=$1 pattern=$2 status=0 lines
	shift 2
	"$@" >/tmp/out 2>/tmp/err || status=$?
	mapfile -t lines </tmp/err
	echo "status $status, ${#lines[@]} lines on stderr: ${lines[*]}"
	[[ $status == "$want" && ${#lines[@]} == 1 ]]
	# shellcheck disable=SC2053 # a pattern
	[[ ${lines[0]} == "ubdx: "$pattern ]]
	[[ ! -s /tmp/out ]]
	# A process that failed to become a server may take a moment to end.
	until_ok 5 same_as "$before"
}

fault() {
	local pattern=$1
	shift
	ok "1: ubdx $*" refuses 1 "$pattern" ubdx "$@"
}

usage() {
	local pattern=$1
	shift
	ok "2: ubdx $*" refuses 2 "$pattern; see ubdx *--help" ubdx "$@"
}

nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }

truncate -s 1M /tmp/file
truncate -s 100 /tmp/tiny
truncate -s $((1048576 + 512)) /tmp/odd
: >/tmp/empty

# Without the module.
before=$(everything)
fault "add: /dev/ubdx-control: No such file or directory; is the ubdx module loaded? (modprobe ubdx)" add --target null --size 1M
for command in list "info 0" "set --xfer copy 0" "del 0" "del --all" features; do
	# shellcheck disable=SC2086 # words
	fault "${command%% *}: *is the ubdx module loaded*" $command
done

load
before=$(everything)

ok "1: not root" refuses 1 "add: *ermission denied; run as root*" nobody ubdx add --target null --size 1M
ok "1: not root, list" refuses 1 "list: *ermission denied; run as root*" nobody ubdx list
ok "1: not root, del" refuses 1 "del: *ermission denied; run as root*" nobody ubdx del --all

# A user who may add devices, but not serve them.
chmod 666 /dev/ubdx-control
before=$(everything)
ok "1: a user who may not open the channel" refuses 1 "add: /dev/ubdxc0: *ermission denied*" nobody ubdx add --target null --size 1M
chmod 600 /dev/ubdx-control

# A device that a refused command could harm.
add --target mem --size 1M --id 5 --depth 8
before=$(everything)

fault "add: 3 queues: this machine has 2 CPUs" add --target null --size 1M --queues 3
fault "add: *5*taken*" add --target null --size 1M --id 5
fault "add: *size*" add --target null
fault "add: *size*" add --target mem
fault "add: *file*" add --target loop
fault "add: *file*" add --target null --size 1M --file /tmp/file
fault "add: /tmp/none: No such file or directory" add --target loop --file /tmp/none
fault "add: /tmp is neither*" add --target loop --file /tmp
fault "add: /dev/null is neither*" add --target loop --file /dev/null
fault "add: /tmp/empty: *" add --target loop --file /tmp/empty
fault "add: /tmp/tiny: *" add --target loop --file /tmp/tiny
fault "add: /tmp/odd: *multiple*4096*" add --target loop --file /tmp/odd --block-size 4096
fault "add: *multiple*4096*" add --target mem --size 5000 --block-size 4096
fault "add: /tmp/file: *fit*" add --target loop --file /tmp/file --size 2M
fault "add: *CPU 7*" add --target null --size 1M --cpus 7
fault "add: *NUMA node 3*" add --target null --size 1M --numa-node 3
fault "add: *physical*" add --target null --size 1M --block-size 4096 --physical-block-size 512
fault "add: optimal I/O size 1000 is not a multiple of the logical block size (512)" add --target null --size 1M --io-opt 1000
fault "add: optimal I/O size 2048 is not a multiple of the logical block size (4096)" add --target null --size 1M --block-size 4096 --io-opt 2048
fault "add: the serial number a b has a character*" add --target null --size 1M --serial "a b"
fault "add: the serial number *is longer than 31 characters" add --target null --size 1M --serial 12345678901234567890123456789012
fault "info: there is no device 7" info 7
fault "set: *no device 7" set --xfer copy 7
fault "del: *no device 7" del 7
echo 1 >"$PARAMETERS/max_devices"
fault "add: *delete a device*/max_devices*" add --target null --size 1M
echo 64 >"$PARAMETERS/max_devices"
exec 8<"$dev"
fault "del: *is in use*--force*" del "$dev"
exec 8<&-
if [[ -e /proc/sys/kernel/io_uring_disabled ]]; then
	echo 2 >/proc/sys/kernel/io_uring_disabled
	fault "add: *io_uring*kernel.io_uring_disabled*" add --target null --size 1M
	echo 0 >/proc/sys/kernel/io_uring_disabled
fi

usage "no command given"
usage "unknown command frobnicate" frobnicate
usage "unknown command --frobnicate" --frobnicate
usage "unknown command frobnicate" help frobnicate
for command in add recover list info set del features; do
	usage "$command: unknown option --frobnicate" $command --frobnicate
	usage "$command: --json takes no value" $command --json=1
	usage "$command: --help takes no value" $command --help=1
	usage "$command: unknown option -x" $command -xh
	usage "$command: unknown option -a" $command --json -abc
done
usage "add: --target NAME is required: null, mem, loop" add
usage "add: --size needs a value" add --target null --size
usage "add: unknown target disk; there are null, mem, loop" add --target disk
usage "add: unknown transfer mode teleport; there are copy*default" add --target null --size 1M --xfer teleport
usage "add: --offer: unknown transfer mode teleport" add --target null --size 1M --offer copy,teleport
usage "add: --offer must include copy or user" add --target null --size 1M --offer map,splice
usage "add: --recovery must be fail, queue or reissue, not maybe" add --target null --size 1M --recovery maybe
usage "add: unexpected argument: 5" add --target null --size 1M 5
fails "touch needs to know how much to read" 1 "ubdx: add: target touch is touch,none|header|all*" ubdx add --target touch:null --size 1M
fails "and which target is behind it" 1 "ubdx: add: target touch: there is no target disk" ubdx add --target touch,all:disk --size 1M
for setting in "depth 0" "depth 100000" "depth 4097" "queues 0" "size 0" "max-io 2K" "max-io 8M" "block-size 256" \
	"block-size 8K" "physical-block-size 2M" "dma-align 1" "timeout 0" "id 99999999999" "size 99999999999999999999" "size 16777216T"; do
	# shellcheck disable=SC2086 # words
	usage "add: --${setting% *} must be between [0-9]* and [0-9]*" add --target null --size 1M --$setting
done
for setting in "depth -1" "depth x" "depth 1.5" "depth 8x" "size 1X" "size 1KB" "size M" "size -1" "size 1MiBs" "id -1"; do
	# shellcheck disable=SC2086 # words
	usage "add: --$setting is not a *" add --target null --size 1M --$setting
done
usage "add: --depth  is not a *" add --target null --size 1M --depth ""
usage "add: --block-size 768 is not a power of two" add --target null --size 1M --block-size 768
usage "add: --max-io 5000 is not a multiple*" add --target null --size 1M --max-io 5000
usage "add: --dma-align 3 is not a power of two" add --target null --size 1M --dma-align 3
for cpus in 0- 1-0 0,,1 x ""; do
	usage "add: --cpus $cpus is not a list*" add --target null --size 1M --cpus "$cpus"
done
usage "list: unexpected argument: 0" list 0
usage "features: unexpected argument: 0" features 0
usage "info: exactly one device expected" info
usage "info: exactly one device expected" info 1 2
usage "info: sda is not a device*" info sda
usage "set: nothing to set*" set 5
usage "set: exactly one device expected" set --xfer copy
usage "set: unknown transfer mode teleport" set --xfer teleport 5
usage "del: name a device, or --all" del
usage "del: name a device, or --all" del --all 5
usage "del: 5x is not a device*" del 5x
usage "del: --in-use and --force exclude each other" del --in-use --force 5
usage "del: --timeout needs --in-use" del --timeout 5 5

ok "1: standard output is full" refuses 1 "list: writing the output failed" bash -c 'ubdx list --json >/dev/full'
is "$(ubdx list --json | jq -c '[.[].id, .[].state]')" '[5,"live"]' "after all this the device is there"

# ---- help ----

helps() {
	"$@" >/tmp/out 2>/tmp/err
	[[ ! -s /tmp/err ]]
	grep -q "^usage: ubdx" /tmp/out
}

ok "ubdx --help" helps ubdx --help
ok "ubdx help" helps ubdx help
for command in add recover list info set del features; do
	ok "ubdx $command --help" helps ubdx $command --help
	is "$(ubdx help $command)" "$(ubdx $command --help)" "ubdx help $command is the same"
	ok "$command is in ubdx --help" grep -q "^  $command " <(ubdx --help)
done
ok "add --help says that --target is required" grep -qF "usage: ubdx add --target NAME [OPTION...]" <(ubdx add --help)
is "$(ubdx add --help | grep -v '^ ' | tail -n +4 | tr '\n' ' ')" \
	"Target: Device: Queues and requests: Transfer modes: Server: " "add --help is in groups"
ok "add --help says that splice is synchronous" grep -q "splice does its I/O synchronously" <(ubdx add --help)
for option in --version -V; do
	ok "ubdx $option" grep -qE '^ubdx [0-9.]+$' <(ubdx $option)
done

# ---- JSON ----

# json FILTER CMD...: CMD prints valid JSON, for which FILTER is true.
json() {
	local filter=$1
	shift
	"$@" >/tmp/out
	cat /tmp/out
	jq -e --argjson modes "$modes" "$filter" /tmp/out
}

modes=$(ubdx features --json | jq -c .driver_xfer_modes)
readonly modes
readonly BRIEF='.id == 5 and .device == "/dev/ubdxb5" and .state == "live" and .stopping == false and .size == 1048576 and .queues == 1 and
	.depth == 8 and .xfer == "copy" and .server_pid > 1 and .target == "mem" and .target_path == "" and .serial == ""'
readonly FULL="$BRIEF"' and .xfer_wanted == "copy" and .xfer_modes == $modes and .params.max_io_bytes == 524288 and
	.params.logical_block_size == 512 and .params.read_only == false and 
	(.counters | length) == 5 * ($modes | length) and .counters[0].xfer == "copy" and (.queue_tasks | length) == 1 and (.errors | length) == 5'
ok "list --json" json "length == 1 and (.[0] | $BRIEF)" ubdx list --json
for form in 5 ubdxb5 /dev/ubdxb5; do
	ok "info --json $form" json "$FULL" ubdx info --json $form
done
ok "set --json" json "$FULL and .xfer_pinned" ubdx set --json --xfer copy 5
ok "set --json default" json "$FULL and (.xfer_pinned | not)" ubdx set --json --xfer default 5
ok "features --json" json '.version >= 1 and .max_queues == 2 and .max_depth == 4096 and .max_io_bytes == 4194304 and
	.max_devices == 64 and .devices == 1 and .driver_xfer_modes == $modes and $modes - .server_xfer_modes == []' ubdx features --json
ok "add --json" json '.id == 0 and .device == "/dev/ubdxb0" and .state == "live" and .xfer_pinned' \
	ubdx add --json --target null --size 1M --depth 8 --xfer copy
ok "del --json" json '.deleted == [0]' ubdx del --json 0
ok "del --all --json" json '.deleted == [5]' ubdx del --all --json
ok "list --json, of none" json '. == []' ubdx list --json

# ---- the same as text ----

is "$(ubdx list | tr -s ' ')" "DEVICE STATE SIZE QUEUES DEPTH XFER SERVER TARGET" "list, of none"
add --target mem --size 1M --depth 8
read -r -a line < <(ubdx list | tail -n 1)
is "${line[*]}" "ubdxb0 live 1M 1 8 copy $server mem" "list"
dd if="$dev" of=/dev/null bs=4k count=2 iflag=direct status=none
ubdx info 0 >/tmp/out
ok "info has units" grep -qE '^ *logical_block_size +512 bytes$' /tmp/out
ok "info: the size, too" grep -qE '^size +1048576 bytes$' /tmp/out
ok "info: no limit" grep -qE '^ *max_segment_size +no limit$' /tmp/out
ok "info: what is counted" grep -qE '^  copy +read +[0-9]+ requests, [0-9]+ bytes$' /tmp/out
is "$(grep -cE ' 0 (requests|sectors)|4294967295' /tmp/out || true)" 0 "info: nothing that is 0"
ok "info --json prints these, too" jq -e '.params.max_segment_size == null and
	([.counters[] | select(.requests == 0)] | length) > 0' <(ubdx info --json 0)
ok "features" grep -qE '^max_depth +4096$' <(ubdx features)
ok "set" ubdx set --xfer default ubdxb0
is "$(ubdx del ubdxb0)" "" "del prints nothing"

# ---- add, and the server's life ----

path=$(ubdx add --target mem --size 1M --depth 8 </dev/null)
is "$path" /dev/ubdxb0 "add prints the path"
ok "and the node exists by then" test -b "$path"
use "$path"
is "$(ps -o ppid=,sid=,tty= -p "$server" | tr -s ' ')" " 1 $server ?" "the server is in the background, in a session of its own"
is "$(readlink "/proc/$server/cwd" "/proc/$server/fd/"{0,1,2} | tr '\n' ' ')" "/ /dev/null /dev/null /dev/null " \
	"and has no file of the terminal open"

# stops SIGNAL: the server ends, and its device with it.
stops() {
	kill -"$1" "$server"
	until_ok 10 no_process "$server"
	[[ ! -e $dev && ! -e /dev/ubdxc0 ]]
	json '. == []' ubdx list --json
}

ok "SIGTERM ends it" stops TERM
for signal in INT HUP; do
	add --target mem --size 1M --depth 8
	ok "SIG$signal ends it" stops $signal
done
add --target mem --size 1M --depth 8
exec 8<"$dev"
kill -TERM "$server"
is_stopping() { [[ $(<"$sys/ubdx/stopping") == 1 ]]; }
ok "if the device is open it is stopping" until_ok 10 is_stopping
is "$(dd bs=4k count=1 iflag=direct status=none <&8 | wc -c)" 4096 "and is served"
ok "a second SIGTERM ends it" stops TERM
is "$(wc -c <&8)" 0 "a process that had the device open reads end of file"
exec 8<&-

# ticks PID: the CPU time that the process has used, in clock ticks
ticks() {
	local -a stat
	read -r -a stat <"/proc/$1/stat"
	echo $((stat[13] + stat[14]))
}
is_idle() {
	local before
	before=$(ticks "$server")
	read -rt 1 <> <(:) || true
	(($(ticks "$server") - before < 30))
}

# closed_WHICH CMD...: run CMD with these standard descriptors closed, as cron and systemd may do
closed_in() { "$@" <&-; }
closed_out() { "$@" >&-; }
closed_err() { "$@" 2>&-; }
closed_in_err() { "$@" <&- 2>&-; }
closed_all() { "$@" <&- >&- 2>&-; }
for which in in out err in_err all; do
	ok "with closed descriptors ($which) a device is added" closed_$which ubdx add --target mem --size 1M --depth 8
	use /dev/ubdxb0
	is "$(readlink "/proc/$server/fd/"{0,1,2} | tr '\n' ' ')" "/dev/null /dev/null /dev/null " "$which: its server has /dev/null there"
	ok "$which: and is idle" is_idle
	ok "$which: and ends on SIGTERM" stops TERM
done
ubdx add --foreground --target mem --size 1M --depth 8 <&- 2>&- >/tmp/out &
ok "--foreground with closed descriptors" until_ok 10 grep -qx /dev/ubdxb0 /tmp/out
use /dev/ubdxb0
ok "is idle" is_idle
ok "and ends on SIGTERM" stops TERM

add --target mem --size 1M --depth 8
is "$(head -c 1 "/proc/$server/cmdline")" "@" "its command line begins with @, for systemd"
del 0

ubdx add --foreground --target mem --size 1M --depth 8 >/tmp/out 2>/tmp/err &
pid=$!
ok "--foreground prints the path" until_ok 10 grep -qx /dev/ubdxb0 /tmp/out
use "$(</tmp/out)"
is "$server" $pid "--foreground: the command itself is the server"
kill -TERM $pid
status=0
wait $pid || status=$?
is "$status $(cat /tmp/err)" "0 " "--foreground exits with 0 on SIGTERM"
ok "and the device is gone" gone "$dev"

ubdx add --foreground --target mem --size 1M --depth 8 >/tmp/out 2>/tmp/err &
pid=$!
until_ok 10 grep -qx /dev/ubdxb0 /tmp/out
ubdx del 0
status=0
wait $pid || status=$?
is "$status $(cat /tmp/err)" "0 " "--foreground exits with 0 when the device is deleted"

add --target mem --size 1M --depth 8
kill -KILL "$server"
ok "when the server is killed, the block device goes" until_ok 10 gone "$dev"
ok "and it is listed as dead" json '.[0].id == 0 and .[0].state == "dead"' ubdx list --json
ok "also by info" json '.state == "dead" and .server_pid == 0' ubdx info --json 0
before=$(everything)
fault "add: *0*taken*" add --target null --size 1M --id 0
ok "until it is deleted" ubdx del 0
ok "and no longer" json '. == []' ubdx list --json

# ---- an id and a file that are in use ----

truncate -s 1M /tmp/backing
add --target loop --file /tmp/backing --depth 8 --id 4
before=$(everything)
fault "add: *4 is taken*" add --target loop --file /tmp/backing --id 4
del 4
# The test holds the file's lock for a moment, as a killed server does until its process has ended.
exec 7</tmp/backing
flock 7
ubdx add --target loop --file /tmp/backing --depth 8 >/tmp/out 2>/tmp/err 7<&- &
pid=$!
read -rt 0.5 <> <(:) || true
exec 7<&-
status=0
wait $pid || status=$?
is "$status $(cat /tmp/out /tmp/err)" "0 /dev/ubdxb0" "add waits until the file is unlocked"
del 0

# ---- del ----

write_to_old() { dd if=/dev/zero bs=4k count=1 status=none >&8; }

add --target mem --size 1M --depth 8
exec 8<>"$dev"
before=$(everything)
fault "del: *is in use*" del 0
ok "a device that was not deleted is still served" dd if=/dev/zero of="$dev" bs=4k count=4 oflag=direct status=none
# del tries again for a while, because udev opens a new device for a moment
ubdx del 0 8<&- &
pid=$!
read -rt 0.5 <> <(:) || true
ok "del tries again while it is open" kill -0 $pid
exec 8<&-
status=0
wait $pid || status=$?
is $status 0 "until it is closed"

add --target loop --file /tmp/backing --depth 8 --recovery queue
exec 8<>"$dev"
kill -KILL "$server"
quiesced() { [[ $(<"$sys/ubdx/state") == quiesced ]]; }
until_ok 10 quiesced
before=$(everything)
fault "del: ubdxb0 has no server*recover*--force" del 0
fault "del: ubdxb0 has no server*recover*--force" del --in-use 0
ok "del --in-use --timeout ends" ubdx del --in-use --timeout 1 0
exec 8>&-

add --target mem --size 1M --depth 8
exec 8<>"$dev"
ok "--force deletes an open device" ubdx del --force 0
ok "its node is gone" gone "$dev"
fails "a process that had it open can't write any more" 1 "@(Input/output error|No space left on device|No such device*)" write_to_old
ok "its number is free again, while the old device is still open" ubdx add --target null --size 1M --depth 8 --id 0
exec 8>&-
ubdx add --target null --size 1M --depth 8 --id 3 >/dev/null
status=0
ubdx del 1 0 ubdxb2 /dev/ubdxb3 2>/tmp/err || status=$?
is "$status $(wc -l </tmp/err)" "1 2" "del reports each device that doesn't exist"
ok "and deletes the others" json '. == []' ubdx list --json

finish
