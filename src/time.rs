//! Time as a value. The library owns no clock: whoever drives it says what time it is.
//!
//! ```
//! use core::time::Duration;
//! use roomwire::Instant;
//!
//! // A driver measures from an origin of its own choice …
//! let now = Instant::from(Duration::from_millis(1_500));
//! // … and a deadline is a later instant.
//! let deadline = now.saturating_add(Duration::from_secs(10));
//! assert_eq!(deadline.saturating_since(now), Duration::from_secs(10));
//! ```

use core::fmt;
use core::time::Duration;

/// A point in time: nanoseconds since an origin that the driver chose (584 years of them).
///
/// With `std`, a driver keeps one `std::time::Instant` as its origin and passes
/// `Instant::from(origin.elapsed())`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl fmt::Debug for Instant {
    /// Shows it as the time since the origin.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.finite() {
            Some(_) => f.debug_tuple("Instant").field(&self.saturating_since(Self::ORIGIN)).finish(),
            None => f.write_str("Instant(never)"),
        }
    }
}

impl Instant {
    /// The origin.
    pub const ORIGIN: Self = Self(0);
    /// The end of time: a deadline that never comes.
    pub const NEVER: Self = Self(u64::MAX);

    /// The instant so many nanoseconds after the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// This instant plus a span; [`Instant::NEVER`] where that does not fit.
    #[must_use]
    #[inline]
    pub const fn saturating_add(self, span: Duration) -> Self {
        let nanos = span.as_secs().saturating_mul(1_000_000_000).saturating_add(span.subsec_nanos() as u64);
        Self(self.0.saturating_add(nanos))
    }

    /// How long after `earlier` this instant is; zero if it is not.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// `None` for [`Instant::NEVER`].
    pub(crate) fn finite(self) -> Option<Self> {
        (self != Self::NEVER).then_some(self)
    }
}

impl From<Duration> for Instant {
    /// The instant that lies this span after the origin.
    fn from(since_origin: Duration) -> Self {
        Self::ORIGIN.saturating_add(since_origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let late = Instant::from_nanos(u64::MAX - 1);
        assert_eq!(late.saturating_add(Duration::from_secs(1)), Instant::NEVER);
        assert_eq!(Instant::ORIGIN.saturating_since(late), Duration::ZERO);
        assert_eq!(Instant::from(Duration::MAX), Instant::NEVER);
        assert_eq!(Instant::NEVER.finite(), None);
    }

    #[test]
    fn it_is_shown_as_a_time() {
        let shown = [Instant::from(Duration::from_millis(44_867)), Instant::NEVER].map(|at| alloc::format!("{at:?}"));
        assert_eq!(shown, ["Instant(44.867s)", "Instant(never)"]);
    }
}
