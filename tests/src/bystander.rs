//! A user beside an attack: keeps pinging, listing and calling a good plugin, and remembers its longest wait.
//! It must not know what the attack is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;

/// The longest that anyone may wait beside an attack in a test: far over what is promised, because the machine that
/// runs the tests has little to give, and far under what any attack could take.
pub const CALM: Duration = Duration::from_secs(2);

/// Whoever calls the plugin `hello` beside an attack.
#[derive(Debug)]
pub struct Bystander;

/// The longest waits for a `ping`, for `tools/list` and for a call of `hello`, and how many rounds there were.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waits {
    /// For a `ping`.
    pub ping: Duration,
    /// For `tools/list`.
    pub list: Duration,
    /// For a call.
    pub call: Duration,
    /// Of all three.
    pub rounds: u32,
}

impl Bystander {
    /// Runs the attack and watches beside it. The home must hold `hello`; the client has shaken hands. Panics when an
    /// answer is wrong, or later than [`CALM`].
    #[track_caller]
    pub fn beside<T>(client: &Client, attack: impl FnOnce() -> T) -> T {
        let over = AtomicBool::new(false);
        /// Ends the rounds even when the attack panics.
        struct Over<'a>(&'a AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let (done, waits) = std::thread::scope(|scope| {
            let watch = scope.spawn(|| {
                let mut waits = Waits::default();
                loop {
                    round(client, &mut waits);
                    if over.load(Ordering::Relaxed) {
                        return waits;
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
            let done = {
                let _over = Over(&over);
                attack()
            };
            (done, watch.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        assert!(
            waits.ping < CALM && waits.list < CALM && waits.call < CALM,
            "others had to wait: {waits:?}\n{}",
            client.stderr()
        );
        done
    }
}

fn round(client: &Client, waits: &mut Waits) {
    let timed = |longest: &mut Duration, method: &str, params: Value| {
        let start = Instant::now();
        let result = client.request(method, params).unwrap_or_else(|error| panic!("{method}: {error}"));
        *longest = start.elapsed().max(*longest);
        result
    };
    timed(&mut waits.ping, "ping", Value::Null);
    let list = timed(&mut waits.list, "tools/list", Value::Null);
    let tools = list["tools"].as_array().expect("a list");
    assert!(tools.iter().any(|tool| tool["name"] == "hello__hello"), "hello is gone: {list}");
    let params = Client::call_params("hello__hello", &json!({ "name": "you" }));
    let result = timed(&mut waits.call, "tools/call", params);
    assert_eq!(result["content"][0]["text"], "Hello, you!", "{result}");
    waits.rounds += 1;
}
