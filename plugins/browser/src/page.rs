//! The page that a caller works on: a tab of a context of its own in the browser (its own cookies and storage), made when
//! it is first needed, found again by each later call, and lost with the browser.
//! Must not outlive what is remembered of it: a page that cannot be found again is told to the caller, or replaced.

use std::time::Instant;

use kennel_sdk::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::address::Address;
use crate::console;
use crate::devtools::{DevTools, Sent};

const KEY: &str = "page";

/// Puppeteer's default viewport, in CSS pixels.
const WIDTH: u32 = 800;
const HEIGHT: u32 = 600;

/// What a call needs to know to go on with the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    /// The run of the browser that it is in.
    browser: String,
    context: String,
    target: String,
    width: u32,
    height: u32,
}

/// What to do when the page of before is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Take a new one: the call begins anew anyhow.
    Renew,
    /// Say so: the call counts on what was in it.
    Tell,
}

/// A page, for the length of a call.
pub(crate) struct Page {
    devtools: DevTools,
    remembered: Remembered,
    ends: Instant,
}

/// Any result of a command that nobody looks at.
pub(crate) type Ignored = Box<RawValue>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    session_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewContext {
    browser_context_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewTarget {
    target_id: String,
}

/// A frame, as `Page.getFrameTree` gives it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Frame {
    pub(crate) id: String,
    /// Which document is loaded in it.
    pub(crate) loader_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tree {
    frame_tree: Root,
}

#[derive(Deserialize)]
struct Root {
    frame: Frame,
}

impl Page {
    /// Does `work` on the caller's page, and keeps what its console said meanwhile.
    ///
    /// # Errors
    /// Whatever `work` says; no grant, no browser, no state; with [`Lost::Tell`] that the page is gone.
    pub(crate) fn with<T>(
        context: &Context,
        lost: Lost,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let mut page = Self::open(context, lost)?;
        let done = work(&mut page);
        let kept = console::keep(&page.devtools.heard);
        if page.devtools.heard.end.is_some() {
            state::delete(KEY)?;
        }
        let done = done?;
        kept.map(|()| done)
    }

    /// Takes in what the console said since the last call, when there is a page to ask. What was kept before can be read
    /// without a browser.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn catch_up(context: &Context) -> Result<()> {
        if state::get::<Remembered>(KEY)?.is_some()
            && let Ok(page) = Self::open(context, Lost::Tell)
        {
            console::keep(&page.devtools.heard)?;
        }
        Ok(())
    }

    fn open(context: &Context, lost: Lost) -> Result<Self> {
        // The rest is for what is kept and for the answer itself.
        let ends = Instant::now() + context.time_left() * 9 / 10;
        let known: Option<Remembered> = state::get(KEY)?;
        let address = Address::of_the_browser()?;
        let mut devtools = DevTools::connect(address, ends)?;
        let found = match &known {
            Some(known) if known.browser == devtools.browser => attach(&mut devtools, known),
            Some(_) => Err(Error::failed("the browser was started anew since the last call")),
            None => Err(Error::failed("there is no page yet")),
        };
        let (remembered, session) = match (found, known) {
            (Ok(session), Some(known)) => (known, session),
            (Err(error), Some(_)) if lost == Lost::Tell => {
                state::delete(KEY)?;
                return Err(error.context("the page is gone; navigate to it again"));
            }
            (_, known) => {
                let remembered = create(&mut devtools, known.as_ref())?;
                let session = attach(&mut devtools, &remembered)?;
                (remembered, session)
            }
        };
        devtools.talk_to(session);
        let mut page = Self { devtools, remembered, ends };
        page.set_up()?;
        Ok(page)
    }

    /// Makes the page tell what happens in it, and gives it its size. Its console says again what it said before.
    fn set_up(&mut self) -> Result<()> {
        let sent = [
            self.send("Page.enable", json!({}))?,
            self.send("Runtime.enable", json!({}))?,
            self.send("Log.enable", json!({}))?,
            self.send("Inspector.enable", json!({}))?,
            self.send("Page.setLifecycleEventsEnabled", json!({ "enabled": true }))?,
            self.size(self.remembered.width, self.remembered.height)?,
        ];
        for sent in sent {
            self.answer::<Ignored>(sent)?;
        }
        Ok(())
    }

    fn size(&mut self, width: u32, height: u32) -> Result<Sent> {
        let size = json!({
            "mobile": false, "width": width, "height": height, "deviceScaleFactor": 1,
            "screenOrientation": { "angle": 0, "type": "portraitPrimary" },
        });
        self.send("Emulation.setDeviceMetricsOverride", size)
    }

    /// Gives the page another size, in CSS pixels, for this call and those to come.
    ///
    /// # Errors
    /// The browser's and the store's.
    pub(crate) fn resize(&mut self, width: u32, height: u32) -> Result<()> {
        let sent = self.size(width, height)?;
        self.answer::<Ignored>(sent)?;
        if (self.remembered.width, self.remembered.height) != (width, height) {
            (self.remembered.width, self.remembered.height) = (width, height);
            state::set(KEY, &self.remembered)?;
        }
        Ok(())
    }

    /// When to give up.
    pub(crate) const fn ends(&self) -> Instant {
        self.ends
    }

    /// Gives up earlier, or again at the call's end.
    pub(crate) fn give_up_at(&mut self, ends: Instant) {
        self.devtools.set_end(ends.min(self.ends));
    }

    /// As [`DevTools::command`], to the page.
    pub(crate) fn command<T: DeserializeOwned>(&mut self, method: &'static str, params: Value) -> Result<T> {
        self.devtools.command(method, params)
    }

    /// The page's own frame, with the document that is loaded in it now.
    pub(crate) fn frame(&mut self) -> Result<Frame> {
        Ok(self.command::<Tree>("Page.getFrameTree", json!({}))?.frame_tree.frame)
    }

    /// As [`DevTools::send`], to the page.
    pub(crate) fn send(&mut self, method: &'static str, params: Value) -> Result<Sent> {
        self.devtools.send(method, params)
    }

    /// As [`DevTools::answer`].
    pub(crate) fn answer<T: DeserializeOwned>(&mut self, sent: Sent) -> Result<T> {
        self.devtools.answer(sent)
    }

    /// Waits until a document other than `before` was loaded whole in the frame.
    ///
    /// # Errors
    /// The browser's; none is in time.
    pub(crate) fn loaded(&mut self, frame: &str, before: &str) -> Result<()> {
        while !self.devtools.heard.loaded(frame, before) {
            self.devtools.listen()?;
        }
        Ok(())
    }
}

