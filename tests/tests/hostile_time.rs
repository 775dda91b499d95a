//! Attacks on time (rows 1, 2 and 4 of the list of attackers): each ends at its budget, and others do not wait for it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use kennel_tests::{Attacker, Home};

/// What the other tests build on: an attacker that does nothing is an ordinary plugin.
#[test]
fn frame() {
    let home = Home::new("frame");
    home.bytes("evil", &Attacker::new().build());
    home.kennel(["call", "evil", "attack", "{}"]).success().stdout_has("survived");
}
