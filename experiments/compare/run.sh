#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The comparison, from the host: boot the lab's counting clock, run guest.sh there, report. See
# usage() below.
#
# rows.tsv says what is measured in which boot. The boots run side by side: on that clock neither
# can tell. What is held against each other is always of the same boot. Needs the guest's folder
# (make guest). Leaves its results and nothing else.

set -euo pipefail
cd "$(dirname "$0")/../.."
. experiments/lib/host.sh compare

usage() {
	cat <<-'END'
	usage: experiments/compare/run.sh [OPTION...]
	Compare what a block request costs on ubdx, ublk, NBD, the kernel's loop driver and null_blk, in instructions.

	  --kernel NAME     the lab's kernel: stable or backports (backports)
	  --quick           three cells of the grid instead of twelve
	  --rows REGEX      only these rows of rows.tsv, and the floor
	  --pages CLASS     of the memory behind requests: small or huge (small)
	  --seed N          fio's and the machine's seed, and that of the order (42)
	  --order ORDER     of the rows: given, reverse or shuffle (given; shuffle with --replicates)
	  --replicates N    boot N times, with the seeds from --seed on; reports means and 95 % intervals (1)
	  --results DIR     where the results go (experiments/results/compare/KERNEL; build/... unless the whole grid ran)
	  -h, --help        this text
	END
}

parse() {
	kernel=backports quick='' rows='' pages=small seed=42 order='' replicates=1 results=''
	parse_options 'quick kernel= rows= pages= seed= order= replicates= results=' "$@"
	cells=full
	[[ -z $quick ]] || cells=quick
	[[ $seed =~ ^[0-9]+$ && $replicates =~ ^[1-9][0-9]*$ ]] || bad_usage "--seed and --replicates take numbers"
	[[ -n $order ]] || { order=given; ((replicates == 1)) || order=shuffle; }
	if [[ -z $results ]]; then
		results=experiments/results/compare/$kernel
		[[ $cells == full && -z $rows && $pages == small ]] || results=build/compare/$kernel
	fi
}

# The boots that have one of the wanted rows, beside their floor.
boot_list() {
	local row boot last=''
	while IFS=$'\t' read -r row boot _; do
		[[ $row != \#* ]] || continue
		if [[ $boot != "$last" ]]; then
			last=$boot # and this is its floor
		elif [[ $row =~ ${rows:-.} ]]; then
			echo "$boot"
		fi
	done <experiments/compare/rows.tsv | uniq
}

boot() {
	boot_guest "$2/$1" --seed "$3" -- --boot "$1" --seed "$3" --order "$order" --cells "$cells" --pages "$pages" --rows "${rows:-.}"
}

# replicate RAW SEED AT_ONCE: start all boots of a replicate, each when fewer than that many are
# under way.
replicate() {
	local raw=$1 seed=$2 at_once=$3 name
	mkdir "$raw"
	for name in $(boot_list); do
		await_boots $((at_once - 1))
		boot "$name" "$raw" "$seed" &
		running+=($!)
	done
}

main() {
	local i at_once
	local -a raws=()
	parse "$@"
	[[ $(boot_list) ]] || die "no row of experiments/compare/rows.tsv is called $rows"
	begin ubdx ublk-peer stamp
	foretell "$results"
	# two, as a laptop has memory for; more where there are CPUs
	at_once=$(nproc)
	((at_once = at_once < 2 ? 2 : at_once > 6 ? 6 : at_once))
	for ((i = 0; i < replicates; i++)); do
		replicate "$work/$((seed + i))" $((seed + i)) $at_once
		raws+=("$work/$((seed + i))")
	done
	await_boots
	report "${raws[@]}"
	keep "$results"
}

main "$@"
