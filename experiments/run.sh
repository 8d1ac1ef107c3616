#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What `make run` does: the comparison and, at the same time, the stages; then twelve boots with
# only the null-target rows of mode copy and of the modes whose server leaves the payload alone, and
# twelve with only some of the rows that forward requests to null_blk, and twelve with the ways in
# which the driver can know a mapping. On the counting clock other load on the host changes no figure.

set -euo pipefail
cd "$(dirname "$0")"

kernel=backports
case ${1:-} in
--kernel) kernel=${2:?--kernel needs a name} ;;
?*)
	echo "usage: experiments/run.sh [--kernel NAME]   run all experiments; each has a run.sh of its own with more options"
	[[ $1 == -h || $1 == --help ]] || exit 2
	exit
	;;
esac

log=$(mktemp) stages=''
trap '[[ -z $stages ]] || kill "$stages" 2>/dev/null; wait; rm -f "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
stages/run.sh --kernel "$kernel" >"$log" 2>&1 &
stages=$!
compare/run.sh --kernel "$kernel"
status=0
wait "$stages" || status=$?
stages=''
echo
cat "$log"
((status == 0)) || exit "$status"
# From boot to boot a cell moves by some per cent. These rows differ by less, so the means of
# several boots are compared.
echo
compare/run.sh --kernel "$kernel" --rows '^ub.*-null-(copy|.*untouched|auto|batch|regbuf)$' --replicates 12 --results experiments/results/untouched/"$kernel"
echo
compare/run.sh --kernel "$kernel" --rows '^(loop-dio|dm-linear|ublk-loop-.*|ubdx-loop-(copy|regbuf|forward|extents|bpf))$' --replicates 12 --results experiments/results/forwarded/"$kernel"
echo
compare/run.sh --kernel "$kernel" --table resolvers --replicates 12
echo "make run: $SECONDS s in all"
