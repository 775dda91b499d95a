//! Samples of several variants taken in turns, and the table of them.
//! Turns, because a shared machine's speed drifts by more than the variants differ.
//! It must not throw samples away.

use std::time::Duration;

/// The samples of one variant.
pub struct Series {
    name: String,
    samples: Vec<Duration>,
}

impl Series {
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), samples: Vec::new() }
    }

    pub fn add(&mut self, sample: Duration) {
        self.samples.push(sample);
    }

    fn sorted(&self) -> Vec<Duration> {
        let mut sorted = self.samples.clone();
        sorted.sort_unstable();
        sorted
    }

    /// The sample at this share of all, from 0 to 1.
    pub fn at(&self, share: f64) -> Duration {
        let sorted = self.sorted();
        let last = sorted.len().saturating_sub(1);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let index = (last as f64 * share).round() as usize;
        sorted.get(index).copied().unwrap_or_default()
    }

    pub fn median(&self) -> Duration {
        self.at(0.5)
    }
}

/// Prints the series under a title: quantiles, and the median and the best tenth as ratios to the series at
/// `base`. The tenth is what the machine does when nobody else wants it.
pub fn table(title: &str, base: usize, all: &[Series]) {
    println!("\n{title}");
    println!("  {:<58} {:>9} {:>9} {:>9}  {:>7} {:>7}", "", "p10", "p50", "p99", "p10 ×", "p50 ×");
    for series in all {
        let ratio = |share: f64| series.at(share).as_secs_f64() / all[base].at(share).as_secs_f64();
        println!(
            "  {:<58} {:>9} {:>9} {:>9}  {:>7.2} {:>7.2}",
            series.name,
            show(series.at(0.1)),
            show(series.median()),
            show(series.at(0.99)),
            ratio(0.1),
            ratio(0.5),
        );
    }
}

pub fn show(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    if micros < 1000.0 { format!("{micros:.1} µs") } else { format!("{:.2} ms", micros / 1000.0) }
}
