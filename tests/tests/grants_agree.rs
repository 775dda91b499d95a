//! For random grants and operations, `kennel explain` and the running host agree, always. The host is judged by what is
//! seen from outside: what is in a file, what a server got and which secret was in it, what the plugin found in its
//! environment.
//! Another seed each time; a failure names it, and `KENNEL_TEST_SEED` runs it again.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::print_stdout, reason = "figures that a person may want to see with --nocapture")]

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::fmt::Write as _;
use std::hash::BuildHasher as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use kennel_tests::{Client, Home, command_component, words};
use serde_json::{Value, json};

/// Plugins with grants of their own, all of one component in one host.
const PLUGINS: usize = 16;
/// Operations of each.
const OPERATIONS: usize = 16;

/// A generator of Steele and others, "SplitMix"; small, and the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n as u64).unwrap()
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    fn some<'a>(&mut self, of: &[&'a str]) -> Vec<&'a str> {
        let all: Vec<_> = of.iter().filter(|_| self.below(2) == 0).copied().collect();
        if all.is_empty() { vec![self.one(of)] } else { all }
    }
}

/// The secrets that may be granted, and whether the attacker asks for them. Of a value no byte is elsewhere.
const SECRETS: [(&str, &str); 4] = [
    ("token", "value-of-the-first"),
    ("other", "value-of-the-second"),
    ("PASSWORD", "value-of-the-third"),
    ("unasked", "value-of-the-fourth"),
];

/// The commands that are there. The folder is the same for all plugins.
const COMMANDS: [&str; 3] = ["first", "second", "third"];

/// A server that remembers the head of each request, or whatever else was said.
struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { port: listener.local_addr().unwrap().port(), requests: Arc::default() };
        let requests = Arc::clone(&server.requests);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(stream.try_clone().unwrap());
                let mut line = String::new();
                if lines.read_line(&mut line).is_ok() && !line.is_empty() {
                    let mut header = String::new();
                    while lines.read_line(&mut header).is_ok_and(|read| read > 2) {
                        line += &std::mem::take(&mut header);
                    }
                    requests.lock().unwrap().push(line.trim().to_owned());
                    let _ = stream
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                }
            }
        });
        server
    }

    /// The same over UDP, where what was said is said back.
    fn datagrams() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let server = Self { port: socket.local_addr().unwrap().port(), requests: Arc::default() };
        let requests = Arc::clone(&server.requests);
        std::thread::spawn(move || {
            let mut buffer = [0; 1500];
            while let Ok((size, from)) = socket.recv_from(&mut buffer) {
                requests.lock().unwrap().push(String::from_utf8_lossy(&buffer[..size]).into_owned());
                let _ = socket.send_to(&buffer[..size], from);
            }
        });
        server
    }

    fn got(&self, what: &str) -> bool {
        self.got_with(what, "")
    }

    /// Whether both came together.
    fn got_with(&self, what: &str, value: &str) -> bool {
        self.requests.lock().unwrap().iter().any(|head| head.contains(what) && head.contains(value))
    }
}

/// Whether any file below this folder holds these bytes.
fn holds(folder: &Path, what: &str) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return holds(&path, what);
        }
        std::fs::read(&path)
            .is_ok_and(|bytes| bytes.windows(what.len()).any(|found| found == what.as_bytes()))
    })
}

/// What was granted to a plugin, as far as it is looked for.
struct Granted {
    /// By the paths it sees.
    folders: Vec<(&'static str, PathBuf)>,
    secrets: Vec<Aim>,
    commands: Vec<&'static str>,
    /// As it is written. What was done must be in it whatever `explain` says, which asks the same code as the host.
    text: String,
}

/// A request that a secret could be in.
#[derive(Clone)]
struct Aim {
    secret: usize,
    methods: Vec<String>,
    /// Whether these methods are written; else all are meant that are granted there.
    narrowed: bool,
    port: u16,
    path: String,
}

struct World {
    home: Home,
    servers: [Server; 2],
    datagrams: [Server; 2],
    random: Random,
}

impl World {
    /// The folder that a plugin sees as this; `/a/in` is another one than `in` below `/a`.
    fn folder(&self, plugin: usize, guest: &str) -> PathBuf {
        let folder = self.home.folder(&format!("p{plugin}{}", guest.replace('/', "-")));
        std::fs::create_dir_all(folder.join("in")).unwrap();
        for name in ["x.md", "x.txt", "in/x.md", "in/x.txt"] {
            std::fs::write(folder.join(name), format!("[p{plugin}{guest} {name}]")).unwrap();
        }
        folder
    }

