//! Makes hostile components: a core module written as WebAssembly text, wrapped as `kennel:plugin/tools` by hand, so
//! that an attacker may do what no compiler would emit.
//! It must not tame anything: the bodies are taken as they are, and only the component's frame is ours.

use std::fmt::Write as _;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::paths::source_root;

/// Where the texts and records that the frame returns lie in memory; below it nothing is used.
const DATA: u32 = 1024;
/// Where the frame's allocator begins; the attacker has everything from [`Attacker::FREE`] on.
const HEAP: u32 = 32 * 1024;

/// A component with one tool (unless `tool` says more), each of whose functions can be made to do something hostile
/// first. What the tool answers when nothing stops it is the text `survived`, as an ordinary result.
///
/// In the bodies these are there: `(memory $memory)` of [`Attacker::memory`] pages, `(global $heap (mut i32))`,
/// `(func $allocate (param $size i32) (result i32))`, `(func $say (param $text i32) (param $length i32))`, which sets
/// the text of the answer, the addresses of the answer `(global $result i32)` and of its only content
/// `(global $content i32)`, and in `call` the raw parameters `$name $name_len $arguments $arguments_len` and the locals
/// `$i $j $k` (i32) and `$l` (i64).
#[derive(Clone, Debug)]
pub struct Attacker {
    tools: Vec<Tool>,
    pages: (u32, Option<u32>),
    imports: Vec<String>,
    functions: String,
    items: String,
    start: Option<String>,
    realloc: String,
    list: String,
    call: String,
    kennel: Option<String>,
    extra_wit: String,
    beside: Option<String>,
}

#[derive(Clone, Debug)]
struct Tool {
    name: String,
    description: String,
    schema: String,
}

impl Default for Attacker {
    fn default() -> Self {
        Self::new()
    }
}

impl Attacker {
    /// The first address an attacker may use as it likes.
    pub const FREE: u32 = 64 * 1024;

    /// A harmless one, with the tool `attack` that takes any object.
    pub fn new() -> Self {
        Self {
            tools: Vec::new(),
            pages: (2, None),
            imports: Vec::new(),
            functions: String::new(),
            items: String::new(),
            start: None,
            realloc: String::new(),
            list: String::new(),
            call: String::new(),
            kennel: None,
            extra_wit: String::new(),
            beside: None,
        }
    }

    /// One whose `call-tool` runs `body` (instructions that leave nothing on the stack) before it answers.
    pub fn calling(body: &str) -> Self {
        Self::new().call(body)
    }

    /// Adds a tool in place of `attack`. `schema` is the input schema's text, as it is.
    #[must_use]
    pub fn tool(mut self, name: &str, description: &str, schema: &str) -> Self {
        let text = str::to_owned;
        self.tools.push(Tool { name: text(name), description: text(description), schema: text(schema) });
        self
    }

    /// Instructions before `call-tool` answers.
    #[must_use]
    pub fn call(mut self, body: &str) -> Self {
        body.clone_into(&mut self.call);
        self
    }

    /// Instructions before `list-tools` answers.
    #[must_use]
    pub fn list(mut self, body: &str) -> Self {
        body.clone_into(&mut self.list);
        self
    }

    /// Instructions before the allocator that the host calls for arguments gives memory.
    #[must_use]
    pub fn realloc(mut self, body: &str) -> Self {
        body.clone_into(&mut self.realloc);
        self
    }

    /// The body of the module's start function, which runs while the component is instantiated.
    #[must_use]
    pub fn start(mut self, body: &str) -> Self {
        self.start = Some(body.to_owned());
        self
    }

    /// More items of the module: functions, globals, tables, data.
    #[must_use]
    pub fn items(mut self, text: &str) -> Self {
        self.items.push_str(text);
        self
    }

    /// Pages of 64 KiB of the module's memory, at first and at most.
    #[must_use]
    pub fn memory(mut self, pages: u32, most: Option<u32>) -> Self {
        self.pages = (pages, most);
        self
    }

