//! Captures: how they are stored, and what history remembers of an object's newest one.

use serde::{Deserialize, Serialize};

/// How a capture's document is stored (IIQ-40).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "UPPERCASE")]
pub enum JsonFormat {
    /// zlib, raw bytes.
    #[default]
    Zipped,
    /// Without white space.
    Minified,
    /// Indented.
    Pretty,
    /// zstd, with a dictionary for each object type.
    Compact,
}

impl JsonFormat {
    /// All of them, in the order in which they are named to people.
    pub const ALL: [Self; 4] = [Self::Zipped, Self::Minified, Self::Pretty, Self::Compact];

    /// As it stands in `json_format`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Zipped => "ZIPPED",
            Self::Minified => "MINIFIED",
            Self::Pretty => "PRETTY",
            Self::Compact => "COMPACT",
        }
    }

    /// Reads a `json_format` column.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }
}

/// Whether a capture holds a whole document or the differences from the capture before (IIQ-41).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransformType {
    /// The whole document.
    Full,
    /// An RFC 6902 patch of the previous capture's document.
    Patch,
}

impl TransformType {
    /// As it stands in `transform_type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Patch => "patch",
        }
    }
}

/// What history remembers of an object's newest capture (one row of `annals_head`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Id of the newest capture (a tombstone if `deleted`).
    pub capture_id: String,
    /// When that state began in the identity system.
    pub effective_ms: i64,
    /// The latest instant at which that state was still seen.
    pub extended_to_ms: i64,
    /// The source's time when that state was last read; a message read earlier is late.
    pub observed_ms: i64,
    /// Hash of the whole image; of nothing for a tombstone.
    pub full_hash: String,
    /// Hash of the image without insignificant fields.
    pub smart_hash: String,
    /// Patch captures since the last full one.
    pub patches_since_full: u32,
    /// The last full capture.
    pub full_capture_id: String,
    /// The source's time when that one was read: its age decides about patches.
    pub full_observed_ms: i64,
    /// The object is gone.
    pub deleted: bool,
    /// The object's name when it was last captured.
    pub name: String,
    /// When that state was seen, in order, its own capture first; at most [`SIGHTINGS_MAX`]. Empty where the dates
    /// above tell it: seen once, and dated by the source.
    pub seen: Vec<Sighting>,
}

impl Head {
    /// When its state was seen.
    #[must_use]
    pub fn sightings(&self) -> Vec<Sighting> {
        if self.seen.is_empty() {
            vec![Sighting { occurred_ms: self.effective_ms, observed_ms: self.observed_ms }]
        } else {
            self.seen.clone()
        }
    }
}

/// A state was there: what is kept of each message that found it, so that one that comes late can part it in two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// When the source says that the state came about, epoch milliseconds.
    pub occurred_ms: i64,
    /// The source's time when it was read.
    pub observed_ms: i64,
}

/// The most sightings of one state that are kept: the first and the last ones.
pub const SIGHTINGS_MAX: usize = 8;

impl Sighting {
    /// Adds the newest sighting of a state.
    pub fn note(self, seen: &mut Vec<Sighting>) {
        if seen.len() == SIGHTINGS_MAX {
            seen.remove(1);
        }
        seen.push(self);
    }
}
