//! Names for guards, so that `cargo xtask mutate-guards` can switch each off and see a test turn red. In every
//! ordinary build `guarded!` is the check itself and there is no switch; only the feature `mutate`, which no release
//! build can have, makes one. Must not be used for anything but what keeps somebody out or something bounded.

#[cfg(all(feature = "mutate", not(debug_assertions)))]
compile_error!("the feature `mutate` makes switches for guards; a release build must have none");

/// A guard, under its name in `tests/guards.toml`.
///
/// - `guarded!("name", refuses)`: whether the guard refuses.
/// - `guarded!("name", value, without other)`: the guard's value, and what stands in its place where it is switched off.
/// - `guarded!("name", without { … })`: the guard is that this is not done.
#[cfg(not(feature = "mutate"))]
macro_rules! guarded {
    ($name:literal, without $done:block) => {};
    ($name:literal, $refuses:expr) => {
        crate::guard::on($refuses)
    };
    ($name:literal, $value:expr, without $other:expr) => {
        crate::guard::on($value)
    };
}

/// A guard's own value. Called so that nothing is folded into what stands around the guard.
#[cfg(not(feature = "mutate"))]
#[inline(always)]
pub(crate) fn on<T>(value: T) -> T {
    value
}

#[cfg(feature = "mutate")]
macro_rules! guarded {
    ($name:literal, without $done:block) => {
        if !crate::guard::stands($name) $done
    };
    ($name:literal, $refuses:expr) => {
        $refuses && crate::guard::stands($name)
    };
    ($name:literal, $value:expr, without $other:expr) => {
        if crate::guard::stands($name) { $value } else { $other }
    };
}

#[cfg(feature = "mutate")]
const SWITCH: &str = "KENNEL_GUARD_OFF";

#[cfg(feature = "mutate")]
static OFF: std::sync::LazyLock<Option<String>> = std::sync::LazyLock::new(|| std::env::var(SWITCH).ok());

/// Whether a guard is on: all are but the one that the environment names.
#[cfg(feature = "mutate")]
pub(crate) fn stands(name: &str) -> bool {
    OFF.as_deref() != Some(name)
}

/// What a process of ours gets that has no environment of its own, so that the same guards stand in it.
#[cfg(feature = "mutate")]
pub(crate) fn inherited() -> Option<(&'static str, &'static str)> {
    OFF.as_deref().map(|name| (SWITCH, name))
}

/// What a process of ours gets that has no environment of its own: nothing.
#[cfg(not(feature = "mutate"))]
pub(crate) fn inherited() -> Option<(&'static str, &'static str)> {
    None
}
