# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced, after common.sh, by scripts that download Debian packages: from which archive, and how.

# shellcheck disable=SC2034 # for the callers
readonly SUITE=trixie

# The Debian mirror, from UBDX_MIRROR or from the host's own apt configuration.
mirror() {
	local uri
	if [[ -n ${UBDX_MIRROR:-} ]]; then
		echo "${UBDX_MIRROR%/}"
		return
	fi
	# Only the main archive has the origin Debian and a code name without such a suffix.
	# shellcheck disable=SC2016 # for apt to expand
	uri=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(CODENAME)' 'Created-By: Packages' 2>/dev/null |
		awk '$2 == "Debian" && $3 !~ /-(security|backports|updates)$/ { print $1; exit }')
	[[ -n $uri ]] || die "no Debian mirror in apt's lists; run apt-get update, or set UBDX_MIRROR=URI"
	echo "${uri%/}"
}

sources() {
	local uri
	uri=$(mirror) || return
	echo "deb $uri $SUITE main"
	echo "deb $uri $SUITE-updates main"
	echo "deb $uri $SUITE-backports main"
	# Not every mirror has the security archive beside the main one.
	if security_found "$uri-security"; then
		echo "deb $uri-security $SUITE-security main"
	fi
}

security_found() {
	# shellcheck disable=SC2016 # for apt to expand
	apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -qxF "$1/"
}

# unpack_packages VARIANT PACKAGES OPTION...: run mmdebstrap with these packages, and write its tar
# archive to stdout.
unpack_packages() {
	local mode=root list option variant=$1 packages=$2
	local -a proxy=()
	shift 2
	((EUID)) && mode=unshare
	list=$(sources) || return
	# Use the proxies that the host's apt uses.
	while IFS= read -r option; do
		proxy+=(--aptopt="${option%;}")
	done < <(apt-config dump 2>/dev/null | grep -E '^Acquire::https?::Proxy "[^"]')
	mmdebstrap --mode=$mode --variant="$variant" --format=tar --include="$packages" --aptopt='Acquire::Languages "none"' \
		"${proxy[@]}" "$@" "$SUITE" - - <<<"$list"
}
