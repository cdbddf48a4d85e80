//! Time as a parameter.

/// Says what time it is, in epoch milliseconds UTC. The rules take instants; only the binary owns a real clock.
pub trait Clock: Send + Sync {
    /// Epoch milliseconds.
    fn now_ms(&self) -> i64;
}
