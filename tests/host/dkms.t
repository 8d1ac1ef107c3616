#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# `make dkms`: DKMS builds and installs the module for both kernels, and can remove it. This runs in
# the lab, below /tmp.

set -euo pipefail
cd "$(dirname "$0")/../.."

if [[ ${1:-} != --inside ]]; then
	# DKMS demands to be root. It writes only below /tmp here.
	exec lab/in unshare --map-root-user tests/host/dkms.t --inside
fi

. tests/tap.sh

cp -r /src/{Makefile,LICENSES,driver,ebpf,userspace,strategies} /tmp
cd /tmp
mkdir sources tree modules
ok "make tools" make tools PREFIX=/tmp/usr BTF=/none
for kernel in stable backports; do
	abi=$(sed -n 's/^abi=//p' "/lab/kernels/$kernel")
	mkdir "modules/$abi"
	ln -s "/usr/lib/modules/$abi/build" "modules/$abi"
	options="-k $abi --sourcetree /tmp/sources --dkmstree /tmp/tree --installtree /tmp/modules --no-depmod"
	ok "make dkms, $kernel" make dkms PREFIX=/tmp/usr DKMS_SOURCES=/tmp/sources DKMS_OPTIONS="$options"
	module=$(echo "modules/$abi"/updates/dkms/ubdx.ko*)
	ok "   the module is there" test -s "$module"
	ok "   and is for that kernel" test "$(modinfo -F vermagic "$module" | cut -d' ' -f1)" = "$abi"
done
version=$(sed -n 's/^VERSION := //p' Makefile)
ok "dkms knows it" bash -c "dkms status --sourcetree /tmp/sources --dkmstree /tmp/tree --installtree /tmp/modules | grep -c 'ubdx/$version.*installed' | grep -qx 2"
ok "the command is there" usr/sbin/ubdx --version
ok "dkms remove" dkms remove "ubdx/$version" --all --sourcetree /tmp/sources --dkmstree /tmp/tree --installtree /tmp/modules --no-depmod
ok "   takes it away" test -z "$(find modules -name 'ubdx.ko*')"
finish
