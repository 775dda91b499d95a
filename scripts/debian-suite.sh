# Sourced by the scripts that take a compiler from a newer Debian suite: points apt at that suite, with lists and
# caches of its own, so that packages are downloaded and unpacked without root and nothing is installed.
# Needs: fail, WORK (an empty folder that the caller removes), SUITE; PREFIX and RUSTC for the linkers. Must not touch apt's own lists and caches.
# shellcheck shell=bash

# Exports APT_CONFIG; packages come to "$WORK/archives".
open_suite() {
  mkdir -p "$WORK"/{lists,archives}/partial "$WORK/parts"
  local mirror
  # The Debian mirror that this machine already uses, at another suite.
  . /etc/os-release
  mirror=$(apt-get update --print-uris | sed -n "s|^'\\(.*\\)/dists/${VERSION_CODENAME:-none}/InRelease'.*|\\1|p" | head -n1)
  [ -n "$mirror" ] || fail "apt has no source for Debian ${VERSION_CODENAME:-(unknown)} configured"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $SUITE main" > "$WORK/sources.list"
  : > "$WORK/status"
  cat > "$WORK/apt.conf" <<CONF
Dir::Etc::sourcelist "$WORK/sources.list";
Dir::Etc::sourceparts "$WORK/parts";
Dir::State::lists "$WORK/lists";
Dir::State::status "$WORK/status";
Dir::State::extended_states "$WORK/extended_states";
Dir::Cache::archives "$WORK/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Log "$WORK";
APT::Sandbox::User "$(id -un)";
APT::Get::List-Cleanup "0";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Debug::NoLocking "1";
CONF
  export APT_CONFIG=$WORK/apt.conf
  apt-get -qq update
}

# with_dependencies PACKAGE…: downloads them and what they need.
with_dependencies() { apt-get -qq -y --no-install-recommends -d install "$@"; }

# alone PACKAGE…: downloads these and nothing that they need.
alone() { (cd "$WORK/archives" && apt-get -qq download "$@"); }

# unpack PREFIX: puts everything that was downloaded there, in the place of what was there.
unpack() {
  unset APT_CONFIG
  rm -rf "$1"
  mkdir -p "$1"
  local deb
  for deb in "$WORK"/archives/*.deb; do dpkg-deb -x "$deb" "$1"; done
  rm -rf "$1"/usr/share "$1"/etc "$1"/var
}

# wrap PREFIX NAME PROGRAM [ARGUMENT…]: PREFIX/usr/bin/NAME runs PREFIX/PROGRAM with the libc it was built for.
# It finds its folder by itself, so the tree may move; ARGUMENTs may speak of it as $root.
wrap() {
  local prefix=$1 name=$2 program=$3 libdir loader
  shift 3
  libdir=usr/lib/$(uname -m)-linux-gnu
  loader=$(basename "$(ls "$prefix/$libdir"/ld-linux-*)")
  cat > "$prefix/usr/bin/$name.new" <<WRAPPER
#!/bin/sh
root=\$(cd "\$(dirname "\$0")/../.." && pwd)
exec "\$root/$libdir/$loader" --library-path "\$root/$libdir" "\$root/$program" $* "\$@"
WRAPPER
  chmod +x "$prefix/usr/bin/$name.new"
  mv "$prefix/usr/bin/$name.new" "$prefix/usr/bin/$name"
}

# Puts the linkers of the toolchain in use, which may have changed since the unpacking, beside the compiler $RUSTC in
# $PREFIX.
link_linkers() {
  local host bin name
  host=$("$RUSTC" -vV | sed -n 's/^host: //p')
  bin=$(env -u RUSTC rustc --print sysroot)/lib/rustlib/$host/bin
  [ -x "$bin/wasm-component-ld" ] || fail "$bin has no wasm-component-ld; install Rust with rustup"
  mkdir -p "$PREFIX/usr/lib/rustlib/$host/bin"
  for name in rust-lld wasm-component-ld gcc-ld; do ln -sfn "$bin/$name" "$PREFIX/usr/lib/rustlib/$host/bin/$name"; done
}
