//! A catalog whose tools are functions of this file.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kennel::catalog::api::{
    Arguments, Backend, CallFailure, CallInfo, Change, ClientFacts, Done, Snapshot, Usage,
};
use kennel::catalog::types::{
    Asker, CompletionCall, Completions, Content, KeyedQuestion, Leave, LogLevel, Outcome, Pending, Prompt,
    PromptArgument, PromptMessage, PromptResult, Question, ResourceBody, ResourceContents, ResourceInfo,
    ResourceTemplate, Role, Spent, TaskSupport, TextContent, Tool, ToolResult,
};
use serde_json::json;
use tokio::sync::{broadcast, watch};

#[derive(Clone)]
pub struct Native(pub Arc<Inner>);

pub struct Inner {
    pub snapshot: Mutex<Arc<Snapshot>>,
    pub changes: broadcast::Sender<Change>,
    pub ready: watch::Sender<bool>,
    /// Calls of `forever` that run now.
    pub running: AtomicUsize,
    pub calls: AtomicUsize,
    pub last_client: Mutex<Option<ClientFacts>>,
    /// `+URI` and `-URI`, in the order they came.
    pub subscriptions: Mutex<Vec<String>>,
}

pub fn tool(name: &str) -> Tool {
    let schema = json!({"type": "object", "z": 1, "a": 2});
    Tool {
        name: name.into(),
        title: None,
        description: format!("does {name}"),
        input_schema: Arc::new(schema.as_object().unwrap().clone()),
        output_schema: None,
        annotations: None,
        icons: vec![],
        task_support: TaskSupport::Forbidden,
        meta: json!({"own": 1, "io.modelcontextprotocol/x": 2}).as_object().cloned(),
    }
}

impl Native {
    pub fn new() -> Self {
        let tools =
            ["progress", "forever", "echo", "ask", "invalid", "own", "crash", "big"].map(tool).to_vec();
        let prompts = vec![Prompt {
            name: "greet".into(),
            title: None,
            description: Some("greets".into()),
            arguments: vec![PromptArgument {
                name: "who".into(),
                title: None,
                description: None,
                required: true,
            }],
            icons: vec![],
            meta: None,
        }];
        let templates = vec![ResourceTemplate {
            uri_template: "mem:///{id}".into(),
            name: "mem".into(),
            title: None,
            description: None,
            mime_type: None,
            annotations: None,
            icons: vec![],
            meta: None,
        }];
        Self(Arc::new(Inner {
            snapshot: Mutex::new(Arc::new(Snapshot { tools, prompts, templates })),
            changes: broadcast::channel(64).0,
            ready: watch::channel(true).0,
            running: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
            last_client: Mutex::default(),
            subscriptions: Mutex::default(),
        }))
    }
}

fn done<T>(result: T) -> Done<T> {
    Done { outcome: Outcome::Complete(result), usage: Usage { fuel: 7, ..Usage::default() } }
}

pub fn text(text: impl Into<String>) -> Content {
    Content::Text(TextContent { text: text.into(), annotations: None, meta: None })
}

impl Backend for Native {
    fn snapshot(&self) -> Arc<Snapshot> {
        self.0.snapshot.lock().unwrap().clone()
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.0.changes.subscribe()
    }

    async fn ready(&self) {
        let _ = self.0.ready.subscribe().wait_for(|ready| *ready).await;
    }

