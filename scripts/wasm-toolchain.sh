#!/usr/bin/env bash
# A Rust compiler for wasm32-wasip2 where `rustup target add wasm32-wasip2` cannot be had: the rustc and the
# prebuilt wasm std of a newer Debian suite, unpacked (not installed) into a folder. Needs no root, changes
# nothing outside that folder.
#
# usage: wasm-toolchain.sh PREFIX     prints the path of the compiler, to be used as RUSTC=
# environment: WASM_DEBIAN_SUITE      the suite to take it from (default: forky)
set -euo pipefail

fail() { echo "wasm-toolchain.sh: $1" >&2; exit 1; }
. "$(dirname "$0")/debian-suite.sh"

PREFIX=$(realpath -m "${1:?usage: $0 PREFIX}")
SUITE=${WASM_DEBIAN_SUITE:-forky}
RUSTC=$PREFIX/usr/bin/rustc
for tool in apt-get dpkg-deb rustc; do
  command -v "$tool" >/dev/null || fail "$tool is not installed; this way needs Debian and Rust (KENNEL_WASM_TOOLCHAIN=rustup uses rustup instead)"
done

# One at a time: two set-ups at once would unpack over each other.
mkdir -p "$(dirname "$PREFIX")"
if command -v flock >/dev/null; then exec 9>"$PREFIX.lock"; flock 9; fi

if [ -e "$PREFIX/.ok" ]; then link_linkers; echo "$RUSTC"; exit 0; fi

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
open_suite
# libstd-rust-dev pulls the compiler's own libraries (driver, LLVM, libc); rustc itself is fetched alone,
# because it would pull a whole C compiler.
with_dependencies libstd-rust-dev libstd-rust-dev-wasm32
alone rustc
unpack "$PREFIX"

mkdir -p "$PREFIX/usr/libexec"
for name in rustc rustdoc; do
  mv "$PREFIX/usr/bin/$name" "$PREFIX/usr/libexec/$name"
  wrap "$PREFIX" "$name" "usr/libexec/$name"
done
link_linkers

# Proof that compiler, std and linker fit together.
echo 'fn main() { println!("{}", std::env::args().count()) }' | "$RUSTC" -O --target wasm32-wasip2 -o "$WORK/smoke.wasm" -
"$RUSTC" -V >&2
touch "$PREFIX/.ok"
echo "$RUSTC"
