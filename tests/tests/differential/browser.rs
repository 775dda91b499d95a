//! `browser` beside npm's `@modelcontextprotocol/server-puppeteer`: the same Chromium, one process for each side.

use std::path::Path;
use std::process::Command;

use kennel_tests::web::WebServer;
use kennel_tests::{Chromium, Home, pages};
use serde_json::{Value, json};

use crate::server::{Server, npm};

/// The pages that both sides open, and the browser of ours. The reference starts its own.
pub(crate) struct Browser {
    pages: WebServer,
    chromium: Chromium,
    _home: Home,
}

impl Browser {
    pub(crate) fn start() -> Self {
        let home = Home::new("differential-browser");
        let pages = pages(&[
            ("/form", include_str!("browser-form.html")),
            ("/other", "<!doctype html><title>Other</title><link rel=icon href='data:,'><p id=p>other</p>"),
        ]);
        Self { pages, chromium: Chromium::start(&home.folder("profile")), _home: home }
    }
}

impl Server for Browser {
    const NAME: &'static str = "browser";
    const TABLE: &'static str = include_str!("browser.json");

    fn reference(&self, home: &Home, _: &Path) -> Command {
        let mut command = npm("server-puppeteer");
        command
            .env("PUPPETEER_EXECUTABLE_PATH", Chromium::script(&home.folder("reference-browser")))
            .env("PUPPETEER_LAUNCH_OPTIONS", json!({ "headless": "shell" }).to_string())
            .env("TMPDIR", home.folder("reference-profile"));
        command
    }

    fn settings(&self, _: &Path) -> String {
        // Elements that never come are waited for until shortly before this.
        format!(
            "settings = {{ address = \"{}\" }}\nlimits = {{ deadline = \"40s\" }}\n",
            self.chromium.address()
        )
    }

    fn grants(&self, _: &Path, _: &Path) -> String {
        format!(
            "[[plugins.browser.tcp]]\nto = \"{}\"\n[plugins.browser.state]\nquota = \"32MiB\"\nscope = \"caller\"\n",
            self.chromium.address()
        )
    }

    fn places(&self) -> Vec<(&'static str, String)> {
        vec![("pages", self.pages.url())]
    }

    /// A picture's bytes: two processes need not draw a letter's edge alike. That it is a picture stays.
    fn text(&self, tool: &str, text: &str) -> Value {
        match tool {
            "puppeteer_screenshot" | "resources/read" if text.starts_with("iVBORw0KGgo") => "(a PNG)".into(),
            "puppeteer_screenshot" if text.starts_with("data:image/png;base64,iVBORw0KGgo") => {
                "(a PNG's URI)".into()
            }
            _ => text.into(),
        }
    }
}
