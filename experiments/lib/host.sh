# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154 # the caller's options
#
# What the experiments' run.sh share (sourced on the host, at the top of the tree, with the
# experiment's name): begin, boot, report, keep; and one_boot, which is all of it where there is one
# boot and nothing to choose. Else the caller has the options $kernel and $seed. All of a run is in
# $work until it is complete.

experiment=$1
work='' running=()

die() { echo "$experiment: $*" >&2; exit 1; }
bad_usage() { echo "$experiment: $*" >&2; exit 2; }

# begin PROGRAM...: the programs, beside the module, are what the guest needs.
begin() {
	local program
	for program; do
		[[ -x build/guest-$kernel/bin/$program ]] || die "build/guest-$kernel/bin/$program is not there; make guest KERNEL=$kernel"
	done
	work=$(mktemp -d "build/$experiment.XXXXXX")
	trap 'end_boots; rm -rf "$work"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	# What the guest gets is a part of what is measured: the size of its image alone moves
	# figures by a tenth of a percent. So it gets what this experiment needs, and nothing that
	# comes and goes.
	mkdir -p "$work/payload"/{bin,experiments}
	cp "build/guest-$kernel/ubdx.ko" "$work/payload"
	cp "${@/#/build/guest-$kernel/bin/}" "$work/payload/bin"
	cp -r "build/guest-$kernel/experiments"/{lib,"$experiment"} "$work/payload/experiments"
}

# boot_guest OUT OPTION... -- ARGUMENT...: have the experiment's guest.sh run with the arguments on
# the counting clock; what it leaves comes to OUT. OPTIONs are lab/vm's. For the background, see
# await_boots.
boot_guest() {
	local out=$1
	local -a options=()
	shift
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	shift
	exec lab/vm --kernel "$kernel" --clock count --timeout 1200 --payload "$work/payload" --out "$out" --log "$work/${out##*/}.log" \
		"${options[@]}" -- "/ubdx/experiments/$experiment/guest.sh" "$@"
}

# await_boots [N]: wait until no more than N (0) of the boots whose processes are in $running are
# left. When one fails there is nothing to wait for: what was measured until then may say why.
await_boots() {
	local status=0 ended pid left
	while ((${#running[@]} > ${1:-0} && !status)); do
		wait -n -p ended || status=$?
		left=()
		for pid in "${running[@]}"; do
			[[ $pid == "$ended" ]] || left+=("$pid")
		done
		running=("${left[@]}")
	done
	((status)) || return 0
	end_boots
	rm -rf "build/$experiment.failed"
	mv "$work" "build/$experiment.failed"
	echo "$experiment: the run failed; what there is of it: build/$experiment.failed" >&2
	exit "$status"
}

end_boots() {
	((${#running[@]} == 0)) || kill "${running[@]}" 2>/dev/null || true
	wait
	running=()
}

# What the sources are, apart from results, which change with each run.
source_state() {
	local revision
	revision=$(git rev-parse HEAD 2>/dev/null) || { echo --revision unknown; return; }
	echo "--revision $revision"
	[[ -z $(git status --porcelain -- . ':!experiments/results') ]] || echo --dirty
}

# report RAW...: what the experiment's report.py makes of the raw data, and the data themselves.
report() {
	local raw
	local -a state
	read -r -d '' -a state < <(source_state) || true
	lab/in python3 -B "experiments/$experiment/report.py" --out "$work/results" "${state[@]}" "$@"
	for raw; do
		lab/in experiments/lib/pack.sh "$raw" "$work/results/raw/${raw##*/}.tar.xz"
	done
}

# committed FOLDER: the committed results and manifest of that folder, in $work/committed. Fails if
# there are none.
committed() {
	local file
	mkdir -p "$work/committed"
	for file in results.json manifest.json; do
		git show "HEAD:$1/$file" >"$work/committed/$file" 2>/dev/null || return
	done
}

# foretell FOLDER: whether the figures can be the committed ones, before it is known.
foretell() {
	! committed "$1" || lab/in python3 -B experiments/lib/same.py --before "$work/committed" || true
}

# keep FOLDER: the results become FOLDER. Says whether inputs and figures are the committed ones.
keep() {
	local results=$1 file
	mkdir -p "$(dirname "$results")"
	rm -rf "$results"
	mv "$work/results" "$results"
	echo
	cat "$results/table.txt"
	echo
	! committed "$results" || lab/in python3 -B experiments/lib/same.py "$work/committed" "$results" || true
	echo "Results, figures and manifest: $results ($SECONDS s)"
}

# parse_options NAMES OPTION...: the command line. For each of the NAMES there is an option, which
# sets the variable of that name: to its value if the name ends in =, else to 1. --help is the
# caller's usage().
parse_options() {
	local names=" $1 " option
	shift
	while (($#)); do
		option=${1#--}
		[[ $option != *=* ]] || bad_usage "unknown option $1; see --help"
		if [[ $1 == -h || $1 == --help ]]; then
			usage
			exit 0
		elif [[ $1 == --* && $names == *" $option= "* ]]; then
			(($# > 1)) || bad_usage "$1 needs a value"
			printf -v "$option" %s "$2"
			shift
		elif [[ $1 == --* && $names == *" $option "* ]]; then
			printf -v "$option" 1
		else
			bad_usage "unknown option $1; see --help"
		fi
		shift
	done
}

one_boot_usage() {
	cat <<-END
	usage: experiments/$experiment/run.sh [OPTION...]
	$1

	  --kernel NAME     the lab's kernel: stable or backports (backports)
	  --seed N          fio's and the machine's seed (42)
	  --results DIR     where the results go (experiments/results/$experiment/KERNEL)
	  -h, --help        this text
	END
}

# one_boot WHAT PROGRAM... -- OPTION...: an experiment that is one boot. WHAT is for its usage,
# OPTIONs are the command line's.
one_boot() {
	local what=$1 kernel=backports seed=42 results=''
	local -a programs=()
	shift
	while [[ $1 != -- ]]; do
		programs+=("$1")
		shift
	done
	shift
	usage() { one_boot_usage "$what"; }
	parse_options 'kernel= seed= results=' "$@"
	[[ $seed =~ ^[0-9]+$ ]] || bad_usage "--seed takes a number"
	[[ -n $results ]] || results=experiments/results/$experiment/$kernel
	begin "${programs[@]}"
	foretell "$results"
	boot_guest "$work/$seed" --seed "$seed" -- --seed "$seed" &
	running=($!)
	await_boots
	report "$work/$seed"
	keep "$results"
}
