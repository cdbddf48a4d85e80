//! The nouns and the pure rules of Annals: no I/O, no SQL, no async, no ambient clock.

mod access;
mod access_role;
mod capture;
mod clock;
mod decision;
mod diff;
mod error_chain;
mod event;
mod events;
mod image;
mod message;
mod object;
mod partition;
mod results;
mod run;
pub mod schedule;
mod sequence;
mod task;
pub mod text;

pub use access::{
    ACCESS_LISTS, AccessInterval, AccessItem, AccessKind, AccessState, Acquired, Grant, GrantWay, Holding,
    IntervalEnd, Ledger, LedgerRow, grants, holdings,
};
pub use access_role::{Role, ScopeRule};
pub use capture::{Head, JsonFormat, SIGHTINGS_MAX, Sighting, TransformType};
pub use clock::Clock;
pub use decision::{Decision, Facts, PatchPolicy, Verdict, decide};
pub use diff::{ATTRIBUTES, Difference, ElementChanges, PropertyChange, diff};
pub use error_chain::error_chain;
pub use event::{AccountColumns, EventTable, NewEvent};
pub use events::{
    CHANGE_CAPTURE, DELETE_CAPTURE, DISCARDED_MESSAGE, INITIAL_CAPTURE, Subject, Transition, derive_events,
    discarded_event,
};
pub use image::{Collection, Image, ImageHashes, ImageSchema, canonical_bytes, hash_bytes};
pub use message::{CapturedImage, Delivery, Message, MessageForm, Operation, PartitionLease};
pub use object::{ObjectKey, ObjectType, Reference, UnknownObjectType};
pub use partition::{Deal, Dealer, partition_count};
pub use results::{Settled, ShownResult, settle_failures, thresholds_breached};
pub use run::{Counters, ObjectFailure, RequestState, Stage, TaskStatus};
pub use schedule::Schedule;
pub use sequence::{Origin, Placed, Stretch, place};
pub use task::TaskArguments;
