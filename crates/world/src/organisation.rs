//! The organisation: departments with their jobs, places, applications of the business.

/// A department.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Department {
    /// Name.
    pub(crate) name: &'static str,
    /// Short name, as codes have it.
    pub(crate) code: &'static str,
    /// Jobs, the manager's first.
    pub(crate) jobs: [&'static str; 5],
}

/// All departments.
pub(crate) const DEPARTMENTS: [Department; 14] = [
    Department {
        name: "Finance",
        code: "FIN",
        jobs: [
            "Finance Manager",
            "Accountant",
            "Accounts Payable Clerk",
            "Financial Analyst",
            "Treasury Specialist",
        ],
    },
    Department {
        name: "Human Resources",
        code: "HR",
        jobs: [
            "HR Manager",
            "Recruiter",
            "Payroll Administrator",
            "HR Business Partner",
            "Training Coordinator",
        ],
    },
    Department {
        name: "Information Technology",
        code: "IT",
        jobs: [
            "IT Manager",
            "System Administrator",
            "Service Desk Analyst",
            "Network Engineer",
            "Database Administrator",
        ],
    },
    Department {
        name: "Engineering",
        code: "ENG",
        jobs: [
            "Engineering Manager",
            "Software Engineer",
            "Quality Engineer",
            "Site Reliability Engineer",
            "Architect",
        ],
    },
    Department {
        name: "Sales",
        code: "SAL",
        jobs: ["Sales Manager", "Account Executive", "Sales Representative", "Sales Analyst", "Bid Manager"],
    },
    Department {
        name: "Marketing",
        code: "MKT",
        jobs: ["Marketing Manager", "Content Editor", "Campaign Specialist", "Market Researcher", "Designer"],
    },
    Department {
        name: "Customer Service",
        code: "CUS",
        jobs: [
            "Service Manager",
            "Service Agent",
            "Complaints Handler",
            "Service Trainer",
            "Back Office Agent",
        ],
    },
    Department {
        name: "Manufacturing",
        code: "MFG",
        jobs: [
            "Plant Manager",
            "Production Planner",
            "Machine Operator",
            "Maintenance Technician",
            "Shift Leader",
        ],
    },
    Department {
        name: "Logistics",
        code: "LOG",
        jobs: [
            "Logistics Manager",
            "Warehouse Clerk",
            "Dispatcher",
            "Customs Specialist",
            "Fleet Coordinator",
        ],
    },
    Department {
        name: "Procurement",
        code: "PRC",
        jobs: [
            "Procurement Manager",
            "Buyer",
            "Supplier Manager",
            "Contract Specialist",
            "Requisition Clerk",
        ],
    },
    Department {
        name: "Legal",
        code: "LEG",
        jobs: ["Legal Manager", "Counsel", "Paralegal", "Compliance Officer", "Records Clerk"],
    },
    Department {
        name: "Research",
        code: "RND",
        jobs: [
            "Research Manager",
            "Scientist",
            "Laboratory Technician",
            "Data Scientist",
            "Patent Specialist",
        ],
    },
    Department {
        name: "Facilities",
        code: "FAC",
        jobs: ["Facilities Manager", "Caretaker", "Security Guard", "Receptionist", "Space Planner"],
    },
    Department {
        name: "Internal Audit",
        code: "AUD",
        jobs: ["Audit Manager", "Auditor", "IT Auditor", "Risk Analyst", "Control Tester"],
    },
];

/// A place with people in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Location {
    /// City.
    pub(crate) city: &'static str,
    /// Country, by its two letters.
    pub(crate) country: &'static str,
    /// Part of the world.
    pub(crate) region: &'static str,
}

const fn location(city: &'static str, country: &'static str, region: &'static str) -> Location {
    Location { city, country, region }
}

/// All places.
pub(crate) const LOCATIONS: [Location; 24] = [
    location("Austin", "US", "Americas"),
    location("Bengaluru", "IN", "Asia Pacific"),
    location("Berlin", "DE", "Europe"),
    location("Bogotá", "CO", "Americas"),
    location("Brno", "CZ", "Europe"),
    location("Chicago", "US", "Americas"),
    location("Dublin", "IE", "Europe"),
    location("Göteborg", "SE", "Europe"),
    location("Hồ Chí Minh", "VN", "Asia Pacific"),
    location("İzmir", "TR", "Europe"),
    location("Johannesburg", "ZA", "Africa"),
    location("Kraków", "PL", "Europe"),
    location("Lagos", "NG", "Africa"),
    location("Lisboa", "PT", "Europe"),
    location("London", "GB", "Europe"),
    location("Montréal", "CA", "Americas"),
    location("Nairobi", "KE", "Africa"),
    location("Osaka", "JP", "Asia Pacific"),
    location("São Paulo", "BR", "Americas"),
    location("Seoul", "KR", "Asia Pacific"),
    location("Singapore", "SG", "Asia Pacific"),
    location("Sydney", "AU", "Asia Pacific"),
    location("Toulouse", "FR", "Europe"),
    location("Zürich", "CH", "Europe"),
];

/// How an application names what it grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GrantStyle {
    /// Nothing is granted: an account only.
    None,
    /// Distinguished names of a directory.
    DistinguishedName,
    /// Upper-case codes.
    Code,
    /// Words.
    Words,
    /// Paths with colons.
    Path,
}

