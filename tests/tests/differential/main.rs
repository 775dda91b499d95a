//! Our plugins give the published servers' answers: the same calls go to the published server and to Kennel with our
//! plugin, side by side, and the answers are compared. Nothing is recorded: both sides run now, so a new version of a reference
//! shows at once. A server is a module with what it needs and a table of calls; `server.rs` says what is compared.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod filesystem;
mod git;
mod memory;
mod sequential_thinking;
mod server;
mod sqlite;
mod time;

/// Two tests of each server.
macro_rules! compared {
    ($($name:ident: $server:expr;)*) => {$(
        mod $name {
            #[test]
            fn answers_as_the_reference() {
                crate::server::answers_as_the_reference(&$server);
            }

            #[test]
            fn the_reference_answers_as_itself() {
                crate::server::the_reference_answers_as_itself(&$server);
            }
        }
    )*};
}

mod compared {
    compared! {
        filesystem: crate::filesystem::Filesystem;
        git: crate::git::Git;
        memory: crate::memory::Memory;
        sequential_thinking: crate::sequential_thinking::SequentialThinking;
        sqlite: crate::sqlite::Sqlite;
        time: crate::time::Time;
    }
}
