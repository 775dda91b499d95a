//! Elements of the page: found by a CSS selector, waited for, brought into view, pointed at, chosen from.
//! What runs in the page runs in a world of its own, where the page's scripts cannot have changed the DOM's functions.
//! Must not look into frames or shadow trees: a selector is CSS, for the page's own document.

use std::time::{Duration, Instant};

use kennel_sdk::prelude::*;
use serde::de::DeserializeOwned;

use crate::evaluate::{self, Evaluated};
use crate::page::{Ignored, Page};

/// How long an element is waited for; Puppeteer's default. A call's deadline may be earlier.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long between two looks for one.
const PAUSE: Duration = Duration::from_millis(100);

/// The world's name, which shows in Chromium's developer tools.
const WORLD: &str = "kennel";

/// An element, as long as its document stays.
pub(crate) struct Element(String);

/// A place in the viewport, in CSS pixels.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// A part of the document, in CSS pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Box {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct World {
    execution_context_id: u64,
}

/// The first element that the selector names; none when there is none now.
///
/// # Errors
/// [`Error::Failed`] when it is no selector.
pub(crate) fn find(page: &mut Page, selector: &str) -> Result<Option<Element>> {
    let frame = page.frame()?.id;
    let world = json!({ "frameId": frame, "worldName": WORLD });
    let world: World = page.command("Page.createIsolatedWorld", world)?;
    let function = json!({
        "functionDeclaration": "function (selector) { return document.querySelector(selector); }",
        "executionContextId": world.execution_context_id,
        "arguments": [{ "value": selector }],
    });
    let found: Evaluated = page.command("Runtime.callFunctionOn", function)?;
    Ok(evaluate::checked(found)?.object_id.map(Element))
}

/// The element, which must be there now.
///
/// # Errors
/// [`Error::Failed`] when it is not.
pub(crate) fn present(page: &mut Page, selector: &str) -> Result<Element> {
    find(page, selector)?.ok_or_else(|| Error::failed(format!("No element found for selector: {selector}")))
}

/// The element, as soon as it is there.
///
/// # Errors
/// [`Error::Failed`] when it is not in time, or when it is no selector.
pub(crate) fn awaited(page: &mut Page, selector: &str) -> Result<Element> {
    let started = Instant::now();
    let ends = (started + PATIENCE).min(page.ends());
    loop {
        match find(page, selector) {
            Ok(Some(element)) => return Ok(element),
            Ok(None) => {}
            // The document went on to another while we looked.
            Err(error) if evaluate::lost_its_document(&error) => {}
            Err(error) if Instant::now() < ends => {
                return Err(error.context(format_args!("Waiting for selector `{selector}` failed")));
            }
            // The time ran out while we looked.
            Err(_) => {}
        }
        if Instant::now() + PAUSE >= ends {
            let waited = ends.saturating_duration_since(started).as_millis();
            bail!("Waiting for selector `{selector}` failed: Waiting failed: {waited}ms exceeded");
        }
        std::thread::sleep(PAUSE);
    }
}

impl Element {
    /// Calls a function of JavaScript with the element as `this`.
    ///
    /// # Errors
    /// [`Error::Failed`] with what the function threw.
    pub(crate) fn call<T: DeserializeOwned>(
        &self,
        page: &mut Page,
        function: &str,
        arguments: Value,
    ) -> Result<T> {
        let call = json!({
            "functionDeclaration": function,
            "objectId": self.0,
            "arguments": arguments,
            "returnByValue": true,
            "awaitPromise": true,
            "userGesture": true,
        });
        let result: Evaluated = page.command("Runtime.callFunctionOn", call)?;
        let value = evaluate::checked(result)?.value;
        Ok(serde_json::from_str(value.as_ref().map_or("null", |value| value.get()))?)
    }

    /// Brings it into the viewport, when it is not there.
    fn show(&self, page: &mut Page) -> Result<()> {
        let attached =
            "function () { if (!this.isConnected) throw new Error('Node is detached from document'); }";
        self.call::<Value>(page, attached, json!([]))?;
        // What has no box cannot be shown; where it is asked for a place, that is said.
        drop(page.command::<Ignored>("DOM.scrollIntoViewIfNeeded", json!({ "objectId": self.0 })));
        Ok(())
    }

    /// The middle of its first box that can be seen.
    ///
    /// # Errors
    /// [`Error::Failed`] when it has none.
    pub(crate) fn point(&self, page: &mut Page) -> Result<Point> {
        self.show(page)?;
        self.call::<Option<Point>>(page, CLICKABLE, json!([]))?
            .ok_or_else(|| Error::failed("Node is either not clickable or not an Element"))
    }

    /// Its place in the document.
    ///
    /// # Errors
    /// [`Error::Failed`] when it has no size.
    pub(crate) fn place(&self, page: &mut Page) -> Result<Box> {
        self.show(page)?;
        let place: Option<Box> = self.call(page, PLACE, json!([]))?;
        let place = place.ok_or_else(|| Error::failed("Node is either not visible or not an HTMLElement"))?;
        if place.width == 0.0 {
            bail!("Node has 0 width.");
        }
        if place.height == 0.0 {
            bail!("Node has 0 height.");
        }
        Ok(place)
    }

    /// Chooses the option with this value, and no other one.
    ///
    /// # Errors
    /// [`Error::Failed`] when it is no `<select>`.
    pub(crate) fn select(&self, page: &mut Page, value: &str) -> Result<()> {
        self.call::<Value>(page, SELECT, json!([{ "value": value }])).map(drop)
    }

    /// Gives it the keyboard's focus.
    ///
    /// # Errors
    /// [`Error::Failed`] when it can have none.
    pub(crate) fn focus(&self, page: &mut Page) -> Result<()> {
        self.call::<Value>(page, FOCUS, json!([])).map(drop)
    }
}

/// As Puppeteer's `ElementHandle.clickablePoint`, for the page's own document.
const CLICKABLE: &str = "function () {
    if (!(this instanceof Element)) return null;
    const { clientWidth, clientHeight } = document.documentElement;
    const cut = (from, size, most) => Math.max(from >= 0 ? Math.min(most - from, size) : Math.min(most, size + from), 0);
    for (const { x, y, width, height } of this.getClientRects()) {
        const seen = { width: cut(x, width, clientWidth), height: cut(y, height, clientHeight) };
        if (seen.width >= 1 && seen.height >= 1) return { x: x + seen.width / 2, y: y + seen.height / 2 };
    }
    return null;
}";

/// As Puppeteer's `ElementHandle.boundingBox`, in the document and not in the viewport.
const PLACE: &str = "function () {
    if (!(this instanceof Element) || this.getClientRects().length === 0) return null;
    const { x, y, width, height } = this.getBoundingClientRect();
    const { pageLeft, pageTop } = window.visualViewport;
    return { x: x + pageLeft, y: y + pageTop, width, height };
}";

/// As Puppeteer's `ElementHandle.select` with one value.
const SELECT: &str = "function (value) {
    if (!(this instanceof HTMLSelectElement)) throw new Error('Element is not a <select> element.');
    let chosen = false;
    for (const option of this.options) {
        const hit = option.value === value && (this.multiple || !chosen);
        option.selected = hit;
        chosen ||= hit;
    }
    this.dispatchEvent(new Event('input', { bubbles: true }));
    this.dispatchEvent(new Event('change', { bubbles: true }));
}";

/// As Puppeteer's `ElementHandle.focus`.
const FOCUS: &str = "function () {
    if (!(this instanceof HTMLElement)) throw new Error('Cannot focus non-HTMLElement');
    this.focus();
}";