    /// Mostly the first, so that grants, asks and requests meet often enough to differ in one part only.
    fn which(&mut self) -> usize {
        usize::from(self.random.below(5) == 0)
    }

    fn server(&mut self) -> &Server {
        let which = self.which();
        &self.servers[which]
    }

    /// Random lines of `kennel.toml` for one plugin, and where to find what they are about.
    fn grants(&mut self, plugin: usize) -> (String, Granted) {
        let mut text = format!("[plugins.p{plugin}]\nfile = \"attacker.wasm\"\n");
        if self.random.below(2) == 0 {
            writeln!(text, "resolve = {:?}", self.random.some(&["localhost", "one.test", "*.localhost"]))
                .unwrap();
        }
        let mut folders = Vec::new();
        for guest in ["/a", "/b", "/a/in"] {
            let folder = self.folder(plugin, guest);
            if self.random.below(2) == 0 {
                let mode = self.random.one(&["read-only", "read-write"]);
                writeln!(
                    text,
                    "[[plugins.p{plugin}.directories]]\npath = {folder:?}\nas = {guest:?}\nmode = {mode:?}"
                )
                .unwrap();
                if self.random.below(2) == 0 {
                    writeln!(text, "extensions = [{:?}]", self.random.one(&["md", "txt"])).unwrap();
                }
                folders.push((guest, folder));
            }
        }
        let mut places = Vec::new();
        for _ in 0..self.random.below(6) {
            let port = self.server().port;
            let path = self.random.one(&["", "/v", "/v/w"]);
            let methods = self.random.some(&["GET", "POST", "PUT"]);
            places.push((port, path, methods.clone()));
            writeln!(
                text,
                "[[plugins.p{plugin}.http]]\nurl = \"http://127.0.0.1:{port}{path}\"\nmethods = {methods:?}"
            )
            .unwrap();
            if self.random.below(4) == 0 {
                writeln!(text, "private-addresses = {}", self.random.below(2) == 0).unwrap();
            }
        }
        for (kind, servers) in [("tcp", &self.servers), ("udp", &self.datagrams)] {
            if self.random.below(2) == 0 {
                let port = servers[usize::from(self.random.below(3) == 0)].port;
                let host = self.random.one(&["127.0.0.1", "127.0.0.1", "localhost"]);
                writeln!(text, "[[plugins.p{plugin}.{kind}]]\nto = \"{host}:{port}\"").unwrap();
                if host == "127.0.0.1" && self.random.below(4) == 0 {
                    writeln!(text, "private-addresses = {}", self.random.below(2) == 0).unwrap();
                }
            }
        }
        let secrets = self.secrets(plugin, &places, &mut text);
        if self.random.below(3) > 0 {
            let quota = self.random.one(&["1KiB", "64KiB"]);
            writeln!(text, "[plugins.p{plugin}.state]\nquota = {quota:?}").unwrap();
        }
        let mut commands = Vec::new();
        if self.random.below(2) == 0 {
            let folder = self.home.folder("commands");
            writeln!(text, "[plugins.p{plugin}.commands]\npath = {folder:?}").unwrap();
            commands = COMMANDS.to_vec();
            if self.random.below(3) > 0 {
                commands = self.random.some(&COMMANDS);
                writeln!(text, "only = {commands:?}").unwrap();
            }
        }
        writeln!(text, "[plugins.p{plugin}.env]").unwrap();
        if self.random.below(8) > 0 {
            let port = self.server().port;
            let path = self.random.one(&["", "", "", "/v"]);
            writeln!(text, "TARGET = \"http://127.0.0.1:{port}{path}\"").unwrap();
        }
        if self.random.below(2) == 0 {
            writeln!(text, "OTHER = \"not asked for\"").unwrap();
        }
        (text.clone(), Granted { folders, secrets, commands, text })
    }

