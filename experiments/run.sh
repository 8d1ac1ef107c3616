#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What `make run` does: the comparison, and beside it the stages, whose output follows when both are done. On the counting
# clock neither can tell that the other is running.

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
exit "$status"
