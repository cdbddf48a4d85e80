//! A configuration directory as a whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use annals_model::ObjectType;

use crate::extract::ExtractConfig;
use crate::file::Environment;
use crate::load;
use crate::problem::Problems;
use crate::profile::Profile;
use crate::read::service::Needs;
use crate::service::Service;
use crate::task::Task;
use crate::transform::TransformConfig;

/// Everything that a configuration directory says.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The directory.
    pub dir: PathBuf,
    /// `annals.yaml`.
    pub service: Service,
    /// `tasks/*.yaml` by name.
    pub tasks: BTreeMap<String, Task>,
    /// `extract/*.yaml` by name.
    pub extracts: BTreeMap<String, ExtractConfig>,
    /// `transform/*.yaml` by name.
    pub transforms: BTreeMap<String, TransformConfig>,
    /// `sources/*.yaml` by name.
    pub profiles: BTreeMap<String, Profile>,
    /// The text of every file in force, by path: `{"files": {"annals.yaml": "..."}}`. Variables are not
    /// resolved, and secrets that stand in a file are left out.
    pub snapshot: serde_json::Value,
    /// What deserves a look although the configuration can be used.
    pub warnings: Problems,
    /// The profile of `service.source.profile`; a configuration without it is not made.
    pub(crate) profile: Profile,
}

impl Config {
    /// Reads a configuration directory: `annals.yaml`, `tasks/`, `extract/`, `transform/` and `sources/`.
    /// Environment variables come from `env`.
    ///
    /// # Errors
    /// Everything that is wrong in all files, warnings included, if at least one of them is an error.
    pub fn load(dir: &Path, env: Environment<'_>) -> Result<Self, Problems> {
        load::load(dir, env, Needs::All)
    }

    /// Reads a directory for what only asks the history database: the source's URL, the key for secrets and where traces
    /// are sent are left out, so that nobody needs to know them.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_for_history(dir: &Path, env: Environment<'_>) -> Result<Self, Problems> {
        load::load(dir, env, Needs::History)
    }

    /// The configuration that a snapshot was made of, as this host would have read it: the databases' URLs, the key for
    /// secrets, worker slots, leases, the transport and the log are this host's own (TRAP-17).
    ///
    /// # Errors
    /// What is wrong with it here, such as variables that are not set on this host.
    pub fn of_snapshot(&self, snapshot: &serde_json::Value, env: Environment<'_>) -> Result<Self, Problems> {
        load::of_snapshot(self, snapshot, env)
    }

    /// The profile of the identity system that the service reads.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The bare class of an object type in the profile; the object type's own name where the profile lacks
    /// it.
    #[must_use]
    pub fn bare_class(&self, object_type: ObjectType) -> &str {
        self.profile.object_types.get(&object_type).map_or(object_type.as_str(), |known| known.bare_class())
    }
}

/// Everything that is wrong in a configuration directory, errors and warnings (`annals check`).
#[must_use]
pub fn check(dir: &Path, env: Environment<'_>) -> Problems {
    match load::load(dir, env, Needs::All) {
        Ok(config) => config.warnings,
        Err(problems) => problems,
    }
}
