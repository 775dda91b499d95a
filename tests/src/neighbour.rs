//! Whether others are unharmed while a plugin attacks: `hello`, the list of tools and `ping` on the same connection.
//! The bound is generous, because the machine may be busy: what it must notice is a host that hangs.
//! It must not know any attack.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Client;

/// How long another plugin's call, a list or a `ping` may take beside an attack.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs an attack while the plugin `hello` is called, the tools are listed and `ping` is sent again and again, and
/// once more when it is over. Panics when one of these fails or is late. The client must have been initialized.
#[track_caller]
pub fn unharmed<T>(client: &Client, attack: impl FnOnce() -> T) -> T {
    // Compiling the plugins is not part of the attack.
    client.call("hello__hello", &json!({ "name": "first" }));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let neighbour = scope.spawn(|| {
            loop {
                let last = over.load(Ordering::Acquire);
                neighbour(client);
                if last {
                    break;
                }
            }
        });
        // Also when the attack panics, or the scope would wait for ever.
        let end = End(&over);
        let done = attack();
        drop(end);
        neighbour.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        done
    })
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn neighbour(client: &Client) {
    let answer = |method: &str, params: Value| {
        let id = client.send(method, params);
        let reply = client
            .wait_for(id, PATIENCE)
            .unwrap_or_else(|| panic!("{method} was late beside an attack\n{}", client.stderr()));
        reply.unwrap_or_else(|error| panic!("{method} failed beside an attack: {error}"))
    };
    answer("ping", Value::Null);
    let tools = answer("tools/list", json!({}));
    let listed = tools["tools"]
        .as_array()
        .is_some_and(|tools| tools.iter().any(|tool| tool["name"] == "hello__hello"));
    assert!(listed, "hello is gone from the list: {tools}");
    let said = answer("tools/call", Client::call_params("hello__hello", &json!({ "name": "neighbour" })));
    assert_eq!(words(&said), "Hello, neighbour!");
}

/// The texts of a tool's result, each on a line.
pub fn words(result: &Value) -> String {
    let blocks = result["content"].as_array().unwrap_or_else(|| panic!("no content: {result}"));
    blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n")
}
