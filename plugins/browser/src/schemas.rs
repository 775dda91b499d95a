//! The arguments' schemas, word for word those of npm `@modelcontextprotocol/server-puppeteer` 2025.5.12.
//! Must not be derived: a client sees no difference to the original's.

pub(crate) const NAVIGATE: &str = r#"{
  "type": "object",
  "properties": {
    "url": { "type": "string", "description": "URL to navigate to" },
    "launchOptions": { "type": "object", "description": "PuppeteerJS LaunchOptions. Default null. If changed and not null, browser restarts. Example: { headless: true, args: ['--no-sandbox'] }" },
    "allowDangerous": { "type": "boolean", "description": "Allow dangerous LaunchOptions that reduce security. When false, dangerous args like --no-sandbox will throw errors. Default false." }
  },
  "required": ["url"]
}"#;

pub(crate) const SCREENSHOT: &str = r#"{
  "type": "object",
  "properties": {
    "name": { "type": "string", "description": "Name for the screenshot" },
    "selector": { "type": "string", "description": "CSS selector for element to screenshot" },
    "width": { "type": "number", "description": "Width in pixels (default: 800)" },
    "height": { "type": "number", "description": "Height in pixels (default: 600)" },
    "encoded": { "type": "boolean", "description": "If true, capture the screenshot as a base64-encoded data URI (as text) instead of binary image content. Default false." }
  },
  "required": ["name"]
}"#;

pub(crate) const CLICK: &str = r#"{
  "type": "object",
  "properties": {
    "selector": { "type": "string", "description": "CSS selector for element to click" }
  },
  "required": ["selector"]
}"#;

pub(crate) const FILL: &str = r#"{
  "type": "object",
  "properties": {
    "selector": { "type": "string", "description": "CSS selector for input field" },
    "value": { "type": "string", "description": "Value to fill" }
  },
  "required": ["selector", "value"]
}"#;

pub(crate) const SELECT: &str = r#"{
  "type": "object",
  "properties": {
    "selector": { "type": "string", "description": "CSS selector for element to select" },
    "value": { "type": "string", "description": "Value to select" }
  },
  "required": ["selector", "value"]
}"#;

pub(crate) const HOVER: &str = r#"{
  "type": "object",
  "properties": {
    "selector": { "type": "string", "description": "CSS selector for element to hover" }
  },
  "required": ["selector"]
}"#;

pub(crate) const EVALUATE: &str = r#"{
  "type": "object",
  "properties": {
    "script": { "type": "string", "description": "JavaScript code to execute" }
  },
  "required": ["script"]
}"#;
