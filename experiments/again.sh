#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Makes the results again from the raw data that is kept beside them, and boots nothing. See usage()
# below. manifest.json stays as it is: it says how the raw data was measured.

set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
	cat <<-'END'
	usage: experiments/again.sh [--into DIR] [FOLDER...]
	Make results.json, tables and figures again from raw/ in each FOLDER (default: all in experiments/results).

	  --into DIR    write to DIR/EXPERIMENT/KERNEL and leave experiments/results alone
	  -h, --help    this text
	END
}

# reporter RESULTS: the experiment whose report.py makes these results.
reporter() { [[ $1 == @(untouched|forwarded|resolvers) ]] && echo compare || echo "$1"; }

again() {
	local folder=$1 out=${2:-$1} name raw
	local -a raws=()
	name=$(basename "$(dirname "$folder")")
	for raw in "$folder"/raw/*.tar.xz; do
		raws+=("$work/$name/$(basename "$raw" .tar.xz)")
		mkdir -p "${raws[-1]}"
		lab/in tar -xf "$raw" -C "${raws[-1]}"
	done
	((${#raws[@]})) || { echo "again: $folder has no raw data" >&2; return 1; }
	mkdir -p "$out"
	lab/in python3 -B "experiments/$(reporter "$name")/report.py" --out "$work/out" "${raws[@]}"
	rm "$work/out/manifest.json"
	cp "$work/out"/* "$out"
	rm -r "$work/out"
}

into=''
while (($#)); do
	case $1 in
	--into) into=${2:?--into needs a folder}; shift ;;
	-h | --help) usage; exit 0 ;;
	-*) echo "again: unknown option $1; see --help" >&2; exit 2 ;;
	*) break ;;
	esac
	shift
done
((${#})) || set -- experiments/results/*/*
mkdir -p build
work=$(mktemp -d build/again.XXXXXX)
trap 'rm -rf "$work"' EXIT
for folder; do
	folder=${folder%/}
	again "$folder" "${into:+$into/${folder#experiments/results/}}"
done
