//! How long to wait before a session is opened again.

use core::time::Duration;

use super::config::Reconnection;
use crate::entropy::Entropy;

/// Counts attempts, and spaces them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// The delay before the next attempt, and its number from 1; `None` if it was the last.
    pub(super) fn next(&mut self, config: &Reconnection, entropy: &mut Entropy) -> Option<(Duration, u32)> {
        if config.attempts_max.is_some_and(|most| self.attempts >= most) {
            return None;
        }
        let grown = config.factor.checked_pow(self.attempts).unwrap_or(u32::MAX);
        self.attempts = self.attempts.saturating_add(1);
        let delay = config.delay.saturating_mul(grown).min(config.delay_max);
        let chance = f64::from(u32::from_le_bytes(entropy.bytes())) / f64::from(u32::MAX);
        let varied = delay.as_secs_f64() * (1.0 + f64::from(config.randomization) * (2.0 * chance - 1.0));
        let varied = Duration::try_from_secs_f64(varied).unwrap_or(config.delay_max);
        // What chance adds beyond the longest is taken away: otherwise all would wait that long, and come together.
        let beyond = varied.saturating_sub(config.delay_max);
        let delay = varied.min(config.delay_max).saturating_sub(beyond);
        Some((delay.max(Duration::from_millis(1)), self.attempts))
    }

    /// A session opened: the next attempt is the first again.
    pub(super) const fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn delays(config: &Reconnection, count: usize) -> Vec<Duration> {
        let (mut backoff, mut entropy) = (Backoff::default(), Entropy::new([7; 32]));
        (0..count).map_while(|_| backoff.next(config, &mut entropy)).map(|(delay, _)| delay).collect()
    }

    #[test]
    fn delays_double_up_to_the_longest() {
        let config = Reconnection { randomization: 0.0, ..Reconnection::default() };
        assert_eq!(delays(&config, 6), [1, 2, 4, 5, 5, 5].map(Duration::from_secs));
        let config = Reconnection { attempts_max: Some(2), ..config };
        assert_eq!(delays(&config, 6), [1, 2].map(Duration::from_secs));
        assert_eq!(delays(&Reconnection { attempts_max: Some(0), ..config }, 6), []);
        let long = Reconnection { delay_max: Duration::MAX, randomization: 0.0, ..Reconnection::default() };
        assert_eq!(delays(&long, 200).len(), 200, "nothing overflows");
    }

    #[test]
    fn chance_varies_them_by_half() {
        let mut entropy = Entropy::new([8; 32]);
        let mut first = || Backoff::default().next(&Reconnection::default(), &mut entropy).unwrap().0;
        let delays: Vec<Duration> = (0..1000).map(|_| first()).collect();
        let (least, most) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
        assert!(*least >= Duration::from_millis(500) && *least < Duration::from_millis(520), "{least:?}");
        assert!(*most <= Duration::from_millis(1500) && *most > Duration::from_millis(1480), "{most:?}");
        let capped: Vec<Duration> = self::delays(&Reconnection::default(), 1000);
        assert!(capped.iter().all(|delay| *delay <= Duration::from_secs(5)));
        // The longest are varied too: who was sent away together does not come again together.
        let longest = capped.get(10..).unwrap();
        let (least, most) = (longest.iter().min().unwrap(), longest.iter().max().unwrap());
        assert!(*least >= Duration::from_millis(2500) && *least < Duration::from_millis(2520), "{least:?}");
        assert!(*most > Duration::from_millis(4980), "{most:?}");
        let together = longest.iter().filter(|delay| **delay > Duration::from_millis(4900)).count();
        assert!(together < 100, "{together}");
    }
}
