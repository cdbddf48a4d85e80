//! A clock that moves only when it is told to.

use std::sync::atomic::{AtomicI64, Ordering};

use annals_model::Clock;

/// A clock that stands still. Shared by reference or in an `Arc`: setting it is seen by everyone who reads it.
#[derive(Debug)]
pub struct StillClock {
    now_ms: AtomicI64,
}

impl StillClock {
    /// A clock that stands at this instant, in epoch milliseconds UTC.
    pub fn at(now_ms: i64) -> Self {
        Self { now_ms: AtomicI64::new(now_ms) }
    }

    /// Puts the clock to this instant, in epoch milliseconds UTC; backwards too, as real clocks sometimes go.
    pub fn set(&self, now_ms: i64) {
        self.now_ms.store(now_ms, Ordering::SeqCst);
    }

    /// Lets this many milliseconds pass and returns the instant that it then is.
    pub fn advance(&self, by_ms: i64) -> i64 {
        self.now_ms.fetch_add(by_ms, Ordering::SeqCst) + by_ms
    }
}

impl Clock for StillClock {
    fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn it_stands_until_it_is_moved() {
        let clock = StillClock::at(1_000);
        assert_eq!((clock.now_ms(), clock.now_ms()), (1_000, 1_000));
        assert_eq!(clock.advance(250), 1_250);
        assert_eq!(clock.now_ms(), 1_250);
        clock.set(10);
        assert_eq!(clock.now_ms(), 10);
    }

    #[test]
    fn everyone_who_shares_it_sees_it_move() {
        let clock = Arc::new(StillClock::at(0));
        let reader: Arc<dyn Clock> = Arc::clone(&clock) as Arc<dyn Clock>;
        clock.advance(7);
        assert_eq!(reader.now_ms(), 7);
    }
}
