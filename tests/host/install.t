#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# `make install`: what it puts where, and that a program can be built against it. In the lab, below DESTDIR.

set -euo pipefail
cd "$(dirname "$0")/../.."

if [[ ${1:-} != --inside ]]; then
	exec lab/in tests/host/install.t --inside
fi

. tests/tap.sh

dest=/tmp/dest abi=$(sed -n 's/^abi=//p' /lab/kernels/stable)

# The tree is the caller's, and stays as it was.
cp -r /src/{Makefile,driver,userspace,strategies} /tmp
cd /tmp
ok "make install" make install DESTDIR=$dest PREFIX=/usr KDIR="/usr/lib/modules/$abi/build"
# the kernel's build may compress it
module=$(echo $dest/lib/modules/"$abi"/updates/ubdx.ko*)
ok "the module is where modules of that kernel are" test -s "$module"
ok "   and is for it" test "$(modinfo -F vermagic "$module" | cut -d' ' -f1)" = "$abi"
ok "the command runs" "$dest/usr/sbin/ubdx" --version
ok "the manual page is there" test -s $dest/usr/share/man/man8/ubdx.8

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
finish
