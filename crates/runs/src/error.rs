//! What can go wrong in the control tables.

/// A failed call.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database said no.
    #[error("control tables")]
    Sql(#[from] annals_sql::Error),
    /// The partition has another owner by now; whatever the transaction holds must be rolled back (TRAP-06, TRAP-07).
    #[error("the lease of partition {partition} of run {run_id} was taken over (epoch {epoch} is stale)")]
    StaleLease {
        /// Run.
        run_id: i64,
        /// Partition.
        partition: i32,
        /// The epoch that is no longer valid.
        epoch: i64,
    },
    /// The delivery was written before; whatever the transaction holds must be rolled back.
    #[error("delivery {number} of partition {partition} of run {run_id} is written already")]
    Written {
        /// Run.
        run_id: i64,
        /// Partition.
        partition: i32,
        /// Its place among the deliveries of its lease.
        number: u64,
    },
    /// A delivery before this one was not written; whatever the transaction holds must be rolled back.
    #[error(
        "delivery {number} of partition {partition} of run {run_id} came before another one that is missing: {written} are written"
    )]
    OutOfTurn {
        /// Run.
        run_id: i64,
        /// Partition.
        partition: i32,
        /// Its place among the deliveries of its lease.
        number: u64,
        /// How many of them are written.
        written: u64,
    },
    /// The run has another driver by now, or has ended; whatever the transaction holds must be rolled back (TRAP-08).
    #[error("run {run_id} was taken over, or has ended (epoch {epoch} of its driver is stale)")]
    StaleDriver {
        /// Run.
        run_id: i64,
        /// The epoch that is no longer valid.
        epoch: i64,
    },
    /// A control table holds something that this version cannot read.
    #[error("{table}: {what}")]
    Unreadable {
        /// Table.
        table: &'static str,
        /// Column and row.
        what: String,
        /// Why, for JSON columns.
        #[source]
        source: Option<serde_json::Error>,
    },
    /// There is no such row.
    #[error("{0} was not found")]
    NotFound(String),
}

impl Error {
    pub(crate) fn unreadable(table: &'static str, what: impl Into<String>) -> Self {
        Self::Unreadable { table, what: what.into(), source: None }
    }

    pub(crate) fn json(table: &'static str, what: impl Into<String>, source: serde_json::Error) -> Self {
        Self::Unreadable { table, what: what.into(), source: Some(source) }
    }
}
