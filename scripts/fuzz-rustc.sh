#!/bin/sh
# Cargo's compiler for `cargo xtask fuzz`: the code that the fuzz targets look into is compiled so that libFuzzer sees
# which edges ran and what was compared; everything else as usual, or it would take hours and tell nothing.
# Only crates that no macro is made of, or the compiler could not load the macro.
# The flags are those of cargo-fuzz, all of them of the stable compiler.
compiler=$1
shift
case " $* " in
# Places in the code are then addresses in the file, which the report of coverage reads.
*" --crate-name fuzz_"*) set -- "$@" -Crelocation-model=static ;;
esac
case " $* " in
*" --crate-name kennel "* | *" --crate-name rmcp "* | *" --crate-name fuzz_"*)
    exec "$compiler" "$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
        -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1
    ;;
*) exec "$compiler" "$@" ;;
esac
