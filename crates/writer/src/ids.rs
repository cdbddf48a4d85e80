//! Ids of captures and events.

use uuid::{ContextV7, Timestamp, Uuid};

/// Makes ids for one transaction: UUIDs of version 7, 32 hex digits, each greater than the one before.
#[derive(Debug)]
pub(crate) struct Ids {
    context: ContextV7,
    seconds: u64,
    nanoseconds: u32,
}

impl Ids {
    /// Ids made at this instant, epoch milliseconds.
    pub(crate) fn at(now_ms: i64) -> Self {
        let now_ms = u64::try_from(now_ms).unwrap_or_default();
        let nanoseconds = u32::try_from(now_ms % 1_000).unwrap_or_default() * 1_000_000;
        Self { context: ContextV7::new(), seconds: now_ms / 1_000, nanoseconds }
    }

    pub(crate) fn next(&mut self) -> String {
        Uuid::new_v7(Timestamp::from_unix(&self.context, self.seconds, self.nanoseconds)).simple().to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// 2026-01-01T00:00:00.123Z is 1,767,225,600,123 ms, in hex 19b76daa87b.
    #[test]
    fn ids_begin_with_the_instant_and_rise() {
        let mut ids = Ids::at(1_767_225_600_123);
        let made: Vec<String> = (0..10_000).map(|_| ids.next()).collect();
        assert!(made.iter().all(|id| id.len() == 32 && id.starts_with("019b76daa87b7")), "{}", made[0]);
        assert!(made.is_sorted());
        let others: BTreeSet<String> = (0..1_000).map(|_| Ids::at(1_767_225_600_123).next()).collect();
        assert_eq!(others.len(), 1_000);
    }
}
