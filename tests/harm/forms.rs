//! Every form of attribute XML as it is captured, and broken XML as a named failure.

use annals_model::ObjectType;
use serde_json::{Value, json};

use crate::memory::{failures, run, sites};
use crate::site::{DAY_MS, START_MS, Site, somebody};

const LATER_MS: i64 = START_MS + 3_650 * DAY_MS;

/// The forms that the generated identity system has, spread over its people there, in one map.
const FORMS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE Attributes PUBLIC "sailpoint.dtd" "sailpoint.dtd">
<Attributes>
  <Map>
    <entry key="attribute" value="caf&#233; &amp; &lt;bar&gt; 🎧"/>
    <entry key="nickname"/>
    <entry key="null"><value><null/></value></entry>
    <entry key="string"><value><String> kept  as it is </String></value></entry>
    <entry key="emptyString"><value><String/></value></entry>
    <entry key="mixed"><value><String>Ready &#xE9;&#x1F3A7; 🎧</String></value></entry>
    <entry key="cdata"><value><String><![CDATA[<b>the team</b> &amp; friends]]></String></value></entry>
    <entry key="flags">
      <value>
        <Map>
          <entry key="a"><value><Boolean>True</Boolean></value></entry>
          <entry key="b"><value><Boolean></Boolean></value></entry>
          <entry key="c"><value><Boolean/></value></entry>
          <entry key="d"><value><Boolean> </Boolean></value></entry>
          <entry key="e"><value><Boolean>false</Boolean></value></entry>
        </Map>
      </value>
    </entry>
    <entry key="integer"><value><Integer>3</Integer></value></entry>
    <entry key="long"><value><Long>9000000007</Long></value></entry>
    <entry key="tooLong"><value><Long>18446744073709551616</Long></value></entry>
    <entry key="float"><value><Float>0.75</Float></value></entry>
    <entry key="rounded"><value><Double>0.1000000000000000055511151231257827</Double></value></entry>
    <entry key="date"><value><Date>1767571200000</Date></value></entry>
    <entry key="dateString"><value><DateString>1/5/2026</DateString></value></entry>
    <entry key="list"><value><List><String>de</String><String>ar</String><String>de</String></List></value></entry>
    <entry key="emptyList"><value><List/></value></entry>
    <entry key="oneItem"><value><List><String>one</String></List></value></entry>
    <entry key="set"><value><Set><String>B</String><String>A</String><null/></Set></value></entry>
    <entry key="address"><value><Map><entry key="city" value="Rome"/><entry key="desk"><value><null/></value></entry></Map></value></entry>
    <entry key="contact"><value><Attributes><Map><entry key="phone" value="+49 30 1"/></Map></Attributes></value></entry>
    <entry key="floors"><value><Map><entry value="Sales"><key><Integer>2</Integer></key></entry></Map></value></entry>
    <entry key="mentor"><value><Reference class="sailpoint.object.Identity" name="ann"/></value></entry>
    <entry key="option"><value><WorkgroupNotifationOption>Both</WorkgroupNotifationOption></value></entry>
    <entry key="approval"><value><ApprovalSummary approvalType="Manager"><ApprovalSet/></ApprovalSummary></value></entry>
    <entry key="assigned"><value><List><RoleAssignment roleId="r2"/><RoleDetection roleId="r1"/></List></value></entry>
    <entry key="plan">
      <value>
        <ProvisioningPlan nativeIdentity="ann">
          <AccountRequest op="Modify"><AttributeRequest name="groups" op="Add" value="cn=a"/></AccountRequest>
        </ProvisioningPlan>
      </value>
    </entry>
    <entry key="pin" value="1:ACP:AAAAAAAAAAAAAAAAAAAAAAAA"/>
    <entry key="twice" value="1"/>
    <entry key="twice" value="2"/>
  </Map>
</Attributes>"#;

