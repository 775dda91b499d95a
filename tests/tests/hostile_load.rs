//! Attacks on loading (rows 10 to 13 of the list of attackers): files that are no plugins, that would cost a compiler
//! everything, or that change under the reader's eyes; and a cache that somebody else wrote into.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kennel_tests::process::peak_resident;
use kennel_tests::{Attacker, Bystander, Client, Home};
use serde_json::{Value, json};

const MIB: u64 = 1 << 20;

/// A home with `hello`, compiled, and a client that has used it.
fn calm(name: &str) -> (Home, Client) {
    let home = Home::new(name);
    home.plugin("hello");
    home.kennel(["list"]).success();
    let client = home.serve();
    client.initialize();
    client.call("hello__hello", &json!({ "name": "you" }));
    (home, client)
}

/// What `kennel list` says.
#[track_caller]
fn all(home: &Home) -> Value {
    home.kennel(["list", "--format", "json"]).json()
}

/// What it says of one plugin.
#[track_caller]
fn listed(home: &Home, name: &str) -> Value {
    one(&all(home), name)
}

#[track_caller]
fn one(list: &Value, name: &str) -> Value {
    let plugins = list["plugins"].as_array().unwrap();
    plugins
        .iter()
        .find(|plugin| plugin["name"] == name)
        .unwrap_or_else(|| panic!("no {name}: {list}"))
        .clone()
}

/// The one short line that says why a plugin cannot be used.
#[track_caller]
fn broken(list: &Value, name: &str) -> String {
    let plugin = one(list, name);
    assert_eq!(plugin["standing"], "broken", "{plugin}");
    let why = plugin["why"].as_str().unwrap().to_owned();
    assert!(why.lines().count() == 1 && why.len() < 400, "not one short line: {why}");
    why
}

/// A component around one core module.
fn around(module: &[u8]) -> Vec<u8> {
    let mut component = b"\0asm\x0d\0\x01\0\x01".to_vec();
    leb(&mut component, module.len());
    component.extend_from_slice(module);
    component
}

fn leb(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn section(module: &mut Vec<u8>, id: u8, body: &[u8]) {
    module.push(id);
    leb(module, body.len());
    module.extend_from_slice(body);
}

/// A module of `count` functions, each with this body: locals, instructions, `end`.
fn functions(count: usize, body: &[u8]) -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    section(&mut module, 1, &[1, 0x60, 0, 0]);
    let mut list = Vec::new();
    leb(&mut list, count);
    list.resize(list.len() + count, 0);
    section(&mut module, 3, &list);
    let mut one = Vec::new();
    leb(&mut one, body.len());
    one.extend_from_slice(body);
    let mut code = Vec::new();
    leb(&mut code, count);
    code.extend(one.repeat(count));
    section(&mut module, 10, &code);
    module
}

