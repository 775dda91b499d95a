//! Holds the audit against its chain, and names the first line of each segment that is not what was written. Reads
//! only; a process may go on writing meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Deserialize;

use crate::grants::shared_file;

use super::chain::{self, Link};
use super::head::{self, Head};
use super::line::{Begin, FORM, Pin};
use super::read::MAX_LINE;

/// What is looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Segments that ended before are only looked for.
    pub since: Option<SystemTime>,
    /// The hash of a line that must be there: whoever noted it down knows that all before it is still the same.
    pub holds: Option<Link>,
}

/// Something to say of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub file: PathBuf,
    /// From 1; none for the file as a whole.
    pub line: Option<u64>,
    /// What.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Segments that were read.
    pub segments: u64,
    /// Lines of them.
    pub lines: u64,
    /// What was altered, cut or put in: at most one thing of each segment, the first.
    pub faults: Vec<Fault>,
    /// What is no fault but worth knowing: processes that were killed, calls that left no line.
    pub notes: Vec<Fault>,
    /// The newest segment and where it stands: to be noted down elsewhere, and asked for with [`Options::holds`].
    pub last: Option<Pin>,
}

/// What every line has.
#[derive(Deserialize)]
struct Every {
    n: u64,
    kind: String,
    #[serde(default)]
    lost: u64,
    #[serde(default)]
    why: String,
}

/// Places that a segment is known to have had, by line, with the file that says so.
type Pins = BTreeMap<u64, Vec<(u64, Link, PathBuf)>>;

/// Checks the audit in `folder`.
///
/// # Errors
/// When something cannot be read; what is wrong with what can be read is in the answer.
pub fn verify(folder: &Path, options: &Options) -> io::Result<Found> {
    let mut found = Found::default();
    // Before the segments, which only grow.
    let head = match Head::read(folder) {
        Err(error)
            if error.kind() == io::ErrorKind::InvalidData || error.kind() == io::ErrorKind::UnexpectedEof =>
        {
            found.faults.push(whole(head::path(folder), format!("does not read: {error}")));
            None
        }
        head => head?,
    };
    let there = head::segments(folder)?;
    if head.is_none() && found.faults.is_empty() && !there.is_empty() {
        found.faults.push(whole(head::path(folder), "is missing".into()));
    }
    let head = head.unwrap_or_default();
    let (pins, mut floor) = pins(folder, &head, &there)?;
    let mut holds = false;
    for number in there.iter().copied().filter(|number| *number >= floor) {
        let none = Vec::new();
        let mut segment = Check {
            folder,
            number,
            path: head::segment_path(folder, number),
            pins: pins.get(&number).unwrap_or(&none),
            options,
            holds: &mut holds,
            found: &mut found,
        };
        segment.run()?;
    }
    // Again, because a segment may have gone by rotation meanwhile.
    floor = floor.max(Head::read(folder).ok().flatten().map_or(0, |head| head.floor));
    let there: BTreeSet<u64> = there.into_iter().collect();
    let end = head.next.max(there.last().map_or(0, |last| last + 1));
    // A run of them is one thing to say, however many there should be.
    let mut expected = floor.max(1);
    for next in there.iter().copied().filter(|number| *number >= floor).chain([end]) {
        if next > expected {
            let path = head::segment_path(folder, expected);
            let what = match next - expected {
                1 => "is missing".to_owned(),
                more => format!("is missing, and {} after it", more - 1),
            };
            found.faults.push(whole(path, what));
        }
        expected = next + 1;
    }
    if let Some(link) = options.holds.filter(|_| !holds) {
        let what = format!("no line has the hash {link}: the audit was cut or written anew");
        found.faults.push(whole(folder.to_owned(), what));
    }
    found.faults.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(found)
}

fn whole(file: PathBuf, what: String) -> Fault {
    Fault { file, line: None, what }
}

/// What the beginnings of the segments and the head say of other segments, and where rotation got to.
fn pins(folder: &Path, head: &Head, there: &[u64]) -> io::Result<(Pins, u64)> {
    let (mut pins, mut floor) = (Pins::new(), head.floor);
    let mut add = |pin: &Pin, by: PathBuf| {
        pins.entry(pin.segment).or_default().push((pin.lines, pin.hash, by));
    };
    for number in there {
        let path = head::segment_path(folder, *number);
        let Some(file) = open(&path)? else { continue };
        let mut line = Vec::new();
        BufReader::new(file.take(MAX_LINE)).read_until(b'\n', &mut line)?;
        // One that was altered is told of itself; what it says of others is not to be believed.
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let whole = chain::links(text, Link::START).is_some_and(|(carried, due)| carried == due);
        if let Some(begin) = serde_json::from_slice::<Begin>(text).ok().filter(|_| whole) {
            floor = floor.max(begin.floor);
            begin.after.iter().for_each(|pin| add(pin, path.clone()));
        }
    }
    head.closed.iter().for_each(|pin| add(pin, head::path(folder)));
    for places in pins.values_mut() {
        places.sort_by_key(|(line, ..)| *line);
    }
    Ok((pins, floor))
}

