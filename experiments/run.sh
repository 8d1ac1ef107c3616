#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What `make run` does: the comparison, beside it the stages, and then more boots with the rows
# whose payload is left alone. On the counting clock nothing can notice what runs beside it.

set -euo pipefail
cd "$(dirname "$0")"

kernel=backports
case ${1:-} in
--kernel) kernel=${2:?--kernel needs a name} ;;
?*)
	echo "usage: experiments/run.sh [--kernel NAME]   all experiments; each has a run.sh of its own with more options"
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
# One boot moves a cell by some per cent, which is more than these rows differ by, so their means
# are compared.
echo
compare/run.sh --kernel "$kernel" --rows '^ub.*-null-(copy|.*untouched|auto|batch)$' --replicates 12 --results experiments/results/untouched/"$kernel"
echo "make run: $SECONDS s in all"
