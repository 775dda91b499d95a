//! Typing: each character as the keys of an American keyboard that make it, as Puppeteer does; what has no key is inserted.
//! Must not know elements: the keys go to whatever has the focus.

use kennel_sdk::prelude::*;

use crate::devtools::Sent;
use crate::page::{Ignored, Page};

/// How many characters are under way at once.
const AT_ONCE: usize = 32;

/// A key of the keyboard.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    /// What it means (`KeyboardEvent.key`).
    key: String,
    /// Which it is (`KeyboardEvent.code`).
    code: String,
    /// Windows' virtual key code (`KeyboardEvent.keyCode`).
    number: u32,
    /// What it writes.
    text: String,
}

/// Keys whose two characters are no letters: the plain one, the shifted one, the code, the number.
const SIGNS: [(char, char, &str, u32); 21] = [
    ('0', ')', "Digit0", 48),
    ('1', '!', "Digit1", 49),
    ('2', '@', "Digit2", 50),
    ('3', '#', "Digit3", 51),
    ('4', '$', "Digit4", 52),
    ('5', '%', "Digit5", 53),
    ('6', '^', "Digit6", 54),
    ('7', '&', "Digit7", 55),
    ('8', '*', "Digit8", 56),
    ('9', '(', "Digit9", 57),
    (';', ':', "Semicolon", 186),
    ('=', '+', "Equal", 187),
    (',', '<', "Comma", 188),
    ('-', '_', "Minus", 189),
    ('.', '>', "Period", 190),
    ('/', '?', "Slash", 191),
    ('`', '~', "Backquote", 192),
    ('[', '{', "BracketLeft", 219),
    ('\\', '|', "Backslash", 220),
    (']', '}', "BracketRight", 221),
    ('\'', '"', "Quote", 222),
];

/// The key that writes a character; none when no key does.
fn key(character: char) -> Option<Key> {
    let key = |code: &str, number| Key {
        key: character.to_string(),
        code: code.to_owned(),
        number,
        text: character.to_string(),
    };
    match character {
        'a'..='z' | 'A'..='Z' => {
            let letter = character.to_ascii_uppercase();
            Some(key(&format!("Key{letter}"), u32::from(letter)))
        }
        ' ' => Some(key("Space", 32)),
        '\r' | '\n' => Some(Key { key: "Enter".to_owned(), text: "\r".to_owned(), ..key("Enter", 13) }),
        _ => SIGNS
            .iter()
            .find(|(plain, shifted, ..)| [*plain, *shifted].contains(&character))
            .map(|(_, _, code, number)| key(code, *number)),
    }
}

/// Types the text.
///
/// # Errors
/// The browser's.
pub(crate) fn write(page: &mut Page, text: &str) -> Result<()> {
    let mut under_way: Vec<Sent> = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match key(character) {
            Some(key) => {
                let down = json!({
                    "type": "keyDown", "modifiers": 0, "windowsVirtualKeyCode": key.number, "code": key.code, "key": key.key,
                    "text": key.text, "unmodifiedText": key.text, "autoRepeat": false, "location": 0, "isKeypad": false,
                });
                let up = json!({
                    "type": "keyUp", "modifiers": 0, "windowsVirtualKeyCode": key.number, "code": key.code, "key": key.key,
                    "location": 0,
                });
                under_way.push(page.send("Input.dispatchKeyEvent", down)?);
                under_way.push(page.send("Input.dispatchKeyEvent", up)?);
            }
            None => under_way.push(page.send("Input.insertText", json!({ "text": character.to_string() }))?),
        }
        if under_way.len() >= 2 * AT_ONCE || characters.peek().is_none() {
            for sent in under_way.drain(..) {
                page.answer::<Ignored>(sent)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn every_printable_character_of_ascii_has_a_key() {
        let mut codes = std::collections::BTreeSet::new();
        for character in ' '..='~' {
            let key = key(character).unwrap_or_else(|| panic!("{character:?} has no key"));
            assert_eq!(
                (key.key.as_str(), key.text.as_str()),
                (character.to_string().as_str(), character.to_string().as_str())
            );
            codes.insert(key.code);
        }
        // 26 letters, 21 signs, the space bar: each key once.
        assert_eq!(codes.len(), 48);
    }

    #[test]
    fn some_keys() {
        let named = |character| key(character).map(|key| (key.key, key.code, key.number, key.text));
        let all =
            |key: &str, code: &str, number, text: &str| Some((key.into(), code.into(), number, text.into()));
        assert_eq!(named('a'), all("a", "KeyA", 65, "a"));
        assert_eq!(named('Z'), all("Z", "KeyZ", 90, "Z"));
        assert_eq!(named('%'), all("%", "Digit5", 53, "%"));
        assert_eq!(named('\n'), all("Enter", "Enter", 13, "\r"));
        assert_eq!(named('é'), None);
        assert_eq!(named('\t'), None);
    }
}
