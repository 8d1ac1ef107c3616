#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The guest's part of the comparison: for each row of a table, sets the device up, gives it the
# limits that all devices share, runs the fio grid on it, and removes it. Leaves in $OUT what
# report.py reads.
#
# A cell (direction, queue depth, size) is three fio jobs: a and b do N/8 requests each, c does N.
# The job's own thread takes a stamp before and after each job. So c minus the mean of a and b is the
# cost of 7N/8 requests without fio's start and end, and the difference between a and b says how
# precise that is. Requests are never adjacent, because the block layer would merge them. One fio
# process runs all jobs of a row, after a warm-up that is not counted.

set -euo pipefail
shopt -s nullglob

here=$(cd "$(dirname "$0")" && pwd)
lib=$here/../lib
# shellcheck source-path=SCRIPTDIR source=../lib/devices.sh
. "$lib/devices.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/limits.sh
. "$lib/limits.sh"

usage() {
	cat <<-'END'
	usage: guest.sh --boot NAME [--table NAME] [--seed N] [--order given|reverse|shuffle] [--rows REGEX] [--cells full|quick|4k] [--pages small|huge]
	Runs in the lab's guest; experiments/compare/run.sh starts it.
	END
}

# Requests of job c, by queue depth and size; a and b do an eighth of that.
readonly -A REQUESTS=(
	['1 4k']=1536 ['1 64k']=704 ['1 512k']=192
	['32 4k']=2432 ['32 64k']=960 ['32 512k']=256
)

