//! Every limit once: its key, unit, default, bounds and meaning. The bounds are those of the engine's
//! pool, so that no configuration promises what no call can have.

use std::time::Duration;

use super::reader::{Faults, Item, Section};
use crate::grants::{Limits, units};

/// One limit, for reading, showing and documenting it.
#[derive(Clone, Copy, Debug)]
pub struct LimitKey {
    /// In `kennel.toml`.
    pub name: &'static str,
    /// What it bounds.
    pub about: &'static str,
    unit: Unit,
    default: u64,
    min: u64,
    max: u64,
    set: fn(&mut Limits, u64),
    get: fn(&Limits) -> u64,
}

#[derive(Clone, Copy, Debug)]
enum Unit {
    Size,
    Count,
    /// In milliseconds.
    Duration,
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const HOUR: u64 = 3_600_000;

/// A limit that a `Limits` keeps in its field `$field`.
macro_rules! limit {
    ($name:literal, $field:ident, $unit:ident, $default:expr, $min:expr, $max:expr, $about:literal) => {
        LimitKey {
            name: $name,
            about: $about,
            unit: Unit::$unit,
            default: $default,
            min: $min,
            max: $max,
            set: |limits, value| limits.$field = Field::from_value(value),
            get: |limits| limits.$field.to_value(),
        }
    };
}

const KEYS: &[LimitKey] = &[
    limit!(
        "fuel",
        fuel,
        Count,
        1_000_000_000,
        1,
        1_000_000_000_000_000,
        "instructions of a call; host calls cost in the same unit"
    ),
    limit!("deadline", deadline, Duration, 30_000, 1, 24 * HOUR, "wall clock of a call, host calls included"),
    limit!("memory", memory, Size, 64 * MIB, 64 * KIB, 256 * MIB, "all linear memories of a call together"),
    limit!(
        "table-elements",
        table_elements,
        Count,
        20_000,
        0,
        20_000,
        "elements of all tables of a call together"
    ),
    limit!("instances", instances, Count, 32, 1, 32, "core instances of a call"),
    limit!("memories", memories, Count, 4, 0, 4, "linear memories of a call"),
    limit!("tables", tables, Count, 16, 0, 16, "tables of a call"),
    limit!(
        "hostcall-bytes",
        hostcall_bytes,
        Size,
        4 * MIB,
        KIB,
        256 * MIB,
        "bytes taken from the plugin in one host call"
    ),
    limit!("handles", handles, Count, 1000, 1, 1_000_000, "component handles open at once"),
    limit!(
        "resources",
        resources,
        Count,
        1000,
        1,
        1_000_000,
        "files, streams, requests and the like open at once"
    ),
    limit!("random-bytes", random_bytes, Size, 64 * KIB, 0, 64 * MIB, "random bytes asked for at once"),
    limit!("output", output, Size, MIB, KIB, 256 * MIB, "a result"),
    limit!("log-lines", log_lines, Count, 1000, 0, 1_000_000, "log lines kept of a call"),
    limit!(
        "progress-notes",
        progress_notes,
        Count,
        1000,
        0,
        1_000_000,
        "progress notes passed on for a call"
    ),
    limit!(
        "stdio",
        stdio,
        Size,
        64 * KIB,
        0,
        64 * MIB,
        "kept of standard output and of standard error, each"
    ),
    limit!("http-requests", http_requests, Count, 100, 0, 1_000_000, "HTTP requests in a call"),
    limit!(
        "http-connections",
        http_connections,
        Count,
        8,
        0,
        1000,
        "HTTP connections of the plugin open at once"
    ),
    limit!(
        "http-request-body",
        http_request_body,
        Size,
        4 * MIB,
        0,
        16 * GIB,
        "the body of one HTTP request"
    ),
    limit!(
        "http-response-body",
        http_response_body,
        Size,
        16 * MIB,
        0,
        16 * GIB,
        "the body of one HTTP response"
    ),
    limit!("sockets", sockets, Count, 16, 0, 1000, "TCP and UDP sockets of the plugin open at once"),
    limit!(
        "lookups",
        lookups,
        Count,
        100,
        0,
        1_000_000,
        "names a call may look up, besides those of its HTTP requests"
    ),
    limit!(
        "network-bytes",
        network_bytes,
        Size,
        256 * MIB,
        0,
        1024 * GIB,
        "bytes over the network in a call, HTTP and sockets together, both ways"
    ),
    limit!("questions", questions, Count, 32, 0, 1000, "questions of a call, in all its rounds together"),
    limit!(
        "sample-tokens",
        sample_tokens,
        Count,
        32_000,
        0,
        100_000_000,
        "tokens a call may ask of the client's model, in all its rounds together"
    ),
    limit!(
        "answer-within",
        answer_within,
        Duration,
        600_000,
        1,
        24 * HOUR,
        "how long a question waits for its answer"
    ),
    limit!("concurrency", concurrency, Count, 16, 1, 1000, "calls of the plugin running at once"),
    limit!(
        "caller-concurrency",
        caller_concurrency,
        Count,
        1000,
        1,
        1000,
        "calls of the plugin by one caller running at once; never more than `concurrency`"
    ),
    limit!(
        "rate",
        rate,
        Count,
        1_000_000_000,
        1,
        1_000_000_000,
        "calls of the plugin that begin in a minute; the most means no bound"
    ),
    limit!(
        "caller-rate",
        caller_rate,
        Count,
        1_000_000_000,
        1,
        1_000_000_000,
        "calls of the plugin by one caller that begin in a minute; the most means no bound"
    ),
    limit!("queue", queue, Count, 20_000, 0, 1_000_000, "calls of the plugin waiting for their turn"),
    limit!(
        "instance-calls",
        instance_calls,
        Count,
        1,
        1,
        1_000_000,
        "calls of one caller that an instance lives for; more than 1 lets the plugin remember from call to call"
    ),
    limit!(
        "instance-idle",
        instance_idle,
        Duration,
        10_000,
        1,
        HOUR,
        "how long an instance waits for its caller's next call"
    ),
];

/// The number types of [`Limits`]. Every bound above fits them; a value past one saturates.
trait Field {
    fn from_value(value: u64) -> Self;
    fn to_value(self) -> u64;
}

impl Field for u64 {
    fn from_value(value: u64) -> Self {
        value
    }
    fn to_value(self) -> u64 {
        self
    }
}

impl Field for u32 {
    fn from_value(value: u64) -> Self {
        Self::try_from(value).unwrap_or(Self::MAX)
    }
    fn to_value(self) -> u64 {
        self.into()
    }
}

impl Field for usize {
    fn from_value(value: u64) -> Self {
        Self::try_from(value).unwrap_or(Self::MAX)
    }
    fn to_value(self) -> u64 {
        self as u64
    }
}

impl Field for Duration {
    fn from_value(value: u64) -> Self {
        Self::from_millis(value)
    }
    fn to_value(self) -> u64 {
        u64::try_from(self.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Every limit, in the order of the documentation.
pub fn limit_keys() -> impl Iterator<Item = &'static LimitKey> {
    KEYS.iter()
}

/// What a user gets who writes no limit.
#[must_use]
pub fn default_limits() -> Limits {
    let mut limits = Limits {
        fuel: 0,
        deadline: Duration::ZERO,
        memory: 0,
        table_elements: 0,
        instances: 0,
        memories: 0,
        tables: 0,
        hostcall_bytes: 0,
        handles: 0,
        resources: 0,
        random_bytes: 0,
        output: 0,
        log_lines: 0,
        progress_notes: 0,
        stdio: 0,
        http_requests: 0,
        http_connections: 0,
        http_request_body: 0,
        http_response_body: 0,
        sockets: 0,
        lookups: 0,
        network_bytes: 0,
        questions: 0,
        sample_tokens: 0,
        answer_within: Duration::ZERO,
        concurrency: 0,
        caller_concurrency: 0,
        rate: 0,
        caller_rate: 0,
        queue: 0,
        instance_calls: 0,
        instance_idle: Duration::ZERO,
    };
    for key in KEYS {
        (key.set)(&mut limits, key.default);
    }
    limits
}

/// Takes every limit that the section names.
pub(super) fn read(section: &mut Section<'_, '_>, limits: &mut Limits, faults: &mut Faults<'_>) {
    for key in KEYS {
        if let Some(value) = section.read(faults, key.name, |item| key.read(item)) {
            (key.set)(limits, value);
        }
    }
}

impl LimitKey {
    /// The default as it would be written.
    #[must_use]
    pub fn default_text(&self) -> String {
        self.show(self.default)
    }

    /// The least and the most that may be written.
    #[must_use]
    pub fn bounds(&self) -> (String, String) {
        (self.show(self.min), self.show(self.max))
    }

    /// What these limits say, as it would be written.
    #[must_use]
    pub fn value_text(&self, limits: &Limits) -> String {
        self.show((self.get)(limits))
    }

    fn read(&self, item: &Item<'_, '_>) -> Result<u64, String> {
        let value = match self.unit {
            Unit::Size => item.size()?,
            Unit::Count => item.count()?,
            // Less than a millisecond is rounded up: to the least, not to none.
            Unit::Duration => {
                u64::try_from(item.duration()?.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
            }
        };
        if value < self.min {
            Err(format!("{} is too little; the least is {}", self.show(value), self.show(self.min)))
        } else if value > self.max {
            Err(format!("{} is too much; the most is {}", self.show(value), self.show(self.max)))
        } else {
            Ok(value)
        }
    }

    fn show(&self, value: u64) -> String {
        match self.unit {
            Unit::Size => units::show_size(value),
            Unit::Count => units::show_count(value),
            Unit::Duration => units::show_duration(Duration::from_millis(value)),
        }
    }
}
