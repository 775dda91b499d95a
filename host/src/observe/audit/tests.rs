#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::time::Instant;

use super::line::Key;
use super::*;

const KEY: Key = Key([1; 32]);

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn record(name: &str) -> Record<()> {
    Record {
        time: SystemTime::now(),
        plugin: None,
        method: "tools/call",
        name: name.into(),
        caller: "ada".into(),
        trace: None,
        arguments: Arguments::None,
        round: 0,
        outcome: "ok".into(),
        decisions: Decisions::default(),
        output: 0,
        usage: (),
    }
}

/// A segment of the given calls, not ended.
fn segment(folder: &Path, options: &Options, calls: &[&str]) -> Segment {
    let mut segment = Segment::begin(folder, options, &KEY).unwrap();
    write(&mut segment, calls);
    segment
}

fn write(segment: &mut Segment, calls: &[&str]) {
    let calls: Vec<_> = calls.iter().map(|name| record(name)).collect();
    segment.write(&calls.iter().map(Line::Call).collect::<Vec<_>>(), &KEY).unwrap();
}

/// What `verify` says, without the folder.
fn said(folder: &Path) -> (Vec<String>, Vec<String>) {
    let found = verify(folder, &VerifyOptions::default()).unwrap();
    let plain = |faults: &[Fault]| {
        let prefix = format!("{}/", folder.display());
        faults.iter().map(|fault| fault.to_string().replace(&prefix, "")).collect::<Vec<_>>()
    };
    (plain(&found.faults), plain(&found.notes))
}

fn whole(folder: &Path) -> Vec<String> {
    let (faults, notes) = said(folder);
    assert_eq!(faults, Vec::<String>::new());
    notes
}

fn cut_last_line(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    let end = text.trim_end().rfind('\n').unwrap();
    fs::write(path, &text[..=end]).unwrap();
}

#[test]
fn segments_of_several_writers_hang_together() {
    let scratch = folder();
    let (folder, options) = (scratch.path(), Options::default());
    assert_eq!(verify(folder, &VerifyOptions::default()).unwrap().segments, 0);
    let mut first = segment(folder, &options, &["a", "b"]);
    let mut second = segment(folder, &options, &["c"]);
    write(&mut first, &["d"]);
    assert_eq!(whole(folder), Vec::<String>::new(), "both are being written");
    first.end("done", &KEY).unwrap();
    write(&mut second, &["e"]);
    let third = segment(folder, &options, &[]);
    second.end("done", &KEY).unwrap();
    third.end("done", &KEY).unwrap();
    assert_eq!(whole(folder), Vec::<String>::new());
    let found = verify(folder, &VerifyOptions::default()).unwrap();
    assert_eq!((found.segments, found.lines), (3, 5 + 4 + 2));

    // Whichever is removed, it is missed, the newest too.
    for number in 1..=3 {
        let path = head::segment_path(folder, number);
        let kept = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(said(folder).0, [format!("{number:08}.jsonl: is missing")]);
        fs::write(&path, kept).unwrap();
    }
    // And whichever is cut.
    for number in 1..=3 {
        let path = head::segment_path(folder, number);
        let kept = fs::read(&path).unwrap();
        cut_last_line(&path);
        let (faults, _) = said(folder);
        assert!(faults.len() == 1 && faults[0].contains("is missing, with all after it"), "{faults:?}");
        fs::write(&path, kept).unwrap();
    }
    fs::remove_file(head::path(folder)).unwrap();
    assert_eq!(said(folder).0, ["head: is missing"]);
    fs::write(head::path(folder), "{").unwrap();
    assert!(said(folder).0[0].starts_with("head: does not read"));
}

