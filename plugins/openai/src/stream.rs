//! A completion as it is generated, piece by piece.
//! Must not take a piece for the whole: a stream that ends without saying so is a failure.

use std::io::Read;

use kennel_sdk::api::Events;
use kennel_sdk::http::HttpError;
use kennel_sdk::prelude::*;

use crate::PREFIX;

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Delta {
    content: Option<String>,
}

#[derive(Deserialize)]
struct Failure {
    message: String,
}

/// Reads a stream to its end. `watch` hears how many pieces came, more and more rarely: a client wants to see that it
/// goes on, and not every token.
pub(crate) fn text(body: impl Read, mut watch: impl FnMut(f64)) -> Result<String> {
    let mut text = String::new();
    let (mut pieces, mut next) = (0_u32, 1_u32);
    let mut finished = false;
    for event in Events::new(body) {
        let event = event.map_err(broken)?;
        if event == "[DONE]" {
            finished = true;
            break;
        }
        let chunk: Chunk = serde_json::from_str(&event)
            .map_err(|error| Error::failed(format!("{PREFIX}: an event is not as expected: {error}")))?;
        if let Some(failure) = chunk.error {
            bail!("{PREFIX}: {}; try again", failure.message);
        }
        let Some(choice) = chunk.choices.into_iter().next() else { continue };
        finished |= choice.finish_reason.is_some();
        if let Some(piece) = choice.delta.content {
            text.push_str(&piece);
            pieces = pieces.saturating_add(1);
            if pieces >= next {
                watch(f64::from(pieces));
                next = pieces + 1 + pieces / 4;
            }
        }
    }
    if !finished {
        bail!("{PREFIX}: the answer broke off after {} characters; try again", text.chars().count());
    }
    Ok(text)
}

fn broken(error: std::io::Error) -> Error {
    match error.downcast::<HttpError>() {
        Ok(HttpError::Timeout { .. }) => {
            Error::failed(format!("{PREFIX}: the answer took too long; try again later"))
        }
        Ok(error) => Error::failed(format!("{PREFIX}: {error}; try again")),
        Err(error) => Error::failed(format!("{PREFIX}: {error}; try again")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn read(events: &[&str]) -> (Result<String>, Vec<f64>) {
        let body: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        let mut seen = Vec::new();
        (text(body.as_bytes(), |count| seen.push(count)), seen)
    }

    #[test]
    fn pieces_make_the_text() {
        let piece = |text: &str| {
            format!(r#"{{"choices":[{{"delta":{{"content":"{text}"}},"finish_reason":null}}]}}"#)
        };
        let (text, seen) = read(&[&piece("Hel"), r#"{"choices":[]}"#, &piece("lo"), "[DONE]", "never read"]);
        assert_eq!(text.unwrap(), "Hello");
        assert_eq!(seen, [1.0, 2.0]);
        let (text, seen) = read(&vec![piece("x"); 1000].iter().map(String::as_str).collect::<Vec<_>>());
        assert!(text.unwrap_err().to_string().contains("broke off after 1000 characters"));
        assert!(seen.len() < 40 && seen.is_sorted());
    }

    #[test]
    fn ends_and_failures() {
        let ended = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
        assert_eq!(read(&[ended]).0.unwrap(), "");
        let said = read(&[r#"{"error":{"message":"overloaded"}}"#]).0.unwrap_err().to_string();
        assert_eq!(said, "OpenAI API error: overloaded; try again");
        assert!(read(&["no json"]).0.is_err());
    }
}
