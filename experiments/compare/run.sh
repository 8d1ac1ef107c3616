#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The host's part of the comparison: boots the lab on the counting clock, runs guest.sh there, and
# reports. See usage() below.
#
# A table (rows.tsv) says which row is measured in which boot. The boots run side by side: on that clock, one
# can't slow the other down. Only rows of the same boot are compared. Needs the guest's folder
# (make guest). Leaves only its results, or build/compare.failed if a boot fails.

set -euo pipefail
cd "$(dirname "$0")/../.."
. experiments/lib/host.sh compare

usage() {
	cat <<-'END'
	usage: experiments/compare/run.sh [OPTION...]
	Compare what a block request costs on ubdx, ublk, NBD, the kernel's loop driver and null_blk, in instructions.

	  --kernel NAME     the lab's kernel: stable or backports (backports)
	  --quick           measure three cells of the grid instead of twelve
	  --table NAME      the rows of NAME.tsv: rows, or resolvers: 4k requests to a device whose mapping the
	                    driver knows in part, as extents, or by a BPF program (rows)
	  --rows REGEX      measure only the rows of the table whose names match, and the floor
	  --pages CLASS     put requests in small or huge pages (small)
	  --seed N          seed of fio, of the machine and of the shuffled order (42)
	  --order ORDER     order of the rows: given, reverse or shuffle (given; with --replicates: shuffle)
	  --replicates N    boot N times, with seeds counted up from --seed; report means and 95 % intervals (1)
	  --results DIR     write the results to DIR (experiments/results/compare/KERNEL; for a part of the
	                    rows or cells, or huge pages, build/compare/KERNEL)
	  -h, --help        this text
	END
}

parse() {
	kernel=backports table=rows quick='' rows='' pages=small seed=42 order='' replicates=1 results=''
	parse_options 'quick kernel= table= rows= pages= seed= order= replicates= results=' "$@"
	cells=full
	[[ -z $quick ]] || cells=quick
	[[ $table == rows || $table == resolvers ]] || bad_usage "--table is rows or resolvers, not $table"
	programs=()
	[[ $table == rows ]] || { cells=4k programs=(fill-hash update-cost); }
	[[ $seed =~ ^[0-9]+$ && $replicates =~ ^[1-9][0-9]*$ ]] || bad_usage "--seed and --replicates take numbers"
	[[ -n $order ]] || { order=given; ((replicates == 1)) || order=shuffle; }
	if [[ -z $results ]]; then
		results=experiments/results/${table/rows/compare}/$kernel
		[[ -z $quick && -z $rows && $pages == small ]] || results=build/${table/rows/compare}/$kernel
	fi
}

# The boots that have a wanted row besides their floor.
boot_list() {
	local row boot last=''
	while IFS=$'\t' read -r row boot _; do
		[[ $row != \#* ]] || continue
		if [[ $boot != "$last" ]]; then
			last=$boot # and this is its floor
		elif [[ $row =~ ${rows:-.} ]]; then
			echo "$boot"
		fi
	done <"experiments/compare/$table.tsv" | uniq
}

boot() {
	boot_guest "$2/$1" --seed "$3" -- --table "$table" --boot "$1" --seed "$3" --order "$order" --cells "$cells" --pages "$pages" --rows "${rows:-.}"
}

# replicate RAW SEED AT_ONCE: start all boots of a replicate, each as soon as fewer than AT_ONCE
# boots are running.
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
	[[ $(boot_list) ]] || die "no row of experiments/compare/$table.tsv matches $rows"
	begin ubdx ubdx-resolver ublk-peer stamp "${programs[@]}"
	foretell "$results"
	# one boot for each CPU, but at most six, and at least two: a laptop has memory for two
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
