//! The protocol over pipes, against a small catalog of native functions: what every message is answered with,
//! what overtakes what, and when it is over. Plugins are not part of this; the end-to-end tests have them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::needless_pass_by_value,
    unreachable_pub,
    missing_docs
)]

mod catalog;
mod client;
mod ending;
mod eras;
mod flow;
