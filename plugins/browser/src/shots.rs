//! The screenshots that can be read again as `screenshot://NAME`: an index, and the pictures in pieces that the store takes.
//! Must not fill the store: of too many, the oldest go.

use kennel_sdk::prelude::*;
use kennel_sdk::state::StateError;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The key of the index.
const INDEX: &str = "shots";

/// The key of the last number given to a picture.
const LAST: &str = "last-shot";

/// The most pictures kept, and the most bytes of them together.
const MOST: usize = 50;
const MOST_BYTES: usize = 24 << 20;

/// Bytes of a piece; the store's values have 1 MiB at most.
const PIECE: usize = 512 << 10;

/// The most characters of a name.
const MOST_OF_NAME: usize = 200;

/// What stands for itself in a name within a URI (RFC 3986): unreserved, sub-delims, and slashes.
const NAME: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b'/');

/// A picture that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Shot {
    name: String,
    number: u64,
    bytes: usize,
}

impl Shot {
    fn keys(&self) -> impl Iterator<Item = String> {
        let number = self.number;
        (0..self.bytes.div_ceil(PIECE)).map(move |piece| format!("shot/{number:020}/{piece:04}"))
    }

    /// What cannot be removed now is found gone or replaced by another call.
    fn remove(&self) -> Result<()> {
        for key in self.keys() {
            state::delete(&key)?;
        }
        Ok(())
    }
}

/// Whether a picture can be kept under this name.
///
/// # Errors
/// [`Error::Invalid`] saying why not.
pub(crate) fn check_name(name: &str) -> Result<()> {
    match name.chars().count() {
        0 => Err(Error::invalid("name is empty: give the screenshot a name to find it by")),
        1..=MOST_OF_NAME => Ok(()),
        more => Err(Error::invalid(format!("name has {more} characters: at most {MOST_OF_NAME}"))),
    }
}

/// Keeps a picture, in the place of another one of the same name.
///
/// # Errors
/// The store's, when the picture alone is too large for it.
pub(crate) fn keep(name: &str, picture: &[u8]) -> Result<()> {
    let number = state::update(LAST, |last: Option<u64>| Ok(Some(last.unwrap_or(0) + 1)))?.unwrap_or(1);
    let shot = Shot { name: name.to_owned(), number, bytes: picture.len() };
    for (key, piece) in shot.keys().zip(picture.chunks(PIECE)) {
        loop {
            match state::set_bytes(&key, piece) {
                Ok(()) => break,
                Err(StateError::Quota(_)) if drop_oldest()? => {}
                Err(error) => {
                    shot.remove()?;
                    return Err(error).context("the screenshot was not kept");
                }
            }
        }
    }
    let mut gone = Vec::new();
    state::update(INDEX, |shots: Option<Vec<Shot>>| {
        let (shots, without) = indexed(shots.unwrap_or_default(), &shot);
        gone = without;
        Ok(Some(shots))
    })?;
    gone.iter().try_for_each(Shot::remove)
}

/// The index with one more, and what is in it no longer.
fn indexed(mut shots: Vec<Shot>, shot: &Shot) -> (Vec<Shot>, Vec<Shot>) {
    let mut gone = Vec::new();
    match shots.iter_mut().find(|other| other.name == shot.name) {
        Some(other) => gone.push(std::mem::replace(other, shot.clone())),
        None => shots.push(shot.clone()),
    }
    while shots.len() > MOST || shots.iter().map(|shot| shot.bytes).sum::<usize>() > MOST_BYTES {
        // The oldest is the one with the least number; the last one always stays.
        let oldest = shots.iter().enumerate().min_by_key(|(_, shot)| shot.number).map(|(at, _)| at);
        match oldest {
            Some(at) if shots.len() > 1 => gone.push(shots.remove(at)),
            _ => break,
        }
    }
    (shots, gone)
}

/// Makes room; says whether there was anything to drop.
fn drop_oldest() -> Result<bool> {
    let mut gone = None;
    state::update(INDEX, |shots: Option<Vec<Shot>>| {
        let mut shots = shots.unwrap_or_default();
        let oldest = shots.iter().enumerate().min_by_key(|(_, shot)| shot.number).map(|(at, _)| at);
        gone = oldest.map(|at| shots.remove(at));
        Ok(Some(shots))
    })?;
    gone.iter().try_for_each(Shot::remove)?;
    Ok(gone.is_some())
}

/// The picture of this name, if it is kept.
///
/// # Errors
/// The store's.
pub(crate) fn read(name: &str) -> Result<Option<Vec<u8>>> {
    let shots = state::get::<Vec<Shot>>(INDEX)?.unwrap_or_default();
    let Some(shot) = shots.iter().find(|shot| shot.name == name) else { return Ok(None) };
    let mut picture = Vec::with_capacity(shot.bytes);
    for key in shot.keys() {
        // Another call replaced it meanwhile.
        let Some(piece) = state::get_bytes(&key)? else { return Ok(None) };
        picture.extend(piece);
    }
    Ok(Some(picture))
}

/// Those kept, in the order in which their names came up.
///
/// # Errors
/// The store's.
pub(crate) fn list() -> Result<Vec<ResourceInfo>> {
    let shots = state::get::<Vec<Shot>>(INDEX)?.unwrap_or_default();
    Ok(shots
        .iter()
        .map(|shot| {
            ResourceInfo::new(uri(&shot.name), format!("Screenshot: {}", shot.name)).mime("image/png")
        })
        .collect())
}

fn uri(name: &str) -> String {
    format!("screenshot://{}", utf8_percent_encode(name, NAME))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn shot(name: &str, number: u64, bytes: usize) -> Shot {
        Shot { name: name.to_owned(), number, bytes }
    }

    #[test]
    fn a_name_keeps_its_place_and_its_last_picture() {
        let (shots, gone) = indexed(vec![shot("a", 1, 5), shot("b", 2, 5)], &shot("a", 3, 7));
        assert_eq!((shots, gone), (vec![shot("a", 3, 7), shot("b", 2, 5)], vec![shot("a", 1, 5)]));
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let many: Vec<_> = (0..MOST as u64).map(|n| shot(&n.to_string(), n, 1)).collect();
        let (shots, gone) = indexed(many.clone(), &shot("new", 99, 1));
        assert_eq!((shots.len(), gone), (MOST, vec![shot("0", 0, 1)]));
        let (shots, gone) = indexed(many, &shot("new", 99, MOST_BYTES + 1));
        assert_eq!((shots, gone.len()), (vec![shot("new", 99, MOST_BYTES + 1)], MOST));
    }

    #[test]
    fn names_in_uris() {
        assert_eq!(uri("home_page-1.0"), "screenshot://home_page-1.0");
        assert_eq!(uri("a b/c:d?e#f%[é]"), "screenshot://a%20b/c%3Ad%3Fe%23f%25%5B%C3%A9%5D");
        assert!(check_name("é").is_ok() && check_name(&"é".repeat(MOST_OF_NAME)).is_ok());
        assert!(check_name("").is_err() && check_name(&"x".repeat(MOST_OF_NAME + 1)).is_err());
    }

    #[test]
    fn pieces_cover_the_picture() {
        assert_eq!(shot("a", 7, PIECE).keys().collect::<Vec<_>>(), ["shot/00000000000000000007/0000"]);
        assert_eq!(shot("a", 7, PIECE + 1).keys().count(), 2);
    }
}
