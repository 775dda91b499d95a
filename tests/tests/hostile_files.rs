//! Hostile rows 14, 15, 16, 16b and 16c: a plugin against the files of the machine, of its grant and of Kennel itself.
//! Every attack is run beside the same thing done where it is allowed, so that a broken attacker does not pass.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use kennel_tests::{Bystander, Client, Home, Run, kennel_bin, words};
use serde_json::{Value, json};

const CANARY: &str = "outside-4711-canary";

/// A home with `hello` and an attacker that holds the folder `granted`; beside it lies `outside` with a secret.
struct Scene {
    home: Home,
    granted: PathBuf,
    outside: PathBuf,
}

impl Scene {
    fn new(name: &str, grant: &str) -> Self {
        let home = Home::new(name);
        let (granted, outside) = (home.folder("granted"), home.folder("outside"));
        std::fs::create_dir(granted.join("inner")).unwrap();
        std::fs::write(granted.join("inner/file"), "inside").unwrap();
        std::fs::create_dir(outside.join("empty")).unwrap();
        std::fs::write(outside.join("secret"), CANARY).unwrap();
        home.plugin("hello").hostile_as("attacker", "attacker");
        home.config(&format!(
            "[[plugins.attacker.directories]]\npath = {}\nas = \"/granted\"\n{grant}\n",
            text(&granted)
        ))
        .approve();
        Self { home, granted, outside }
    }

    fn serve(&self) -> Client {
        served(&self.home)
    }
}

/// A client of a host that is ready: compiling the plugins is no part of an attack.
fn served(home: &Home) -> Client {
    let client = home.serve();
    client.initialize();
    client.call("hello__hello", &json!({ "name": "first" }));
    client
}

