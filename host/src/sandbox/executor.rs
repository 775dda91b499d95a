//! The executor that guests run on, apart from the protocol's: two lanes of threads. A call starts in
//! the fast lane; once it has used up its first slices it goes on in the slow lane, whose threads have
//! a low priority and take turns between plugins. So short calls stay short beside long ones, and
//! eight looping plugins on two cores delay nobody's `ping`.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_task::{Builder, Runnable, ScheduleInfo, Task, WithInfo};
use futures::FutureExt;

/// Slices a call may use before it leaves the fast lane. More than one, because a host call that
/// completes while the guest is still being polled looks like a slice.
const FAST_SLICES: u32 = 2;
/// The nice value of the slow lane's threads.
const SLOW_NICE: i32 = 10;
/// How long a fast thread looks for work before it sleeps. Waking a sleeping thread costs more than a
/// whole short call, so that calls in a row would pay it each time. One thread at a time looks: a second
/// one would only take a core from whoever is to bring the work.
const SPIN: Duration = Duration::from_micros(30);

/// Names the plugin a task runs for; turns in the slow lane are taken between these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TaskOwner(pub(super) u64);

/// Where a future runs first.
#[derive(Clone, Copy)]
pub(super) enum Begin<'a> {
    /// On the guests' threads.
    There,
    /// On the thread that spawns it, for one slice. Two threads less to wake: a short call is over by then.
    Here(&'a tokio::runtime::Handle),
}

struct Meta {
    owner: TaskOwner,
    slices: AtomicU32,
}

/// Runs guests. Dropping it ends its threads once they are through with their present slice.
pub(super) struct Executor {
    lanes: Arc<Lanes>,
    threads: Vec<JoinHandle<()>>,
}

impl Executor {
    /// Starts the threads: per lane as many as there are cores, at least two. `io` drives timers and
    /// sockets, and runs blocking file work.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub(super) fn start(io: &tokio::runtime::Handle) -> std::io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from).max(2);
        let lanes = Arc::new(Lanes::default());
        let mut threads = Vec::with_capacity(2 * cores);
        for index in 0..cores {
            for lane in [Lane::Fast, Lane::Slow] {
                let (lanes, io) = (lanes.clone(), io.clone());
                let thread = std::thread::Builder::new()
                    .name(format!("guest-{}-{index}", lane.name()))
                    .spawn(move || {
                        if lane == Lane::Slow {
                            lower_priority();
                        }
                        let _io = io.enter();
                        while let Some(runnable) = lanes.next(lane) {
                            runnable.run();
                            if lane == Lane::Slow {
                                // Some systems let a low thread finish its turn before one that was woken.
                                std::thread::yield_now();
                            }
                        }
                    })?;
                threads.push(thread);
            }
        }
        Ok(Self { lanes, threads })
    }

    /// Runs a future of `owner`'s on the guests' threads; its first slice on this one if `begin` says so, which a thread
    /// of the protocol can afford when nothing else waits for it. Dropping the returned task drops the future at its
    /// next yield. A panic in it becomes `Err` with the panic's message.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        owner: TaskOwner,
        begin: Begin<'_>,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Task<Result<T, String>, impl Send + Sync + 'static> {
        let lanes = self.lanes.clone();
        let schedule = move |runnable: Runnable<Meta>, info: ScheduleInfo| {
            let slices = &runnable.metadata().slices;
            // Woken while running: it yielded of its own accord, out of fuel for this slice.
            let used = if info.woken_while_running {
                slices.fetch_add(1, Ordering::Relaxed) + 1
            } else {
                slices.load(Ordering::Relaxed)
            };
            let long = guarded!("slow-lane", used >= FAST_SLICES);
            lanes.push(if long { Lane::Slow } else { Lane::Fast }, runnable);
        };
        let future = AssertUnwindSafe(future).catch_unwind().map(|r| r.map_err(|p| panic_text(&*p)));
        let (runnable, task) = Builder::new()
            .metadata(Meta { owner, slices: AtomicU32::new(0) })
            .spawn(move |_| future, WithInfo(schedule));
        match begin {
            Begin::There => runnable.schedule(),
            Begin::Here(io) => {
                let _io = io.enter();
                runnable.run();
            }
        }
        task
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.lanes.close();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic").to_owned()
}

#[cfg(target_os = "linux")]
fn lower_priority() {
    // On Linux a thread id names just that thread here.
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), SLOW_NICE);
}

#[cfg(not(target_os = "linux"))]
fn lower_priority() {
    let _ = SLOW_NICE;
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lane {
    Fast,
    Slow,
}

impl Lane {
    fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Slow => "slow",
        }
    }
}

#[derive(Default)]
struct Lanes {
    queues: Mutex<Queues>,
    fast_ready: Condvar,
    slow_ready: Condvar,
    /// Length of the fast queue, to be looked at without the lock while spinning.
    fast_len: AtomicUsize,
}

