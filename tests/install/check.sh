#!/usr/bin/env bash
# check.sh BUILD: installs a build into a temporary folder and uses it from there as a guest would: by find_package and
# by pkg-config, shared and static, from C99 and C++; looks at the headers and at the symbols; runs every program that
# it built.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix="$work/an installed tree"
strict=(-Wall -Wextra -Wpedantic -Werror)

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}
step() { printf -- '-- %s\n' "$*"; }

step "Install"
cmake --install "$1" --prefix "$prefix" >/dev/null
library=$(find "$prefix" -name libcliv.so)
archive=$(find "$prefix" -name libcliv.a)
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name cliv.pc)")
LD_LIBRARY_PATH=$(dirname "$library")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export PKG_CONFIG_PATH LD_LIBRARY_PATH
"$prefix/bin/cliv" --version

step "Headers: complete, each alone, C99 and C++"
for header in "$prefix"/include/cliv/*.h; do
  name=${header##*/}
  [[ $name == cliv.h ]] || grep -q "#include <cliv/$name>" "$prefix/include/cliv/cliv.h" ||
    fail "cliv/cliv.h does not include cliv/$name."
  printf '#include <cliv/%s>\n#include <cliv/%s>\n' "$name" "$name" >"$work/one.c"
  cc -std=c99 "${strict[@]}" -I"$prefix/include" -fsyntax-only "$work/one.c"
  c++ -x c++ -std=c++11 "${strict[@]}" -I"$prefix/include" -fsyntax-only "$work/one.c"
done

step "Symbols: the shared library shows cliv_*, the archive nothing without the prefix"
stranger=$(nm -D --defined-only "$library" | awk '{print $NF}' | grep -Ev '^cliv_[a-z0-9]' || true)
[[ -z $stranger ]] || fail "libcliv.so exports what is not its interface:" "$stranger"
# Weak names of std are instances that every program of C++ has, and shares.
stranger=$(nm --defined-only --extern-only "$archive" | awk 'NF == 3 {print $2, $3}' |
  grep -Ev '^([A-Z] cliv_|[WV] (_Z[A-Z]*St|DW\.ref\._))' || true)
[[ -z $stranger ]] || fail "libcliv.a defines global names without the prefix:" "$stranger"
# What the headers declare is there.
sed -n 's/^CLIV_API.*[ *]\(cliv_[a-z0-9_]*\)(.*/\1/p' "$prefix"/include/cliv/*.h | sort -u >"$work/declared"
nm -D --defined-only "$library" | awk '{print $NF}' | sort >"$work/exported"
[[ -s $work/declared ]] || fail "No declarations found in the headers."
stranger=$(comm -23 "$work/declared" "$work/exported")
[[ -z $stranger ]] || fail "Declared in a header, but not in libcliv.so:" "$stranger"
stranger=$(comm -13 "$work/declared" "$work/exported")
[[ -z $stranger ]] || fail "Exported by libcliv.so, but declared in no header:" "$stranger"

step "pkg-config"
[[ $(pkg-config --modversion cliv) == "$("$prefix/bin/cliv" --version | awk '{print $2}')" ]] ||
  fail "cliv.pc and cliv --version differ."
# The prefix holds spaces, which pkg-config escapes for a shell.
flags=() static_flags=()
eval "flags=($(pkg-config --cflags --libs cliv))"
eval "static_flags=($(pkg-config --static --cflags --libs cliv))"
for i in "${!static_flags[@]}"; do
  [[ ${static_flags[i]} == -lcliv ]] && static_flags[i]=$archive
done
cc -std=c99 "${strict[@]}" "$here/guest.c" -o "$work/guest-c" "${flags[@]}"
c++ -x c++ -std=c++11 "${strict[@]}" "$here/guest.c" -x none -o "$work/guest-cpp" "${flags[@]}"
cc -std=c99 "${strict[@]}" "$here/guest.c" -o "$work/guest-c-static" "${static_flags[@]}"
c++ -x c++ -std=c++11 "${strict[@]}" "$here/guest.c" -x none -o "$work/guest-cpp-static" "${static_flags[@]}"

step "find_package"
cmake -S "$here" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
cmake --build "$work/cmake" >/dev/null

step "Run"
for program in "$work"/guest-c* "$work"/cmake/guest_c*; do
  [[ -f $program && -x $program ]] || continue
  linked=$(readelf -d "$program" | grep -c 'NEEDED.*libcliv\.so\.0' || true)
  [[ $program == *static* ]] && wanted=0 || wanted=1
  ((linked == wanted)) || fail "${program##*/} is linked with the wrong kind of library."
  printf '%s: ' "${program##*/}"
  "$program"
done

step "The examples"
for example in "$source"/examples/*.c; do
  cc -std=c99 "${strict[@]}" "$example" -o "$work/example" "${flags[@]}" -lm
  (cd "$source" && "$work/example") # where its data are
done
