//! Reads lines back, for people who look at them: the latest of all segments, and new ones as they come. Believes what
//! is written; whether it was altered is for `verify`.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::grants::shared_file;

use super::head;

/// Longest line that is read, in bytes; ours are far shorter.
pub(super) const MAX_LINE: u64 = 16 << 20;

/// A line of the audit.
#[derive(Clone, Debug)]
pub struct Line {
    /// As it is written, without the line feed.
    pub text: String,
    /// The same as JSON.
    pub json: Value,
}

/// In which order lines are shown: by time, then as they were written.
type Order = (String, u64, u64);

impl Line {
    fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?.to_owned();
        Some(Self { json: serde_json::from_str(&text).ok()?, text })
    }

    fn order(&self, segment: u64) -> Order {
        let time = self.json["time"].as_str().unwrap_or_default().to_owned();
        (time, segment, self.json["n"].as_u64().unwrap_or_default())
    }
}

/// The last `most` lines that `wanted` takes, by time, of all segments.
///
/// # Errors
/// When the folder or a segment cannot be read.
pub fn recent(folder: &Path, most: usize, wanted: impl Fn(&Value) -> bool) -> io::Result<Vec<Line>> {
    let mut kept: BTreeMap<Order, Line> = BTreeMap::new();
    for number in head::segments(folder)?.into_iter().rev() {
        let Some(mut file) = open(folder, number)? else { continue };
        let full = kept.len() >= most;
        if full && let Some(last) = head::last_line(&mut file)? {
            let last = humantime::format_rfc3339_micros(last.time).to_string();
            if kept.first_key_value().is_none_or(|((first, ..), _)| last < *first) {
                continue;
            }
        }
        file.seek(SeekFrom::Start(0))?;
        whole_lines(&mut BufReader::new(file), |text| {
            if let Some(line) = Line::parse(text).filter(|line| wanted(&line.json)) {
                kept.insert(line.order(number), line);
                if kept.len() > most {
                    kept.pop_first();
                }
            }
        })?;
    }
    Ok(kept.into_values().collect())
}

/// New lines of all segments as they come.
pub struct Follow {
    folder: PathBuf,
    /// How far each segment was read.
    read: HashMap<u64, u64>,
}

impl Follow {
    /// From what there is now.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn from_now(folder: &Path) -> io::Result<Self> {
        let mut read = HashMap::new();
        for number in head::segments(folder)? {
            if let Some(file) = open(folder, number)? {
                read.insert(number, file.metadata()?.len());
            }
        }
        Ok(Self { folder: folder.to_owned(), read })
    }

    /// What came since the last look, by time.
    ///
    /// # Errors
    /// When the folder or a segment cannot be read.
    pub fn new_lines(&mut self) -> io::Result<Vec<Line>> {
        let mut new = BTreeMap::new();
        for number in head::segments(&self.folder)? {
            let Some(mut file) = open(&self.folder, number)? else { continue };
            let at = self.read.entry(number).or_default();
            if file.metadata()?.len() <= *at {
                continue;
            }
            file.seek(SeekFrom::Start(*at))?;
            *at += whole_lines(&mut BufReader::new(file), |text| {
                if let Some(line) = Line::parse(text) {
                    new.insert(line.order(number), line);
                }
            })?;
        }
        Ok(new.into_values().collect())
    }
}

/// A segment; none when rotation removed it meanwhile.
fn open(folder: &Path, number: u64) -> io::Result<Option<File>> {
    match shared_file::open_plain(&head::segment_path(folder, number)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => file.map(Some),
    }
}

/// Gives each finished line without its line feed; answers how many bytes those were.
fn whole_lines(from: &mut BufReader<File>, mut each: impl FnMut(&[u8])) -> io::Result<u64> {
    let (mut line, mut bytes) = (Vec::new(), 0);
    loop {
        line.clear();
        from.take(MAX_LINE).read_until(b'\n', &mut line)?;
        let Some(text) = line.strip_suffix(b"\n") else { return Ok(bytes) };
        bytes += line.len() as u64;
        each(text);
    }
}
