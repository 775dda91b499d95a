//! What the system says of a process.
//! Linux only, as `/proc` is; elsewhere it answers nothing.
//! It must not signal or change a process.

use std::time::Duration;

/// How much processor time a process has used, its threads together; none when it is gone or the system does not
/// tell. In steps of 10 ms.
pub fn cpu_time(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in parentheses, which may contain anything; utime and stime are 14th and 15th.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    // USER_HZ, which the kernel keeps at 100 for programs on every architecture we test on.
    Some(Duration::from_millis(ticks * 10))
}
