#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The guest's part of the stages: for each transfer mode, with payloads untouched and touched,
# ubdx-trace traces one fio run on the null target. Leaves in $OUT what report.py reads: the file
# machine, and MODE.TOUCH.json, the output of ubdx-trace. The queue depth is 1: with several requests
# in flight, the time between two stamps of a request would include work for other requests.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../lib/devices.sh
. "$here/../lib/devices.sh"

usage() { echo "usage: guest.sh [--seed N]   runs in the lab's guest; experiments/stages/run.sh starts it"; }

die() { echo "stages: $*" >&2; exit 1; }

# job_file N_4K N_512K: print the fio jobs. In the output of ubdx-trace, operation and size tell
# them apart.
job_file() {
	cat <<-END
	[global]
	filename=/dev/$DEV
	ioengine=io_uring
	direct=1
	thread=1
	randseed=$seed
	norandommap=1
	iodepth=1
	stonewall
	END
	local rw
	for rw in randwrite randread; do
		printf '[%s.4k]\nrw=%s\nbs=4k\nblockalign=8k\nnumber_ios=%d\n' $rw $rw "$1"
		printf '[%s.512k]\nrw=%s\nbs=512k\nblockalign=1m\nnumber_ios=%d\n' $rw $rw "$2"
	done
}

main() {
	local mode touch target nr=0
	local -a modes
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
	insmod /ubdx/ubdx.ko
	mapfile -t modes < <(ubdx features --json | jq -r '.driver_xfer_modes[]')
	rmmod ubdx
	printf 'kernel\t%s\nseed\t%s\n' "$kernel" "$seed" >"$OUT/machine"
	for touch in none all; do
		target=null
		[[ $touch == none ]] || target=touch,$touch:null
		for mode in "${modes[@]}"; do
			up_ubdx --xfer "$mode" --target "$target"
			job_file 50 32 >/tmp/warm.fio
			fio --output=/dev/null /tmp/warm.fio
			job_file 300 128 >/tmp/job.fio
			ubdx-trace --json "/dev/$DEV" -- fio --output=/dev/null /tmp/job.fio >"$OUT/$mode.$touch.json"
			down_ubdx
			nr=$((nr + 1))
			echo "stages [$nr/$((2 * ${#modes[@]}))] $mode, touched: $touch"
		done
	done
}

main "$@"
