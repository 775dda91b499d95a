#!/usr/bin/env bash
# The way of last resort to a Rust compiler for wasm32-wasip2: the security suite's rustc-web, with `std` for wasm
# built here from the same suite's source. Slower than wasm-toolchain.sh (about a minute of compiling), but it
# does not depend on a suite that still moves. Needs no root, changes nothing outside the given folder.
#
# usage: wasm-toolchain-fallback.sh PREFIX     prints the path of the compiler, to be used as RUSTC=
# environment: WASM_DEBIAN_SUITE               the suite to take wasi-libc from (default: trixie-backports)
set -euo pipefail

fail() { echo "wasm-toolchain-fallback.sh: $1" >&2; exit 1; }
. "$(dirname "$0")/debian-suite.sh"

PREFIX=$(realpath -m "${1:?usage: $0 PREFIX}")
SUITE=${WASM_DEBIAN_SUITE:-trixie-backports}
TARGET=wasm32-wasip2
RUSTC=$PREFIX/usr/bin/rustc
for tool in apt-get apt-cache dpkg-deb cargo rustc; do
  command -v "$tool" >/dev/null || fail "$tool is not installed; this way needs Debian and Rust"
done

mkdir -p "$(dirname "$PREFIX")"
if command -v flock >/dev/null; then exec 9>"$PREFIX.lock"; flock 9; fi

if [ -e "$PREFIX/.ok" ]; then link_linkers; echo "$RUSTC"; exit 0; fi

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
rm -rf "$PREFIX"
mkdir -p "$PREFIX" "$WORK/debs"

VERSION=$(apt-cache policy rustc-web | sed -n 's/^ *Candidate: //p')
[ -n "$VERSION" ] && [ "$VERSION" != "(none)" ] || fail "apt knows no package rustc-web; run apt-get update, or add the security suite"
LIBSTD=$(apt-cache depends "libstd-rust-web-dev=$VERSION" | sed -n 's/^ *Depends: \(libstd-rust-web-[0-9.]*\)$/\1/p' | head -n1)
LLVM=$(apt-cache depends "$LIBSTD=$VERSION" | sed -n 's/^ *Depends: \(libllvm[0-9]*\)$/\1/p' | head -n1)
(cd "$WORK/debs" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download \
  "rustc-web=$VERSION" "libstd-rust-web-dev=$VERSION" "$LIBSTD=$VERSION" "$LLVM" "rust-web-src=$VERSION")
for deb in "$WORK"/debs/*.deb; do
  case $deb in
    */rust-web-src_*) dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$PREFIX" --wildcards './usr/src/rustc-*/library' './usr/lib/*' ;;
    *) dpkg-deb -x "$deb" "$PREFIX" ;;
  esac
done
rm -rf "$PREFIX"/usr/share

LIBDIR=usr/lib/$(uname -m)-linux-gnu
mkdir -p "$PREFIX/usr/libexec"
for name in rustc rustdoc; do
  mv "$PREFIX/usr/bin/$name" "$PREFIX/usr/libexec/$name"
  cat > "$PREFIX/usr/bin/$name" <<WRAPPER
#!/bin/sh
root=\$(cd "\$(dirname "\$0")/../.." && pwd)
LD_LIBRARY_PATH="\$root/$LIBDIR\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" exec "\$root/usr/libexec/$name" "\$@"
WRAPPER
  chmod +x "$PREFIX/usr/bin/$name"
done
link_linkers

# wasi-libc for wasip2 is only in newer suites; it is data without dependencies.
open_suite
alone wasi-libc
unset APT_CONFIG
dpkg-deb -x "$WORK"/archives/wasi-libc_*.deb "$WORK/wasi"

# Build std once, into the compiler's own tree.
mkdir -p "$WORK/empty/src"
: > "$WORK/empty/src/lib.rs"
printf '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2021"\n' > "$WORK/empty/Cargo.toml"
(cd "$WORK/empty" && env -u CARGO_BUILD_TARGET -u CARGO_ENCODED_RUSTFLAGS RUSTC="$RUSTC" RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes \
  CARGO_TARGET_DIR="$WORK/build" cargo build -q --release -Zbuild-std=std,panic_abort --target "$TARGET")
LIB=$PREFIX/usr/lib/rustlib/$TARGET/lib
mkdir -p "$LIB/self-contained"
rm -f "$WORK/build/$TARGET"/release/deps/libempty-*
cp "$WORK/build/$TARGET"/release/deps/*.rlib "$LIB/"
cp "$WORK/wasi/usr/lib/$TARGET"/{crt1-command.o,crt1-reactor.o,libc.a} "$LIB/self-contained/"

# Proof that compiler, std and linker fit together.
echo 'fn main() { println!("{}", std::env::args().count()) }' | "$RUSTC" -O --target "$TARGET" -o "$WORK/smoke.wasm" -
"$RUSTC" -V >&2
touch "$PREFIX/.ok"
echo "$RUSTC"
