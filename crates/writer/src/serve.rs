//! Deliveries as they arrive.

use std::collections::HashMap;

use annals_model::{PartitionLease, error_chain};
use annals_queue::{Lane, Received};
use annals_runs::Leases;
use annals_sql::Db;
use annals_sql::fault::{Defect, defect};
use tracing::Instrument as _;

use crate::{Error, Treatment, Writer};

/// A delivery that so many writers took up and none answered for has killed them, or will never fit into the time that
/// they have: its messages are given up.
const TAKEN_MAX: u64 = 10;

impl Writer {
    /// Writes what arrives on a lane until every sender is gone, and answers for each delivery; `written` is told how
    /// many messages it had, and the process' leases what was fenced off.
    ///
    /// What follows a delivery that was not written, under the same lease, is refused for the same reason: the state
    /// that it saves would pass over the one that is missing.
    pub async fn serve(&self, db: &Db, mut lane: Lane, leases: &Leases, written: impl Fn(u64)) {
        let mut broken: HashMap<PartitionLease, annals_queue::Error> = HashMap::new();
        while let Some(received) = lane.next().await {
            if let Some(why) = broken.get(&received.delivery.lease) {
                received.into_parts().1.refuse(why.clone()).await;
                continue;
            }
            let (lease, messages) =
                (received.delivery.lease.clone(), received.delivery.messages.len() as u64);
            match self.take(db, received, leases).await {
                Ok(()) => written(messages),
                Err(why) => drop(broken.insert(lease, why)),
            }
        }
    }

    /// Writes a delivery and answers for it.
    ///
    /// # Errors
    /// What it was refused for.
    pub async fn take(
        &self,
        db: &Db,
        received: Received,
        leases: &Leases,
    ) -> Result<(), annals_queue::Error> {
        let taken = received.taken();
        let (delivery, answer) = received.into_parts();
        let lease = delivery.lease.clone();
        // At any level: what is logged of a delivery, here and below, says of which partition it is.
        let span = tracing::error_span!(
            "delivery",
            run = lease.run_id,
            partition = i64::from(lease.partition),
            otel.status_description = tracing::field::Empty
        );
        if defect(Defect::EarlyAcknowledgement) {
            answer.acknowledge().await;
            drop(self.write(db, delivery).instrument(span).await);
            return Ok(());
        }
        let writing = async {
            if taken <= TAKEN_MAX {
                self.write(db, delivery).await
            } else {
                tracing::error!(taken, "a delivery is given up: its messages are dead letters");
                self.abandon(db, delivery, taken - 1).await
            }
        };
        let Err(error) = writing.instrument(span.clone()).await else {
            answer.acknowledge().await;
            return Ok(());
        };
        if matches!(error, Error::Runs(annals_runs::Error::StaleLease { .. })) {
            leases.note_fenced_write();
        }
        let reason = error_chain(&error);
        span.record("otel.status_description", &reason);
        let why = match error.treatment() {
            Treatment::Again => annals_queue::Error::Deferred(reason),
            // Sent anew from what is saved, it will be written.
            _ if matches!(error, Error::Runs(annals_runs::Error::OutOfTurn { .. })) => {
                annals_queue::Error::Deferred(reason)
            }
            _ => annals_queue::Error::Refused(reason),
        };
        answer.refuse(why.clone()).await;
        Err(why)
    }
}
