//! The partition worker: claim, load, transform to an image, publish, checkpoint each `lossLimit` objects.

mod error;
mod plan;
mod set;
mod transformer;
mod worker;

pub use error::{Error, ImageError};
pub use plan::{ImagePlan, MadeImage};
pub use worker::{ExtractSettings, Extractor, Stop, TRACED};