/// Waits for a plugin that nobody approved, and so nobody compiled before.
#[track_caller]
fn offered(client: &Client, tool: &str) {
    let start = Instant::now();
    while !client.request("tools/list", json!({})).unwrap().to_string().contains(tool) {
        assert!(start.elapsed() < Duration::from_secs(120), "no {tool}\n{}", client.stderr());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A path as a string of TOML (or JSON).
fn text(path: &Path) -> Value {
    path.to_str().unwrap().into()
}

/// Tries steps, each of which is one line of the answer.
#[track_caller]
fn tried(client: &Client, steps: &[Value]) -> Vec<String> {
    let result = client.call("attacker__files", &json!({ "steps": steps }));
    assert_ne!(result["isError"], true, "{result}");
    let said: Vec<String> = serde_json::from_str(&words(&result)).unwrap_or_else(|e| panic!("{e}: {result}"));
    assert_eq!(said.len(), steps.len(), "{result}");
    said
}

/// Names, kinds, bytes and times of everything below a folder, without following links.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let bytes = if meta.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
            let time = if meta.is_dir() { (0, 0) } else { (meta.mtime(), meta.mtime_nsec()) };
            found.insert(path.clone(), format!("{:?} {time:?} {bytes:?}", meta.file_type()));
            if meta.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

/// Everything that can be tried on one path which must not be reached.
fn all_on(path: &str) -> Vec<Value> {
    vec![
        json!({ "try": "read", "path": path }),
        json!({ "try": "read-no-follow", "path": path }),
        json!({ "try": "list", "path": path }),
        json!({ "try": "stat", "path": path }),
        json!({ "try": "write", "path": path, "text": "hostile" }),
        json!({ "try": "write-through-reader", "path": path }),
        json!({ "try": "truncate", "path": path }),
        json!({ "try": "create", "path": path }),
        json!({ "try": "resize", "path": path, "size": 1, "write": true }),
        json!({ "try": "sparse", "path": path, "offset": 100 }),
        json!({ "try": "set-times", "path": path }),
        json!({ "try": "set-times-at", "path": path }),
        json!({ "try": "link", "path": path, "to": "stolen", "follow": true }),
        json!({ "try": "link", "path": "inner/file", "to": path, "follow": false }),
        json!({ "try": "symlink", "path": path, "to": "file" }),
    ]
}

/// What would move or remove a link itself, which is allowed, when the last part is one.
fn all_through(path: &str) -> Vec<Value> {
    let mut steps = all_on(path);
    steps.extend([
        json!({ "try": "make-directory", "path": path }),
        json!({ "try": "remove-directory", "path": path }),
        json!({ "try": "unlink", "path": path }),
        json!({ "try": "rename", "path": path, "to": "stolen" }),
        json!({ "try": "rename", "path": "spare", "to": path }),
        json!({ "try": "read-link", "path": path }),
    ]);
    steps
}

const READ_WRITE: &str = "mode = \"read-write\"";

/// Row 14. No spelling and no link leads out, and nothing tells whether something is there.
#[test]
fn no_path_leads_out() {
    let scene = Scene::new("ways-out", READ_WRITE);
    let Scene { granted, outside, .. } = &scene;
    let absolute = |name: &str| outside.join(name).to_str().unwrap().to_owned();
    for (name, to) in [
        ("to-secret", "../outside/secret".to_owned()),
        ("to-secret-absolute", absolute("secret")),
        ("to-new", "../outside/new".to_owned()),
        ("to-outside", "../outside".to_owned()),
        ("to-outside-absolute", absolute("")),
        ("to-parent", "..".to_owned()),
        ("to-root", "/".to_owned()),
        ("to-self", "/proc/self".to_owned()),
        ("to-environment", "/proc/self/environ".to_owned()),
        ("to-null", "/dev/null".to_owned()),
        ("to-link", "to-outside".to_owned()),
        ("inner/up", "../../outside/secret".to_owned()),
        ("loop", "loop".to_owned()),
    ] {
        symlink(to, granted.join(name)).unwrap();
    }
    let client = scene.serve();
    let kept = snapshot(granted);
    std::fs::write(granted.join("spare"), "").unwrap();
    let kept_outside = snapshot(outside);

    let on: Vec<String> = [
        "to-secret",
        "to-secret-absolute",
        "to-new",
        "to-environment",
        "to-null",
        "inner/up",
        "loop",
        "to-parent/outside/secret",
    ]
    .map(str::to_owned)
    .into();
    let mut through: Vec<String> = vec![
        "../outside/secret".into(),
        "../outside/new".into(),
        "inner/../../outside/secret".into(),
        "./inner//..///../outside/secret".into(),
        "inner/../inner/../../outside/secret".into(),
        absolute("secret"),
        format!("/{}", absolute("secret")),
        "/granted/../outside/secret".into(),
        "/etc/passwd".into(),
        "/proc/self/environ".into(),
        "/dev/null".into(),
        "to-outside/secret".into(),
        "to-outside/new".into(),
        "to-outside/empty".into(),
        "to-outside-absolute/secret".into(),
        "to-link/secret".into(),
        "to-parent/outside/secret".into(),
        "to-root/etc/passwd".into(),
        "to-self/environ".into(),
        "to-self/root/etc/passwd".into(),
        "to-self/cwd/../outside/secret".into(),
        "to-self/fd/0".into(),
        "INNER/../../OUTSIDE/SECRET".into(),
        "../outside/secret\0".into(),
        "inner/file\0/../../../outside/secret".into(),
    ];
    through.push(format!("{}outside/secret", "../".repeat(1300)));
    through.push("../".repeat(30_000) + "outside/secret");
    through.push(format!("{}/../outside/secret", "x".repeat(300)));

    // Spellings that somebody else may read as `..` or `/`. Here they are names of files inside, which may be made.
    let odd: Vec<String> = vec![
        "..\\outside\\secret".into(),
        "%2e%2e/outside/secret".into(),
        "\u{ff0e}\u{ff0e}/outside/secret".into(),
        "..\u{2215}outside\u{2215}secret".into(),
        "\u{2024}\u{2024}/outside/secret".into(),
        "..\u{200b}/outside/secret".into(),
    ];

    let started = Instant::now();
    let said = Bystander::beside(&client, || {
        let mut said = Vec::new();
        // The odd ones last: they may move what the others try to.
        let all = [(&on, all_on as fn(&str) -> Vec<Value>), (&through, all_through), (&odd, all_through)];
        for (paths, all) in all {
            for path in paths {
                let steps = all(path);
                for (step, answer) in steps.iter().zip(tried(&client, &steps)) {
                    said.push((step.clone(), answer, odd.contains(path)));
                }
            }
        }
        said
    });
    for (step, answer, odd) in &said {
        let shown: String = step.to_string().chars().take(200).collect();
        assert!(!answer.contains(CANARY) && !answer.contains("HOME="), "{shown}: {answer}");
        assert!(*odd || !answer.starts_with("ok"), "{shown}: {answer}");
    }
    assert_eq!(snapshot(outside), kept_outside, "something outside was changed");
    let now = snapshot(granted);
    for (path, before) in &kept {
        assert_eq!(now.get(path), Some(before), "{}", path.display());
    }
    assert!(started.elapsed() < Duration::from_secs(120), "something blocked");

    // Whether a thing outside exists cannot be told.
    for (there, missing) in [
        ("../outside/secret", "../outside/missing"),
        ("to-outside/secret", "to-outside/missing"),
        ("to-root/etc/passwd", "to-root/etc/missing"),
        ("/etc/passwd", "/etc/missing"),
    ] {
        let told = |path: &str| tried(&client, &all_through(path));
        assert_eq!(told(there), told(missing), "{there}");
    }

    // The attacker works: inside, the same things are done, also by odd spellings and through links that stay inside.
    symlink("inner", granted.join("way")).unwrap();
    let inside = tried(
        &client,
        &["inner/file", "./inner/../inner//file", "way/file", "inner/../way/file"]
            .map(|path| json!({ "try": "read", "path": path })),
    );
    assert_eq!(inside, ["ok inside"; 4]);
    let inside = tried(&client, &all_on("inner/new"));
    assert!(inside.iter().filter(|answer| answer.starts_with("ok")).count() >= 8, "{inside:?}");
}

/// Row 14. A plugin that uses its language's ordinary functions gets one line that names it.
#[test]
fn the_refusal_is_one_line_that_names_the_plugin() {
    let scene = Scene::new("refused", "");
    let client = scene.serve();
    for (arguments, what) in [
        (json!({ "path": "/granted/inner/file", "text": "hostile" }), "read-only"),
        (json!({ "path": "/granted/../outside/secret" }), "dots"),
    ] {
        let result = Bystander::beside(&client, || client.call("attacker__ordinary", &arguments));
        let said = words(&result);
        assert_eq!(result["isError"], true, "{what}: {said}");
        assert!(said.starts_with("plugin `attacker`: denied: /granted/"), "{what}: {said}");
        assert!(said.lines().count() == 1 && said.len() < 300, "{what}: {said}");
    }
    let result = client.call("attacker__ordinary", &json!({ "path": "/granted/inner/file" }));
    assert_eq!(words(&result), "inside");
}

/// Row 14. Links and second names that the guest itself would make.
#[test]
fn the_guest_makes_no_links() {
    let scene = Scene::new("own-links", READ_WRITE);
    let client = scene.serve();
    let said = Bystander::beside(&client, || {
        tried(
            &client,
            &[
                json!({ "try": "symlink", "path": "mine", "to": "../outside/secret" }),
                json!({ "try": "symlink", "path": "mine", "to": "/etc" }),
                json!({ "try": "symlink", "path": "mine", "to": "inner" }),
                json!({ "try": "link", "path": "inner/file", "to": "mine", "follow": true }),
                json!({ "try": "read", "path": "mine" }),
                // The way of the link: a real directory is made, then moved into the place of another.
                json!({ "try": "rename", "path": "inner", "to": "../outside/inner" }),
            ],
        )
    });
    assert_eq!(said[..5], ["not-permitted", "not-permitted", "not-permitted", "not-permitted", "no-entry"]);
    assert!(!said[5].starts_with("ok"), "{}", said[5]);
    assert!(scene.granted.join("mine").symlink_metadata().is_err());
    assert!(scene.granted.join("inner").is_dir());
}

/// Row 14. A directory on the way becomes a link to the outside and back while the guest reads.
#[test]
fn a_path_that_is_swapped_during_the_call_never_leads_out() {
    const ROUNDS: u32 = 2_000;
    let scene = Scene::new("swapped", READ_WRITE);
    let Scene { granted, outside, .. } = &scene;
    std::fs::create_dir(granted.join("door")).unwrap();
    std::fs::write(granted.join("door/secret"), "inside").unwrap();
    let client = scene.serve();
    let (over, swaps) = (AtomicBool::new(false), AtomicU32::new(0));
    let (seen, worked) = std::thread::scope(|scope| {
        scope.spawn(|| {
            let (door, aside) = (granted.join("door"), granted.join("aside"));
            while !over.load(Ordering::Relaxed) {
                std::fs::rename(&door, &aside).unwrap();
                symlink(outside, &door).unwrap();
                std::thread::sleep(Duration::from_micros(50));
                std::fs::remove_file(&door).unwrap();
                std::fs::rename(&aside, &door).unwrap();
                swaps.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_micros(50));
            }
        });
        let end = End(&over);
        let all = Bystander::beside(&client, || {
            let (mut seen, mut worked) = (Vec::<String>::new(), 0);
            // Several calls, until swaps really fell into them.
            for _ in 0..50 {
                let result =
                    client.call("attacker__swapped", &json!({ "path": "door/secret", "rounds": ROUNDS }));
                assert_ne!(result["isError"], true, "{result}");
                let (texts, count): (Vec<String>, u32) = serde_json::from_str(&words(&result)).unwrap();
                seen.extend(texts);
                worked += count;
                if swaps.load(Ordering::Relaxed) > 500 && worked > 500 {
                    break;
                }
            }
            (seen, worked)
        });
        drop(end);
        all
    });
    assert!(worked > 100 && swaps.into_inner() > 100, "the race was not run: {worked} reads");
    assert!(seen.iter().all(|text| text == "inside" || text.is_empty()), "{seen:?}");
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Row 14. What is no file does not block a call and is not opened: a FIFO nobody writes to, a socket, a device.
#[test]
fn what_is_no_file_is_not_opened() {
    let scene = Scene::new("no-files", READ_WRITE);
    let path = |name: &str| scene.granted.join(name);
    assert!(Command::new("mkfifo").arg(path("fifo")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
    let mut names = vec!["fifo", "socket", "to-fifo"];
    symlink("fifo", path("to-fifo")).unwrap();
    // Only root can make devices; elsewhere the guest meets none.
    if Command::new("mknod")
        .arg(path("zero"))
        .args(["c", "1", "5"])
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap()
        .success()
    {
        names.push("zero");
    }
    let client = scene.serve();
    let started = Instant::now();
    Bystander::beside(&client, || {
        for name in names {
            for verb in ["read", "truncate", "create", "write-through-reader", "set-times"] {
                let said = tried(&client, &[json!({ "try": verb, "path": name })]);
                assert_eq!(said, ["not-permitted"], "{verb} {name}");
            }
            let steps = [
                json!({ "try": "write", "path": name, "text": "hostile" }),
                json!({ "try": "resize", "path": name, "size": 0, "write": true }),
            ];
            assert_eq!(tried(&client, &steps), ["not-permitted"; 2], "{name}");
        }
    });
    // One blocked call would take the whole deadline of 30 s.
    assert!(started.elapsed() < Duration::from_secs(25), "{:?}", started.elapsed());
}

/// Everything that changes something.
fn changes() -> Vec<Value> {
    vec![
        json!({ "try": "write", "path": "inner/file", "text": "hostile" }),
        json!({ "try": "write", "path": "new", "text": "hostile" }),
        json!({ "try": "create", "path": "inner/file" }),
        json!({ "try": "create", "path": "new" }),
        json!({ "try": "resize", "path": "inner/file", "size": 3, "write": true }),
        json!({ "try": "truncate", "path": "inner/file" }),
        json!({ "try": "sparse", "path": "inner/file", "offset": 100 }),
        json!({ "try": "make-directory", "path": "made" }),
        json!({ "try": "rename", "path": "inner/file", "to": "moved" }),
        json!({ "try": "rename", "path": "moved", "to": "inner/file" }),
        json!({ "try": "set-times-at", "path": "inner/file" }),
        json!({ "try": "unlink", "path": "inner/file" }),
        json!({ "try": "remove-directory", "path": "inner" }),
    ]
}

/// Row 15. In a read-only grant nothing changes; the same steps succeed in a read-write one.
#[test]
fn a_read_only_grant_changes_nothing() {
    let scene = Scene::new("read-only", "mode = \"read-only\"");
    let client = scene.serve();
    let kept = snapshot(&scene.granted);
    let said = Bystander::beside(&client, || tried(&client, &changes()));
    for (step, answer) in changes().iter().zip(&said) {
        assert!(matches!(answer.as_str(), "not-permitted" | "read-only"), "{step}: {answer}");
    }
    // Through handles that were opened for reading only, in every way there is.
    let said = tried(
        &client,
        &[
            json!({ "try": "write-through-reader", "path": "inner/file" }),
            json!({ "try": "resize", "path": "inner/file", "size": 0, "write": false }),
            json!({ "try": "set-times", "path": "inner/file" }),
            json!({ "try": "link", "path": "inner/file", "to": "second", "follow": false }),
            json!({ "try": "symlink", "path": "mine", "to": "inner" }),
        ],
    );
    assert_eq!(said[0], "ok not-permitted not-permitted not-permitted");
    for answer in &said[1..] {
        assert!(matches!(answer.as_str(), "not-permitted" | "read-only"), "{said:?}");
    }
    assert_eq!(snapshot(&scene.granted), kept);
    assert_eq!(tried(&client, &[json!({ "try": "read", "path": "inner/file" })]), ["ok inside"]);

    let scene = Scene::new("read-write", READ_WRITE);
    let client = scene.serve();
    for (step, answer) in changes().iter().zip(tried(&client, &changes())) {
        assert!(answer.starts_with("ok"), "{step}: {answer}");
    }
    assert!(!scene.granted.join("inner").exists());
}

/// Row 16. Whatever way is taken, a folder grows by no more than its quota, and so does the store.
#[test]
fn a_quota_bounds_what_is_added() {
    let scene = Scene::new(
        "quota",
        "mode = \"read-write\"\nquota = { bytes = \"1MiB\", files = 20 }\n[plugins.attacker.state]\nquota = \"64KiB\"",
    );
    let client = scene.serve();
    let held = |folder: &Path| {
        let all = snapshot(folder);
        let bytes: u64 = all.keys().map(|path| path.symlink_metadata().unwrap().len()).sum();
        (all.len(), bytes)
    };
    let (files, bytes) = held(&scene.granted);
    let said = Bystander::beside(&client, || {
        tried(
            &client,
            &[
                json!({ "try": "sparse", "path": "sparse", "offset": 1_u64 << 40 }),
                json!({ "try": "resize", "path": "inner/file", "size": 1_u64 << 40, "write": true }),
                json!({ "try": "fill-removed", "path": "removed", "files": 50, "bytes": 100_000 }),
                json!({ "try": "fill", "path": "large", "files": 50, "bytes": 200_000 }),
                json!({ "try": "fill", "path": "small", "files": 50, "bytes": 1 }),
            ],
        )
    });
    assert_eq!(said[..2], ["insufficient-space", "insufficient-space"]);
    assert_eq!(said[2], "ok 10 then insufficient-space");
    assert_eq!(said[3], "ok 5 then insufficient-space");
    assert!(said[4].ends_with("then insufficient-space") && !said[4].starts_with("ok 50"), "{}", said[4]);
    let (files_now, bytes_now) = held(&scene.granted);
    assert!(files_now <= files + 20 && bytes_now <= bytes + (1 << 20) + 4096 * 20, "{files_now} {bytes_now}");

    let step = json!({ "steps": [{ "try": "fill", "key": "k", "count": 1000, "bytes": 1000 }] });
    let said = words(&client.call("attacker__keep", &step));
    assert!(said.contains("the store is full: the quota is 65536 bytes"), "{said}");
}

/// A refusal of `kennel check`: one line that names file, line and key.
#[track_caller]
fn refused(run: &Run, why: &str) {
    run.failure();
    let said = format!("{}{}", run.stdout, run.stderr);
    let line = said.lines().find(|line| line.contains(why)).unwrap_or_else(|| panic!("no {why:?}: {run}"));
    assert!(line.contains("kennel.toml:2:") && line.contains("plugins.attacker.directories"), "{line}");
}

fn grant_of(path: &str) -> String {
    format!(
        "[[plugins.attacker.directories]]\npath = {}\nas = \"/x\"\nmode = \"read-write\"\n",
        Value::from(path)
    )
}

/// Row 16b. No spelling of a grant reaches Kennel's own files.
#[test]
fn kennels_own_files_cannot_be_granted() {
    let home = Home::new("own-files");
    home.plugin("hello").hostile_as("attacker", "attacker").config("").approve();
    home.kennel(["call", "hello", "hello", r#"{"name":"x"}"#]).success();
    let own = home.path();
    let beside = home.folder("beside");
    let spelled = |path: &Path| path.to_str().unwrap().to_owned();
    symlink(&own, beside.join("link")).unwrap();
    symlink("link", beside.join("link-to-link")).unwrap();
    symlink(own.parent().unwrap(), beside.join("to-parent")).unwrap();
    // Whatever there is in the home by now is one of its own.
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(&own).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_dir());
    assert!(paths.len() >= 3, "the home holds {paths:?}");
    paths.extend([
        own.clone(),
        own.parent().unwrap().to_owned(),
        own.join("plugins"),
        own.join("plugins/.."),
        beside.join(".."),
        beside.join("link"),
        beside.join("link/plugins"),
        beside.join("link-to-link"),
        beside.join("to-parent"),
        beside.join("to-parent/home/plugins/../.."),
    ]);
    for path in &paths {
        home.config(&grant_of(&spelled(path)));
        refused(&home.kennel(["check"]), "no plugin may reach Kennel's own files");
    }
    // Nothing is served, and nothing is called, by such a configuration.
    home.kennel(["call", "hello", "hello", r#"{"name":"x"}"#]).failure().stderr_has("Kennel's own files");
    home.kennel_with_input(["serve"], b"").failure().stderr_has("Kennel's own files");
    // A second name of the configuration lies in a folder that is innocent itself.
    home.config(&grant_of(&spelled(&beside)));
    home.kennel(["check"]).success();
    std::fs::hard_link(own.join("kennel.toml"), beside.join("notes.txt")).unwrap();
    refused(&home.kennel(["check"]), "another name (a hard link)");
}

/// Row 16b. The same through a bind mount, in a mount namespace of its own.
#[test]
fn kennels_own_files_cannot_be_granted_through_a_mount() {
    if !Command::new("unshare").args(["-rm", "true"]).status().is_ok_and(|status| status.success()) {
        eprintln!("not shown: this system lets nobody make a mount namespace");
        return;
    }
    let home = Home::new("own-mounts");
    home.plugin("hello").hostile_as("attacker", "attacker").config("").approve();
    let check = |from: &Path, to: &Path| -> Run {
        home.config(&grant_of(to.to_str().unwrap()));
        let plain = home.command();
        let mut command = Command::new("unshare");
        command
            .args(["-rm", "sh", "-c", "mount --bind \"$1\" \"$2\" && exec \"$3\" check", "sh"])
            .args([from, to, &kennel_bin()])
            .env_clear()
            .envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))));
        kennel_tests::run_to_end(command)
    };
    let (docs, bound) = (home.folder("docs"), home.folder("bound"));
    check(&docs, &bound).success();
    let approved = home.path().join("approved");
    assert!(approved.is_dir());
    for from in [home.path(), approved, home.path().parent().unwrap().to_owned()] {
        refused(&check(&from, &bound), "no plugin may reach Kennel's own files");
    }
    // The plugins folder seen twice is no fault of the plugins folder.
    refused(&check(&home.path().join("plugins"), &bound), "lies in the plugins folder");
}

/// Row 16b. Views of the system are not folders of files.
#[test]
fn views_of_the_system_cannot_be_granted() {
    let home = Home::new("system-views");
    home.plugin("hello").hostile_as("attacker", "attacker");
    for path in ["/proc", "/proc/self", "/sys", "/dev"] {
        home.config(&grant_of(path));
        home.kennel(["approve", "--all"]);
        let client = home.serve();
        client.initialize();
        let tools = client.request("tools/list", json!({})).unwrap();
        // The plugin does not stand with such a grant; its neighbour does.
        let result = client.request(
            "tools/call",
            Client::call_params("attacker__files", &json!({ "steps": [{ "try": "list", "path": "." }] })),
        );
        let said = result.map_or_else(|error| error.to_string(), |result| words(&result));
        assert!(!said.contains("ok"), "{path}: {said}");
        assert!(tools.to_string().contains("hello__hello"), "{path}: {tools}");
        let run = home.kennel(["list"]);
        let told = format!("{}{}{}", run.stdout, run.stderr, client.stderr());
        let line = told.lines().find(|line| line.contains("pseudo file system"));
        assert!(line.is_some_and(|line| line.contains("attacker")), "{path}: {told}");
    }
}

/// Row 16c. Grants belong to bytes: a stranger under a known name holds nothing, and does not even take its place.
#[test]
fn a_stranger_under_a_known_name_holds_nothing() {
    let home = Home::new("stranger");
    let docs = home.folder("docs");
    std::fs::write(docs.join("letter"), CANARY).unwrap();
    let config = format!(
        "[plugins.docs]\nsettings = {{ secret = \"{CANARY}\" }}\nenv = {{ TARGET = \"http://127.0.0.1:9\" }}\nstate = {{}}\n\
         [[plugins.docs.directories]]\npath = {}\nmode = \"read-write\"\n[[plugins.docs.http]]\nurl = \"http://127.0.0.1:9\"\n",
        text(&docs)
    );
    let attack = |client: &Client| {
        let seen = words(&client.call("docs__surroundings", &json!({})));
        let files = client.call("docs__files", &json!({ "steps": [{ "try": "read", "path": "letter" }] }));
        let kept = words(
            &client.call("docs__keep", &json!({ "steps": [{ "try": "set", "key": "k", "text": "v" }] })),
        );
        let web = json!({ "method": "GET", "scheme": "http", "authority": "127.0.0.1:9", "path": "/" });
        (seen, words(&files), kept, words(&client.call("docs__web", &web)))
    };

    // Never approved: it runs, with nothing.
    home.plugin("hello").hostile_as("attacker", "docs").config(&config);
    let client = served(&home);
    offered(&client, "docs__surroundings");
    let (seen, files, kept, web) = Bystander::beside(&client, || attack(&client));
    let seen: Value = serde_json::from_str(&seen).unwrap();
    assert_eq!(
        (&seen["environment"], &seen["directories"], &seen["settings"]),
        (&json!([]), &json!([]), &Value::Null)
    );
    assert!(files.contains("plugin `docs`: denied:") && files.contains("it holds nothing:"), "{files}");
    assert!(files.contains("approve") && files.lines().count() == 1, "{files}");
    assert!(kept.contains("state is not granted"), "{kept}");
    assert!(web.contains("was not granted to `docs`: it holds no outbound HTTP"), "{web}");
    drop(client);

    // The rightful owner is approved; it has what was granted.
    home.approve();
    let client = served(&home);
    let (seen, files, kept, _) = attack(&client);
    assert!(seen.contains("TARGET") && seen.contains(CANARY), "{seen}");
    assert!(files.contains(CANARY), "{files}");
    assert!(kept.contains("ok"), "{kept}");

    // Another file takes the name, in a running host and at the next start: what was approved goes on serving.
    let tools = |client: &Client| client.request("tools/list", json!({})).unwrap().to_string();
    home.plugin_as("notes", "docs");
    Bystander::beside(&client, || {
        for _ in 0..10 {
            std::thread::sleep(Duration::from_millis(200));
            assert!(tools(&client).contains("docs__surroundings"), "the newcomer took the place");
        }
    });
    drop(client);
    let client = served(&home);
    let list = tools(&client);
    assert!(list.contains("docs__surroundings") && !list.contains("docs__add"), "{list}");
    assert!(attack(&client).1.contains(CANARY));
    drop(client);

    // Nobody kept the approved bytes: then the newcomer runs, with nothing of what was granted to the other.
    let other = Home::new("stranger-alone");
    std::fs::copy(home.path().join("kennel.lock"), other.path().join("kennel.lock")).unwrap();
    other
        .plugin("hello")
        .bytes("docs", &padded(&std::fs::read(kennel_tests::hostile_file("attacker")).unwrap()))
        .config(&config);
    let client = served(&other);
    offered(&client, "docs__surroundings");
    let (seen, files, kept, web) = Bystander::beside(&client, || attack(&client));
    assert!(!seen.contains("TARGET") && !seen.contains(CANARY), "{seen}");
    assert!(files.contains("it holds nothing:"), "{files}");
    assert!(
        kept.contains("state is not granted") && web.contains("was not granted to `docs`"),
        "{kept} {web}"
    );
}

/// Row 16c. With `new-plugins = "hold"` a stranger does not run at all before a person approves it.
#[test]
fn a_stranger_is_held_when_it_is_written() {
    let home = Home::new("held");
    home.plugin("hello").config("new-plugins = \"hold\"\n").approve();
    home.hostile_as("attacker", "stranger");
    let list = home.kennel(["list", "--format", "json"]).json();
    let standing = |name: &str| {
        let plugins = list["plugins"].as_array().unwrap();
        plugins.iter().find(|plugin| plugin["name"] == name).unwrap()["standing"].clone()
    };
    assert_eq!((standing("hello"), standing("stranger")), (json!("serving"), json!("held")), "{list}");
    let client = served(&home);
    Bystander::beside(&client, || {
        for _ in 0..10 {
            let tools = client.request("tools/list", json!({})).unwrap().to_string();
            assert!(!tools.contains("stranger__"), "{tools}");
            std::thread::sleep(Duration::from_millis(100));
        }
    });
}

/// The same component with other bytes: an empty custom section more at its end.
fn padded(component: &[u8]) -> Vec<u8> {
    [component, &[0, 2, 1, b'x']].concat()
}
