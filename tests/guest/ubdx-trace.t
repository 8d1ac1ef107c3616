#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# lab: --timeout 600
#
# The reports of ubdx-trace are true: how many requests there were, of which kind, what was done to
# their payloads, who had the CPU. Its views, filters and refusals work. It can be started and
# stopped under load, and its device can go.

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

# says WHAT FILTER: the JSON of the last trace, in /tmp/json, passes.
says() { ok "$1" jq -e "$2" /tmp/json; }

# traced OPTION... -- CMD...: trace CMD; the report goes to /tmp/json.
traced() { ubdx-trace --json "$@" >/tmp/json; }

# ubdx_done is emitted after the request has ended for its submitter. So a traced command waits
# until the server sleeps.
server_sleeps() { ! grep -hq '^State:.[RD]' /proc/"$server"/task/*/status; }
reads() {
	dd if="$dev" of=/dev/null bs="$1" count="$2" iflag=direct status=none
	until server_sleeps; do :; done
}
writes() { dd if=/dev/zero of="$dev" bs="$1" count="$2" oflag=direct status=none; }

# Has ubdx-trace attached its last program? Then it sees all events from now on. grep reads to the
# end, because bpftool doesn't cope with a closed pipe.
traces() { bpftool link show | grep ubdx_stage >/dev/null; }

# refused_with WORDS CMD...: CMD fails, with one line that has WORDS in it.
refused_with() {
	local words=$1 status=0
	shift
	"$@" >/dev/null 2>/tmp/err || status=$?
	cat /tmp/err
	((status == 1)) && [[ $(wc -l </tmp/err) == 1 ]] && grep -qF -- "$words" /tmp/err
}

if [[ ! -e /sys/kernel/btf/vmlinux ]]; then
	load
	ok "a kernel without BTF is refused in one line" refused_with "no BTF" ubdx-trace --duration 1
	skip "what it traces" "this kernel has no BTF"
	finish
fi

# ---- refusals ----

ok "no module: one line" refused_with "modprobe ubdx" ubdx-trace --duration 1
load
ok "no such device: one line" refused_with "there is no ubdxb7" ubdx-trace --duration 1 ubdxb7
ok "not root: one line" refused_with "only root" setpriv --reuid 65534 --clear-groups ubdx-trace --duration 1
for arguments in --op=swim --xfer=telepathy --events=weather --size=x --size=8K-4K --duration=0 --count=0 --timeline=x ubdxx0 "0 1" \
	"--json --csv" "--count 5 --timeline 5" "--trace-file f" "--json --timeline 1"; do
	# shellcheck disable=SC2086 # several words
	ok "bad arguments, $arguments: exit status 2" bash -c "ubdx-trace $arguments 2>/tmp/err; test \$? = 2"
done
ok "--help" bash -c "ubdx-trace --help | grep -q -- --timeline"

add --target mem --size 64M --write-cache
export -f reads writes server_sleeps
export dev server

# ---- requests ----

ok "a command is traced" traced "$dev" -- bash -c "reads 4k 200"
says "it has made 200 requests" '.requests == 200'
says "all of one class, by bytes" '.classes | length == 1 and (.[0] | [.mode, .op, .max_bytes, .count, .bytes, .errors, .fallback] ==
	["copy", "read", 4096, 200, 819200, 0, "none"])'
says "the driver has copied their payload, and nothing else has" '.classes[0].moved == {"copied_by_driver": 819200,
	"copied_through_channel": 0, "spliced": 0, "pages_mapped": 0, "map_faults": 0, "zaps": 0}'
says "every stage of each was seen" '.classes[0] | .incomplete == 0 and .disordered == 0 and .no_read == 0 and
	([.stages[].samples] | all(. == 200))'
says "the stages add up to the whole" '.classes[0].stages | (.publish.mean + .deliver.mean + .move.mean + .serve.mean + .release.mean +
	.end.mean - .total.mean) | fabs < 1'
says "percentiles are in order" '[.classes[0].stages[] | .p50 <= .p90 and .p90 <= .p99 and .p99 <= ."p99.9"] | all'
says "nothing was dropped" '.dropped == {"classes": 0, "timeline": 0, "events": 0, "roles": 0}'
says "the clock has a name" '.clock == "ns"'

mixed() {
	reads 4k 10
	writes 64k 20
	sync "$dev"
	blkdiscard -qf -o 1M -l 1M "$dev"
	until server_sleeps; do :; done
}
export -f mixed
ok "a mix" traced --histogram "$dev" -- bash -c mixed
says "is divided by operation and size" '[.classes[] | [.op, .max_bytes, .pages, .count]] | sort ==
	[["discard", 1048576, "none", 1], ["flush", 0, "none", 1], ["read", 4096, "small", 10], ["write", 65536, "small", 20]]'
# shellcheck disable=SC2016 # $least is jq's
says "its histograms agree with the means, to 1/8" '[.classes[].stages[] | ((.histogram | map(.[0] * .[1]) | add) / .samples) as $least |
	.mean >= $least and .mean <= $least * 9 / 8 + 1] | all'
says "and hold every request" '[.classes[] | (.stages.total.histogram | map(.[1]) | add) == .count] | all'
ok "--op" traced --op write,flush "$dev" -- bash -c mixed
says "only these" '[.classes[].op] | sort == ["flush", "write"]'
ok "--size" traced --size 32K-128K "$dev" -- bash -c mixed
says "only these" '[.classes[].max_bytes] == [65536]'
says "20 of all 32" '.requests == 20 and .requests_all == 32'
ok "--xfer" traced --xfer copy "$dev" -- bash -c mixed
says "only these" '.requests == 32'
ok "the status of the command is passed on" bash -c 'ubdx-trace --json -- sh -c "exit 7" >/tmp/json; test $? = 7'
says "nothing was requested" '.requests == 0 and .classes == []'
ok "enough was seen before it ends: it is ended, and the status is 0" bash -c "ubdx-trace --json --count 20 $dev -- bash -c 'reads 4k 100; sleep 1000' >/tmp/json"
says "it was enough" '.requests >= 20'
ok "a command that ignores SIGTERM is ended, too" bash -c "ubdx-trace --json --duration 1 $dev -- bash -c 'trap \"\" TERM; while :; do :; done' >/tmp/json"
ubdx-trace --json "$dev" -- sleep 1000 >/tmp/json &
tracer=$!
until_ok 20 traces
kill -INT $tracer
status=0
wait $tracer || status=$?
is $status 143 "interrupted, it ends its command, and the status is that one's"
ok "and it reports what it has seen" jq -e '.requests == 0' /tmp/json
ok "a command that isn't there: 127, as of a shell" bash -c 'ubdx-trace --json -- /no/such/command >/tmp/json; test $? = 127'

# ---- what they did: queue depth 1, one request after the other ----

reads 4k 500 # so that every buffer is there
ok "all events" traced --events all --cost "$dev" -- dd if="$dev" of=/dev/null bs=4k count=500 iflag=direct status=none
# A trace takes so long in the guest that a few events of each kind come from other work.
says "one SQE and one CQE of the server a request" '.events | .sqes_server >= 500 and .sqes_server <= 520 and
	.cqes_server >= 500 and .cqes_server <= 520'
says "nothing for io-wq" '.events.io_wq_server == 0'
says "one sleep of the server a request" '.events | .switches_server >= 450 and .switches_server < 750'
says "so no batches" '.batch | .requests_per_switch > 0.6 and .requests_per_switch < 1.2 and .requests_per_syscall > 0.9 and
	.requests_per_syscall < 1.02'
says "one wake-up of the server a request" '.events | .wakeups_server >= 450 and .wakeups_server < 750'
says "one system call of the server a request" '.events | .syscalls_server >= 490 and .syscalls_server <= 540'
says "two system calls of dd a request, a read and a write, and those that start and end it" '.events | .syscalls_submitter >= 1000 and .syscalls_submitter <= 1200'
says "no page fault of the server: its buffers are there" '.events.page_faults_server < 10'
says "the parts of the CPUs add up to the whole" '.cpu | (.other + .server + .submitter + .kernel + .softirq + .idle + .not_attributed) == .all'
says "no CPU time is left over, except for rounding" '.cpu | (.not_attributed / .all | fabs) < 0.001'
says "server and submitter had a part" '.cpu | .server > 0 and .submitter > 0'
says "all probes are reported, the one for submitters included" '[.probes[].name] | index("ubdx_stage") and index("block_rq_issue")'
says "what each probe costs: on_done ran once a request" '.probes[] | select(.name == "ubdx_done") | .runs == 500 and .spent > 0'

# ---- the block layer's events ----

# queued WANT WHAT CMD...: CMD causes the numbers of events in WANT: bios, splits; requests
# inserted, issued, requeued, completed.
queued() {
	local want=$1 what=$2
	shift 2
	traced --events block "$dev" -- "$@"
	is "$(jq -r '.events | [.block_bios, .block_splits, .block_inserts, .block_issues, .block_requeues, .block_completes] |
		join(" ")' /tmp/json)" "$want" "$what"
}
queued "200 0 0 200 0 200" "of 200 reads: no scheduler" dd if="$dev" of=/dev/null bs=4k count=200 iflag=direct status=none
first=$dev
add --target null --size 64M --max-io 64K
queued "4 60 0 64 0 64" "of 4 reads of 1M, in requests of 64K" dd if="$dev" of=/dev/null bs=1M count=4 iflag=direct status=none
choose() { echo "$1" >"$sys/queue/scheduler"; }
if { choose mq-deadline || choose kyber || choose bfq; } 2>/dev/null; then
	queued "100 0 100 100 0 100" "of 100 reads, with a scheduler" dd if="$dev" of=/dev/null bs=4k count=100 iflag=direct status=none
else
	skip "of 100 reads, with a scheduler" "this kernel has no scheduler"
fi
traced --events block "$first" -- bash -c "reads 4k 100; dev=$first; reads 4k 10"
says "none of another disk" '.requests == 10 and .events.block_issues == 10 and .events.block_bios == 10'
traced --events block -- bash -c "reads 4k 100; dev=$first; reads 4k 10"
says "of all" '.requests == 110 and .events.block_issues == 110'
# 256 buffered writes of one page each become a few requests.
traced --events block "$dev" -- dd if=/dev/zero of="$dev" bs=4k count=256 status=none conv=fsync
says "bios that were merged are no requests" '.events | .block_bio_merges + .block_rq_merges > 0 and
	.block_bios - .block_bio_merges - .block_rq_merges + .block_splits == .block_issues'
del "$dev"
use "$first"

# ---- who submits ----

twice() { reads 4k 300 && reads 4k 300; }
busy() { while :; do :; done; }
export -f twice busy
ok "a command of two programs" traced --events syscalls "$dev" -- bash -c twice
says "the second is a submitter as the first is: two system calls a request" '.events.syscalls_submitter >= 1200'
ok "a command's processes" traced --events syscalls "$dev" -- fio --name=j --filename="$dev" --direct=1 --ioengine=psync --rw=read \
	--bs=4k --numjobs=4 --number_ios=300 --output=/dev/null
says "each is a submitter: a system call a request" '.requests == 1200 and .events.syscalls_submitter >= 1200'
ok "a command that does nothing but calculate" traced --duration 1 "$dev" -- bash -c busy
says "has one of the two CPUs" '.cpu | .submitter / .all > 0.25 * 2 / .cpus and .other < .submitter'
ubdx-trace --json --duration 5 --events syscalls "$dev" >/tmp/json &
tracer=$!
until_ok 20 traces
reads 4k 100
fio --name=j --filename="$dev" --direct=1 --ioengine=psync --rw=randread --bs=4k --time_based --runtime=4 --output=/dev/null
wait $tracer
# One system call a request, for most requests. In its first second fio may count as `other`.
says "a program that submits later is found" '.events.syscalls_submitter > .requests / 2'

# ---- what is not there ----

# Two events, and one event of each of two pairs: softirq_entry is of no use without softirq_exit,
# and page_faults_server would be too small without page_fault_kernel.
export UBDX_TRACE_WITHOUT=sys_enter,softirq_exit,page_fault_kernel,tlb_flush
ok "a kernel without four of the events" bash -c "ubdx-trace --json --events all $dev -- bash -c mixed >/tmp/json 2>/tmp/err"
is "$(</tmp/err)" "ubdx-trace: this kernel lacks these events, so their figures are n/a: softirq_exit, sys_enter, page_fault_kernel, tlb_flush" "is reported in one line"
says "what they tell is null" '[.events.syscalls_server, .events.syscalls_submitter, .events.tlb_flushes_local,
	.events.page_faults_server, .cpu.softirq] == [null, null, null, null, null]'
says "the rest is there" '.requests == 32 and .events.sqes_server >= 32 and .cpu.server > 0'
ok "as text" bash -c "ubdx-trace --events all $dev -- bash -c mixed >/tmp/text 2>/tmp/err"
for words in syscalls_server tlb_shootdowns_sent page_faults_server softirq; do
	ok "$words is n/a" grep -qE "^ *$words +n/a$" /tmp/text
done
export UBDX_TRACE_WITHOUT=sched_switch
ok "without switches" bash -c "ubdx-trace --json $dev -- bash -c mixed >/tmp/json 2>/tmp/err"
says "no role has the CPUs" '.cpu | [.server, .submitter, .softirq, .idle, .not_attributed] ==
	[null, null, null, null, null]'
export UBDX_TRACE_WITHOUT=ubdx_done
ok "a module without the event that matters: one line" refused_with "event ubdx_done is missing" ubdx-trace --duration 1 "$dev"
unset UBDX_TRACE_WITHOUT

# The kernel shows BTF in a folder. A file system that is mounted there hides it.
cp /sys/kernel/btf/vmlinux /tmp/vmlinux
mount -t tmpfs btf /sys/kernel/btf
ok "a kernel without BTF: one line" refused_with "this kernel has no BTF" ubdx-trace --duration 1 "$dev"
mv /tmp/vmlinux /sys/kernel/btf/vmlinux
ok "a module without BTF: one line" refused_with "the module has no BTF" ubdx-trace --duration 1 "$dev"
umount /sys/kernel/btf

# ---- what is done to payloads, in each mode ----

traced_dev=$dev
# moves WANT OPTION...: ten writes of 64k to a device made with OPTION. WANT: bytes copied by the
# driver, copied through the channel, spliced; pages mapped, page faults for that, zaps.
moves() {
	local want=$1 got
	shift
	add "$@"
	traced "$dev" -- dd if=/dev/zero of="$dev" bs=64k count=10 oflag=direct status=none
	got=$(jq -r '[.classes[] | select(.op == "write") | .moved | .copied_by_driver, .copied_through_channel, .spliced, .pages_mapped,
		.map_faults, .zaps] | join(" ")' /tmp/json)
	del "$dev"
	is "$got" "$want" "$*"
}
truncate -s 64M /tmp/backing
moves "655360 0 0 0 0 0" --target null --size 64M --xfer copy
for mode in user map splice; do
	moves "0 0 0 0 0 0" --target null --size 64M --xfer $mode
done
moves "0 655360 0 0 0 0" --target touch,all:null --size 64M --xfer user
moves "0 0 0 160 10 10" --target touch,all:null --size 64M --xfer map
moves "0 0 0 160 10 10" --target touch,header:null --size 64M --xfer map
moves "0 0 655360 0 0 0" --target loop --file /tmp/backing --xfer splice
rm /tmp/backing
use "$traced_dev"

# ---- views ----

ok "text" bash -c "ubdx-trace --count 50 --histogram $dev -- dd if=$dev of=/dev/null bs=4k count=50 iflag=direct status=none >/tmp/text"
for words in "copy read <=4K, pages small: 50 requests" "T4-T5" "per request" "switches_server" "not attributed" "dropped: 0"; do
	ok "text has: $words" grep -qF -- "$words" /tmp/text
done
ok "CSV" bash -c "ubdx-trace --csv $dev -- bash -c mixed >/tmp/csv"
# four classes: eight stages and six kinds of moving each; the default set: five events, two
# batches, seven parts; four drops
is "$(cut -d, -f1 /tmp/csv | sort | uniq -c | tr -s ' \n' ' ')" \
	" 2 batch 7 cpu 4 dropped 5 event 24 moved 1 record 32 stage " "a head, a line for each stage of each class, and one for each other number"
is "$(grep -cE '^([^,]*,){17}[^,]*$' /tmp/csv)" "$(wc -l </tmp/csv)" "all lines have as many columns"
is "$(grep -cE '^stage(,[^,]+){17}$' /tmp/csv)" 32 "a stage's has all of them"
ok "what was copied" grep -q '^moved,copy,write,65536,small,none,copied_by_driver,bytes,20,1310720,65536.000,' /tmp/csv
ok "switches, a request" grep -qE '^event,,,,,,switches_server,events,32,[0-9]+,[0-9.]+,' /tmp/csv
ok "--timeline" bash -c "ubdx-trace --timeline 5 --trace-file /tmp/trace.json --events none $dev -- dd if=$dev of=/dev/null bs=4k count=50 iflag=direct status=none >/tmp/text"
is "$(grep -c '^ *[0-9]* ubdxb' /tmp/text)" 5 "five requests, one by one"
is "$(jq '.traceEvents | length' /tmp/trace.json)" 40 "and for Perfetto: a slice each, and seven stages"
# shellcheck disable=SC2016 # jq's variable
ok "slices lie within their request" jq -e '[.traceEvents | _nwise(8) | .[0] as $r | .[1:][] | .ts >= $r.ts - 0.002 and
	.ts + .dur <= $r.ts + $r.dur + 0.002] | all' /tmp/trace.json
start_load
for i in 1 2 3; do
	ok "--timeline under load, $i" bash -c "ubdx-trace --timeline 100 --trace-file /tmp/trace.json --events none $dev >/tmp/text"
	# When ubdx-trace starts, requests are under way; they lack stamps. And requests end in
	# another order than they began.
	is "$(grep -c '^ *[0-9]* ubdxb.* at [0-9]* ' /tmp/text)" 100 "as many whole requests as were asked for"
	is "$(jq '.traceEvents | length' /tmp/trace.json)" 800 "and in the trace file"
	ok "from the first that began" jq -e '[.traceEvents[] | select(.args) | .ts] | .[0] == 0 and . == sort' /tmp/trace.json
done
UBDX_TRACE_ROOM=1 traced --duration 1 "$dev"
says "without room for more than one program, the others are counted" '.dropped.roles > 0'

# adds_up WORDS: each view shows a number of WORDS, and the last view the total. The sum of the
# other numbers is above 0, and not above the total.
adds_up() {
	local list sum=0 n
	mapfile -t list < <(grep -o "[0-9]* $1" /tmp/live | cut -d ' ' -f 1)
	echo "${list[@]}"
	((${#list[@]} >= 4))
	for n in "${list[@]::${#list[@]}-1}"; do sum=$((sum + n)); done
	((sum > 0 && sum <= list[-1]))
}
refreshed() { (($(grep -c $'\x1b\\[2J' /tmp/live) >= 3)); }
mkfifo /tmp/keys
for how in q INT; do
	UBDX_TRACE_ROOM=1 ubdx-trace --live "$dev" </tmp/keys >/tmp/live &
	tracer=$!
	exec 3>/tmp/keys
	ok "the live view refreshes" until_ok 30 refreshed
	if [[ $how == q ]]; then echo -n q >&3; else kill -INT $tracer; fi
	exec 3>&-
	status=0
	wait $tracer || status=$?
	is $status 0 "$how ends it"
	ok "each view has what came since the last" adds_up "requests in"
	ok "of what was dropped, too" adds_up "processes"
done

# ---- starts and ends ----

for ((i = 0; i < 10; i++)); do
	ubdx-trace --json --count 20 --duration 20 --events all "$dev" >/tmp/json || break
done
is $i 10 "ten times on and off under load"
says "and sees it" '.requests >= 20'
ubdx-trace --json --duration 2 "$dev" >/tmp/json1 &
one=$!
status=0
ubdx-trace --json --duration 2 --events all >/tmp/json || status=$?
wait $one || status=$?
is $status 0 "two at once"
says "both see the load" '.requests > 0'
ok "the other one too" jq -e '.requests > 0' /tmp/json1
stop_load "the load went on, and read what it had written"

ubdx-trace --json "$dev" >/tmp/json &
tracer=$!
until_ok 20 traces
reads 4k 20
kill -INT $tracer
status=0
wait $tracer || status=$?
is $status 0 "interrupted: it ends"
says "and says what it has seen" '.requests == 20'
ok "no program of it stays" until_ok 10 bash -c '! bpftool prog show | grep -q on_done'

ubdx-trace --json "$dev" >/tmp/json 2>/tmp/err &
tracer=$!
until_ok 20 traces
del --force "$dev"
status=0
wait $tracer || status=$?
is $status 1 "the device is deleted meanwhile: it ends, with status 1"
ok "and says so" grep -qF "${dev#/dev/} is gone" /tmp/err

# ---- extents ----

says "a device without extents: there is nothing about them" '.extents == null'
disk=$(null_disk disk 64 10000)
add --target loop --file "$disk" --direct --extents
traced "$dev" -- dd if=/dev/zero of="$dev" bs=4k count=20 oflag=direct conv=notrunc status=none
says "WRITEs that use extents are counted" '.extents.write_hits == 20 and .extents.write_misses == 0'
says "   and are no requests" '.requests == 0'
ubdx-trace --csv "$dev" -- dd if="$dev" of=/dev/null bs=4k count=10 iflag=direct status=none >/tmp/csv
ok "READs, as CSV" grep -q '^extents,.*,read_hits,times,0,[1-9]' /tmp/csv
ubdx-trace "$dev" -- dd if="$dev" of=/dev/null bs=4k count=10 iflag=direct status=none >/tmp/text
ok "   and as text" grep -q '^extents: read_hits [1-9]' /tmp/text
del "$dev"
null_disks_gone

finish
