//! Whole runs over a generated identity system, and the program as people call it.

mod failures;
mod partitions;
mod program;
mod selection;
mod site;