    /// Imports a function: `(import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))` is
    /// `import("wasi:io/poll@0.2.0", "[method]pollable.block", "$block (param i32)")`. The interface must be in
    /// `wit/`, `tests/hostile/wasi.wit` or [`Attacker::wit`]. `kennel:plugin/host` and `state` go by `@0.1.0`.
    #[must_use]
    pub fn import(mut self, interface: &str, name: &str, function: &str) -> Self {
        let _ = writeln!(self.functions, "(import {interface:?} {name:?} (func {function}))");
        if !interface.starts_with("kennel:plugin/") && !self.imports.iter().any(|known| known == interface) {
            self.imports.push(interface.to_owned());
        }
        self
    }

    /// More packages, as WIT text (`package a:b@1.0.0 { interface c { … } }`), for imports that no host has.
    #[must_use]
    pub fn wit(mut self, text: &str) -> Self {
        self.extra_wit.push_str(text);
        self
    }

    /// Claims another version of the contract (`"0.7.0"`).
    #[must_use]
    pub fn contract(mut self, version: &str) -> Self {
        self.kennel = Some(version.to_owned());
        self
    }

    /// Instantiates another component without imports, given as text, inside this one: the way to many instances,
    /// memories and tables.
    #[must_use]
    pub fn beside(mut self, component: &str) -> Self {
        self.beside = Some(component.to_owned());
        self
    }

    /// The component's bytes.
    ///
    /// # Panics
    /// When the text is no module or does not fit the contract.
    pub fn build(&self) -> Vec<u8> {
        let mut module =
            wat::parse_str(self.module()).unwrap_or_else(|error| panic!("{error}\n{}", self.module()));
        let (resolve, world) = self.world();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
            .expect("the world encodes");
        let mut component = ComponentEncoder::default()
            .validate(true)
            .module(&module)
            .and_then(|mut encoder| encoder.encode())
            .unwrap_or_else(|error| panic!("{error:#}\n{}", self.module()));
        if let Some(beside) = &self.beside {
            // Sections may be appended: they only add to the index spaces. 4 is a component, 5 its instances.
            let index = count_sections(&component, 4);
            section(&mut component, 4, &wat::parse_str(beside).unwrap_or_else(|error| panic!("{error}")));
            let mut instances = vec![1, 0];
            leb(&mut instances, index);
            instances.push(0);
            section(&mut component, 5, &instances);
        }
        component
    }

    fn version(&self) -> &str {
        self.kennel.as_deref().unwrap_or("0.1.0")
    }