    /// Random secrets within what is granted, each in a header of its own name or given to the plugin.
    fn secrets(&mut self, plugin: usize, places: &[(u16, &str, Vec<&str>)], text: &mut String) -> Vec<Aim> {
        let mut aims = Vec::new();
        for (index, (name, _)) in SECRETS.into_iter().enumerate() {
            if self.random.below(4) == 0 {
                continue;
            }
            let mut line =
                format!("[[plugins.p{plugin}.secrets]]\nname = {name:?}\nfrom = \"env:OF_{name}\"\n");
            if name == "PASSWORD" && self.random.below(2) == 0 {
                *text += &(line + "expose = true\n");
                continue;
            }
            if places.is_empty() {
                continue;
            }
            let (port, path, methods) = &places[self.random.below(places.len())];
            let below =
                if path.is_empty() { self.random.one(&["", "/v"]) } else { self.random.one(&["", "/w"]) };
            writeln!(line, "as = \"header\"\nheader = \"x-{name}\"\nhttp = true").unwrap();
            writeln!(line, "for = \"http://127.0.0.1:{port}{path}{below}\"").unwrap();
            let mut methods = methods.clone();
            let narrowed = self.random.below(3) == 0;
            if narrowed {
                methods = self.random.some(&methods);
                writeln!(line, "methods = {methods:?}").unwrap();
            }
            *text += &line;
            let path = format!("{path}{below}");
            let methods = methods.into_iter().map(str::to_owned).collect();
            aims.push(Aim { secret: index, methods, narrowed, port: *port, path });
        }
        aims
    }

