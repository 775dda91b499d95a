//! What a running process costs, as Linux counts it (proc(5)).
//! It must not judge: the bounds are the tests'.

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

/// The most bytes of memory in use at once since the start.
pub fn peak_resident(pid: u32) -> u64 {
    status(pid, "VmHWM:") * 1024
}

/// Processor time used so far, in ticks of 10 ms.
pub fn cpu_ticks(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    // The name, in parentheses, may hold anything; utime and stime are fields 14 and 15.
    let rest = text.rsplit_once(')').expect("a name in parentheses").1;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<u64>().expect("a number");
    ticks(11) + ticks(12)
}
