//! A plugin that tries what a test tells it to, with WASI's own functions so that nothing on this side
//! tidies an attack up, and says what the host let it do.
//! It must not decide whether an attack failed: the test outside does.

mod files;
mod inside;
mod mixed;
mod network;
mod secrets;

use kennel_sdk::prelude::*;

plugin! {
    tools: [
        files::files, files::swapped, files::ordinary, network::web, network::socket, network::lookup,
        network::dial, network::datagram, network::listen, network::hoard, network::pour, network::hammer,
        inside::surroundings, inside::print, inside::remember, inside::keep, inside::end,
        inside::lamb, inside::wolf, inside::order,
        secrets::hunt, secrets::tell,
        mixed::mixed,
    ],
    asks: {
        directories: { mode: "read-write", why: "attacks them" },
        http: [
            { url: "http://good.test", methods: ["GET", "POST"], url_from_env: "TARGET", why: "attacks it" },
            { url: "http://localhost", methods: ["GET"], url_from_env: "NAMED", why: "attacks it" },
            { url: "http://localhost", methods: ["GET"], url_from_env: "CLEAR", why: "attacks it" },
        ],
        tcp: [{ address: "*", why: "attacks it" }],
        udp: [{ address: "*", why: "attacks it" }],
        resolve: [{ name: "*", why: "attacks it" }],
        state: { why: "attacks it" },
        commands: { why: "attacks with them" },
        env: [
            { name: "TARGET", why: "names a server to attack" },
            { name: "NAMED", why: "names a server to attack" },
            { name: "CLEAR", why: "names a server to attack" },
        ],
        secrets: [
            { name: "token", why: "gives it away" },
            { name: "other", why: "gives it away" },
            { name: "PASSWORD", why: "gives it away" },
        ],
    },
}