/// Begins a session with the page.
fn attach(devtools: &mut DevTools, page: &Remembered) -> Result<String> {
    let target = json!({ "targetId": page.target, "flatten": true });
    Ok(devtools.command::<Session>("Target.attachToTarget", target)?.session_id)
}

/// Makes a page, remembers it in the place of `before`, and gives back the one that is remembered: another call of the
/// same caller may have been faster.
fn create(devtools: &mut DevTools, before: Option<&Remembered>) -> Result<Remembered> {
    let context = devtools
        .command::<NewContext>("Target.createBrowserContext", json!({ "disposeOnDetach": false }))?
        .browser_context_id;
    let params =
        json!({ "url": "about:blank", "browserContextId": context, "width": WIDTH, "height": HEIGHT });
    let target = devtools.command::<NewTarget>("Target.createTarget", params)?.target_id;
    let browser = devtools.browser.clone();
    let mine = Remembered { browser, context, target, width: WIDTH, height: HEIGHT };
    let remembered = state::update(KEY, |now: Option<Remembered>| {
        Ok(Some(now.filter(|now| Some(now) != before).unwrap_or_else(|| mine.clone())))
    })?
    .unwrap_or_else(|| mine.clone());
    // Whatever is not remembered is of no use to anyone. One of an earlier run of the browser is gone already.
    let unused = if remembered == mine { before } else { Some(&mine) };
    if let Some(unused) = unused.filter(|unused| unused.browser == devtools.browser) {
        let context = json!({ "browserContextId": unused.context });
        // It may be gone as well, which is what is wanted.
        drop(devtools.command::<Ignored>("Target.disposeBrowserContext", context));
    }
    Ok(remembered)
}
