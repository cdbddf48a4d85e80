//! A small personnel system with everything that a profile can name. Identifiers are in mixed case, which PostgreSQL
//! folds and the others keep.

/// Seven rows: six people, one workgroup.
pub(crate) const SCHEMA: &str = "
create table Person (
    id varchar(32) not null primary key, Name varchar(128), Department varchar(128), inactive {bool},
    workgroup {bool}, age integer, salary numeric(10,2), rating real, last_login {datetime}, hired bigint,
    significant_modified bigint, modified bigint, created bigint, manager varchar(32), attributes {text},
    settings {text}, nick varchar(200), secret_word varchar(200));
create table Account (
    id varchar(32) not null primary key, person varchar(32), application integer, native varchar(100),
    locked {bool}, modified bigint, created bigint, attributes {text});
create table Application (id integer not null primary key, Title varchar(100), retired {bool});
create table Skill (person varchar(32), skill varchar(100), grade integer, idx integer);
create table Version (name varchar(20), system_version varchar(20));
insert into Version values ('other', '1.0'), ('main', '8.3-05');
insert into Application values (10, 'Directory', {false}), (20, 'Payroll', {true});
insert into Person values
    ('a1', 'Ann', 'IT', {false}, {false}, 41, 100.50, 1.5, '2026-01-31 10:00:00', 1769853600,
        null, 2000, 1000, null, '<Attributes><Map><entry key=\"x\" value=\"1\"/></Map></Attributes>',
        '{\"b\": [1, 2], \"a\": null}', 'annie, the boss,', 'hush'),
    ('b2', 'Bob', 'it', {true}, null, 23, null, null, null, null,
        3000, 2000, 1000, 'a1', null, null, '', null),
    ('c3', 'Cem', 'HR', null, {false}, null, 99.00, 2.0, '1969-12-31 23:59:59', 0,
        null, null, 1500, 'a1', '', '', null, ''),
    ('d4', 'Dee', null, {false}, {false}, 65, 0.00, -1.25, '2026-02-01 00:00:00', 1,
        null, null, null, 'zz', null, null, null, null),
    ('e5', 'E_%!*[x', 'Sales', {false}, {false}, 30, 12.34, 0.0, null, null,
        null, 5000, 1000, 'b2', null, null, null, null),
    ('f6', null, 'Sales', {false}, {false}, 30, 12.34, 0.0, null, null,
        900, 5000, 1000, 'b2', null, null, null, null),
    ('w7', 'Crew', 'IT', {false}, {true}, null, null, null, null, null, null, 9000, 1000, null, null, null, null, null);
insert into Account values
    ('k1', 'a1', 10, 'ann', {false}, null, 2500, '<Attributes><Map><entry key=\"mail\" value=\"a@x\"/></Map></Attributes>'),
    ('k2', 'a1', 20, 'ANN', {true}, 7000, 100, null),
    ('k3', 'c3', 10, 'cem', null, 100, 100, null),
    ('k4', null, 10, 'lost', null, 9999, 9999, null);
insert into Skill values
    ('a1', 'rust', 3, 2), ('a1', 'sql', 2, 1), ('a1', 'rust', 3, 3), ('a1', null, 9, 0), ('c3', 'sql', 1, 7);
";

/// The profile.
pub(crate) const PROFILE: &str = r#"
name: lab
release: {table: version, column: system_version, filter: 'name == "main"'}
secrets: [password, secretWord]
objectTypes:
  identity:
    className: lab.Person
    table: person
    name: name
    filter: 'workgroup == false || workgroup == null'
    changed: [{column: significant_modified, since: "8.4"}, modified, created]
    identity: {id: id, name: name}
    joins:
      manager: {table: PERSON, on: {ID: Manager}}
      grand: {table: person, on: {id: manager.manager}}
    attributeMap: attributes
    properties:
      name: name
      department: DEPARTMENT
      inactive: {column: inactive, format: flag}
      isInactive: {column: inactive, format: boolean}
      age: age
      ageText: {column: age, format: text}
      salary: salary
      rating: rating
      lastLogin: {column: last_login, format: time, kind: dateTime}
      hired: {column: hired, format: time, kind: epochSeconds}
      manager: {object: {id: manager, name: manager.name}, class: lab.Person}
      grandManager: grand.name
      attributes: {column: attributes, format: xml}
      settings: {column: settings, format: json}
      nicks: {column: nick, format: commaList}
      later: {column: not_there_yet, since: "8.4"}
      origin: {constant: {system: lab}}
    collections:
      accounts:
        table: account
        parent: person
        joins: {app: {table: application, on: {id: application}}}
        key: [application, native]
        element:
          id: id
          application: application
          title: app.title
          native: native
          locked: {column: locked, format: flag}
          attributes: {column: attributes, format: xml}
      liveAccounts:
        table: account
        parent: person
        joins: {app: {table: application, on: {id: application}, filter: 'retired == false'}}
        filter: 'app.title != null'
        element: {id: id, title: app.title}
      skills: {table: skill, parent: person, value: skill}
      skillsInOrder: {table: skill, parent: person, value: skill, order: idx}
      grades: {table: skill, parent: person, element: {skill: skill, grade: grade}, key: [grade]}
      laterRows: {table: not_there_at_all, parent: person, value: x, since: "8.4"}
    qualifies:
      - {table: account, id: person, filter: 'person != null', changed: [modified, created]}
      - {table: nowhere, id: person, changed: [modified], since: "8.4"}
    deletions: none
"#;
