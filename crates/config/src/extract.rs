//! Extract configurations: which objects a task reads (`extract/*.yaml`).

use std::collections::BTreeMap;

use annals_model::ObjectType;

use crate::filter::Expr;

/// An extract configuration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExtractConfig {
    /// Name, unique among the extract configurations; default the file's stem.
    pub name: String,
    /// `transformConfigurationName`; its absence fails a run with IIQ-46.
    pub transform: Option<String>,
    /// `extractedObjects` (or `exportedObjects`) by object type; empty gives the warning IIQ-48.
    pub objects: BTreeMap<ObjectType, ExtractedObject>,
    /// Entries whose name is no object type, as written; each gives the warning IIQ-49.
    pub unknown_objects: Vec<String>,
}

/// What is read of one object type.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExtractedObject {
    /// Only objects that match.
    pub filter: Option<Expr>,
    /// At most so many objects in a run.
    pub limit: Option<u64>,
    /// Only these properties; empty: all.
    pub include: Vec<String>,
    /// All but these properties.
    pub exclude: Vec<String>,
}
