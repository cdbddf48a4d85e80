//! Deliveries as they arrive.

use std::collections::HashMap;

use annals_model::{PartitionLease, error_chain};
use annals_queue::Lane;
use annals_runs::Leases;
use annals_sql::Db;
use annals_sql::fault::{Defect, defect};
use tracing::Instrument as _;

use crate::{Error, Treatment, Writer};

impl Writer {
    /// Writes what arrives on a lane until every sender is gone, and answers for each delivery; `written` is told how
    /// many messages it had, and the process' leases what was fenced off.
    ///
    /// What follows a delivery that was not written, under the same lease, is refused for the same reason: the state
    /// that it saves would pass over the one that is missing.
    pub async fn serve(&self, db: &Db, mut lane: Lane, leases: &Leases, written: impl Fn(u64)) {
        let mut broken: HashMap<PartitionLease, annals_queue::Error> = HashMap::new();
        while let Some(received) = lane.next().await {
            let (delivery, answer) = received.into_parts();
            if let Some(why) = broken.get(&delivery.lease) {
                answer.refuse(why.clone());
                continue;
            }
            let (lease, messages) = (delivery.lease.clone(), delivery.messages.len() as u64);
            // At any level: what is logged of a delivery, here and below, says of which partition it is.
            let span = tracing::error_span!("delivery", run = lease.run_id, partition = lease.partition);
            if defect(Defect::EarlyAcknowledgement) {
                answer.acknowledge();
                drop(self.write(db, delivery).instrument(span).await);
                continue;
            }
            match self.write(db, delivery).instrument(span).await {
                Ok(_) => {
                    written(messages);
                    answer.acknowledge();
                }
                Err(error) => {
                    if matches!(error, Error::Runs(annals_runs::Error::StaleLease { .. })) {
                        leases.note_fenced_write();
                    }
                    let reason = error_chain(&error);
                    let why = match error.treatment() {
                        Treatment::Again => annals_queue::Error::Deferred(reason),
                        _ => annals_queue::Error::Refused(reason),
                    };
                    broken.insert(lease, why.clone());
                    answer.refuse(why);
                }
            }
        }
    }
}
