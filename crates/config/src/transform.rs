//! Transform configurations: what of an object goes into its image (`transform/*.yaml`).

use std::collections::BTreeMap;

use annals_model::ObjectType;

/// A transform configuration, with IdentityIQ's documented structure.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TransformConfig {
    /// Name, unique among the transform configurations; default the file's stem.
    pub name: String,
    /// `imageConfigDescriptors` by object type.
    pub images: BTreeMap<ObjectType, ImageConfig>,
}

/// How images of one object type are made.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageConfig {
    /// `objectClassName` as written.
    pub class_name: String,
    /// `includeHash`: whether the image's hashes are kept with the capture (default true).
    pub include_hash: bool,
    /// `imagePropertyConfigDescriptors`. `property: "*"` stands for every property and collection of the
    /// profile that no other descriptor names.
    pub properties: Vec<ImageProperty>,
}

/// One field of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageProperty {
    /// Where the value comes from.
    pub from: PropertySource,
    /// Name in the image; default the property's or attribute's own.
    pub name: String,
    /// `type`, default `auto`.
    pub kind: ValueKind,
    /// A change of this field alone makes no capture (default true = it does).
    pub significant: bool,
    /// The order of a list means something (default false = a set).
    pub ordered: bool,
    /// `propertyTransformerConfigDescriptors`, applied in order.
    pub transformers: Vec<Transformer>,
}

/// Property of the profile, or key of the attribute map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PropertySource {
    /// `property: name`, `property: "*"` for all others.
    Property(String),
    /// `attribute: name`.
    Attribute(String),
    /// Neither: a value that transformers make (constant, composite key).
    None,
}

/// `type` of an image property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// As it comes.
    Auto,
    /// Text.
    String,
    /// Whole number.
    Integer,
    /// Number.
    Float,
    /// Boolean.
    Boolean,
    /// Epoch milliseconds.
    Date,
    /// A list.
    List,
    /// A map.
    Map,
    /// A reference: id and name.
    Reference,
}

/// A transformer with its arguments.
#[derive(Debug, Clone, PartialEq)]
pub enum Transformer {
    /// `cast` to a kind; a value that cannot be cast is a named failure of the object.
    Cast(ValueKind),
    /// `date`: epoch milliseconds to text in RFC 3339, or by the given strftime format, in a time zone.
    Date {
        /// strftime format; `None` is RFC 3339.
        format: Option<String>,
        /// IANA time zone, default UTC.
        time_zone: String,
    },
    /// `epoch`: text to epoch milliseconds.
    Epoch {
        /// strptime format; `None` is RFC 3339.
        format: Option<String>,
    },
    /// `reference`: keep only these members of a reference (default id and name).
    Reference(Vec<String>),
    /// `subset`: keep only these members of a map, or of each element of a list of maps.
    Subset(Vec<String>),
    /// `rename`: members of a map (or of each element), old name -> new name.
    Rename(BTreeMap<String, String>),
    /// `mask`: the value is a secret.
    Mask,
    /// `constant`.
    Constant(serde_json::Value),
    /// `compositeKey`: these properties' values joined by a separator.
    CompositeKey {
        /// Property names.
        properties: Vec<String>,
        /// Between them, default `|`.
        separator: String,
    },
    /// `hash`: SHA-256 of the value, 40 upper-case hex digits.
    Hash,
}
