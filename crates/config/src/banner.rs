//! The banners of a run that come from its configuration, word for word (IIQ-45 to IIQ-50).

use annals_model::{ObjectType, TaskStatus};

use crate::config::Config;
use crate::extract::ExtractConfig;
use crate::task::Task;
use crate::transform::TransformConfig;

/// IIQ-45: the feature is off.
#[must_use]
pub fn feature_disabled() -> String {
    "The Access History feature must be enabled in order to support history events.".to_owned()
}

/// IIQ-46: the extract configuration names no transform configuration.
#[must_use]
pub fn transform_name_missing() -> String {
    "No transformation configuration name was found in the Export YAMLConfig.".to_owned()
}

/// IIQ-47: there is no configuration of this name.
#[must_use]
pub fn config_unknown(name: &str) -> String {
    format!("Unable to find YAMLConfig {name}.")
}

/// IIQ-48: the extract configuration names no objects.
#[must_use]
pub fn exported_objects_missing() -> String {
    "The selected Export YAMLConfig is missing entry for exportedObjects.".to_owned()
}

/// IIQ-49: the extract configuration names an object that there is no such thing as.
#[must_use]
pub fn exported_object_unknown(name: &str) -> String {
    format!("The Transform YAMLConfig is missing imageConfigDescriptor for exportedObject [{name}].")
}

/// IIQ-50: the transform configuration lacks a descriptor of an object; `class` is the bare class.
#[must_use]
pub fn image_descriptor_missing(class: &str) -> String {
    format!("The Transform YAMLConfig is missing ImageConfigDescriptor for importedObject {class}.")
}

/// A message at the head of a run's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Banner {
    /// What it makes of the run: `Warning`, or `Error` for what IdentityIQ calls Fail.
    pub status: TaskStatus,
    /// The text, word for word.
    pub text: String,
}

impl Banner {
    fn warning(text: String) -> Self {
        Self { status: TaskStatus::Warning, text }
    }

    fn fail(text: String) -> Self {
        Self { status: TaskStatus::Error, text }
    }
}

/// What the configuration lets a run of a task do.
#[derive(Debug, Clone, PartialEq)]
pub struct RunBanners<'c> {
    /// Banners in the order in which they are shown.
    pub banners: Vec<Banner>,
    /// Object types that the run processes, in the order in which a run reads them; empty after a banner that
    /// stops it.
    pub objects: Vec<ObjectType>,
    /// The extract configuration, if there is one.
    pub extract: Option<&'c ExtractConfig>,
    /// The transform configuration, if there is one.
    pub transform: Option<&'c TransformConfig>,
}

impl RunBanners<'_> {
    /// The worst status among the banners; `Success` without any.
    #[must_use]
    pub fn status(&self) -> TaskStatus {
        self.banners.iter().map(|banner| banner.status).max().unwrap_or(TaskStatus::Success)
    }
}

/// Judges a task by the configuration: banners, and the objects that can be processed (IIQ-45 to IIQ-50).
#[must_use]
pub fn run_banners<'c>(config: &'c Config, task: &Task) -> RunBanners<'c> {
    let extract = config.extracts.get(&task.extract_configuration);
    let transform_name = extract.and_then(|extract| extract.transform.as_deref());
    let transform = transform_name.and_then(|name| config.transforms.get(name));
    let stopped = |banner| RunBanners { banners: vec![banner], objects: Vec::new(), extract, transform };
    if !config.service.access_history_enabled {
        return stopped(Banner::warning(feature_disabled()));
    }
    let Some(found) = extract else {
        return stopped(Banner::fail(config_unknown(&task.extract_configuration)));
    };
    let Some(transform_name) = transform_name else {
        return stopped(Banner::fail(transform_name_missing()));
    };
    let Some(images) = transform else {
        return stopped(Banner::fail(config_unknown(transform_name)));
    };
    if found.objects.is_empty() && found.unknown_objects.is_empty() {
        return stopped(Banner::warning(exported_objects_missing()));
    }
    let mut banners: Vec<Banner> =
        found.unknown_objects.iter().map(|name| Banner::warning(exported_object_unknown(name))).collect();
    let mut objects = Vec::new();
    for object_type in ObjectType::ALL.into_iter().filter(|known| found.objects.contains_key(known)) {
        if images.images.contains_key(&object_type) {
            objects.push(object_type);
        } else {
            banners.push(Banner::warning(image_descriptor_missing(config.bare_class(object_type))));
        }
    }
    RunBanners { banners, objects, extract, transform }
}
