#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What sharing zaps does to cost, from the host: boot the lab's counting clock, run guest.sh there, report. Needs the guest's folder
# (make guest). Leaves its results and nothing else.

set -euo pipefail
cd "$(dirname "$0")/../.."
. experiments/lib/host.sh amortise

usage() {
	cat <<-'END'
	usage: experiments/amortise/run.sh [OPTION...]
	What a request whose payload is looked at costs in mode map, in instructions, as more requests share a zap (map_batch).

	  --kernel NAME     the lab's kernel: stable or backports (backports)
	  --seed N          fio's and the machine's seed (42)
	  --results DIR     where the results go (experiments/results/amortise/KERNEL)
	  -h, --help        this text
	END
}

parse() {
	kernel=backports seed=42 results=''
	while (($#)); do
		case $1 in
		-h | --help) usage; exit 0 ;;
		--kernel | --seed | --results)
			(($# > 1)) || bad_usage "$1 needs a value"
			printf -v "${1#--}" %s "$2"
			shift
			;;
		*) bad_usage "unknown option $1; see --help" ;;
		esac
		shift
	done
	[[ $seed =~ ^[0-9]+$ ]] || bad_usage "--seed takes a number"
	[[ -n $results ]] || results=experiments/results/amortise/$kernel
}

main() {
	parse "$@"
	begin ubdx stamp
	boot_guest "$work/$seed" --seed "$seed" -- --seed "$seed" &
	running=($!)
	await_boots
	report "$work/$seed"
	keep "$results"
}

main "$@"