    /// A random operation as `explain` reads it, and whether the running host did it.
    fn operation(&mut self, client: &Client, plugin: usize, mark: &str, granted: &Granted) -> (String, bool) {
        let name = format!("p{plugin}");
        match self.random.below(19) {
            kind @ 0..=2 => {
                let path = self.random.one(&[
                    "/a/x.md",
                    "/a/x.txt",
                    "/a/in/x.md",
                    "/a/in/x.txt",
                    "/b/x.md",
                    "/c/x.md",
                ]);
                // Where it would lie, whichever directory it is taken to lie in.
                let places: Vec<PathBuf> = granted
                    .folders
                    .iter()
                    .filter_map(|(guest, folder)| {
                        Some(folder.join(path.strip_prefix(guest)?.strip_prefix('/')?))
                    })
                    .collect();
                match kind {
                    0 => {
                        let said =
                            words(&client.call(&format!("{name}__ordinary"), &json!({ "path": path })));
                        let texts = places.iter().filter_map(|place| std::fs::read_to_string(place).ok());
                        let texts: Vec<_> = texts.collect();
                        (format!("read {path}"), texts.contains(&said))
                    }
                    1 => {
                        let arguments = json!({ "path": path, "text": mark });
                        client.call(&format!("{name}__ordinary"), &arguments);
                        let written =
                            |place: &PathBuf| std::fs::read_to_string(place).is_ok_and(|text| text == mark);
                        (format!("write {path}"), places.iter().any(written))
                    }
                    _ => {
                        let folder = path.rsplit_once('/').unwrap().0;
                        let arguments = json!({ "path": folder, "list": true });
                        let result = client.call(&format!("{name}__ordinary"), &arguments);
                        (format!("list {folder}"), result["isError"] != true)
                    }
                }
            }
            3..=6 => {
                let method = self.random.one(&["GET", "POST", "PUT"]);
                let at = self.which();
                let authority = format!("127.0.0.1:{}", self.servers[at].port);
                let path = format!("{}/{mark}", self.random.one(&["", "/v", "/v/w", "/w", "/va"]));
                let arguments =
                    json!({ "method": method, "scheme": "http", "authority": authority, "path": path });
                client.call(&format!("{name}__web"), &arguments);
                (
                    format!("{method} http://{authority}{path}"),
                    self.servers[at].got(&format!("{method} {path} ")),
                )
            }
            kind @ 7..=9 => {
                let (tool, of) = match kind {
                    7 => ("dial", &self.servers),
                    _ => ("datagram", &self.datagrams),
                };
                let at = usize::from(self.random.below(3) == 0);
                // By its address: what a name resolves to `explain` does not know.
                let to = format!("127.0.0.1:{}", of[at].port);
                client.call(&format!("{name}__{tool}"), &json!({ "to": to, "say": mark }));
                let (word, done) = (if kind == 7 { "tcp" } else { "udp" }, of[at].got(mark));
                let line = format!("[[plugins.{name}.{word}]]\nto = {to:?}\n");
                assert!(!done || granted.text.contains(&line), "{word} {to}: {}", granted.text);
                (format!("{word} {to}"), done)
            }
            10 => {
                // Others are not known on any machine, and what is allowed has to be seen.
                let host = self.random.one(&["localhost", "LOCALHOST."]);
                let result = client.call(&format!("{name}__lookup"), &json!({ "name": host }));
                let done = result["isError"] != true;
                let named = ["\"localhost\"", "\"localhost:"].iter().any(|text| granted.text.contains(text));
                assert!(!done || named, "{host}: {}", granted.text);
                (format!("resolve {host}"), done)
            }
            11..=14 => {
                // Mostly where one is for, or nearly, so that enough of them differ in one part only.
                let aim = match granted.secrets.as_slice() {
                    some @ [_, ..] if self.random.below(4) > 0 => some[self.random.below(some.len())].clone(),
                    _ => Aim {
                        secret: self.random.below(SECRETS.len()),
                        methods: vec![self.random.one(&["GET", "POST", "PUT"]).to_owned()],
                        narrowed: true,
                        port: self.server().port,
                        path: self.random.one(&["", "/v", "/v/w", "/w"]).to_owned(),
                    },
                };
                let (secret, value) = SECRETS[aim.secret];
                let method = match self.random.below(6) {
                    0 => self.random.one(&["GET", "POST", "PUT"]).to_owned(),
                    n => aim.methods[n % aim.methods.len()].clone(),
                };
                let server = self.servers.iter().position(|server| server.port == aim.port).unwrap();
                let authority = format!("127.0.0.1:{}", aim.port);
                let path = format!("{}{}/{mark}", aim.path, self.random.one(&["", "", "", "/w", "a"]));
                let path = if path.starts_with('/') { path } else { format!("/{path}") };
                let request = json!({
                    "method": method, "scheme": "http", "authority": authority, "path": path,
                    "headers": [[format!("x-{secret}"), format!("{{{{secret:{secret}}}}}")]],
                });
                let arguments = json!({ "requests": [request], "needles": [] });
                client.call(&format!("{name}__hunt"), &arguments);
                let line = format!("{method} {path} ");
                let sent = self.servers[server].got_with(&line, value);
                assert!(sent || !self.servers[server].got(&line), "a placeholder was sent as it is: {line}");
                let is_for = |other: &Aim| {
                    let rest = path.strip_prefix(&other.path);
                    other.secret == aim.secret
                        && other.port == aim.port
                        && rest.is_some_and(|rest| rest.starts_with('/'))
                        && (!other.narrowed || other.methods.contains(&method))
                };
                assert!(
                    !sent || granted.secrets.iter().any(is_for),
                    "{secret} {method} {path}: {}",
                    granted.text
                );
                (format!("secret {secret} {method} http://{authority}{path}"), sent)
            }
            15 => {
                let variable = self.random.one(&["TARGET", "NAMED", "OTHER", "PASSWORD", "HOME", "PATH"]);
                let result = client.call(&format!("{name}__surroundings"), &json!({}));
                let found =
                    result["structuredContent"]["environment"].as_array().unwrap_or(&Vec::new()).clone();
                (format!("env {variable}"), found.iter().any(|pair| pair[0] == variable))
            }
            16..=17 => {
                let command = self.random.one(&["first", "second", "third", "../commands/first"]);
                let said =
                    client.call(&format!("{name}__order"), &json!({ "command": command, "stdin": mark }));
                let done = words(&said) == "1 words in 0 files";
                assert!(!done || granted.commands.contains(&command), "{command}: {}", granted.text);
                (format!("run {command}"), done)
            }
            _ => {
                let bytes = [200, 1024, 1025, 64 << 10, (64 << 10) + 1][self.random.below(5)];
                // With 64 bytes for the entry, as the grant counts, and one for the key.
                let text = format!("{mark}{}", "x".repeat(bytes - 64 - 1 - mark.len()));
                let steps = json!({ "steps": [{ "try": "set", "key": "k", "text": text }] });
                client.call(&format!("{name}__keep"), &steps);
                (format!("state {bytes}B"), holds(&self.home.path().join("state"), mark))
            }
        }
    }
}

#[test]
fn explain_and_the_running_host_agree() {
    let seed = std::env::var("KENNEL_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("KENNEL_TEST_SEED={seed}");
    let home =
        SECRETS.iter().fold(Home::new("agree"), |home, (name, value)| home.env(&format!("OF_{name}"), value));
    let mut world = World {
        home,
        servers: [Server::start(), Server::start()],
        datagrams: [Server::datagrams(), Server::datagrams()],
        random: Random(seed),
    };
    world.home.hostile_as("attacker", "attacker");
    for name in COMMANDS {
        std::fs::write(world.home.folder("commands").join(format!("{name}.wasm")), command_component())
            .unwrap();
    }
    let (mut text, mut granted) = (String::new(), Vec::new());
    for plugin in 0..PLUGINS {
        let (lines, found) = world.grants(plugin);
        text += &lines;
        granted.push(found);
    }
    world.home.config(&text);
    // One in eight is not approved, and holds nothing whatever was granted.
    let approved: Vec<_> =
        (0..PLUGINS).filter(|plugin| plugin % 8 != 7).map(|plugin| format!("p{plugin}")).collect();
    world.home.kennel(["approve".to_owned()].into_iter().chain(approved)).success();

    let client = world.home.serve();
    client.initialize();
    let (mut allowed, mut denied) = (0, 0);
    let mut kinds: BTreeMap<String, [u32; 2]> = BTreeMap::new();
    for (plugin, granted) in granted.iter().enumerate() {
        for number in 0..OPERATIONS {
            let mark = format!("mark-{plugin}-{number}-end");
            let (operation, done) = world.operation(&client, plugin, &mark, granted);
            let name = format!("p{plugin}");
            let run = world.home.kennel(["explain", &name, &operation, "--format", "json"]);
            let said: Value = run.json();
            assert_eq!(run.status.success(), said["allowed"] == true, "{run}");
            assert_eq!(
                said["allowed"],
                done,
                "seed {seed}: {name} {operation}: explain says {said:#}, done: {done}\n{}\n{}",
                text.split("[plugins.")
                    .filter(|part| part.starts_with(&name) || part.contains(&format!("[plugins.{name}.")))
                    .collect::<String>(),
                client.stderr()
            );
            let kind = operation.split(' ').next().unwrap().to_owned();
            kinds.entry(kind).or_default()[usize::from(done)] += 1;
            // What is allowed names its line, and there the grant is.
            if done {
                let line = usize::try_from(said["rule"]["line"].as_u64().expect("a line")).unwrap();
                let written = text.lines().nth(line - 1).unwrap();
                assert!(
                    written.contains(&name)
                        || written.starts_with("TARGET")
                        || written.starts_with("resolve"),
                    "{said}: {written}"
                );
                allowed += 1;
            } else {
                assert!(said["why"].is_string(), "{said}");
                denied += 1;
            }
        }
    }
    println!("{allowed} allowed, {denied} denied; of each kind denied and allowed: {kinds:?}");
    assert!(allowed > PLUGINS / 2 && denied > PLUGINS / 2, "seed {seed}: {allowed} allowed, {denied} denied");
}
