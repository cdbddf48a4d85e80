//! Which attributes are kept from whom.

use annals_audit::Role;
use annals_config::service::ApiSettings;
use annals_history::Hidden;

/// The attributes that are hidden, and who sees them all the same.
#[derive(Debug)]
pub(crate) struct HiddenFrom {
    all: Hidden,
    none: Hidden,
    shown_to: Vec<Role>,
}

impl HiddenFrom {
    pub(crate) fn new(settings: &ApiSettings) -> Self {
        let attributes = settings.hidden_attributes.iter();
        let attributes = attributes
            .flat_map(|(object_type, names)| names.iter().map(|name| (*object_type, name.as_str())));
        Self {
            all: Hidden::new(attributes),
            none: Hidden::default(),
            shown_to: settings.hidden_shown_to.clone(),
        }
    }

    /// What is hidden from somebody with these roles.
    pub(crate) fn of(&self, roles: &[Role]) -> &Hidden {
        if roles.iter().any(|role| self.shown_to.contains(role)) { &self.none } else { &self.all }
    }
}
