//! (a) and (b): a call in process, from wasmtime alone to the whole way through the catalog.
//! Every variant calls the same tool of the same component with the same text.
//! It must not reuse anything between calls that `kennel serve` would not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kennel::catalog::Catalog;
use kennel::catalog::api::{Backend as _, CallEvents, CallInfo, ClientFacts, Trace};
use kennel::catalog::types::LogLevel;
use kennel::grants::{
    Access, DirectoryGrant, DirectoryMode, DiskQuota, FileLock, FilePath, Grants, HttpGrant, HttpOperation,
    HttpPlace, HttpScheme, Operation, decide,
};
use kennel::observe::Audit;
use kennel::observe::audit::Options;
use kennel::sandbox::contract::{ToolCall, ToolOutcome};
use kennel::sandbox::{CallContext, CallError, CallTool, engine_alone};
use kennel_tests::Home;
use serde_json::{Value, json};

use crate::stats::{Series, table};
use crate::{TEXT, floor, world};

const ROUNDS: usize = 400;
const IN_A_ROW: usize = 25;
/// Calls that are cancelled, and how long each has run by then.
const CANCELLED: usize = 200;
const RUNNING: Duration = Duration::from_millis(5);

struct Silent;

impl CallEvents for Silent {
    fn log(&self, _: LogLevel, _: Option<&str>, _: Value) {}
    fn progress(&self, _: f64, _: Option<f64>, _: Option<&str>) {}
    fn detach(&self) {}
}

/// `alone` is what `kennel serve` says of a call that nothing else waits beside.
fn info(alone: bool) -> CallInfo {
    CallInfo {
        alone,
        cancel: Default::default(),
        client: ClientFacts { caller: "bench".into(), ..ClientFacts::default() },
        progress: false,
        log_level: None,
        sink: Arc::new(Silent),
        trace: Trace::default(),
        approver: None,
        resumption: None,
        meta: None,
    }
}

/// Calls so often in a row, each timed. The first of a row is not counted: it pays for what the other variants
/// left in the caches.
macro_rules! in_a_row {
    ($series:expr, $call:expr) => {{
        for turn in 0..=IN_A_ROW {
            let start = Instant::now();
            std::hint::black_box($call);
            let time: Duration = start.elapsed();
            if turn > 0 {
                $series.add(time);
            }
        }
    }};
}

pub fn run() {
    let runtime = world::runtime();
    let home = world::home_with("echo");
    let (_sandbox, statuses) = world::load(&home.path(), &runtime);
    let plugin = world::only(&statuses);
    let catalog = |audit| {
        let catalog = Catalog::new(audit);
        catalog.show(&statuses);
        catalog.set_ready();
        catalog
    };
    let checked = catalog(None);
    let audited = catalog(Some(Audit::begin(&home.folder("audit"), Options::default()).unwrap()));
    let keeping = world::home_under("echo", "[plugins.echo.limits]\ninstance-calls = 1000000\n");
    let (_sandbox, kept_statuses) = world::load(&keeping.path(), &runtime);
    let kept = Catalog::new(Some(Audit::begin(&keeping.folder("audit"), Options::default()).unwrap()));
    kept.show(&kept_statuses);
    kept.set_ready();

    let engine = engine_alone().unwrap();
    let bare = floor::Bare::new(&engine);
    let alone = floor::Plugin::new(&engine, &world::component("echo"));

    let text = "x".repeat(TEXT);
    let arguments: Arc<str> = json!({ "text": text }).to_string().into();
    let call =
        ToolCall { name: "echo".into(), arguments: arguments.to_string(), resumption: None, meta: None };

    let mut all = [
        Series::new("(a) wasmtime alone, bare component"),
        Series::new("(a) wasmtime alone, the plugin `echo`"),
        Series::new("(b) a call with every guard, hops between threads included"),
        Series::new("(b) the same begun where it is made, as when nothing waits"),
        Series::new("(b) the same with arguments checked against their schema"),
        Series::new("(b) the same with an audit line"),
        Series::new("(b) all of it, begun where it is made"),
        Series::new("(b) the same in the caller's last instance, where that is granted"),
    ];
    runtime.block_on(async {
        assert_eq!(bare.call(&text).await, text);
        assert!(matches!(alone.call(&call).await, ToolOutcome::Complete(result) if !result.is_error));
        for _ in 0..ROUNDS {
            let [
                bare_series,
                alone_series,
                guarded_series,
                here_series,
                checked_series,
                audited_series,
                whole_series,
                kept_series,
            ] = &mut all;
            in_a_row!(bare_series, bare.call(&text).await);
            in_a_row!(alone_series, alone.call(&call).await);
            in_a_row!(guarded_series, {
                let finished = plugin.program.call(CallTool(call.clone()), CallContext::unattended()).await;
                finished.result.unwrap()
            });
            in_a_row!(here_series, {
                let context = CallContext { begin_here: true, ..CallContext::unattended() };
                plugin.program.call(CallTool(call.clone()), context).await.result.unwrap()
            });
            // Call by call in turns, each as often the first: what is told is how far the two are apart, and the
            // machine drifts by more than that from one row to the next.
            for turn in 0..=2 * IN_A_ROW {
                let mut pair = [(&checked, &mut *checked_series), (&audited, &mut *audited_series)];
                pair.rotate_left(turn % 2);
                for (catalog, series) in pair {
                    let start = Instant::now();
                    std::hint::black_box(
                        catalog.call_tool("echo__echo", arguments.clone(), info(false)).await.unwrap(),
                    );
                    if turn > 0 {
                        series.add(start.elapsed());
                    }
                }
            }
            in_a_row!(
                whole_series,
                audited.call_tool("echo__echo", arguments.clone(), info(true)).await.unwrap()
            );
            in_a_row!(
                kept_series,
                kept.call_tool("echo__echo", arguments.clone(), info(true)).await.unwrap()
            );
        }
    });
    table("(a) (b) a call in process; ratios to wasmtime alone with the same plugin", 1, &all);
    let [.., checked_series, audited_series, _, _] = &all;
    let over = |share: f64| {
        100.0 * (audited_series.at(share).as_secs_f64() / checked_series.at(share).as_secs_f64() - 1.0)
    };
    println!(
        "  the audit line costs {:+.1} % of p50, {:+.1} % of p10 (target: 5 % of p50)",
        over(0.5),
        over(0.1)
    );
    let (deciding, call) = (deciding(), checked_series.at(0.5).as_secs_f64());
    println!(
        "  deciding takes {:.0} ns for a file and {:.0} ns for a request, each allowed by the last of {GRANTS}: {:.2} % of p50",
        1e9 * deciding[0],
        1e9 * deciding[1],
        100.0 * (deciding[0] + deciding[1]) / call
    );
}

