#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The comparison, from the host: boot the lab's counting clock, run guest.sh there, report. See usage() below.
# Needs the guest's folder (make guest). Leaves its results and nothing else.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=${here%/experiments/compare}

usage() {
	cat <<-'END'
	usage: experiments/compare/run.sh [OPTION...]
	Compare what a block request costs on ubdx, ublk, NBD, the kernel's loop driver and null_blk, in instructions.

	  --kernel NAME     the lab's kernel: stable or backports (backports)
	  --quick           three cells of the grid instead of twelve
	  --full            also the rows that are only measured with this: payloads touched in part and wholly
	  --rows REGEX      only these rows of rows.tsv, and the floor
	  --seed N          fio's and the machine's seed, and that of the order (42)
	  --order ORDER     of the rows: given, reverse or shuffle (given; shuffle with --replicates)
	  --replicates N    boot N times, with the seeds from --seed on; reports means and 95 % intervals (1)
	  --results DIR     where the results go (experiments/results/compare/KERNEL; build/... unless the whole grid ran)
	  -h, --help        this text
	END
}

die() { echo "compare: $*" >&2; exit 1; }

parse() {
	kernel=backports cells=full full='' rows='' seed=42 order='' replicates=1 results=''
	while (($#)); do
		case $1 in
		-h | --help) usage; exit 0 ;;
		--quick) cells=quick ;;
		--full) full=--full ;;
		--kernel | --rows | --seed | --order | --replicates | --results)
			(($# > 1)) || { echo "compare: $1 needs a value" >&2; exit 2; }
			printf -v "${1#--}" %s "$2"
			shift
			;;
		*) echo "compare: unknown option $1; see --help" >&2; exit 2 ;;
		esac
		shift
	done
	[[ $seed =~ ^[0-9]+$ && $replicates =~ ^[1-9][0-9]*$ ]] || { echo "compare: --seed and --replicates take numbers" >&2; exit 2; }
	[[ -n $order ]] || { order=given; ((replicates == 1)) || order=shuffle; }
	if [[ -z $results ]]; then
		results=experiments/results/compare/$kernel
		[[ $cells == full && -z $rows ]] || results=build/compare/$kernel
	fi
}

# What the sources are, apart from results, which change with each run.
source_state() {
	local revision
	revision=$(git -C "$top" rev-parse HEAD 2>/dev/null) || { echo --revision unknown; return; }
	echo "--revision $revision"
	[[ -z $(git -C "$top" status --porcelain -- . ':!experiments/results') ]] || echo --dirty
}

# What the guest gets is a part of what is measured: the size of its image alone moves figures by a tenth of a percent. So it
# gets what the comparison needs, and no test that comes and goes.
stage() {
	mkdir -p "$work/payload/bin"
	cp -r "build/guest-$kernel"/{ubdx.ko,experiments} "$work/payload"
	cp "build/guest-$kernel"/bin/{ubdx,ublk-peer,stamp} "$work/payload/bin"
}

boot() {
	local raw=$1 seed=$2
	lab/vm --kernel "$kernel" --clock count --seed "$seed" --timeout 1200 --payload "$work/payload" --out "$raw" -- \
		/ubdx/experiments/compare/guest.sh --seed "$seed" --order "$order" --cells "$cells" ${full:+"$full"} --rows "${rows:-.}"
}

# Are they the figures of the commit? Says so, or what was different.
same_as_committed() {
	local file
	mkdir "$work/committed"
	for file in results.json manifest.json; do
		git show "HEAD:$results/$file" >"$work/committed/$file" 2>/dev/null || return 0
	done
	lab/in python3 -B experiments/compare/same.py "$work/committed" "$results" || true
}

# A row failed: what was measured until then may say why.
keep_failed() {
	rm -rf build/compare.failed
	mv "$work" build/compare.failed
	echo "compare: the run failed; what there is of it: build/compare.failed" >&2
	exit "$1"
}

main() {
	local work i
	local -a state raws=()
	parse "$@"
	cd "$top"
	[[ -x build/guest-$kernel/bin/ublk-peer ]] || die "build/guest-$kernel is not there; make guest KERNEL=$kernel"
	mkdir -p build
	work=$(mktemp -d build/compare.XXXXXX)
	# shellcheck disable=SC2064 # as it is now
	trap "rm -rf '$top/$work'" EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	read -r -d '' -a state < <(source_state) || true
	stage
	for ((i = 0; i < replicates; i++)); do
		((replicates == 1)) || echo "replicate $((i + 1)) of $replicates, seed $((seed + i))"
		boot "$work/$((seed + i))" $((seed + i)) || keep_failed $?
		raws+=("$work/$((seed + i))")
	done
	lab/in python3 -B experiments/compare/report.py --out "$work/results" "${state[@]}" "${raws[@]}"
	for i in "${raws[@]}"; do
		lab/in experiments/compare/pack.sh "$i" "$work/results/raw/${i##*/}.tar.xz"
	done
	mkdir -p "$(dirname "$results")"
	rm -rf "$results"
	mv "$work/results" "$results"
	echo
	cat "$results/table.txt"
	echo
	same_as_committed
	echo "Results, figure and manifest: $results ($SECONDS s)"
}

main "$@"
