# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sets and checks the queue limits that all devices under test must have (sourced in the guest).
# limits.tsv lists them.

# limit_of DEV ATTRIBUTE: print a limit of the device, in the form that limits.tsv uses.
limit_of() {
	local dev=$1 attribute=$2 value=
	case $attribute in
	hw_queues) set -- "/sys/block/$dev/mq"/*; echo $#; return ;;
	esac
	[[ -e /sys/block/$dev/queue/$attribute ]] || { echo absent; return; }
	read -r value <"/sys/block/$dev/queue/$attribute" || true
	# The file lists all schedulers, with the chosen one in brackets.
	[[ $attribute != scheduler || $value != *"["* ]] || { value=${value#*[}; value=${value%%]*}; }
	echo "$value"
}

set_limit() {
	local file=/sys/block/$1/queue/$2
	[[ ! -w $file || $(limit_of "$1" "$2") == "$3" ]] || echo "$3" >"$file" 2>/dev/null || true
}

# equal_limits TABLE ROW KIND DEV RECORD: set the limits of DEV, read all of them back into RECORD
# (row, attribute, value, verdict), and print a line for each that differs from TABLE without an
# exception there. Fails if any does.
equal_limits() {
	local table=$1 row=$2 kind=$3 dev=$4 record=$5
	local how attribute want found verdict failed=0 e_kind e_attribute e_value
	local -A excepted=()
	while IFS=$'\t' read -r how e_kind e_attribute e_value _; do
		[[ $how != except || $e_kind != "$kind" ]] || excepted[$e_attribute]=$e_value
	done <"$table"
	while IFS=$'\t' read -r how attribute want; do
		[[ $how == set || $how == given ]] || continue
		[[ $how == given ]] || set_limit "$dev" "$attribute" "$want"
		found=$(limit_of "$dev" "$attribute")
		verdict=same
		if [[ $found != "$want" ]]; then
			verdict=excepted
			if [[ $found != "${excepted[$attribute]-}" ]]; then
				verdict=unequal
				failed=1
				echo "compare: $row: $attribute of $dev is $found, all other devices have $want" >&2
			fi
		fi
		printf '%s\t%s\t%s\t%s\n' "$row" "$attribute" "$found" "$verdict" >>"$record"
	done <"$table"
	return $failed
}