#[tokio::test]
async fn every_form_is_captured_as_documented() {
    for site in sites().await {
        site.extracts("identity: {}");
        let (person, _) = somebody(&site);
        site.change(&format!("update spt_identity set attributes = '{FORMS}' where id = '{person}';"));
        run(&site).succeeds();
        let mut attributes = site.field(ObjectType::Identity, &person, LATER_MS, "attributes").await;
        let pin = attributes.as_object_mut().unwrap().remove("pin").unwrap();
        assert_eq!(pin["_masked"], true, "{pin}");
        assert_eq!(
            attributes,
            json!({
                "attribute": "café & <bar> 🎧", "string": " kept  as it is ", "emptyString": "",
                "mixed": "Ready é🎧 🎧", "cdata": "<b>the team</b> &amp; friends",
                "flags": {"a": true, "b": false, "c": false, "d": false, "e": false},
                "integer": 3, "long": 9_000_000_007_i64, "tooLong": "18446744073709551616", "float": 0.75,
                "rounded": "0.1000000000000000055511151231257827", "date": 1_767_571_200_000_i64,
                "dateString": "1/5/2026", "list": ["ar", "de"], "emptyList": [], "oneItem": "one",
                "set": ["A", "B", null], "address": {"city": "Rome"}, "contact": {"phone": "+49 30 1"},
                "floors": {"2": "Sales"},
                "mentor": {"_type": "Reference", "class": "sailpoint.object.Identity", "name": "ann"},
                "option": {"_type": "WorkgroupNotifationOption", "text": "Both"},
                "approval": {"_type": "ApprovalSummary", "approvalType": "Manager", "children": [{"_type": "ApprovalSet"}]},
                "assigned": [{"_type": "RoleAssignment", "roleId": "r2"}, {"_type": "RoleDetection", "roleId": "r1"}],
                "plan": {"_type": "ProvisioningPlan", "nativeIdentity": "ann", "children": [
                    {"_type": "AccountRequest", "op": "Modify", "children": [
                        {"_type": "AttributeRequest", "name": "groups", "op": "Add", "value": "cn=a"}]}]},
                "twice": "2",
            })
        );
    }
}

/// Broken XML and what is said of it. An external subset is not fetched, no entity is expanded.
const BROKEN: [(&str, &str); 8] = [
    ("<Attributes><Map>", "not well-formed at byte 17: an element is not closed"),
    ("<a>x</b>", "not well-formed at byte 4: the end tag is not that of the open element"),
    ("<a>&nbsp;</a>", "unknown entity at byte 3"),
    ("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "unknown entity at byte 33"),
    ("<a>&#0;</a>", "character U+0000 at byte 3 is not allowed"),
    ("just text", "not well-formed at byte 0: text outside of any element"),
    ("<a b=\"1\" b=\"2\"/>", "not well-formed at byte 0: an attribute: "),
    ("<!-- no end", "not well-formed at byte 0: "),
];

#[tokio::test]
async fn broken_xml_is_a_named_failure_and_the_run_goes_on() {
    for site in sites().await {
        site.extracts("identity: {}");
        site.arguments("maxFailuresAbsolute: 100, maxFailuresPercent: 100");
        let people = people(&site);
        let (fetching, broken) = people.split_first().unwrap();
        site.change(&format!(
            "update spt_identity set attributes = '<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>' where id = '{fetching}';"
        ));
        for (id, (xml, _)) in broken.iter().zip(BROKEN) {
            site.change(&format!("update spt_identity set attributes = '{xml}' where id = '{id}';"));
        }
        run(&site).fails(8);
        let failures = failures(&site);
        assert_eq!(failures.len(), 8);
        for ((failure, id), (_, said)) in failures.iter().zip(broken).zip(BROKEN) {
            let expected = format!("identity|{id}|load|table spt_identity, column attributes: {said}");
            assert!(failure.starts_with(&expected), "{failure}, not {expected}");
        }
        let whole: Value = site.field(ObjectType::Identity, fetching, LATER_MS, "attributes").await;
        assert_eq!(whole, json!({"_type": "a"}));
    }
}

/// The ids of nine people.
fn people(site: &Site) -> Vec<String> {
    site.ask("select id from spt_identity where coalesce(workgroup, {false}) = {false} order by id limit 9;")
}