#[test]
fn a_killed_process_leaves_a_whole_audit_that_cannot_be_cut_once_another_began() {
    let scratch = folder();
    let (folder, options) = (scratch.path(), Options::default());
    drop(segment(folder, &options, &["a", "b"]));
    let path = head::segment_path(folder, 1);
    // In the middle of a line.
    let mut text = fs::read(&path).unwrap();
    text.extend(b"{\"n\":4,\"ti");
    fs::write(&path, &text).unwrap();
    insta::assert_snapshot!(whole(folder).join("\n"), @r"
    00000001.jsonl:4: was not finished: its process was killed while it wrote
    00000001.jsonl: did not end: its process was killed after line 3
    ");
    let second = segment(folder, &options, &["c"]);
    second.end("done", &KEY).unwrap();
    whole(folder);
    let short = String::from_utf8(text).unwrap();
    let lines: Vec<_> = short.split_inclusive('\n').collect();
    fs::write(&path, lines[..2].concat()).unwrap();
    insta::assert_snapshot!(said(folder).0.join("\n"), @"00000001.jsonl:3: is missing, with all after it: 00000002.jsonl comes after line 3");
}

#[test]
fn a_first_line_that_was_altered_is_not_believed_about_others() {
    let scratch = folder();
    let (folder, options) = (scratch.path(), Options::default());
    segment(folder, &options, &["a"]).end("done", &KEY).unwrap();
    segment(folder, &options, &["b"]).end("done", &KEY).unwrap();
    let path = head::segment_path(folder, 2);
    let text = fs::read_to_string(&path).unwrap();
    let pin = text.split("\"after\":").nth(1).unwrap().split("\"hash\":\"").nth(1).unwrap();
    let other: String = pin[..64].chars().map(|digit| if digit == '0' { '1' } else { '0' }).collect();
    fs::write(&path, text.replacen(&pin[..64], &other, 1)).unwrap();
    insta::assert_snapshot!(said(folder).0.join("\n"), @"00000002.jsonl:1: was altered, or the one before it was");
}

#[test]
fn a_segment_written_anew_does_not_fit_those_after_it() {
    let scratch = folder();
    let (folder, options) = (scratch.path(), Options::default());
    segment(folder, &options, &["a", "secret", "b"]).end("done", &KEY).unwrap();
    segment(folder, &options, &["c"]).end("done", &KEY).unwrap();
    let noted = verify(folder, &VerifyOptions::default()).unwrap().last.unwrap().hash;
    let holds = VerifyOptions { holds: Some(noted), since: None };
    assert_eq!(verify(folder, &holds).unwrap().faults, []);

    // By the rules, with every hash right: as only its owner can.
    let path = head::segment_path(folder, 1);
    let text = fs::read_to_string(&path).unwrap();
    let (mut anew, mut link) = (Vec::new(), Link::START);
    for line in text.lines() {
        let body = line.rsplit_once(",\"hash\":").unwrap().0.replace("secret", "public");
        let from = anew.len();
        anew.extend(format!("{body}}}").into_bytes());
        link = chain::seal(&mut anew, from, link);
    }
    fs::write(&path, anew).unwrap();
    insta::assert_snapshot!(said(folder).0.join("\n"), @"00000001.jsonl:5: is not the line that 00000002.jsonl comes after: the segment was written anew");
    // All of it written anew is noticed only by whoever noted a hash down.
    fs::remove_file(head::segment_path(folder, 1)).unwrap();
    fs::remove_file(head::segment_path(folder, 2)).unwrap();
    fs::remove_file(head::path(folder)).unwrap();
    segment(folder, &options, &["a", "public", "b"]).end("done", &KEY).unwrap();
    whole(folder);
    let faults = verify(folder, &holds).unwrap().faults;
    assert!(faults[0].what.contains("was cut or written anew"), "{faults:?}");
}

#[test]
fn rotation_removes_the_oldest_and_the_rest_is_whole() {
    let scratch = folder();
    let options = Options { max_total: 8 << 10, ..Options::default() };
    let folder = scratch.path();
    for _ in 0..20 {
        segment(folder, &options, &["a", "b", "c"]).end("done", &KEY).unwrap();
        assert_eq!(whole(folder), Vec::<String>::new());
    }
    let there = head::segments(folder).unwrap();
    assert!(there.len() < 12 && *there.first().unwrap() > 5 && *there.last().unwrap() == 20, "{there:?}");
    // What rotation did not remove is missed.
    fs::remove_file(head::segment_path(folder, there[0])).unwrap();
    assert_eq!(said(folder).0, [format!("{:08}.jsonl: is missing", there[0])]);
    // One that goes on is not removed, nor is any after it.
    let first = segment(folder, &options, &["a"]);
    let kept = head::segments(folder).unwrap();
    for _ in 0..20 {
        segment(folder, &options, &["b", "c", "d"]).end("done", &KEY).unwrap();
    }
    assert!(head::segments(folder).unwrap().contains(kept.last().unwrap()));
    first.end("done", &KEY).unwrap();
    // By age.
    let options = Options { keep: Duration::ZERO, ..Options::default() };
    std::thread::sleep(Duration::from_millis(20));
    segment(folder, &options, &[]).end("done", &KEY).unwrap();
    assert_eq!(head::segments(folder).unwrap().len(), 1);
    assert_eq!(whole(folder), Vec::<String>::new());
}

#[test]
fn since_leaves_out_what_ended_before() {
    let scratch = folder();
    let folder = scratch.path();
    segment(folder, &Options::default(), &["a"]).end("done", &KEY).unwrap();
    std::thread::sleep(Duration::from_millis(5));
    let since = SystemTime::now();
    segment(folder, &Options::default(), &["b"]).end("done", &KEY).unwrap();
    let options = VerifyOptions { since: Some(since), holds: None };
    assert_eq!(verify(folder, &options).unwrap().segments, 1);
}

/// An audit whose disk can be taken away: a file in the place of its folder.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new() -> Self {
        Self(folder())
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("audit")
    }

    fn gone(&self) {
        fs::rename(self.folder(), self.0.path().join("away")).unwrap();
        fs::write(self.folder(), "").unwrap();
    }

    fn back(&self) {
        fs::remove_file(self.folder()).unwrap();
        fs::rename(self.0.path().join("away"), self.folder()).unwrap();
    }
}

