//! A real headless Chromium with its DevTools port on loopback, and a profile of its own.
//! It ends with the test, also when the test is killed: a shell between them waits for the end of its input.
//! It must not be reachable from another machine, and it knows nothing of plugins.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::paths::chromium;

/// How long a browser may take to start. Generous: the first start reads 200 MB.
const START: Duration = Duration::from_secs(120);

/// How many characters of the browser's own words a message has.
const WORDS: usize = 4096;

/// Starts a browser with the shell's arguments, and ends it with the shell's input. `read` ends when the process that holds
/// the other end of the pipe does, however it does.
const GUARD: &str = "\"$@\" </dev/null & browser=$!; read -r _; kill -KILL $browser; wait $browser";

/// No sandbox of its own: tests may run as root, or in a container, where it cannot have one.
const FLAGS: [&str; 4] = ["--no-sandbox", "--no-zygote", "--disable-gpu", "--disable-dev-shm-usage"];

/// A running browser; it ends on drop.
#[derive(Debug)]
pub struct Chromium {
    guard: Child,
    port: u16,
}

impl Chromium {
    /// Starts one on a free port, with its profile in this folder, which must not be another one's.
    #[track_caller]
    pub fn start(profile: &Path) -> Self {
        Self::start_at(profile, 0)
    }

    /// The same on a port that was free just now.
    #[track_caller]
    pub fn start_at(profile: &Path, port: u16) -> Self {
        std::fs::create_dir_all(profile).expect("a folder for the profile");
        let (active, words) = (profile.join("DevToolsActivePort"), profile.join("stderr"));
        // One of a browser before would be taken for this one's.
        let _ = std::fs::remove_file(&active);
        let stderr = std::fs::File::create(&words).expect("a file in the profile");
        // `read` ends when this process does, however it does.
        let guard = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .arg(chromium())
            .arg("--headless")
            .args(FLAGS)
            .args(["--no-first-run", "--disable-background-networking", "--disable-component-update"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(format!("--remote-debugging-port={port}"))
            .arg("about:blank")
            .env("HOME", profile)
            .env("TMPDIR", profile)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .expect("a shell starts");
        let mut browser = Self { guard, port: 0 };
        let start = Instant::now();
        while browser.port == 0 {
            let words = || {
                let said = std::fs::read_to_string(&words).unwrap_or_default();
                said.chars().take(WORDS).collect::<String>()
            };
            assert!(start.elapsed() < START, "Chromium does not listen; it said:\n{}", words());
            std::thread::sleep(Duration::from_millis(20));
            // The port, a line end, a path: written in one go, but perhaps not read so.
            let text = std::fs::read_to_string(&active).unwrap_or_default();
            if let Some((port, _)) = text.split_once('\n') {
                browser.port = port.parse().expect("a port");
            }
        }
        browser
    }

    /// For programs that start a browser themselves: a script in this folder, whose browser ends with the program when that
    /// holds the script's input.
    pub fn script(folder: &Path) -> PathBuf {
        let script = folder.join("chromium");
        let text =
            format!("#!/bin/sh\nset -- '{}' {} \"$@\"\n{GUARD}\n", chromium().display(), FLAGS.join(" "));
        std::fs::write(&script, text).expect("a file in the folder");
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("our own file");
        script
    }

    /// Where its DevTools listen, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The same as `kennel.toml` has it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Ends it at once, as a crash does.
    pub fn kill(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        self.kill();
    }
}