    async fn call_tool(
        &self,
        name: &str,
        arguments: Arguments,
        call: CallInfo,
    ) -> Result<Done<ToolResult>, CallFailure> {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        *self.0.last_client.lock().unwrap() = Some(call.client.clone());
        match name {
            "echo" => Ok(done(ToolResult { content: vec![text(&*arguments)], ..Default::default() })),
            "big" => Ok(done(ToolResult { content: vec![text("x".repeat(64 << 10))], ..Default::default() })),
            "forever" => {
                struct Running<'a>(&'a AtomicUsize);
                impl Drop for Running<'_> {
                    fn drop(&mut self) {
                        self.0.fetch_sub(1, Ordering::SeqCst);
                    }
                }
                self.0.running.fetch_add(1, Ordering::SeqCst);
                let _running = Running(&self.0.running);
                std::future::pending().await
            }
            "progress" => {
                // From a thread of its own, as a guest would.
                let sink = call.sink.clone();
                tokio::task::spawn_blocking(move || {
                    for step in 0..100_u32 {
                        sink.progress(f64::from(step), Some(100.0), Some("on"));
                        sink.log(LogLevel::Info, Some("native"), json!({"step": step}));
                        sink.log(LogLevel::Debug, None, json!("quiet"));
                    }
                    sink.progress(f64::NAN, None, None);
                    sink.progress(3.0, None, None);
                })
                .await
                .unwrap();
                Ok(done(ToolResult { content: vec![text("over")], ..Default::default() }))
            }
            "ask" => Ok(Done {
                outcome: Outcome::InputRequired(Pending {
                    asker: Asker {
                        plugin: "native".into(),
                        digest: "00".into(),
                        answer_within: Duration::from_secs(60),
                    },
                    spent: Spent::default(),
                    questions: vec![KeyedQuestion { key: "roots".into(), question: Question::ListRoots }],
                    continuation: vec![1],
                    leave: Leave::default(),
                }),
                usage: Usage::default(),
            }),
            "alone" => {
                Ok(done(ToolResult { content: vec![text(call.alone.to_string())], ..Default::default() }))
            }
            "slow" => {
                tokio::time::sleep(Duration::from_millis(200)).await;
                Ok(done(ToolResult { content: vec![text("slow")], ..Default::default() }))
            }
            "invalid" => Err(CallFailure::InvalidArguments("/n: 5 is not a string".into())),
            "own" => {
                Err(CallFailure::Protocol { code: 42, message: "own".into(), data: Some(json!({"a": 1})) })
            }
            "crash" => Err(CallFailure::Trap("native: unreachable; report it to the plugin's author".into())),
            other => Err(CallFailure::NotFound(other.into())),
        }
    }

    async fn list_resources(&self, _: CallInfo) -> Result<Vec<ResourceInfo>, CallFailure> {
        let resource = |uri: &str| ResourceInfo {
            uri: uri.into(),
            name: uri.into(),
            title: None,
            description: None,
            mime_type: None,
            size: Some(5_000_000_000),
            annotations: None,
            icons: vec![],
            meta: None,
        };
        Ok(vec![resource("mem:///b"), resource("mem:///a")])
    }

    async fn read_resource(
        &self,
        uri: &str,
        _: CallInfo,
    ) -> Result<Done<Vec<ResourceContents>>, CallFailure> {
        let body = match uri {
            "mem:///a" => ResourceBody::Text("A".into()),
            "mem:///b" => ResourceBody::Blob(vec![0, 255]),
            other => return Err(CallFailure::NotFound(other.into())),
        };
        Ok(done(vec![ResourceContents { uri: uri.into(), mime_type: None, body, meta: None }]))
    }

    async fn subscribe(&self, uri: &str, _: CallInfo) -> Result<(), CallFailure> {
        if !uri.starts_with("mem:") {
            return Err(CallFailure::NotFound(uri.into()));
        }
        // As a guest takes its time.
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.0.subscriptions.lock().unwrap().push(format!("+{uri}"));
        Ok(())
    }

    async fn unsubscribe(&self, uri: &str, _: CallInfo) -> Result<(), CallFailure> {
        self.0.subscriptions.lock().unwrap().push(format!("-{uri}"));
        Ok(())
    }

    async fn get_prompt(
        &self,
        name: &str,
        arguments: BTreeMap<String, String>,
        _: CallInfo,
    ) -> Result<Done<PromptResult>, CallFailure> {
        if name != "greet" {
            return Err(CallFailure::NotFound(name.into()));
        }
        let Some(who) = arguments.get("who") else {
            return Err(CallFailure::InvalidArguments("the argument `who` is missing".into()));
        };
        let content = text(format!("Hello {who}"));
        Ok(done(PromptResult {
            description: None,
            messages: vec![PromptMessage { role: Role::User, content }],
            meta: None,
        }))
    }

    async fn complete(&self, request: CompletionCall, _: CallInfo) -> Result<Completions, CallFailure> {
        let values = (0..150).map(|n| format!("{}{n}", request.value)).collect();
        Ok(Completions { values, total: Some(150), has_more: false })
    }
}
