#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The part in the guest: the floor; the null target in mode user, looking at each payload's header, which is to be beaten; and in
# mode map, for each map_when and map_batch, both changed under the one device. Leaves in $OUT what report.py reads.
#
# A cell is DIRECTION.SUBMITTED.SIZE, at queue depth 32; SUBMITTED is how many requests fio sends at once, so how many the server
# gets, and commits, together. It is three jobs, each between two stamps, as in compare/guest.sh.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../lib/devices.sh
. "$here/../lib/devices.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/limits.sh
. "$here/../lib/limits.sh"

readonly BATCHES=(1 2 4 8 16 32) PARAMETERS=/sys/module/ubdx/parameters
# Requests of a cell's long job; the short ones do an eighth.
readonly -A REQUESTS=([4k]=1536 [64k]=768)

usage() { echo "usage: guest.sh [--seed N]   runs in the lab's guest; experiments/amortise/run.sh starts it"; }

die() { echo "amortise: $*" >&2; exit 1; }

# Outside of the stamps: what was done to payloads until then.
# moved PHASE JOB
moved() { [[ ! -e /sys/block/$DEV/ubdx ]] || echo "sed 's/^/$1 $row $2 /' /sys/block/$DEV/ubdx/moved >>$OUT/moved"; }

job() {
	local job=$1 n=$2 before after
	before=$(moved pre "$job") after=$(moved post "$job")
	cat <<-END
	[$job]
	rw=$rw
	bs=$bs
	blockalign=$((2 * ${bs%k}))k
	iodepth_batch_submit=$submitted
	iodepth_batch_complete_min=$((submitted == 32 ? 32 : 1))
	iodepth_batch_complete_max=$submitted
	number_ios=$n
	exec_prerun=${before:+$before && }stamp $OUT/stamps pre $row $job -- $DEV
	exec_postrun=stamp $OUT/stamps post $row $job -- $DEV${after:+ && $after && true}
	END
}

job_file() {
	local rw bs submitted n
	cat <<-END
	[global]
	filename=/dev/$DEV
	ioengine=io_uring
	direct=1
	thread=1
	randseed=$seed
	norandommap=1
	iodepth=32
	stonewall
	[warm.write]
	rw=randwrite
	bssplit=4k/25:64k/75
	number_ios=128
	[warm.read]
	rw=randread
	bssplit=4k/25:64k/75
	number_ios=128
	END
	for rw in randwrite randread; do
		for submitted in 8 32; do
			for bs in 4k 64k; do
				n=${REQUESTS[$bs]}
				job "$rw.$submitted.$bs.a" $((n / 8))
				job "$rw.$submitted.$bs.b" $((n / 8))
				job "$rw.$submitted.$bs.c" "$n"
			done
		done
	done
}

# run_row NAME: on the device that is there.
run_row() {
	local row=$1
	job_file >"/tmp/$row.fio"
	(cd /tmp && fio --output-format=json --output="/tmp/$row.json" "/tmp/$row.fio") >"/tmp/$row.log" 2>&1 || {
		cat "/tmp/$row.log" "/tmp/$row.json" >&2
		die "$row: fio failed"
	}
	sed -n '/^{/,$p' "/tmp/$row.json" >"$OUT/$row.fio.json"
	nr=$((nr + 1))
	echo "amortise [$nr/15] $row"
}

limits() { equal_limits "$here/../lib/limits.tsv" "$1" "$2" "$DEV" "$OUT/limits" || die "$1: unequal limits"; }

main() {
	local when batch kernel nr=0
	seed=42
	while (($#)); do
		case $1 in
		--seed) seed=${2:?--seed needs a number}; shift ;;
		-h | --help) usage; exit 0 ;;
		*) die "unknown option $1" ;;
		esac
		shift
	done
	read -r _ _ kernel _ </proc/version
	printf 'kernel\t%s\nseed\t%s\nfio\t%s\n' "$kernel" "$seed" "$(fio --version)" >"$OUT/machine"

	up_null_blk
	limits null_blk null_blk
	run_row null_blk
	down_null_blk
	up_ubdx --xfer user --touch header
	limits user ubdx
	run_row user
	down_ubdx
	up_ubdx --xfer map --touch header
	limits map ubdx
	for when in fault eager; do
		echo $when >$PARAMETERS/map_when
		for batch in "${BATCHES[@]}"; do
			echo "$batch" >$PARAMETERS/map_batch
			run_row "map-$when-$batch"
		done
	done
	down_ubdx
	up_ubdx --xfer map
	limits map-untouched ubdx
	run_row map-untouched
	down_ubdx
}

main "$@"