/// Grants of each kind when deciding is timed, and decisions that are timed together.
const GRANTS: usize = 10;
const DECISIONS: u32 = 100_000;

/// Seconds that one decision takes, about a file and about a request, each of which only the last grant fits.
fn deciding() -> [f64; 2] {
    let mut grants = Grants::default();
    for number in 0..GRANTS {
        let place = HttpPlace::parse(&format!("https://api{number}.example.org/v1")).unwrap();
        grants.http.push(HttpGrant {
            scheme: place.scheme,
            host: place.host,
            port: place.port,
            path: place.path,
            methods: vec!["GET".into(), "POST".into()],
            private_addresses: false,
        });
        grants.directories.push(DirectoryGrant {
            host: format!("/srv/{number}").into(),
            guest: format!("/data/{number}"),
            mode: DirectoryMode::ReadWrite,
            quota: DiskQuota { bytes: 1 << 30, files: 1_000 },
            extensions: vec!["md".into(), "txt".into()],
            lock: FileLock::None,
        });
    }
    let last = GRANTS - 1;
    let host = format!("api{last}.example.org");
    let request = HttpOperation::parse("POST", HttpScheme::Https, &host, "/v1/items/7").unwrap();
    let file = Operation::File { access: Access::Write, path: FilePath::Below(last, "notes/today.md") };
    [file, Operation::Http(&request)].map(|operation| {
        let start = Instant::now();
        for _ in 0..DECISIONS {
            assert!(std::hint::black_box(decide(&grants, std::hint::black_box(&operation))).is_allowed());
        }
        start.elapsed().as_secs_f64() / f64::from(DECISIONS)
    })
}

/// How long a guest that loops goes on after its call was cancelled.
pub fn cancelled() {
    let runtime = world::runtime();
    let home = Home::new("bench-cancelled");
    let limits = "[plugins.trial.limits]\nfuel = \"1000G\"\ndeadline = \"1m\"\n";
    home.plugin("trial").config(limits).approve();
    let (_sandbox, statuses) = world::load(&home.path(), &runtime);
    let plugin = world::only(&statuses);
    let spin = ToolCall { name: "spin".into(), arguments: "{}".into(), resumption: None, meta: None };
    let mut deaths = [Series::new("cancelled, until the guest was gone")];
    runtime.block_on(async {
        for _ in 0..CANCELLED {
            let context = CallContext::unattended();
            let cancel = context.cancel.clone();
            let call = plugin.program.call(CallTool(spin.clone()), context);
            let killer = async {
                tokio::time::sleep(RUNNING).await;
                cancel.cancel();
                Instant::now()
            };
            // The call ends when its instance is dropped.
            let (finished, told) = tokio::join!(async { (call.await, Instant::now()) }, killer);
            let (finished, gone) = finished;
            assert!(matches!(finished.result, Err(CallError::Cancelled)), "{:?}", finished.result);
            deaths[0].add(gone.saturating_duration_since(told));
        }
    });
    table("a looping guest whose call is cancelled", 0, &deaths);
}
