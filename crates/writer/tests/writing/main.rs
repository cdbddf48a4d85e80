//! The writer on every engine that history is kept on, from one body.

mod events;
mod faults;
mod life;
mod patches;
mod world;
