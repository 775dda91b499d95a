//! (f): what an idle plugin takes of the machine's memory.
//! Copies of one plugin that differ in a custom section, so that none shares code with another.
//! It must not call any plugin before it looks: they are idle.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use kennel_tests::Home;

use crate::peer::Peer;
use crate::world;

/// Most copies.
const MOST: usize = 50;
/// The plugin that is copied. Its tool's name gets each copy's prefix, so that all can be listed together.
const PLUGIN: &str = "notes";
/// How many tools it has.
pub const TOOLS: usize = 1;
/// After this nothing of the start is still going on.
const SETTLED: Duration = Duration::from_secs(1);

/// A home with many copies of a plugin, all compiled, of which any number can be put in place.
pub struct Copies {
    home: Home,
    aside: PathBuf,
}

impl Copies {
    pub fn new() -> Self {
        let home = Home::new("bench");
        let component = world::component(PLUGIN);
        for number in 0..MOST {
            home.bytes(&name(number), &world::copy_of(&component, number));
        }
        // Compiles them. It ends with a complaint: all have the same resource template, which one can offer.
        home.kennel(["list"]).stdout_has(&name(MOST - 1));
        let aside = home.folder("aside");
        Self { home, aside }
    }

    fn place(&self, count: usize) {
        for number in 0..MOST {
            let (there, aside) = (self.home.plugin_path(&name(number)), self.aside.join(name(number)));
            if number < count && aside.exists() {
                std::fs::rename(aside, there).unwrap();
            } else if number >= count && there.exists() {
                std::fs::rename(there, aside).unwrap();
            }
        }
    }

    /// The command that serves so many of them.
    pub fn serve(&self, count: usize) -> Command {
        self.place(count);
        let mut command = self.home.command();
        command.arg("serve");
        command
    }
}

fn name(number: usize) -> String {
    format!("p{number:02}")
}

pub fn run(copies: &Copies) {
    println!(
        "\n(f) resident memory of an idle `kennel serve`, {PLUGIN} copied, {} KiB each",
        world::component(PLUGIN).len() >> 10
    );
    println!("  {:>8} {:>12} {:>12} {:>12}", "plugins", "RSS KiB", "anonymous", "of files");
    let mut seen = Vec::new();
    for count in [0, 1, 10, MOST] {
        let mut peer = Peer::start(copies.serve(count));
        peer.initialize();
        assert_eq!(peer.tools(), count * TOOLS);
        std::thread::sleep(SETTLED);
        let kib = ["VmRSS:", "RssAnon:", "RssFile:"].map(|field| status(peer.pid(), field));
        println!("  {count:>8} {:>12} {:>12} {:>12}", kib[0], kib[1], kib[2]);
        seen.push((count, kib));
        peer.end();
    }
    let ((few, less), (many, more)) = (seen[1], seen[seen.len() - 1]);
    #[expect(clippy::cast_precision_loss)]
    let each = |at: usize| (more[at] as f64 - less[at] as f64) / (many - few) as f64;
    println!("  {:>8} {:>12.0} {:>12.0} {:>12.0}", "each", each(0), each(1), each(2));
}

/// A field of a process's status, in KiB; zero where the system has no such file.
fn status(pid: u32, field: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
