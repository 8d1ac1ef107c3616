# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0

# wanted NAME [PATTERN...]: does NAME match one of the shell PATTERNs, or is there none?
wanted() {
	local pattern
	(($# > 1)) || return 0
	for pattern in "${@:2}"; do
		# shellcheck disable=SC2053 # it is a pattern
		[[ $1 == $pattern ]] && return 0
	done
	return 1
}