/// Files that are nothing Kennel could run, and what it says of each.
#[test]
fn what_is_no_component_is_told_from_one() {
    let (home, client) = calm("strange");
    let good = Attacker::new().build();
    let strange: [(&str, Vec<u8>, &str); 8] = [
        ("empty", Vec::new(), "it is empty"),
        ("text", b"#!/bin/sh\nexit\n".to_vec(), "it is not a WebAssembly component"),
        (
            "random",
            (0u32..50_000).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect(),
            "it is not a WebAssembly component",
        ),
        ("elf", [b"\x7fELF\x02\x01\x01\0".as_slice(), &[0; 4_000]].concat(), "native program"),
        ("module", wat::parse_str("(module)").unwrap(), "it is a core WebAssembly module"),
        ("version", b"\0asm\x77\0\x01\0".to_vec(), "of a version this Kennel does not know"),
        ("truncated", good[..good.len() / 2].to_vec(), "unexpected end"),
        ("garbled", [&good[..8], &[0xff; 3_000]].concat(), "does not compile"),
    ];
    Bystander::beside(&client, || {
        for (name, bytes, _) in &strange {
            home.bytes(name, bytes);
        }
        std::fs::create_dir(home.plugin_path("folder")).unwrap();
        std::os::unix::fs::symlink("nowhere.wasm", home.plugin_path("dangling")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", home.plugin_path("device")).unwrap();
        assert!(
            std::process::Command::new("mkfifo").arg(home.plugin_path("pipe")).status().unwrap().success()
        );
        // 500 MB of which the disk holds a page.
        let large = std::fs::File::create(home.plugin_path("large")).unwrap();
        large.set_len(500 * MIB).unwrap();

        let list = all(&home);
        for (name, _, expected) in &strange {
            let why = broken(&list, name);
            assert!(why.contains(expected), "{name}: {why}");
        }
        for (name, expected) in [
            ("folder", "not a regular file"),
            ("device", "not a regular file"),
            ("pipe", "not a regular file"),
            ("dangling", "cannot be read"),
            ("large", "larger than 64 MiB"),
        ] {
            let why = broken(&list, name);
            assert!(why.contains(expected), "{name}: {why}");
        }
    });
    assert!(peak_resident(client.pid()) < 300 * MIB, "{} bytes", peak_resident(client.pid()));
}

/// A million types, a million functions, components ten thousand deep: said within the compiler's bounds.
#[test]
fn components_without_measure_are_refused() {
    let (home, client) = calm("measure");
    let mut types = b"\0asm\x01\0\0\0".to_vec();
    let mut list = Vec::new();
    leb(&mut list, 1_000_001);
    list.extend([0x60, 0, 0].repeat(1_000_001));
    section(&mut types, 1, &list);
    let mut nested = b"\0asm\x0d\0\x01\0".to_vec();
    for _ in 0..10_000 {
        let mut outer = b"\0asm\x0d\0\x01\0\x04".to_vec();
        leb(&mut outer, nested.len());
        outer.extend_from_slice(&nested);
        nested = outer;
    }
    Bystander::beside(&client, || {
        home.bytes("types", &around(&types))
            .bytes("functions", &around(&functions(1_000_001, &[0, 0x0b])))
            .bytes("nested", &nested);
        let list = all(&home);
        for name in ["types", "functions", "nested"] {
            let why = broken(&list, name);
            let refused = ["it does not compile: ", "compiling it takes more than "];
            assert!(refused.iter().any(|text| why.starts_with(text)) || name == "nested", "{name}: {why}");
        }
    });
    assert!(peak_resident(client.pid()) < 300 * MIB, "{} bytes", peak_resident(client.pid()));
}

/// A valid component of 800 KB whose compilation takes more memory than any component may have: a compiler keeps what
/// each of 49 000 locals is in each of 100 000 blocks. It is a process of its own, which dies of it, and nobody else
/// notices.
#[test]
fn a_compile_bomb_takes_only_its_compiler_with_it() {
    const LOCALS: usize = 49_000;
    let mut body = vec![1];
    leb(&mut body, LOCALS);
    body.push(0x7f);
    // `(if (i32.const 0) (then))`, then `(local.set k (i32.const 0))` for each.
    body.extend([0x41, 0, 0x04, 0x40, 0x0b].repeat(100_000));
    for local in 0..LOCALS {
        body.extend([0x41, 0, 0x21]);
        leb(&mut body, local);
    }
    body.push(0x0b);
    let (home, client) = calm("bomb");
    let start = Instant::now();
    Bystander::beside(&client, || {
        home.bytes("bomb", &around(&functions(1, &body)));
        // The serving process may have found it first; then it is remembered.
        let why = broken(&all(&home), "bomb");
        assert!(why.starts_with("compiling it takes more than 4 GiB of memory, so it is refused"), "{why}");
    });
    assert!(start.elapsed() < Duration::from_secs(100), "it took {:?}", start.elapsed());
    assert!(peak_resident(client.pid()) < 300 * MIB, "{} bytes", peak_resident(client.pid()));
}

/// What bounds the compiler is there before it reads a byte of the component.
#[test]
#[cfg(target_os = "linux")]
fn the_compiling_process_takes_its_bounds_first() {
    let home = Home::new("compiler");
    let mut command = home.command();
    command.arg("__compile").stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    // It waits for the component, and for longer than it takes to begin.
    let limits = || std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let set = |limits: &str, name: &str, bound: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel tells");
        line.split_whitespace().take(2).eq([bound, bound])
    };
    let expected =
        [("Max address space", "4294967296"), ("Max cpu time", "120"), ("Max core file size", "0")];
    let end = Instant::now() + Duration::from_secs(30);
    let all = loop {
        let now = limits();
        if expected.iter().all(|(name, bound)| set(&now, name, bound)) || Instant::now() > end {
            break now;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    for (name, bound) in expected {
        assert!(set(&all, name, bound), "{name} is not {bound}:\n{all}");
    }
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

/// A component that offers nothing is told so, and one that offers something else is told what.
#[test]
fn a_component_that_is_no_plugin_is_told_what_it_is() {
    let (home, client) = calm("no-plugin");
    Bystander::beside(&client, || {
        home.wat("bare", "(component)").wat(
            "other",
            r#"(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
               (func $f (canon lift (core func $i "f"))) (instance $x (export "greet" (func $f)))
               (export "wasi:other/greeter@0.2.0" (instance $x)))"#,
        );
        let list = all(&home);
        let ending = "; a plugin exports an interface of kennel:plugin@0.1.0, or plain functions";
        for (name, exports) in [("bare", "nothing"), ("other", "wasi:other/greeter@0.2.0")] {
            let expected = format!("it is a component but no plugin: it exports {exports}{ending}");
            assert_eq!(broken(&list, name), expected);
        }
    });
}

/// Kennel's own texts are files: a pipe in their place is not waited for, nor a device read for ever.
#[test]
fn a_pipe_in_place_of_configuration_or_lock_is_refused() {
    let home = Home::new("pipes");
    home.plugin("hello").config("").approve();
    for name in ["kennel.toml", "kennel.lock"] {
        let path = home.path().join(name);
        let real = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let check = home.kennel(["check"]);
        check.failure().stdout_has(name).stdout_has("not a regular file");
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        home.kennel(["check"]).failure().stdout_has(name).stdout_has("not a regular file");
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, real).unwrap();
        home.kennel(["check"]).success();
    }
}

#[test]
fn an_import_that_no_host_has_is_named() {
    let (home, client) = calm("import");
    let evil = Attacker::calling("(call $open)")
        .wit("package evil:house@1.2.0 { interface door { open: func(); } }")
        .import("evil:house/door@1.2.0", "open", "$open");
    Bystander::beside(&client, || {
        home.bytes("evil", &evil.build());
        let why = broken(&all(&home), "evil");
        assert!(why.contains("evil:house/door@1.2.0"), "{why}");
    });
}

#[test]
fn another_version_of_the_contract_is_named_beside_our_own() {
    let (home, client) = calm("version");
    Bystander::beside(&client, || {
        home.bytes("evil", &Attacker::new().contract("0.7.0").build());
        let why = broken(&all(&home), "evil");
        assert!(why.contains("kennel:plugin@0.7.0") && why.contains("kennel:plugin@0.1.0"), "{why}");
    });
}

/// Row 10. RUSTSEC-2026-0570: wasmtime built without its garbage collector, as ours is, still took function types that have
/// subtypes; a call through one of them ended the process. Such types are not taken at all.
#[test]
fn a_type_with_subtypes_ends_no_host() {
    let (home, client) = calm("subtypes");
    let evil = Attacker::calling("(call_indirect $t (type $base) (i32.const 0))").items(
        "(type $base (sub (func)))
         (type $other (sub (func (param i32))))
         (table $t 1 funcref)
         (func $f (type $other))
         (elem (i32.const 0) func $f)",
    );
    Bystander::beside(&client, || {
        home.bytes("evil", &evil.build());
        // Fails by itself, not by a signal.
        home.kennel(["call", "evil", "attack", "{}"]).failure();
        let why = broken(&all(&home), "evil");
        assert!(why.contains("does not compile") && why.contains("gc"), "{why}");
    });
}

/// Row 10. GHSA-2674-w29h-wqvj: wasmtime built without threads, as ours is. What would reach for them is not taken at all.
#[test]
fn atomics_end_no_host() {
    let (home, client) = calm("atomics");
    let bodies = [
        "(drop (memory.atomic.notify (i32.const 0) (i32.const 0)))",
        "(drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 0)))",
        "(drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))",
        "(atomic.fence)",
    ];
    Bystander::beside(&client, || {
        for (index, body) in bodies.iter().enumerate() {
            home.bytes(&format!("evil{index}"), &Attacker::calling(body).build());
        }
        let list = all(&home);
        for (index, body) in bodies.iter().enumerate() {
            let why = broken(&list, &format!("evil{index}"));
            assert!(why.contains("does not compile") && why.contains("threads"), "{body}: {why}");
        }
    });
}

/// All files below a folder whose name ends so.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found
}

