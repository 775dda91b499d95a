//! The mouse: to a place, and a click there.
//! Must not know elements.

use kennel_sdk::prelude::*;

use crate::element::Point;
use crate::page::{Ignored, Page};

/// Moves the pointer.
///
/// # Errors
/// The browser's.
pub(crate) fn hover(page: &mut Page, at: Point) -> Result<()> {
    page.command::<Ignored>("Input.dispatchMouseEvent", event("mouseMoved", at, "none", 0, 0)).map(drop)
}

/// Moves the pointer, presses the left button and lets it go.
///
/// # Errors
/// The browser's.
pub(crate) fn click(page: &mut Page, at: Point) -> Result<()> {
    let sent = [
        page.send("Input.dispatchMouseEvent", event("mouseMoved", at, "none", 0, 0))?,
        page.send("Input.dispatchMouseEvent", event("mousePressed", at, "left", 1, 1))?,
        page.send("Input.dispatchMouseEvent", event("mouseReleased", at, "left", 0, 1))?,
    ];
    for sent in sent {
        page.answer::<Ignored>(sent)?;
    }
    Ok(())
}

fn event(kind: &str, at: Point, button: &str, buttons: u32, clicks: u32) -> Value {
    json!({
        "type": kind, "x": at.x, "y": at.y, "modifiers": 0, "button": button, "buttons": buttons, "clickCount": clicks,
    })
}