/// A kind of application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ApplicationKind {
    /// Name.
    pub(crate) name: &'static str,
    /// Connector type.
    pub(crate) connector: &'static str,
    /// Account attribute that holds what is granted.
    pub(crate) attribute: &'static str,
    /// How it names what it grants.
    pub(crate) style: GrantStyle,
}

const fn application(
    name: &'static str,
    connector: &'static str,
    attribute: &'static str,
    style: GrantStyle,
) -> ApplicationKind {
    ApplicationKind { name, connector, attribute, style }
}

/// All applications: the authoritative one first, then the directory; a small world has the first ones only.
pub(crate) const APPLICATIONS: [ApplicationKind; 40] = [
    application("HR Directory", "DelimitedFile", "", GrantStyle::None),
    application("Active Directory", "Active Directory - Direct", "memberOf", GrantStyle::DistinguishedName),
    application("SAP ERP", "SAP - Direct", "Roles", GrantStyle::Code),
    application("Salesforce", "Salesforce", "permissionSets", GrantStyle::Words),
    application("ServiceNow", "ServiceNow", "roles", GrantStyle::Words),
    application("Oracle Financials", "Oracle E-Business", "responsibilities", GrantStyle::Words),
    application("Jira", "Web Services", "groups", GrantStyle::Words),
    application("GitLab", "Web Services", "groups", GrantStyle::Path),
    application("Entra ID", "Azure Active Directory", "groups", GrantStyle::Words),
    application("Mainframe RACF", "RACF - Full", "groups", GrantStyle::Code),
    application("Tableau", "Web Services", "groups", GrantStyle::Words),
    application("Learning Portal", "DelimitedFile", "profiles", GrantStyle::Words),
    application("AWS", "AWS IAM", "policies", GrantStyle::Path),
    application("Snowflake", "JDBC", "roles", GrantStyle::Code),
    application("Confluence", "Web Services", "groups", GrantStyle::Words),
    application("Warehouse Manager", "JDBC", "profiles", GrantStyle::Code),
    application("Treasury Workstation", "JDBC", "roles", GrantStyle::Words),
    application("Extranet LDAP", "OpenLDAP - Direct", "groups", GrantStyle::DistinguishedName),
    application("Payroll", "JDBC", "roles", GrantStyle::Code),
    application("Badge System", "DelimitedFile", "zones", GrantStyle::Words),
    application("Document Archive", "JDBC", "collections", GrantStyle::Path),
    application("Contract Manager", "Web Services", "roles", GrantStyle::Words),
    application("Plant Control", "JDBC", "cells", GrantStyle::Code),
    application("Laboratory System", "JDBC", "benches", GrantStyle::Words),
    application("Data Lake", "Web Services", "datasets", GrantStyle::Path),
    application("Fleet Tracker", "Web Services", "roles", GrantStyle::Words),
    application("Travel Desk", "SCIM 2.0", "roles", GrantStyle::Words),
    application("Expense Desk", "SCIM 2.0", "roles", GrantStyle::Words),
    application("Zendesk", "SCIM 2.0", "groups", GrantStyle::Words),
    application("Slack", "SCIM 2.0", "groups", GrantStyle::Words),
    application("Okta", "Okta", "groups", GrantStyle::Words),
    application("Google Workspace", "G-Suite", "groups", GrantStyle::Words),
    application("Unix Farm", "Unix - Direct", "groups", GrantStyle::Code),
    application("Oracle Database", "Oracle Database - Direct", "roles", GrantStyle::Code),
    application("SQL Server", "Microsoft SQL Server - Direct", "roles", GrantStyle::Words),
    application("Print Services", "DelimitedFile", "queues", GrantStyle::Path),
    application("Procurement Hub", "Web Services", "roles", GrantStyle::Words),
    application("Customer Master", "JDBC", "roles", GrantStyle::Code),
    application("Legacy Billing", "JDBC", "menus", GrantStyle::Code),
    application("Test Bench", "JDBC", "roles", GrantStyle::Words),
];

/// What is granted access to.
pub(crate) const SUBJECTS: [&str; 20] = [
    "Invoices",
    "Ledger",
    "Payments",
    "Orders",
    "Reports",
    "Customers",
    "Suppliers",
    "Contracts",
    "Tickets",
    "Projects",
    "Payslips",
    "Budgets",
    "Stock",
    "Shipments",
    "Campaigns",
    "Archive",
    "Master Data",
    "Quality Records",
    "Forecasts",
    "Travel",
];

/// What may be done with it.
pub(crate) const LEVELS: [&str; 5] = ["Read", "Edit", "Approve", "Administer", "Export"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_is_there_once() {
        let jobs: Vec<&str> = DEPARTMENTS.iter().flat_map(|department| department.jobs).collect();
        assert_eq!(jobs.iter().collect::<BTreeSet<_>>().len(), jobs.len());
        let names: BTreeSet<&str> = APPLICATIONS.iter().map(|application| application.name).collect();
        assert_eq!(names.len(), APPLICATIONS.len());
        let cities: BTreeSet<&str> = LOCATIONS.iter().map(|location| location.city).collect();
        assert_eq!(cities.len(), LOCATIONS.len());
    }
}