fn eventually(mut what: impl FnMut() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < Duration::from_secs(60), "it never happens");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn calls_are_refused_while_their_lines_cannot_be_written() {
    let disk = Disk::new();
    let audit = Audit::<()>::begin(&disk.folder(), Options::default()).unwrap();
    disk.gone();
    for _ in 0..2 {
        let refused = audit.admit().err().unwrap().to_string();
        assert!(refused.starts_with("the audit cannot be written: "), "{refused}");
    }
    disk.back();
    eventually(|| audit.admit().is_ok());
    audit.admit().unwrap().record(record("x"));
    audit.close();
    let lines = recent(&disk.folder(), 9, |line| line["kind"] == "call").unwrap();
    assert_eq!(lines.len(), 1);
    whole(&disk.folder());
}

#[test]
fn calls_are_refused_when_no_place_is_left_and_none_runs_without_one() {
    let scratch = folder();
    let audit = Audit::<()>::begin(scratch.path(), Options::default()).unwrap();
    let mut tickets: Vec<_> = (0..queue::PLACES).map(|_| audit.admit().unwrap()).collect();
    assert_eq!(audit.admit().err(), Some(Unwritable::Full));
    // One that is not used is free again, one that is used when its line is written.
    drop(tickets.pop());
    drop(audit.admit().unwrap());
    tickets.pop().unwrap().record(record("x"));
    audit.flush();
    assert!(audit.admit().is_ok());
}

#[test]
fn calls_that_go_on_without_a_line_are_counted_in_the_chain() {
    let disk = Disk::new();
    let options = Options { when_full: WhenFull::Say, ..Options::default() };
    let audit = Audit::<()>::begin(&disk.folder(), options).unwrap();
    disk.gone();
    for _ in 0..queue::PLACES + 7 {
        audit.admit().unwrap().record(record("x"));
    }
    disk.back();
    let read = |kind: &'static str| recent(&disk.folder(), 100_000, |line| line["kind"] == kind).unwrap();
    eventually(|| !read("gap").is_empty());
    audit.close();
    assert_eq!(read("gap")[0].json["lost"], 7);
    assert_eq!(read("call").len(), queue::PLACES);
    let notes = whole(&disk.folder());
    assert!(notes.len() == 1 && notes[0].contains(": 7 lines were lost before it: "), "{notes:?}");
}

#[test]
fn a_segment_that_is_removed_while_it_is_written_is_missed_and_another_begins() {
    let scratch = folder();
    let audit = Audit::<()>::begin(scratch.path(), Options::default()).unwrap();
    audit.admit().unwrap().record(record("x"));
    audit.flush();
    fs::remove_file(head::segment_path(scratch.path(), 1)).unwrap();
    audit.admit().unwrap().record(record("y"));
    audit.close();
    assert_eq!(said(scratch.path()).0, ["00000001.jsonl: is missing"]);
    assert_eq!(recent(scratch.path(), 9, |line| line["name"] == "y").unwrap().len(), 1);
}

#[test]
fn what_is_in_force_is_written_only_before_something_else() {
    let scratch = folder();
    let change = |what| Change {
        plugin: "x".into(),
        digest: None,
        by: "host".into(),
        what,
        before: crate::grants::Grants::default(),
        now: crate::grants::Grants::default(),
    };
    let audit = Audit::<()>::begin(scratch.path(), Options::default()).unwrap();
    audit.in_force(change("in force"));
    audit.close();
    assert_eq!(head::segments(scratch.path()).unwrap(), Vec::<u64>::new(), "nothing was called");
    let audit = Audit::<()>::begin(scratch.path(), Options::default()).unwrap();
    audit.in_force(change("in force"));
    audit.change(change("applied"));
    drop(audit);
    let what: Vec<_> = recent(scratch.path(), 9, |line| line["kind"] == "grants").unwrap();
    assert_eq!(
        what.iter().map(|line| line.json["what"].as_str().unwrap()).collect::<Vec<_>>(),
        ["in force", "applied"]
    );
}
