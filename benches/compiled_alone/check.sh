#!/bin/sh
# The tests of src/nn/compiled, which hold all unsafe code of eddyscope, under tools that see what tests cannot.
#
#   sh check.sh address    address sanitizer: memory, with the best kernels of this processor
#   sh check.sh valgrind   memcheck: memory and values never written; it knows AVX2, not AVX-512
#   sh check.sh arm        the NEON kernels in an emulator; needs Rust's std for aarch64-unknown-linux-gnu,
#                          aarch64-linux-gnu-gcc and qemu-aarch64-static
#
# What these tools take for one block, the arena of a plan, is checked step by step by src/nn/compiled/check.rs.
set -eu
cd "$(dirname "$0")"
host=x86_64-unknown-linux-gnu
export RUST_BACKTRACE=0
case "${1:-}" in
address)
    # Sanitizers are an unstable option; the installed compiler has them. (The thread sanitizer too, but it takes the
    # standard library and rayon, which it has not built, for races.)
    export RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address" CARGO_TARGET_DIR="target/address"
    exec cargo test --target $host nn::
    ;;
valgrind)
    export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="valgrind --quiet --error-exitcode=1"
    exec cargo test --target $host nn::
    ;;
arm)
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64-static -L /usr/aarch64-linux-gnu"
    exec cargo test --target aarch64-unknown-linux-gnu nn::
    ;;
*)
    sed -n "2,/^# What/p" "$(basename "$0")"
    exit 2
    ;;
esac