fn open(path: &Path) -> io::Result<Option<std::fs::File>> {
    match shared_file::open_plain(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => file.map(Some),
    }
}

/// One segment's check.
struct Check<'a> {
    folder: &'a Path,
    number: u64,
    path: PathBuf,
    pins: &'a [(u64, Link, PathBuf)],
    options: &'a Options,
    holds: &'a mut bool,
    found: &'a mut Found,
}

impl Check<'_> {
    fn fault(&mut self, line: impl Into<Option<u64>>, what: impl Into<String>) {
        self.found.faults.push(Fault { file: self.path.clone(), line: line.into(), what: what.into() });
    }

    fn note(&mut self, line: impl Into<Option<u64>>, what: impl Into<String>) {
        self.found.notes.push(Fault { file: self.path.clone(), line: line.into(), what: what.into() });
    }

    fn run(&mut self) -> io::Result<()> {
        let Some(mut file) = open(&self.path)? else { return Ok(()) };
        let goes_on = head::goes_on(&file);
        if let (Some(since), None) = (self.options.since, self.options.holds)
            && head::last_line(&mut file)?.is_some_and(|last| last.time < since && last.kind == "end")
        {
            return Ok(());
        }
        file.rewind()?;
        self.found.segments += 1;
        let mut lines = BufReader::new(file);
        let (mut n, mut before, mut ended) = (0_u64, Link::START, false);
        let mut line = Vec::new();
        loop {
            line.clear();
            lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
            if line.is_empty() {
                break;
            }
            let Some(text) = line.strip_suffix(b"\n") else {
                if ended || line.len() as u64 >= MAX_LINE {
                    self.fault(n + 1, "is no line of the audit");
                    return Ok(());
                }
                if !goes_on {
                    self.note(n + 1, "was not finished: its process was killed while it wrote");
                }
                break;
            };
            n += 1;
            let line = match self.check(n, text, before, ended) {
                Ok((link, every)) => {
                    before = link;
                    every
                }
                Err(what) => {
                    self.fault(n, what);
                    return Ok(());
                }
            };
            *self.holds |= self.options.holds == Some(before);
            if let Some((.., by)) = guarded!("audit-pins", self.pins.iter().find(|(at, link, _)| *at == n && *link != before), without None)
            {
                let by = self.name(by);
                self.fault(n, format!("is not the line that {by} comes after: the segment was written anew"));
                return Ok(());
            }
            ended = line.kind == "end";
            if line.kind == "gap" {
                let calls = if line.lost == 1 { "1 line was" } else { "lines were" };
                let number = if line.lost == 1 { String::new() } else { format!("{} ", line.lost) };
                self.note(n, format!("{number}{calls} lost before it: {}", line.why));
            }
        }
        self.found.lines += n;
        if let Some((at, _, by)) = self.pins.iter().rfind(|(at, ..)| *at > n) {
            let (at, by) = (*at, self.name(by));
            self.fault(n + 1, format!("is missing, with all after it: {by} comes after line {at}"));
            return Ok(());
        }
        if !ended && !goes_on {
            self.note(None, format!("did not end: its process was killed after line {n}"));
        }
        if n > 0 {
            self.found.last = Some(Pin { segment: self.number, lines: n, hash: before });
        }
        Ok(())
    }

    /// What is wrong with line `n`, if anything; else its link and what it is.
    fn check(&self, n: u64, text: &[u8], before: Link, ended: bool) -> Result<(Link, Every), String> {
        let every: Option<Every> = serde_json::from_slice(text).ok();
        let (Some((carried, due)), Some(every)) = (chain::links(text, before), every) else {
            return Err("is no line of the audit: it was altered or put in".into());
        };
        if guarded!("audit-chain", carried != due) {
            return Err(match every.n {
                said if said > n => format!("calls itself line {said}: what was before it is missing"),
                said if said < n => format!("calls itself line {said}: it was moved or put in"),
                _ => "was altered, or the one before it was".into(),
            });
        }
        if ended {
            return Err("comes after the segment's end".into());
        }
        if every.n != n {
            return Err(format!("calls itself line {}", every.n));
        }
        if (every.kind == "begin") != (n == 1) {
            return Err("is not where a segment's first line is".into());
        }
        if n == 1 {
            let begin: Begin =
                serde_json::from_slice(text).map_err(|error| format!("does not read: {error}"))?;
            if begin.form != FORM {
                return Err(format!("has form {}, of which this Kennel reads {FORM}", begin.form));
            }
            if begin.segment != self.number {
                return Err(format!("begins segment {}: the file was renamed", begin.segment));
            }
        }
        Ok((carried, every))
    }

    fn name(&self, path: &Path) -> String {
        path.strip_prefix(self.folder).unwrap_or(path).display().to_string()
    }
}
