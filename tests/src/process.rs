//! What a running process costs, as Linux counts it (proc(5)), and waiting until it works or rests.
//! It must not judge what is too much: the bounds are the tests'.

use std::time::{Duration, Instant};

fn status(pid: u32, key: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = text.lines().find(|line| line.starts_with(key)).expect("the kernel tells");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

/// Threads now.
pub fn threads(pid: u32) -> u64 {
    status(pid, "Threads:")
}

/// Bytes of memory in use now.
pub fn resident(pid: u32) -> u64 {
    status(pid, "VmRSS:") * 1024
}

/// The same as [`peak_resident`]; none when the process is gone or the system does not tell.
pub fn peak_if_running(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The most bytes of memory in use at once since the start.
pub fn peak_resident(pid: u32) -> u64 {
    status(pid, "VmHWM:") * 1024
}

/// Open descriptors now.
pub fn descriptors(pid: u32) -> u64 {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("the process runs");
    u64::try_from(open.count()).expect("a small number")
}

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

fn used(pid: u32) -> Duration {
    cpu_time(pid).expect("the process runs")
}

/// Waits at most so long until a process has worked for a while: what loops in it has begun.
#[track_caller]
pub fn becomes_busy(pid: u32, limit: Duration) {
    let (start, before) = (Instant::now(), used(pid));
    while used(pid) - before < Duration::from_millis(300) {
        assert!(start.elapsed() < limit, "the process does not begin to work");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits at most so long until a process does next to nothing: whatever looped in it is gone. One guest that spins would
/// take a whole second of each, on a busy machine still many times what is allowed.
#[track_caller]
pub fn becomes_idle(pid: u32, limit: Duration) {
    let start = Instant::now();
    loop {
        let before = used(pid);
        std::thread::sleep(Duration::from_secs(1));
        if used(pid) - before <= Duration::from_millis(30) {
            return;
        }
        assert!(start.elapsed() < limit, "the process goes on working");
    }
}
