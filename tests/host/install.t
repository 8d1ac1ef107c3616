#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# `make all`, `make install`, `make uninstall`: the right files are in the right places, installing
# only copies, and a program can be built with the library. This runs in the lab, below /tmp.

set -euo pipefail
cd "$(dirname "$0")/../.."

if [[ ${1:-} != --inside ]]; then
	exec lab/in tests/host/install.t --inside
fi

. tests/tap.sh

dest=/tmp/dest abi=$(sed -n 's/^abi=//p' /lab/kernels/stable)
modules=$(sed -n 's/^modules=//p' /lab/kernels/stable)

# made TARGET ARGS...: run make as a user of this machine would.
made() { make "$1" PREFIX=/usr KDIR="/usr/lib/modules/$abi/build" BTF="$modules/build/vmlinux" "${@:2}"; }
tree() { find . -type f -exec sha256sum {} + | sort -k 2; }
refuses() { ! made "$1" "${@:3}" >/tmp/out 2>&1 && grep -q "^$1: nothing is built; run $2" /tmp/out; }

# Build in a copy, because the caller's source tree must stay as it is.
mkdir /tmp/tree
cp -r /src/{Makefile,LICENSES,driver,ebpf,userspace,strategies} /tmp/tree
cd /tmp/tree
ok "without a build, make install says what to do" refuses install "make all" DESTDIR=$dest
ok "   and so does make dkms" refuses dkms "make tools" DKMS_SOURCES=/tmp/sources
by_itself() { ! make -C userspace install O=/tmp/none DESTDIR="$dest" >/tmp/out 2>&1 && grep -q "is missing; build it first" /tmp/out; }
ok "   and so does make -C userspace install" by_itself
ok "   and they leave nothing behind" test ! -e /tmp/none -a ! -e $dest -a ! -e /tmp/sources
ok "make all" made all
made tools --always-make --dry-run >/tmp/out
is "$(grep -c -e -Wall /tmp/out | grep -vx 0 >/dev/null && echo some) $(grep -c -e -Werror /tmp/out)" "some 0" \
	"a new compiler's warning doesn't fail the build"
tree >/tmp/before
ok "make install" made install DESTDIR=$dest
tree | cmp -s /tmp/before - && status=same || status=changed
is "$status" same "   builds nothing, and leaves the tree as it was"
# the kernel's build may compress the module
module=$(echo $dest/lib/modules/"$abi"/updates/ubdx.ko*)
ok "the module is where modules of that kernel are" test -s "$module"
ok "   and is for it" test "$(modinfo -F vermagic "$module" | cut -d' ' -f1)" = "$abi"
ok "the command runs" "$dest/usr/sbin/ubdx" --version
is "$("$dest/usr/sbin/ubdx-trace" --version)" "ubdx-trace $(sed -n 's/^VERSION := //p' Makefile)" "ubdx-trace is there, of the same version"
is "$("$dest/usr/sbin/ubdx-resolver" --version)" "ubdx-resolver $(sed -n 's/^VERSION := //p' Makefile)" "ubdx-resolver is there, of the same version"
is "$("$dest/usr/sbin/ubdx" --version)" "ubdx $(sed -n 's/^VERSION := //p' Makefile)" "   as the command"
ok "udev's rules are there" test -s $dest/usr/lib/udev/rules.d/60-ubdx.rules
ok "the manual page is there" test -s $dest/usr/share/man/man8/ubdx.8

# Every licence that a source names has its text.
mapfile -t licences < <(grep -rhoP 'SPDX-License-Identifier: \K.*' driver ebpf userspace strategies | tr -d '()*/' |
	sed 's/ \(OR\|AND\|WITH\) /\n/g' | sed 's/ *$//' | sort -u)
is "$((${#licences[@]} >= 4))" 1 "the sources name their licences"
for licence in "${licences[@]}"; do
	ok "   the text of $licence is there" test -s "$dest/usr/share/doc/ubdx/LICENSES/$licence.txt"
done

# Install without DESTDIR, with another program in place of ldconfig.
printf '#!/bin/sh\necho >>/tmp/ldconfig-runs\n' >/tmp/ldconfig
chmod +x /tmp/ldconfig
only_tools() { make -C userspace "$1" O="$PWD/build/install/userspace" LDCONFIG=/tmp/ldconfig "${@:2}"; }
ok "with DESTDIR" only_tools install DESTDIR=/tmp/other PREFIX=/usr
ok "   ldconfig is not run" test ! -e /tmp/ldconfig-runs
ok "without DESTDIR" only_tools install PREFIX=/tmp/usr
ok "   ldconfig is run" test -e /tmp/ldconfig-runs
ok "a LIBDIR of its own" only_tools install DESTDIR=/tmp/other PREFIX=/usr LIBDIR=/usr/lib/multi
ok "   has the library" test -e /tmp/other/usr/lib/multi/libubdx.so.0
ok "   and pkg-config names that folder" grep -qx libdir=/usr/lib/multi /tmp/other/usr/lib/multi/pkgconfig/ubdx.pc

cat >program.c <<'END'
#include <libubdx.h>
#include <stdio.h>

int main(void)
{
	puts(ubdx_lib_version());
	return 0;
}
END
export PKG_CONFIG_PATH=$dest/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$dest
# shellcheck disable=SC2046 # several words
ok "a program builds against the shared library" gcc -o shared program.c $(pkg-config --cflags --libs ubdx)
ok "   and runs with it" env LD_LIBRARY_PATH=$dest/usr/lib ./shared
ok "   which is the shared one" grep -q 'libubdx.so.0' shared
# shellcheck disable=SC2046
ok "it builds against the static one" gcc -o static program.c $(pkg-config --cflags ubdx) $dest/usr/lib/libubdx.a \
	$(PKG_CONFIG_SYSROOT_DIR='' pkg-config --libs-only-l --static ubdx | sed 's/-lubdx//')
ok "   and runs by itself" ./static

ok "make uninstall" made uninstall DESTDIR=$dest
# modules.* stay: depmod's files and the kernel's own list
is "$(find $dest ! -type d ! -name 'modules.*')" "" "   leaves no file"
finish