/// Where the compiled code of a plugin lies.
#[track_caller]
fn code_of(home: &Home, name: &str) -> PathBuf {
    let digest = listed(home, name)["sha256"].as_str().unwrap().to_owned();
    let mut found = files(&home.path(), &format!("{digest}.code"));
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// Compiled code in the cache is native code: none is loaded that Kennel did not make of these very bytes.
#[test]
fn compiled_code_that_was_tampered_with_is_made_again() {
    let home = Home::new("tamper");
    home.bytes("evil", &Attacker::new().build());
    home.bytes("other", &Attacker::new().tool("other", "Another.", r#"{"type":"object"}"#).build());
    let (code, other) = (code_of(&home, "evil"), code_of(&home, "other"));
    let original = std::fs::read(&code).unwrap();
    let serves = |what: &str| {
        let run = home.kennel(["call", "evil", "attack", "{}"]);
        run.success().stdout_has("survived");
        let meta = std::fs::symlink_metadata(&code).unwrap();
        assert!(meta.is_file(), "{what}: {meta:?}");
        run
    };
    serves("untouched");

    let mut altered = original.clone();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    // A byte turned; cut short; grown; another component's code, with its tag.
    let longer = [original.as_slice(), b"\0"].concat();
    for (what, bytes) in [
        ("altered", altered.as_slice()),
        ("cut", &original[..original.len() - 1]),
        ("longer", &longer),
        ("empty", b""),
    ] {
        std::fs::write(&code, bytes).unwrap();
        serves(what).stderr_has("in the cache was altered; it is made again");
        assert_ne!(std::fs::read(&code).unwrap(), bytes, "{what}: not made again");
    }
    let tag = |code: &Path| code.with_extension("tag");
    std::fs::copy(&other, &code).unwrap();
    std::fs::copy(tag(&other), tag(&code)).unwrap();
    serves("another's").stderr_has("in the cache was altered; it is made again");
    std::fs::write(tag(&code), [0; 32]).unwrap();
    serves("a forged tag").stderr_has("in the cache was altered; it is made again");

    // A link, even to what would be right, and a pipe on which a reader would wait for ever.
    let elsewhere = home.folder("elsewhere").join("code");
    std::fs::rename(&code, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &code).unwrap();
    serves("a link");
    std::fs::remove_file(&code).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&code).status().unwrap().success());
    serves("a pipe");

    // Made by an engine of other settings: it lies under another name, is never looked at, and what lies under ours
    // is bound to it by its tag.
    let settings = code.parent().unwrap();
    let foreign = settings.with_file_name("0.0.1-0000000000000000");
    std::fs::rename(settings, &foreign).unwrap();
    home.kennel(["call", "evil", "attack", "{}"]).success().stdout_has("survived");
    assert!(code.is_file(), "not made again");
}

/// A process gives a plugin code at its first call. What was done to the cache or to the file since the plugin was
/// listed is seen then: the code is made again, and of no other bytes.
#[test]
fn code_altered_under_an_idle_process_is_made_again_of_the_same_bytes() {
    let home = Home::new("idle");
    home.bytes("evil", &Attacker::new().build());
    let code = code_of(&home, "evil");
    let mut altered = std::fs::read(&code).unwrap();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;

    let client = home.serve();
    client.initialize();
    let tools = client.request("tools/list", json!({})).unwrap();
    assert!(tools.to_string().contains("evil__attack"), "{tools}");
    std::fs::write(&code, &altered).unwrap();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..4).map(|_| scope.spawn(|| client.call("evil__attack", &json!({})))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    for answer in answers {
        assert!(answer.to_string().contains("survived"), "{answer}");
    }
    assert_ne!(std::fs::read(&code).unwrap(), altered, "not made again");
}

/// A component with the tool `attack` that answers `usurped`.
fn usurper() -> Vec<u8> {
    Attacker::calling("(call $say (i32.const 70000) (i32.const 7))")
        .items(r#"(data (i32.const 70000) "usurped")"#)
        .build()
}

/// Row 13. The code is gone from the cache and the file holds other bytes by now: what is compiled for the plugin that
/// serves are its own bytes, kept when they were approved.
#[test]
fn other_bytes_are_never_compiled_for_a_plugin() {
    let home = Home::new("usurped");
    home.bytes("evil", &Attacker::new().build()).approve();
    let code = code_of(&home, "evil");
    let client = home.serve();
    client.initialize();
    let tools = client.request("tools/list", json!({})).unwrap();
    assert!(tools.to_string().contains("evil__attack"), "{tools}");
    std::fs::remove_file(&code).unwrap();
    home.bytes("evil", &usurper());
    let answer = client.call("evil__attack", &json!({}));
    assert!(answer.to_string().contains("survived"), "{answer}");
    assert!(code.is_file(), "not made again");
}

/// Row 16c. Somebody put other bytes in the place of the kept copy: they do not serve in the name of what was approved.
#[test]
fn a_kept_copy_of_other_bytes_does_not_serve() {
    let home = Home::new("kept");
    home.bytes("evil", &Attacker::new().build()).approve();
    let [kept] = files(&home.path().join("approved"), ".wasm").try_into().unwrap();
    std::fs::write(&kept, usurper()).unwrap();
    home.bytes("evil", &Attacker::new().tool("newcomer", "New.", r#"{"type":"object"}"#).build());
    let client = home.serve();
    client.initialize();
    let start = Instant::now();
    loop {
        let tools = client.request("tools/list", json!({})).unwrap().to_string();
        assert!(!tools.contains("evil__attack"), "the copy serves: {tools}");
        if tools.contains("evil__newcomer") {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "nothing serves: {tools}\n{}", client.stderr());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whoever may write to the cache may run code as its owner; so a cache that others may write to is not used.
#[test]
fn a_cache_that_others_may_write_to_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new("open-cache");
    home.bytes("evil", &Attacker::new().build());
    let code = code_of(&home, "evil");
    let cache = code.parent().unwrap().parent().unwrap();
    std::fs::set_permissions(cache, std::fs::Permissions::from_mode(0o777)).unwrap();
    let run = home.kennel(["call", "evil", "attack", "{}"]);
    run.failure().stderr_has("others may write here; run `chmod go-w ");
    assert_eq!(run.stderr.lines().count(), 1, "{run}");
}

/// Ends the writer when dropped.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The file changes all the time, whole and in place, while it is read again and again: the tools that are listed are
/// always those of the bytes whose hash is shown.
#[test]
fn the_bytes_that_were_hashed_are_the_bytes_that_run() {
    let schema = r#"{"type":"object"}"#;
    let versions = ["first", "second"].map(|name| Attacker::new().tool(name, "One.", schema).build());
    let digests = versions.each_ref().map(|bytes| {
        let home = Home::new("digest");
        home.bytes("evil", bytes);
        listed(&home, "evil")["sha256"].as_str().unwrap().to_owned()
    });
    let mut seen = [0, 0];
    // A new home each time, so that each load compiles.
    for round in 0..20 {
        let home = Home::new("swap");
        home.bytes("evil", &versions[round % 2]);
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for turn in 0.. {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    let bytes = &versions[turn % 2];
                    if turn % 3 == 0 {
                        // In place: a reader may see a mixture, which has a hash of its own and is no plugin.
                        std::fs::write(home.plugin_path("evil"), bytes).unwrap();
                    } else {
                        home.bytes("evil", bytes);
                    }
                }
            });
            // Also when an assertion fails.
            let _over = Over(&over);
            for _ in 0..2 {
                let plugin = listed(&home, "evil");
                if plugin["standing"] == "serving" {
                    let version = digests.iter().position(|digest| plugin["sha256"] == **digest).unwrap();
                    assert_eq!(
                        plugin["tools"],
                        json!([(["evil__first", "evil__second"][version])]),
                        "{plugin}"
                    );
                    seen[version] += 1;
                }
            }
        });
    }
    assert!(seen.iter().all(|count| *count > 0), "both were to be seen: {seen:?}");
}
