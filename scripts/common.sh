# Shared by scripts/run and scripts/test: packages, the build. Sourced, after `set -euo pipefail`. Sets root and build.
# shellcheck shell=bash disable=SC2034
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build

say() { printf '%s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

# package, or package:command where any provider of the command will do
build_packages=(gcc:cc g++:c++ libc6-dev cmake:cmake ninja-build:ninja pkg-config:pkg-config ocl-icd-opencl-dev
  libclblast-dev libclfft-dev libjansson-dev libxxhash-dev libpopt-dev)
driver_packages=(pocl-opencl-icd)
test_packages=(clang-15 clang-format-14 libcmocka-dev libfftw3-dev libopenblas-dev mesa-opencl-icd oclgrind
  valgrind libc6-dbg shellcheck python3-venv ca-certificates)

# Prints those of the given packages that are not there.
missing_packages() {
  local entry installed=" "
  if command -v dpkg-query >/dev/null; then
    installed=" $(dpkg-query -W -f '${db:Status-Status}=${Package} ' "${@%%:*}" 2>/dev/null || true) "
  fi
  for entry in "$@"; do
    [[ $installed == *" installed=${entry%%:*} "* ]] && continue
    [[ $entry == *:* ]] && command -v "${entry#*:}" >/dev/null && continue
    printf '%s\n' "${entry%%:*}"
  done
}

# Runs a command with its output in build/NAME.log, which is shown when the command fails.
logged() {
  local log=$build/$1.log
  mkdir -p "$build"
  "${@:2}" >"$log" 2>&1 || {
    tail -n 40 "$log" >&2
    die "Failed: ${*:2} (all of its output: $log)"
  }
}

# Installs what is missing of the given packages. Neither root nor sudo is needed when nothing is.
install_packages() {
  local missing as_root=()
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  command -v apt-get >/dev/null ||
    die "Missing: ${missing[*]} (Debian's names). This is no Debian system: install their counterparts, then run this" \
      "again."
  if ((EUID)); then
    command -v sudo >/dev/null ||
      die "Missing packages: ${missing[*]}. Run as root: apt-get install --no-install-recommends ${missing[*]}"
    as_root=(sudo)
  fi
  say "Installing ${missing[*]}"
  logged apt-update ${as_root[@]+"${as_root[@]}"} apt-get update
  logged apt-install ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-remove \
    --no-install-recommends -o DPkg::Lock::Timeout=600 "${missing[@]}"
}

# configure PRESET ARGUMENTS…: runs CMake in build/PRESET unless it was configured there with the same arguments before.
# With others, or in a tree that was moved or copied, it starts anew: what CMake keeps of the old arguments would stay
# in force.
configure() {
  local dir=$build/$1 wanted
  wanted=$(printf '%s\n' "$root" "${@:2}")
  [[ -f $dir/build.ninja && -f $dir/configured && $(<"$dir/configured") == "$wanted" ]] && return 0
  rm -rf "$dir/configured" "$dir/CMakeCache.txt" "$dir/CMakeFiles"
  say "Configuring build/$1"
  mkdir -p "$dir"
  logged "$1-configure" cmake -S "$root" --preset "$1" "${@:2}"
  printf '%s\n' "$wanted" >"$dir/configured"
}

# compile DIR TARGETS…: builds what has changed.
compile() {
  local dir=$build/$1
  [[ -f $dir/.ninja_log ]] || say "Building build/$1"
  logged "$1-build" ninja -C "$dir" "${@:2}"
}
