#!/usr/bin/env bash
# Makes c-balance.wasm from balance.c, and SHA256SUMS, which says what it was made from.
set -euo pipefail
cd "$(dirname "$0")"
object=$(mktemp --suffix .o)
trap 'rm -f "$object"' EXIT

# Only a compiler is needed: no libc, no WASI, so that nothing is left to import.
python3 -m ziglang cc --target=wasm32-freestanding -std=c23 -O2 -Wall -Wextra -Werror -c balance.c -o "$object"

# The linker that comes with Rust's wasm32-unknown-unknown makes a component of objects and a contract.
tools=$(rustc --print target-libdir)/../bin
"$tools/wasm-component-ld" --wasm-ld-path "$tools/gcc-ld/wasm-ld" --no-entry --strip-all \
    --component-type ../../wit/v1/strategy.wit "$object" -o c-balance.wasm

sha256sum balance.c strategy.h build.sh requirements.txt c-balance.wasm | tee SHA256SUMS