#[derive(Default)]
struct Queues {
    fast: VecDeque<Runnable<Meta>>,
    slow: HashMap<TaskOwner, VecDeque<Runnable<Meta>>>,
    /// Owners with something in `slow`, in the order of their turns.
    turns: VecDeque<TaskOwner>,
    fast_sleepers: usize,
    /// A fast thread looks for work without the lock. It looks once more with it before it sleeps.
    fast_looking: bool,
    slow_sleepers: usize,
    closed: bool,
}

impl Lanes {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        // Nothing panics while holding it; and a queue is whole between any two of its calls.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, lane: Lane, runnable: Runnable<Meta>) {
        let mut queues = self.lock();
        if queues.closed {
            drop(queues);
            // Dropping a runnable drops its future.
            drop(runnable);
            return;
        }
        let wake = match lane {
            Lane::Fast => {
                queues.fast.push_back(runnable);
                self.fast_len.store(queues.fast.len(), Ordering::Release);
                // Whoever looks for work finds it without being woken.
                queues.fast_sleepers > 0 && queues.fast.len() > usize::from(queues.fast_looking)
            }
            Lane::Slow => {
                let owner = runnable.metadata().owner;
                let queue = queues.slow.entry(owner).or_default();
                queue.push_back(runnable);
                if queue.len() == 1 {
                    queues.turns.push_back(owner);
                }
                queues.slow_sleepers > 0
            }
        };
        drop(queues);
        if wake {
            match lane {
                Lane::Fast => self.fast_ready.notify_one(),
                Lane::Slow => self.slow_ready.notify_one(),
            }
        }
    }

    fn next(&self, lane: Lane) -> Option<Runnable<Meta>> {
        match lane {
            Lane::Fast => self.next_fast(),
            Lane::Slow => self.next_slow(),
        }
    }

    fn next_fast(&self) -> Option<Runnable<Meta>> {
        let mut queues = self.lock();
        let mut looked = false;
        loop {
            if let Some(runnable) = queues.fast.pop_front() {
                self.fast_len.store(queues.fast.len(), Ordering::Release);
                return Some(runnable);
            }
            if queues.closed {
                return None;
            }
            if looked || queues.fast_looking {
                queues.fast_sleepers += 1;
                queues = self.fast_ready.wait(queues).unwrap_or_else(PoisonError::into_inner);
                queues.fast_sleepers -= 1;
                looked = false;
            } else {
                queues.fast_looking = true;
                drop(queues);
                let end = Instant::now() + SPIN;
                while self.fast_len.load(Ordering::Acquire) == 0 && Instant::now() < end {
                    std::thread::yield_now();
                }
                queues = self.lock();
                queues.fast_looking = false;
                looked = true;
            }
        }
    }

    fn next_slow(&self) -> Option<Runnable<Meta>> {
        let mut queues = self.lock();
        loop {
            if let Some(owner) = queues.turns.pop_front() {
                let queue = queues.slow.entry(owner).or_default();
                let runnable = queue.pop_front();
                if queue.is_empty() {
                    queues.slow.remove(&owner);
                } else {
                    queues.turns.push_back(owner);
                }
                return runnable;
            }
            if queues.closed {
                return None;
            }
            queues.slow_sleepers += 1;
            queues = self.slow_ready.wait(queues).unwrap_or_else(PoisonError::into_inner);
            queues.slow_sleepers -= 1;
        }
    }

    fn close(&self) {
        let mut queues = self.lock();
        queues.closed = true;
        let fast = std::mem::take(&mut queues.fast);
        let slow = std::mem::take(&mut queues.slow);
        queues.turns.clear();
        drop(queues);
        drop((fast, slow));
        self.fast_ready.notify_all();
        self.slow_ready.notify_all();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A call begins in the fast lane and leaves it after its first slices, for good.
    #[test]
    fn what_takes_long_goes_on_in_the_slow_lane() {
        let io = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let executor = Executor::start(io.handle()).unwrap();
        let task = executor.spawn(TaskOwner(1), Begin::There, async {
            let mut lanes = Vec::new();
            for _ in 0..6 {
                lanes.push(std::thread::current().name().unwrap_or_default().to_owned());
                let mut given = false;
                std::future::poll_fn(|cx| {
                    if std::mem::replace(&mut given, true) {
                        return std::task::Poll::Ready(());
                    }
                    cx.waker().wake_by_ref();
                    std::task::Poll::Pending
                })
                .await;
            }
            lanes
        });
        let lanes = futures::executor::block_on(task).unwrap();
        assert!(lanes[0].starts_with("guest-fast-"), "{lanes:?}");
        let (_, later) = lanes.split_at(FAST_SLICES as usize);
        assert!(later.iter().all(|lane| lane.starts_with("guest-slow-")), "{lanes:?}");
    }
}
