//! What must hold of a whole conversation over standard input and output, whatever its bytes: it ends, every line that
//! comes out is a message, and every request is answered exactly once, the cancelled ones at most once. Shared by the
//! fuzzer and by the replay of its corpus (`host/tests/corpus/`).

use std::collections::HashMap;
use std::io::Read;
use std::time::Duration;

use kennel::mcp::KennelHandler;
use kennel::transport::front_door::{Admitted, admit, id_text};
use kennel::transport::stdio::{self, Options};
use serde_json::Value;

use crate::catalog::Native;

/// More of an input than this is not looked at: the bounds on length have tests of their own.
const LONGEST: usize = 64 << 10;
/// Long enough for any machine; a conversation that does not end by then never does.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often an id must and may be answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owed {
    pub least: usize,
    pub most: usize,
}

/// Panics when something does not hold.
pub fn check(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(LONGEST)];
    let said = converse(bytes);
    let mut owed = owed(bytes);
    for line in said.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let message: Value = serde_json::from_slice(line)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(line)));
        assert_eq!(message["jsonrpc"], "2.0", "{message}");
        if message.get("method").is_some() {
            continue;
        }
        assert!(message.get("result").is_some() != message.get("error").is_some(), "{message}");
        let id = message.get("id").map(Value::to_string).unwrap_or_default();
        let owed = owed.entry(id).or_default();
        assert!(owed.most > 0, "nobody asked for {message}");
        owed.most -= 1;
        owed.least = owed.least.saturating_sub(1);
    }
    let forgotten: Vec<_> = owed.iter().filter(|(_, owed)| owed.least > 0).collect();
    assert!(forgotten.is_empty(), "never answered: {forgotten:?}; said: {}", String::from_utf8_lossy(&said));
}

/// What each id is owed by what the front door, which has a target of its own, makes of each line. An error without an
/// id counts for the empty one.
pub fn owed(bytes: &[u8]) -> HashMap<String, Owed> {
    let mut owed: HashMap<String, Owed> = HashMap::new();
    let normal = |id: &str| serde_json::from_str::<Value>(id).expect("an id is JSON").to_string();
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    for line in lines.filter(|line| !line.is_empty()) {
        let (id, sure) = match admit(line) {
            Admitted::Refused(refusal) => (refusal.id.map(|id| normal(&id)).unwrap_or_default(), true),
            Admitted::Ping(id) => (normal(&id_text(&id)), true),
            // A change stream lasts, and is answered only when the server ends it.
            Admitted::Request { id, request, .. } => {
                (normal(&id_text(&id)), request.method() != "subscriptions/listen")
            }
            Admitted::Cancel(id, _) => {
                let owed = owed.entry(normal(&id_text(&id))).or_default();
                owed.least = owed.least.saturating_sub(1);
                continue;
            }
            Admitted::Notification(_) | Admitted::Response(_) | Admitted::Dropped(_) => continue,
        };
        let owed = owed.entry(id).or_default();
        owed.most += 1;
        owed.least += usize::from(sure);
    }
    owed
}

/// All that the server says to an input that ends.
pub fn converse(bytes: &[u8]) -> Vec<u8> {
    let options = Options {
        in_flight: 4,
        queued_bytes: 64 << 10,
        output_bytes: 64 << 10,
        drain: Duration::from_millis(100),
        ..Options::default()
    };
    let (mut said, out) = std::io::pipe().expect("a pipe");
    let said = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        said.read_to_end(&mut bytes).map(|_| bytes)
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let input = std::io::Cursor::new(bytes.to_vec());
    let served = stdio::serve(KennelHandler::new(Native::new()), input, out, options, std::future::pending());
    runtime
        .block_on(async { tokio::time::timeout(PATIENCE, served).await })
        .expect("the conversation ends")
        .expect("it can be served");
    drop(runtime);
    said.join().expect("it is read").expect("a pipe can be read")
}
