//! The tools of npm `@modelcontextprotocol/server-puppeteer`, over the DevTools protocol to a Chromium that a person
//! started and granted. Needs TCP to it, and state for what lasts from call to call.
//! Must not start a browser, and must not be led by a caller to what is not of the web.

mod address;
mod console;
mod devtools;
mod discovery;
mod element;
mod evaluate;
mod heard;
mod javascript;
mod keyboard;
mod mouse;
mod navigate;
mod page;
mod schemas;
mod screenshot;
mod shots;
mod timed;

use kennel_sdk::list_changed;
use kennel_sdk::prelude::*;
use page::{Lost, Page};

/// The original's viewport for a screenshot.
const WIDTH: u32 = 800;
const HEIGHT: u32 = 600;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Navigate {
    url: String,
    launch_options: Option<serde_json::Map<String, Value>>,
}

/// Navigate to a URL
#[tool(input_schema = schemas::NAVIGATE)]
fn puppeteer_navigate(args: Navigate, context: Context) -> Result<String> {
    if args.launch_options.is_some_and(|options| !options.is_empty()) {
        return Err(Error::invalid(
            "launchOptions is refused: no browser is started here; start the one you granted with the options you want",
        ));
    }
    navigate::of_the_web(&args.url)?;
    Page::with(&context, Lost::Renew, |page| navigate::go(page, &args.url))?;
    Ok(format!("Navigated to {}", args.url))
}

#[derive(Deserialize)]
struct Screenshot {
    name: String,
    selector: Option<String>,
    width: Option<f64>,
    height: Option<f64>,
    encoded: Option<bool>,
}

/// Take a screenshot of the current page or a specific element
#[tool(input_schema = schemas::SCREENSHOT)]
fn puppeteer_screenshot(args: Screenshot, context: Context) -> Result<ToolResult> {
    shots::check_name(&args.name)?;
    let width = screenshot::pixels("width", args.width, WIDTH)?;
    let height = screenshot::pixels("height", args.height, HEIGHT)?;
    let encoded = args.encoded.unwrap_or(false);
    // As in JavaScript, an empty text is none.
    let selector = args.selector.as_deref().filter(|selector| !selector.is_empty());
    let picture = Page::with(&context, Lost::Tell, |page| {
        page.resize(width, height)?;
        screenshot::take(page, selector, encoded)
    })?;
    let Some(picture) = picture else {
        return Ok(ToolResult::error(format!("Element not found: {}", selector.unwrap_or_default())));
    };
    shots::keep(&args.name, &picture)?;
    list_changed(ListKind::Resources);
    let taken = ToolResult::new().text(format!("Screenshot '{}' taken at {width}x{height}", args.name));
    Ok(if encoded {
        taken.text(screenshot::data_uri(&picture))
    } else {
        taken.content(Content::image(picture, "image/png"))
    })
}

#[derive(Deserialize)]
struct Selected {
    selector: String,
}

#[derive(Deserialize)]
struct Valued {
    selector: String,
    value: String,
}

/// Click an element on the page
#[tool(input_schema = schemas::CLICK)]
fn puppeteer_click(args: Selected, context: Context) -> Result<ToolResult> {
    let Selected { selector } = args;
    Page::with(&context, Lost::Tell, |page| {
        let done = element::present(page, &selector)
            .and_then(|element| element.point(page))
            .and_then(|point| mouse::click(page, point));
        Ok(told(done, format!("Clicked: {selector}"), &format!("Failed to click {selector}")))
    })
}

/// Fill out an input field
#[tool(input_schema = schemas::FILL)]
fn puppeteer_fill(args: Valued, context: Context) -> Result<ToolResult> {
    let Valued { selector, value } = args;
    Page::with(&context, Lost::Tell, |page| {
        let done = element::awaited(page, &selector)
            .and_then(|element| element.focus(page))
            .and_then(|()| keyboard::write(page, &value));
        Ok(told(done, format!("Filled {selector} with: {value}"), &format!("Failed to fill {selector}")))
    })
}

/// Select an element on the page with Select tag
#[tool(input_schema = schemas::SELECT)]
fn puppeteer_select(args: Valued, context: Context) -> Result<ToolResult> {
    let Valued { selector, value } = args;
    Page::with(&context, Lost::Tell, |page| {
        let done = element::awaited(page, &selector).and_then(|element| element.select(page, &value));
        Ok(told(done, format!("Selected {selector} with: {value}"), &format!("Failed to select {selector}")))
    })
}

/// Hover an element on the page
#[tool(input_schema = schemas::HOVER)]
fn puppeteer_hover(args: Selected, context: Context) -> Result<ToolResult> {
    let Selected { selector } = args;
    Page::with(&context, Lost::Tell, |page| {
        let done = element::awaited(page, &selector)
            .and_then(|element| element.point(page))
            .and_then(|point| mouse::hover(page, point));
        Ok(told(done, format!("Hovered {selector}"), &format!("Failed to hover {selector}")))
    })
}

#[derive(Deserialize)]
struct Script {
    script: String,
}

/// Execute JavaScript in the browser console
#[tool(input_schema = schemas::EVALUATE)]
fn puppeteer_evaluate(args: Script, context: Context) -> Result<ToolResult> {
    Page::with(&context, Lost::Tell, |page| {
        Ok(match evaluate::run(page, &args.script) {
            Ok(text) => ToolResult::new().text(text),
            Err(error) => ToolResult::error(format!("Script execution failed: {error}")),
        })
    })
}

/// What the original tells of a step that went well, or did not.
fn told(done: Result<()>, well: String, failed: &str) -> ToolResult {
    match done {
        Ok(()) => ToolResult::new().text(well),
        Err(error) => ToolResult::error(format!("{failed}: {error}")),
    }
}

// What the page's console said. The original describes it by its name alone.
#[resource("console://logs", name = "Browser console logs", mime = "text/plain")]
fn console_logs(context: Context) -> Result<String> {
    Page::catch_up(&context)?;
    console::text()
}

/// A screenshot taken before.
#[resource("screenshot://{+name}", name = "Screenshot", mime = "image/png", list = shots::list)]
fn screenshot_taken(name: String) -> Result<Option<Vec<u8>>> {
    shots::read(&name)
}

plugin! {
    tools: [
        puppeteer_navigate,
        puppeteer_screenshot,
        puppeteer_click,
        puppeteer_fill,
        puppeteer_select,
        puppeteer_hover,
        puppeteer_evaluate,
    ],
    resources: [console_logs, screenshot_taken],
    asks: {
        tcp: [{ address: "*", why: "drives the Chromium whose DevTools port you name" }],
        state: { quota: "32MiB", scope: "caller", why: "finds its page again, and keeps the console's lines and the screenshots" },
        settings: [
            { name: "address", why: "where Chromium listens; 127.0.0.1:9222 if unset" },
            { name: "max-screenshot-kib", why: "the largest screenshot given; 1000 KiB if unset" },
        ],
    },
}
