# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154 # the caller's options
#
# Functions that the experiments' run.sh share: parse_options, begin, foretell, boot_guest,
# await_boots, report and keep, called in this order. one_boot calls all of them, for an experiment
# with one boot and no options of its own; any other caller sets $kernel itself. A run.sh sources
# this file on the host, at the top of the tree, with the experiment's name as argument. All files of
# a run are in $work until the run is complete.

experiment=$1
work='' running=()

die() { echo "$experiment: $*" >&2; exit 1; }
bad_usage() { echo "$experiment: $*" >&2; exit 2; }

# begin PROGRAM...: make $work, with the folder that becomes the guest's /ubdx: the module, the
# PROGRAMs, and the experiment.
begin() {
	local program
	for program; do
		[[ -x build/guest-$kernel/bin/$program ]] || die "build/guest-$kernel/bin/$program is not there; make guest KERNEL=$kernel"
	done
	work=$(mktemp -d "build/$experiment.XXXXXX")
	trap 'end_boots; rm -rf "$work"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	# The guest's image influences the figures: its size alone moves them by a tenth of a per
	# cent. So the guest gets only what this experiment needs.
	mkdir -p "$work/payload"/{bin,experiments}
	cp "build/guest-$kernel/ubdx.ko" "$work/payload"
	cp "${@/#/build/guest-$kernel/bin/}" "$work/payload/bin"
	cp -r "build/guest-$kernel/experiments"/{lib,"$experiment"} "$work/payload/experiments"
}

# boot_guest OUT OPTION... -- ARGUMENT...: run the experiment's guest.sh with the ARGUMENTs on the
# counting clock; the files that guest.sh leaves come to OUT. OPTIONs are those of lab/vm.
# boot_guest replaces the shell, so call it in the background and add its process to $running.
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

# await_boots [N]: wait until at most N (0) of the boots whose processes are in $running still run.
# When a boot fails, end the others, keep all files in build/EXPERIMENT.failed, which may show why
# it failed, and exit.
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
	echo "$experiment: the run failed; its files are in build/$experiment.failed" >&2
	exit "$status"
}

end_boots() {
	((${#running[@]} == 0)) || kill "${running[@]}" 2>/dev/null || true
	wait
	running=()
}

# The revision of the sources, as options of report.py. Changed results don't make it dirty, because
# each run changes them.
source_state() {
	local revision
	revision=$(git rev-parse HEAD 2>/dev/null) || { echo --revision unknown; return; }
	echo "--revision $revision"
	[[ -z $(git status --porcelain -- . ':!experiments/results') ]] || echo --dirty
}

# report RAW...: make the results from the raw data, and keep the raw data beside them.
report() {
	local raw
	local -a state
	read -r -d '' -a state < <(source_state) || true
	lab/in python3 -B "experiments/$experiment/report.py" --out "$work/results" "${state[@]}" "$@"
	for raw; do
		lab/in experiments/lib/pack.sh "$raw" "$work/results/raw/${raw##*/}.tar.xz"
	done
}

# committed FOLDER: copy the folder's results and manifest, as committed, to $work/committed. Fails
# if there are none.
committed() {
	local file
	mkdir -p "$work/committed"
	for file in results.json manifest.json; do
		git show "HEAD:$1/$file" >"$work/committed/$file" 2>/dev/null || return
	done
}

# foretell FOLDER: say before the run whether its figures can be the same as the committed ones.
foretell() {
	! committed "$1" || lab/in python3 -B experiments/lib/same.py --before "$work/committed" || true
}

# keep FOLDER: replace FOLDER with the new results, and say whether inputs and figures are the same
# as the committed ones.
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

# parse_options NAMES OPTION...: parse the command line. Each of the NAMES is an option that sets
# the variable of the same name: to the option's value if the name ends in =, else to 1. --help
# calls the caller's usage().
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
	  --seed N          seed of fio and of the machine (42)
	  --results DIR     write the results to DIR (experiments/results/$experiment/KERNEL)
	  -h, --help        this text
	END
}

# one_boot WHAT PROGRAM... -- OPTION...: run an experiment that has one boot. WHAT is a sentence for
# --help; OPTIONs are the command line.
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
