//! What is found of a component that cannot be used is remembered, so that it costs one start and not every one; and
//! only what Kennel found itself, of these bytes, under these bounds.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use kennel_tests::{Attacker, Home, Trial};
use serde_json::Value;

const REMEMBERED: &str = "known from before; `kennel inspect --list FILE` tries again";

/// How a plugin stands and why, as `kennel list` has it.
#[track_caller]
fn standing(home: &Home, name: &str) -> (String, String) {
    let all = home.kennel(["list", "--format", "json"]).json();
    let found = all["plugins"].as_array().unwrap().iter().find(|plugin| plugin["name"] == name).cloned();
    let plugin = found.unwrap_or_else(|| panic!("no {name}: {all}"));
    let text = |key: &str| plugin[key].as_str().unwrap_or_default().to_owned();
    (text("standing"), text("why"))
}

/// Where Kennel keeps what it found of a component.
#[track_caller]
fn verdict_file(home: &Home, name: &str) -> PathBuf {
    let file = home.plugin_path(name);
    let about = home.kennel(["inspect", file.to_str().unwrap(), "--format", "json"]).json();
    let digest = about["sha256"].as_str().unwrap().to_owned();
    let cache = home.path().join("cache");
    let settings = std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path());
    let settings = settings.into_iter().find(|path| path.is_dir()).expect("the cache has a folder");
    settings.join(format!("{digest}.verdict"))
}

#[test]
fn a_failed_listing_is_run_once() {
    let home = Home::new("remembered");
    let kinds = [
        ("traps", "trap", "unreachable"),
        ("panics", "panic", "this variant panics"),
        ("loops", "loop", "limit: "),
        ("sleeps", "sleep", "wall clock"),
    ];
    for (name, what, _) in kinds {
        home.bytes(name, Trial::new().listing(what).bytes());
    }
    home.plugin("hello");
    let first: Vec<_> = kinds.iter().map(|(name, ..)| home.plugin_path(name)).collect();
    home.kennel(["list"]).failure();
    for (name, _, why) in kinds {
        let (standing, said) = standing(&home, name);
        assert_eq!(standing, "broken", "{name}: {said}");
        assert!(
            said.contains(why) && said.contains(REMEMBERED) && said.lines().count() == 1,
            "{name}: {said}"
        );
    }

    // `serve` has its list without waiting for the sleeper's five seconds, and says the same; so does `check`.
    let client = home.serve();
    client.initialize();
    let start = Instant::now();
    let list = client.request("tools/list", Value::Null).unwrap();
    assert!(start.elapsed() < Duration::from_secs(4), "tools/list took {:?}", start.elapsed());
    assert_eq!(list["tools"].as_array().map(Vec::len), Some(1), "{list}");
    let check = home.kennel(["check"]);
    for (name, _, why) in kinds {
        let said = client.stderr();
        let line = said.lines().find(|line| line.contains("ERROR") && line.contains(name));
        assert!(line.is_some_and(|line| line.contains(REMEMBERED)), "{name}: {said}");
        let line = check.stdout.lines().find(|line| line.contains(name));
        assert!(line.is_some_and(|line| line.contains(REMEMBERED) && line.contains(why)), "{check}");
    }

    // Told to, Kennel runs it again, and remembers that.
    let file = first[0].to_str().unwrap();
    let again = home.kennel(["inspect", "--list", file]);
    again.failure().stderr_has("unreachable");
    assert!(!again.stderr.contains(REMEMBERED), "{again}");
    assert!(standing(&home, "traps").1.contains(REMEMBERED));

    // Other bytes are another component, and the old ones are still known when they come back.
    home.bytes("traps", Trial::new().bytes());
    assert_eq!(standing(&home, "traps").0, "serving");
    home.bytes("traps", Trial::new().listing("trap").bytes());
    assert!(standing(&home, "traps").1.contains(REMEMBERED));
}

/// Whoever may write into the cache's folder cannot take a plugin out of service, nor keep one from being tried.
#[test]
fn only_what_kennel_found_of_these_bytes_is_believed() {
    let home = Home::new("verdict");
    home.bytes("traps", Trial::new().listing("trap").bytes()).plugin("hello");
    home.kennel(["list"]).failure();
    let found = verdict_file(&home, "traps");
    let real = std::fs::read(&found).unwrap();
    assert!(standing(&home, "traps").1.contains(REMEMBERED));

    // Another component's.
    let other = verdict_file(&home, "hello");
    std::fs::write(&other, &real).unwrap();
    assert_eq!(standing(&home, "hello").0, "serving");
    // Altered, cut, a link and a pipe: each is not believed, so the component is run again and its failure is new.
    let altered = String::from_utf8_lossy(&real[32..]).replace("unreachable", "impossible!");
    for bytes in
        [[&real[..32], altered.as_bytes()].concat(), real[..40].to_vec(), real[..20].to_vec(), Vec::new()]
    {
        assert_ne!(bytes, real);
        std::fs::write(&found, bytes).unwrap();
        let (_, why) = standing(&home, "traps");
        assert!(why.contains("unreachable") && !why.contains(REMEMBERED), "{why}");
        assert!(standing(&home, "traps").1.contains(REMEMBERED), "it was not remembered anew");
    }
    std::fs::write(home.folder("aside").join("verdict"), &real).unwrap();
    std::fs::remove_file(&found).unwrap();
    std::os::unix::fs::symlink(home.folder("aside").join("verdict"), &found).unwrap();
    assert!(!standing(&home, "traps").1.contains(REMEMBERED));
}

/// Compiling is the dearest thing that bytes can ask for: what is refused, or cannot be given an instance, asks once.
#[test]
fn what_cannot_be_compiled_or_fitted_is_not_compiled_again() {
    let home = Home::new("compiled-once");
    let good = Attacker::new().build();
    home.bytes("broken", &good[..good.len() / 2]).bytes(
        "large",
        // A table of 60 000 elements, where the pool has room for 20 000.
        &Attacker::new().items("(table 60000 funcref)").build(),
    );
    for (name, why) in [("broken", "does not compile"), ("large", "does not fit this host")] {
        let file = home.plugin_path(name);
        let inspect = || home.kennel(["inspect", "--list", file.to_str().unwrap()]);
        if name == "large" {
            let first = inspect();
            first.failure().stderr_has(why);
            assert!(!first.stderr.contains(REMEMBERED), "{first}");
        }
        standing(&home, name);
        let (standing, said) = standing(&home, name);
        assert_eq!(standing, "broken");
        assert!(said.contains(why) && said.contains(REMEMBERED), "{name}: {said}");
    }
}
