//! A network of a test's own, in which every address of the world is this machine, and a name server whose answers a
//! test writes. It must not know what is tested in it.

use std::collections::HashMap;
use std::net::{IpAddr, UdpSocket};
use std::process::Command;
use std::sync::{Arc, Mutex};

/// A name server whose answers a test writes: for each name a list of answers, the last of which stays.
#[derive(Debug)]
pub struct Names {
    answers: Arc<Mutex<HashMap<String, Vec<Vec<IpAddr>>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Names {
    /// On the port of name servers, which only a network of the test's own has free.
    pub fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
        let names = Self { answers: Arc::default(), asked: Arc::default() };
        let (answers, asked) = (Arc::clone(&names.answers), Arc::clone(&names.asked));
        std::thread::spawn(move || {
            let mut packet = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut packet) {
                let _ = socket.send_to(&answer(&packet[..length], &answers, &asked), from);
            }
        });
        names
    }

    /// The answers for a name, in turn.
    pub fn set(&self, name: &str, answers: &[&[&str]]) {
        let answers = answers.iter().map(|all| all.iter().map(|ip| ip.parse().unwrap()).collect()).collect();
        self.answers.lock().unwrap().insert(name.to_owned(), answers);
    }

    /// The questions so far: name and record type, as `example.test 1`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// The answer to a query (RFC 1035, 4.1). A script's step is used up by the question for IPv4 addresses.
fn answer(
    query: &[u8],
    answers: &Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    asked: &Mutex<Vec<String>>,
) -> Vec<u8> {
    let mut labels = Vec::new();
    let mut at = 12;
    while query[at] != 0 {
        let length = usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..=at + length]).to_lowercase());
        at += length + 1;
    }
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    let name = labels.join(".");
    asked.lock().unwrap().push(format!("{name} {kind}"));
    let mut answers = answers.lock().unwrap();
    let addresses = match answers.get_mut(&name) {
        None => Vec::new(),
        Some(steps) if kind == 1 && steps.len() > 1 => steps.remove(0),
        Some(steps) => steps[0].clone(),
    };
    let records: Vec<Vec<u8>> = addresses
        .iter()
        .filter_map(|address| match (address, kind) {
            (IpAddr::V4(ip), 1) => Some(ip.octets().to_vec()),
            (IpAddr::V6(ip), 28) => Some(ip.octets().to_vec()),
            _ => None,
        })
        .collect();
    let mut out = query[..2].to_vec();
    out.extend([0x81, 0x80, 0, 1, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0]);
    out.extend(&query[12..at + 5]);
    for record in records {
        out.extend([0xc0, 12]);
        out.extend(kind.to_be_bytes());
        // Class IN, and a life of no seconds, so that every look-up asks again.
        out.extend([0, 1, 0, 0, 0, 0]);
        out.extend(u16::try_from(record.len()).unwrap().to_be_bytes());
        out.extend(record);
    }
    out
}

/// Set in a program that runs in a network of its own.
const INSIDE: &str = "KENNEL_TEST_NETWORK";

/// Whether this program runs in a network of its own.
pub fn inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// This program once more, in a network namespace in which every address of the world is this machine, and
/// `/etc/resolv.conf` names the test's own server. None where the system lets nobody make one; that is said.
pub fn in_own_network_again() -> Option<Command> {
    if !Command::new("unshare").args(["-rmn", "ip", "link"]).output().is_ok_and(|run| run.status.success()) {
        eprintln!("not shown: this system lets nobody make a network namespace, or has no `ip`");
        return None;
    }
    let script = "ip link set lo up && ip route add local 0.0.0.0/0 dev lo && ip -6 route add local ::/0 dev lo && \
                  names=$(mktemp) && printf 'nameserver 127.0.0.1\\noptions timeout:1 attempts:1\\n' >$names && \
                  mount --bind $names /etc/resolv.conf && rm $names && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-rmn", "sh", "-c", script, "sh"]).arg(std::env::current_exe().unwrap()).env(INSIDE, "1");
    Some(command)
}

/// Runs a test again [in a network of its own](in_own_network_again). False when that was done here, or cannot be; the
/// caller then has nothing to do.
pub fn in_own_network(test: &str) -> bool {
    if inside() {
        return true;
    }
    let Some(mut command) = in_own_network_again() else { return false };
    let output = command.args(["--exact", test, "--nocapture"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}
