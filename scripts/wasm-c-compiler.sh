#!/usr/bin/env bash
# A C compiler for wasm32-wasip2, for plugins that have C in them (SQLite): clang and WASI's headers of a newer Debian
# suite, unpacked (not installed) into a folder. Needs no root, changes nothing outside that folder. It compiles only:
# the linker and WASI's libc are those of the Rust compiler.
#
# usage: wasm-c-compiler.sh PREFIX    prints the path of the compiler, to be used as CC_wasm32_wasip2=
# environment: WASM_DEBIAN_SUITE      the suite to take it from (default: forky)
set -euo pipefail

fail() { echo "wasm-c-compiler.sh: $1" >&2; exit 1; }
. "$(dirname "$0")/debian-suite.sh"

PREFIX=$(realpath -m "${1:?usage: $0 PREFIX}")
SUITE=${WASM_DEBIAN_SUITE:-forky}
CC=$PREFIX/usr/bin/clang
for tool in apt-get dpkg-deb; do
  command -v "$tool" >/dev/null || fail "$tool is not installed; this way needs Debian (set CC_wasm32_wasip2 to a clang of your own, for example the WASI SDK's)"
done

# One at a time: two set-ups at once would unpack over each other.
mkdir -p "$(dirname "$PREFIX")"
if command -v flock >/dev/null; then exec 9>"$PREFIX.lock"; flock 9; fi
if [ -e "$PREFIX/.ok" ]; then echo "$CC"; exit 0; fi

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
open_suite
# The newest clang of the suite that has a back end for wasm.
VERSION=$(apt-cache pkgnames libclang-rt- | sed -n 's/^libclang-rt-\([0-9]*\)-dev-wasm32$/\1/p' | sort -n | tail -n1)
[ -n "$VERSION" ] || fail "Debian $SUITE has no clang for wasm; set WASM_DEBIAN_SUITE to another suite"
# clang itself is fetched alone, because it would pull a whole gcc; its library brings LLVM and libc.
with_dependencies "libclang-cpp$VERSION" wasi-libc
alone "clang-$VERSION" "libclang-common-$VERSION-dev"
unpack "$PREFIX"

rm -f "$PREFIX"/usr/bin/*
wrap "$PREFIX" clang "usr/lib/llvm-$VERSION/bin/clang" --target=wasm32-wasip2 '"--sysroot=$root/usr"' \
  "\"-resource-dir=\$root/usr/lib/llvm-$VERSION/lib/clang/$VERSION\""

# Proof that compiler and headers fit together.
printf '#include <stdio.h>\n#include <stdint.h>\nint main(void) { return printf("%%d", (int)sizeof(intptr_t)); }\n' > "$WORK/smoke.c"
"$CC" -O2 -c "$WORK/smoke.c" -o "$WORK/smoke.o"
"$CC" --version | head -n1 >&2
touch "$PREFIX/.ok"
echo "$CC"
