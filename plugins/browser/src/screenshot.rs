//! `puppeteer_screenshot`: a picture of the page or of one element, as PNG.
//! Must not give more than an answer holds: a larger picture is refused, never cut.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kennel_sdk::prelude::*;

use crate::element::{self, Box};
use crate::page::Page;

/// The most pixels of a side.
const MOST_PIXELS: f64 = 4096.0;

/// The most KiB of a picture in an answer, unless the setting says otherwise: under the host's own bound for a result.
const MOST_KIB: usize = 1000;

#[derive(Deserialize)]
struct Captured {
    /// Base64.
    data: String,
}

/// A length in CSS pixels, as the caller gave it.
///
/// # Errors
/// [`Error::Invalid`] when it is no size of a page.
pub(crate) fn pixels(name: &str, given: Option<f64>, otherwise: u32) -> Result<u32> {
    match given {
        None => Ok(otherwise),
        Some(given) if given.fract() == 0.0 && (1.0..=MOST_PIXELS).contains(&given) => Ok(given as u32),
        Some(given) => Err(Error::invalid(format!(
            "{name} is {given}: give a whole number of pixels from 1 to {MOST_PIXELS}"
        ))),
    }
}

/// The picture; none when no element fits the selector.
///
/// # Errors
/// [`Error::Failed`] when the element has no size, or the picture is too large.
pub(crate) fn take(page: &mut Page, selector: Option<&str>, encoded: bool) -> Result<Option<Vec<u8>>> {
    let parameters = match selector {
        None => json!({ "format": "png", "captureBeyondViewport": false }),
        Some(selector) => {
            let Some(element) = element::find(page, selector)? else { return Ok(None) };
            let Box { x, y, width, height } = rounded(element.place(page)?);
            let clip = json!({ "x": x, "y": y, "width": width, "height": height, "scale": 1 });
            json!({ "format": "png", "captureBeyondViewport": true, "clip": clip })
        }
    };
    let captured: Captured = page.command("Page.captureScreenshot", parameters)?;
    let most = setting::<usize>("max-screenshot-kib")?.unwrap_or(MOST_KIB);
    let size = if encoded { captured.data.len() } else { captured.data.len() / 4 * 3 };
    if size > most.saturating_mul(1024) {
        bail!(
            "the screenshot has {} KiB, more than the {most} KiB of an answer: take a smaller size or one element, or raise the setting `max-screenshot-kib` and the limit `output`",
            size.div_ceil(1024)
        );
    }
    STANDARD.decode(captured.data).map(Some).context("the browser's picture")
}

/// A picture as a data URI.
pub(crate) fn data_uri(picture: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(picture))
}

/// To whole pixels, as Puppeteer does: the far edges are rounded too, not the sizes.
fn rounded(place: Box) -> Box {
    let (x, y) = (place.x.round(), place.y.round());
    Box { x, y, width: (place.width + place.x - x).round(), height: (place.height + place.y - y).round() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn sizes_are_whole_and_bounded() {
        assert_eq!(pixels("width", None, 800), Ok(800));
        assert_eq!(pixels("width", Some(4096.0), 800), Ok(4096));
        for wrong in [0.0, -1.0, 0.5, 4097.0, f64::NAN, f64::INFINITY] {
            let error = pixels("width", Some(wrong), 800).unwrap_err();
            assert!(matches!(&error, Error::Invalid(text) if text.contains("width is")), "{wrong}: {error}");
        }
    }

    #[test]
    fn edges_are_rounded() {
        let place = Box { x: 0.4, y: 10.6, width: 1.2, height: 1.2 };
        assert_eq!(rounded(place), Box { x: 0.0, y: 11.0, width: 2.0, height: 1.0 });
    }
}