parse() {
	table=rows boot='' seed=42 order=given rows=. cells=full pages=small
	while (($#)); do
		case $1 in
		--table | --boot | --seed | --order | --rows | --cells | --pages)
			(($# > 1)) || die "$1 needs a value"
			printf -v "${1#--}" %s "$2"
			shift
			;;
		-h | --help) usage; exit 0 ;;
		*) die "unknown option $1" ;;
		esac
		shift
	done
	[[ $order == given || $order == reverse || $order == shuffle ]] || die "--order is given, reverse or shuffle"
	[[ $cells == full || $cells == quick || $cells == 4k ]] || die "--cells is full, quick or 4k"
	[[ $pages == small || $pages == huge ]] || die "--pages is small or huge"
}

die() { echo "compare: $*" >&2; exit 1; }

# A cell is DIRECTION.DEPTH.SIZE.
cell_list() {
	local rw qd bs
	if [[ $cells == quick ]]; then
		echo randwrite.1.4k randwrite.32.4k randread.32.512k
		return
	fi
	for rw in randwrite randread; do
		for qd in 1 32; do
			for bs in 4k 64k 512k; do
				[[ $cells == 4k && $bs != 4k ]] || echo "$rw.$qd.$bs"
			done
		done
	done
}

# The wanted rows of this boot, in the order of this replicate. The floor is always wanted.
row_list() {
	local line of i j swap
	local -a list=()
	while IFS= read -r line; do
		IFS=$'\t' read -r _ of _ <<<"$line"
		[[ $line != \#* && $of == "$boot" ]] || continue
		((${#list[@]} == 0)) || [[ ${line%%$'\t'*} =~ $rows ]] || continue
		list+=("$line")
	done <"$here/$table.tsv"
	if [[ $order == shuffle ]]; then
		RANDOM=$seed
		for ((i = ${#list[@]} - 1; i > 0; i--)); do
			j=$((RANDOM % (i + 1)))
			swap=${list[i]} list[i]=${list[j]} list[j]=$swap
		done
	fi
	if [[ $order == reverse ]]; then
		for ((i = ${#list[@]} - 1; i >= 0; i--)); do
			echo "${list[i]}"
		done
	else
		printf '%s\n' "${list[@]}"
	fi
}

job_file() {
	local row=$1 dev=$2 cell rw qd bs part n
	cat <<-END
	[global]
	filename=/dev/$dev
	ioengine=io_uring
	direct=1
	thread=1
	randseed=$seed
	iomem=$([[ $pages == small ]] && echo malloc || echo mmaphuge:/run/huge/fio)
	hugepage-size=2m
	norandommap=1
	iodepth_batch_submit=8
	iodepth_batch_complete_min=1
	iodepth_batch_complete_max=8
	stonewall
	[warm.write]
	rw=randwrite
	bssplit=4k/25:512k/75
	iodepth=32
	number_ios=128
	[warm.read]
	rw=randread
	bssplit=4k/25:512k/75
	iodepth=32
	number_ios=128
	END
	for cell in $(cell_list); do
		IFS=. read -r rw qd bs <<<"$cell"
		for part in a b c; do
			n=${REQUESTS[$qd $bs]}
			[[ $part == c ]] || n=$((n / 8))
			cat <<-END
			[$cell.$part]
			rw=$rw
			bs=$bs
			blockalign=$((2 * ${bs%k}))k
			iodepth=$qd
			number_ios=$n
			exec_prerun=stamp $OUT/stamps pre $row $cell.$part -- $dev
			exec_postrun=stamp $OUT/stamps post $row $cell.$part -- $dev
			END
		done
	done
}

# fio may write notes of its own before the JSON; sed drops them.
run_fio() {
	local row=$1 dev=$2
	job_file "$row" "$dev" >"/tmp/$row.fio"
	(cd /tmp && fio --output-format=json --output="/tmp/$row.json" "/tmp/$row.fio") >"/tmp/$row.log" 2>&1 || {
		cat "/tmp/$row.log" "/tmp/$row.json" >&2
		die "$row: fio failed"
	}
	sed -n '/^{/,$p' "/tmp/$row.json" >"$OUT/$row.fio.json"
	cp "/tmp/$row.fio" "$OUT/"
}

run_row() {
	local row=$1 kind=$2 status=0 # sets the caller's $outcome
	shift 2
	"up_$kind" "$@" 2>/tmp/up.log || status=$?
	if ((status == 77)); then
		outcome=$(</tmp/up.log)
		printf '%s\tskipped\t%s\n' "$row" "$(</tmp/up.log)" >>"$OUT/rows"
		return
	fi
	((status == 0)) || { cat /tmp/up.log >&2; die "$row: the device could not be set up"; }
	equal_limits "$lib/limits.tsv" "$row" "$kind" "$DEV" "$OUT/limits" || die "$row: unequal limits"
	run_fio "$row" "$DEV"
	"down_$kind" || die "$row: the device could not be taken down"
	printf '%s\tmeasured\t%s\n' "$row" "$DEV" >>"$OUT/rows"
	outcome="$(cell_list | wc -w) cells"
}

# Room for the largest job: 32 requests of 512k.
huge_pages() {
	echo 12 >/proc/sys/vm/nr_hugepages
	mkdir -p /run/huge
	mount -t hugetlbfs -o pagesize=2M none /run/huge
}

record() { printf '%s\t%s\n' "$1" "$2" >>"$OUT/machine"; }

# Not every module has a source version; the digest of the file identifies it in any case.
module_identity() {
	local srcversion sum
	srcversion=$(modinfo -F srcversion "$1")
	read -r sum _ < <(sha256sum "$(modinfo -n "$1")")
	echo "srcversion ${srcversion:-none}, sha256 $sum"
}

record_machine() {
	local name value
	read -r value </proc/version
	record kernel "$value"
	read -r value </proc/cmdline
	record command_line "$value"
	record fio "$(fio --version)"
	record nbdkit "$(nbdkit --version)"
	record table "$table"
	record seed "$seed"
	record order "$order"
	record cells "$cells"
	record pages "$pages"
	record clocksource "$(</sys/devices/system/clocksource/clocksource0/current_clocksource)"
	record transparent_hugepage "$(</sys/kernel/mm/transparent_hugepage/enabled)"
	record scheduling_policy "$(chrt -p $$ | sed -n 's/.*policy: //p')"
	for name in sched_autogroup_enabled io_uring_disabled; do
		[[ ! -e /proc/sys/kernel/$name ]] || record "kernel.$name" "$(</proc/sys/kernel/$name)"
	done
	record cpus "$(nproc)"
	while IFS=: read -r name value; do
		[[ $name != model\ name* ]] || record cpu "${value# }"
	done </proc/cpuinfo
	for name in null_blk loop nbd ublk_drv /ubdx/ubdx.ko; do
		[[ $name != /* || -e $name ]] || continue
		record "module.$(basename "$name" .ko)" "$(module_identity "$name")"
	done
}

# What it costs to change a table of extents, by their number.
measure_updates() {
	up_null_blk
	insmod /ubdx/ubdx.ko
	update-cost "/dev/$DEV" 1 10 100 1000 10000 100000 >"$OUT/updates"
	rmmod ubdx
	down_null_blk
}

main() {
	local line row kind arguments outcome nr=0
	local -a list
	parse "$@"
	[[ $(</proc/sys/kernel/randomize_va_space) == 0 ]] || echo 0 >/proc/sys/kernel/randomize_va_space
	record_machine
	[[ $pages == small ]] || huge_pages
	mapfile -t list < <(row_list)
	for line in "${list[@]}"; do
		IFS=$'\t' read -r row _ _ _ kind arguments <<<"$line"
		nr=$((nr + 1))
		# shellcheck disable=SC2086 # words of the table
		run_row "$row" "$kind" $arguments
		# one write, because another boot may write to the same terminal
		printf '%s, seed %s [%2d/%d] %-26s %s\n' "$boot" "$seed" $nr ${#list[@]} "$row" "$outcome"
	done
	[[ $table != resolvers ]] || measure_updates
}

main "$@"
