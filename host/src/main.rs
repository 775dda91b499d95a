//! The `kennel` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    kennel::cli::main()
}