    fn world(&self) -> (Resolve, wit_parser::WorldId) {
        let read = |path: &str| {
            let path = source_root().join(path);
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let version = self.version();
        // One document with every package; the contract's files are joined into one package of their own.
        let contract: String = ["types", "tools", "host", "state"]
            .map(|name| read(&format!("wit/{name}.wit")).replace("package kennel:plugin@0.1.0;", ""))
            .concat();
        let base = read("tests/hostile/wasi.wit");
        let mut world = String::from("world attacker {\n");
        for interface in [format!("kennel:plugin/host@{version}"), format!("kennel:plugin/state@{version}")]
            .iter()
            .chain(&self.imports)
        {
            let _ = writeln!(world, "    import {interface};");
        }
        let _ = writeln!(world, "    export kennel:plugin/tools@{version};\n}}");
        let document = format!(
            "{base}\npackage kennel:plugin@{version} {{\n{contract}\n}}\n{}\n{world}",
            self.extra_wit
        );
        let mut resolve = Resolve::default();
        let package = resolve
            .push_str("attacker.wit", &document)
            .unwrap_or_else(|error| panic!("{error:#}\n{document}"));
        let world = resolve.select_world(&[package], Some("attacker")).expect("the world is there");
        (resolve, world)
    }

    fn module(&self) -> String {
        let version = self.version();
        let mut data = Data::default();
        let attack = [Tool {
            name: "attack".into(),
            description: "Attacks.".into(),
            schema: r#"{"type":"object"}"#.into(),
        }];
        let tools: &[Tool] = if self.tools.is_empty() { &attack } else { &self.tools };
        let listing = data.listing(tools);
        let answer = data.answer("survived");
        assert!(
            DATA + data.bytes.len() as u32 <= HEAP,
            "the definitions are longer than the frame keeps room for"
        );
        let (pages, most) =
            (self.pages.0.max(2), self.pages.1.map(|most| most.to_string()).unwrap_or_default());
        let start = self
            .start
            .as_ref()
            .map(|body| format!("(func $start {body}) (start $start)"))
            .unwrap_or_default();
        let Self { functions, items, realloc, list, call, .. } = self;
        format!(
            r#"(module
{functions}
(memory $memory (export "memory") {pages} {most})
(global $heap (mut i32) (i32.const {HEAP}))
(global $result i32 (i32.const {answer}))
(global $content i32 (i32.const {content}))
(data (i32.const {DATA}) "{data}")
{items}
{start}
(func $allocate (param $size i32) (result i32) (local $at i32)
  (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
  (global.set $heap (i32.add (local.get $at) (local.get $size)))
  (local.get $at))
(func $say (param $text i32) (param $length i32)
  (i32.store (i32.const {text}) (local.get $text))
  (i32.store (i32.const {length}) (local.get $length)))
(func $realloc (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
  {realloc}
  (call $allocate (local.get $size)))
(func (export "kennel:plugin/tools@{version}#list-tools") (result i32)
  {list}
  (i32.const {listing}))
(func (export "kennel:plugin/tools@{version}#call-tool")
  (param $name i32) (param $name_len i32) (param $arguments i32) (param $arguments_len i32)
  (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
  (local $i i32) (local $j i32) (local $k i32) (local $l i64)
  {call}
  (i32.const {answer}))
)"#,
            content = data.answer_text - 8,
            text = data.answer_text,
            length = data.answer_text + 4,
        )
    }
}

/// The frame's constant memory, laid out by the Canonical ABI (component-model, "CanonicalABI.md").
#[derive(Default)]
struct Data {
    bytes: Vec<u8>,
    /// Address of the pointer to the answer's text.
    answer_text: u32,
}

impl Data {
    /// Room of this size, aligned to eight; gives its address.
    fn room(&mut self, size: usize) -> u32 {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let at = DATA + self.bytes.len() as u32;
        self.bytes.resize(self.bytes.len() + size, 0);
        at
    }

    fn put(&mut self, at: u32, value: u32) {
        let at = (at - DATA) as usize;
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    fn text(&mut self, at: u32, text: &str) {
        let place = self.room(text.len());
        let from = (place - DATA) as usize;
        self.bytes[from..].copy_from_slice(text.as_bytes());
        self.put(at, place);
        self.put(at + 4, text.len() as u32);
    }

    /// `result<list<tool>, error>`, the first case.
    fn listing(&mut self, tools: &[Tool]) -> u32 {
        // Of the record `tool`, in `wit/tools.wit`: name 0, title 8, description 20, input-schema 28,
        // output-schema 36, annotations 48, icons 60, task-support 68, meta 72.
        const TOOL: u32 = 84;
        let list = self.room(TOOL as usize * tools.len());
        for (at, tool) in (list..).step_by(TOOL as usize).zip(tools) {
            self.text(at, &tool.name);
            self.text(at + 20, &tool.description);
            self.text(at + 28, &tool.schema);
        }
        // The error case is the larger one.
        let result = self.room(40);
        self.put(result + 4, list);
        self.put(result + 8, tools.len() as u32);
        result
    }

    /// `result<tool-outcome, error>`: `ok(complete(…))` with one text.
    fn answer(&mut self, text: &str) -> u32 {
        // A `content` has 152 bytes; the text of its first case is at 8.
        let content = self.room(152);
        self.answer_text = content + 8;
        self.text(content + 8, text);
        let result = self.room(56);
        self.put(result + 8, content);
        self.put(result + 12, 1);
        result
    }
}

impl std::fmt::Display for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.bytes.iter().try_for_each(|byte| write!(f, "\\{byte:02x}"))
    }
}

fn leb(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn section(out: &mut Vec<u8>, id: u8, body: &[u8]) {
    out.push(id);
    leb(out, body.len());
    out.extend_from_slice(body);
}

/// How many sections of this kind stand at the top of a component.
fn count_sections(component: &[u8], kind: u8) -> usize {
    let (mut at, mut count) = (8, 0);
    while at < component.len() {
        count += usize::from(component[at] == kind);
        let (mut size, mut shift) = (0, 0);
        loop {
            at += 1;
            size |= usize::from(component[at] & 0x7f) << shift;
            shift += 7;
            if component[at] & 0x80 == 0 {
                break;
            }
        }
        at += 1 + size;
    }
    count
}
