use super::*;
use serde_json::json;

mod properties;

fn decode(text: &str) -> Value {
    parse(text, &Limits::default()).unwrap()
}

fn refusal(text: &str) -> XmlError {
    parse(text, &Limits::default()).unwrap_err()
}

/// The value of the attribute `x` whose `value` element holds `inner`.
fn value_of(inner: &str) -> Value {
    let object = decode(&format!(
        "<Attributes>\n  <Map>\n    <entry key=\"x\">\n      <value>\n        {inner}\n      </value>\n    </entry>\n  </Map>\n</Attributes>"
    ));
    assert_eq!(object.as_object().unwrap().len(), 1);
    object["x"].clone()
}

#[test]
fn a_string_attribute_is_a_string_whatever_it_says() {
    let text = r#"<Attributes><Map><entry key="a" value="Ann Lee"/><entry key="b" value="true"/><entry key="c" value="0"/><entry key="d" value=""/></Map></Attributes>"#;
    assert_eq!(decode(text), json!({"a": "Ann Lee", "b": "true", "c": "0", "d": ""}));
}

#[test]
fn a_long_string_child_keeps_its_white_space() {
    let long = "line one\n  line two\t".repeat(1_000);
    assert_eq!(value_of(&format!("<String>{long}</String>")), json!(long));
    assert_eq!(value_of("<String/>"), json!(""));
    assert_eq!(value_of("<String>  </String>"), json!("  "));
}

#[test]
fn cdata_is_text_and_joins_the_text_beside_it() {
    assert_eq!(value_of("<String><![CDATA[<b>a & b</b>]]></String>"), json!("<b>a & b</b>"));
    assert_eq!(value_of("<String>1 &lt; <![CDATA[2 < 3]]>&#33;</String>"), json!("1 < 2 < 3!"));
}

#[test]
fn an_entry_without_a_value_is_null() {
    let text = r#"<Map><entry key="a"/><entry key="b"></entry><entry key="c"><value/></entry><entry key="d"><value><null/></value></entry></Map>"#;
    assert_eq!(decode(text), json!({"a": null, "b": null, "c": null, "d": null}));
}

#[test]
fn a_boolean_is_true_in_any_case_and_false_when_blank() {
    for (inner, expected) in [
        ("<Boolean>true</Boolean>", true),
        ("<Boolean>True</Boolean>", true),
        ("<Boolean> TRUE\n</Boolean>", true),
        ("<Boolean>false</Boolean>", false),
        ("<Boolean>False</Boolean>", false),
        ("<Boolean/>", false),
        ("<Boolean></Boolean>", false),
        ("<Boolean> </Boolean>", false),
    ] {
        assert_eq!(value_of(inner), json!(expected), "{inner}");
    }
    assert_eq!(value_of("<Boolean>yes</Boolean>"), json!("yes"));
}

#[test]
fn integers_and_longs_are_exact_numbers_or_text() {
    assert_eq!(value_of("<Integer>42</Integer>"), json!(42));
    assert_eq!(value_of("<Integer> -7 </Integer>"), json!(-7));
    assert_eq!(value_of("<Long>-9223372036854775808</Long>"), json!(i64::MIN));
    assert_eq!(value_of("<Long>18446744073709551615</Long>"), json!(u64::MAX));
    assert_eq!(value_of("<Long>18446744073709551616</Long>"), json!("18446744073709551616"));
    assert_eq!(value_of("<Integer>many</Integer>"), json!("many"));
    assert_eq!(value_of("<Integer/>"), json!(null));
}

#[test]
fn a_float_is_a_number_while_it_is_finite() {
    assert_eq!(value_of("<Float>2.5</Float>"), json!(2.5));
    assert_eq!(value_of("<Double>-1e3</Double>"), json!(-1000.0));
    assert_eq!(value_of("<Float>NaN</Float>"), json!("NaN"));
    assert_eq!(value_of("<Float>-Infinity</Float>"), json!("-Infinity"));
    assert_eq!(value_of("<Float>1e400</Float>"), json!("1e400"));
    assert_eq!(value_of("<Double>+1.50E10</Double>"), json!(1.5e10));
    assert_eq!(value_of("<Double>0.12345678901234567890</Double>"), json!("0.12345678901234567890"));
    assert_eq!(value_of("<Float> </Float>"), json!(null));
}

#[test]
fn a_date_is_its_epoch_milliseconds() {
    assert_eq!(value_of("<Date>1730182324496</Date>"), json!(1_730_182_324_496_i64));
    assert_eq!(value_of("<Date>-1</Date>"), json!(-1));
    assert_eq!(value_of("<Date>2024-10-29</Date>"), json!("2024-10-29"));
    assert_eq!(value_of("<Date/>"), json!(null));
}

#[test]
fn date_time_and_class_strings_stay_text() {
    assert_eq!(value_of("<DateString>1/2/2009</DateString>"), json!("1/2/2009"));
    assert_eq!(value_of("<TimeString> 10:30 </TimeString>"), json!("10:30"));
    assert_eq!(value_of("<Class>sailpoint.object.Bundle</Class>"), json!("sailpoint.object.Bundle"));
}

#[test]
fn a_list_keeps_its_order_and_its_repetitions() {
    let list = "<List>\n<String>b</String>\n<String>a</String>\n<String>b</String>\n</List>";
    assert_eq!(value_of(list), json!(["b", "a", "b"]));
    assert_eq!(value_of("<List/>"), json!([]));
    assert_eq!(value_of("<List></List>"), json!([]));
    assert_eq!(value_of("<List><String>a</String><null/><String/></List>"), json!(["a", null, ""]));
}

#[test]
fn a_list_holds_anything() {
    let list = r#"<List><Map><entry key="k" value="1"/></Map><Map/><List><Boolean>true</Boolean></List><DateString>1/2/2009</DateString><Reference id="r1"/></List>"#;
    let expected = json!([{"k": "1"}, {}, [true], "1/2/2009", {"_type": "Reference", "id": "r1"}]);
    assert_eq!(value_of(list), expected);
}

#[test]
fn equal_sets_are_equal_arrays() {
    let one =
        value_of("<Set><String>b</String><Integer>2</Integer><String>a</String><String>b</String></Set>");
    let other = value_of("<Set><String>a</String><String>b</String><Integer>2</Integer></Set>");
    // A quote sorts before a digit, byte by byte.
    assert_eq!(one, json!(["a", "b", 2]));
    assert_eq!(other, one);
    assert_eq!(value_of("<Set/>"), json!([]));
}

#[test]
fn maps_nest() {
    let map = r#"<Map><entry key="sysDescriptions"><value><Map><entry key="en_US" value="Payroll"/><entry key="fr_FR"/></Map></value></entry></Map>"#;
    assert_eq!(value_of(map), json!({"sysDescriptions": {"en_US": "Payroll", "fr_FR": null}}));
}

#[test]
fn of_equal_keys_the_last_wins() {
    assert_eq!(
        decode(r#"<Map><entry key="a" value="1"/><entry key="a" value="2"/></Map>"#),
        json!({"a": "2"})
    );
}

#[test]
fn attributes_stand_as_a_value_and_inside_each_other() {
    let inner = r#"<Attributes><Map><entry key="op" value="Add"/></Map></Attributes>"#;
    assert_eq!(value_of(inner), json!({"op": "Add"}));
    assert_eq!(value_of(&format!("<Attributes>{inner}</Attributes>")), json!({"op": "Add"}));
    assert_eq!(value_of("<Attributes/>"), json!({}));
    assert_eq!(value_of(r#"<Map><entry key="_type" value="mine"/></Map>"#), json!({"_type": "mine"}));
    let merged = r#"<Attributes><Map><entry key="_type" value="a"/></Map></Attributes>"#;
    assert_eq!(decode(merged), json!({"_type": "a"}));
}

#[test]
fn a_reference_has_the_keys_that_it_has() {
    let both = r#"<Reference class="sailpoint.object.Application" id="0a1b2c3d4e5f60718293a4b5c6d7e8f9" name="HR &amp; Payroll"/>"#;
    let expected = json!({"_type": "Reference", "class": "sailpoint.object.Application",
        "id": "0a1b2c3d4e5f60718293a4b5c6d7e8f9", "name": "HR & Payroll"});
    assert_eq!(value_of(both), expected);
    let name_only = r#"<Reference class="sailpoint.object.Bundle" name="Clerk"/>"#;
    let expected = json!({"_type": "Reference", "class": "sailpoint.object.Bundle", "name": "Clerk"});
    assert_eq!(value_of(name_only), expected);
    let wrapped = value_of(&format!("<Owner>{name_only}</Owner>"));
    assert_eq!(wrapped, json!({"_type": "Owner", "children": [expected]}));
}

#[test]
fn an_enumeration_value_is_its_name_and_text() {
    assert_eq!(
        value_of("<WorkgroupNotifationOption>Both</WorkgroupNotifationOption>"),
        json!({"_type": "WorkgroupNotifationOption", "text": "Both"})
    );
}

#[test]
fn an_object_element_is_a_generic_tree() {
    let plan = r#"<ProvisioningPlan trackingId="t1">
        <AccountRequest application="LDAP" op="Modify">
          <AttributeRequest name="groups" op="Add"><Value><List><String>cn=a</String></List></Value></AttributeRequest>
          <Attributes><Map><entry key="flag"><value><Boolean/></value></entry></Map></Attributes>
        </AccountRequest>
      </ProvisioningPlan>"#;
    let expected = json!({"_type": "ProvisioningPlan", "trackingId": "t1", "children": [
        {"_type": "AccountRequest", "application": "LDAP", "op": "Modify", "children": [
            {"_type": "AttributeRequest", "name": "groups", "op": "Add", "children": [
                {"_type": "Value", "children": [["cn=a"]]}]},
            {"flag": false}]}]});
    assert_eq!(value_of(plan), expected);
}

#[test]
fn attributes_that_would_hide_a_part_of_the_tree_are_renamed() {
    assert_eq!(
        value_of(r#"<Odd _type="t" text="x" children="c">y<Inner/></Odd>"#),
        json!({"_type": "Odd", "@_type": "t", "@text": "x", "@children": "c", "text": "y",
            "children": [{"_type": "Inner"}]})
    );
}

#[test]
fn a_key_child_stands_by_its_text() {
    let map = r#"<Map>
        <entry value="one"><key><Integer>1</Integer></key></entry>
        <entry><key><String>two</String></key><value><Integer>2</Integer></value></entry>
        <entry value="yes"><key><Boolean>true</Boolean></key></entry>
        <entry value="bare"><key>three</key></entry>
        <entry value="none"/>
        <entry value="list"><key><List><String>a</String></List></key></entry>
      </Map>"#;
    let expected =
        json!({"1": "one", "two": 2, "true": "yes", "three": "bare", "": "none", "[\"a\"]": "list"});
    assert_eq!(decode(map), expected);
}

#[test]
fn what_breaks_the_grammar_is_kept() {
    assert_eq!(
        value_of("<String>a <b>bold</b></String>"),
        json!({"_type": "String", "text": "a", "children": [{"_type": "b", "text": "bold"}]})
    );
    assert_eq!(
        value_of("<List>loose<String>a</String></List>"),
        json!({"_type": "List", "text": "loose", "children": ["a"]})
    );
    assert_eq!(
        value_of(r#"<Map><entry key="k" value="v"/><String>a</String></Map>"#),
        json!({"_type": "Map", "entries": {"k": "v"}, "children": ["a"]})
    );
    assert_eq!(value_of(r#"<Boolean value="true"/>"#), json!({"_type": "Boolean", "value": "true"}));
    assert_eq!(value_of("bare text"), json!("bare text"));
    assert_eq!(value_of("<String>a</String><String>b</String>"), json!(["a", "b"]));
    assert_eq!(decode(r#"<Map><entry key="k"><Integer>1</Integer></entry></Map>"#), json!({"k": 1}));
    assert_eq!(decode(r#"<entry key="k" value="v"/>"#), json!({"_type": "entry", "key": "k", "value": "v"}));
}

#[test]
fn prolog_and_document_type_are_skipped() {
    let body = r#"<Attributes><Map><entry key="a" value="1"/></Map></Attributes>"#;
    let head = "<?xml version='1.0' encoding='UTF-8'?>\n<!DOCTYPE Attributes PUBLIC \"sailpoint.dtd\" \"sailpoint.dtd\">\n<!-- made by hand -->\n";
    assert_eq!(decode(&format!("{head}{body}\n")), json!({"a": "1"}));
    assert_eq!(decode(body), json!({"a": "1"}));
    assert_eq!(decode(&format!("\u{feff}{head}{body}")), json!({"a": "1"}));
}

#[test]
fn declared_entities_are_never_expanded() {
    let text = "<!DOCTYPE a [<!ENTITY secret SYSTEM \"file:///etc/passwd\"><!ENTITY b \"bbb\">]><Map><entry key=\"x\"><value><String>&b;</String></value></entry></Map>";
    let at = text.find("&b;").unwrap();
    assert!(matches!(refusal(text), XmlError::UnknownEntity { position } if position == at));
    assert!(matches!(refusal("<a b=\"&nbsp;\"/>"), XmlError::UnknownEntity { position: 0 }));
}

#[test]
fn references_are_resolved_in_text_and_in_attributes() {
    let text = r#"<Map><entry key="a&#x41;&#66;" value="&lt;&gt;&amp;&apos;&quot;&#xA;&#9;&#x1F600;é&#160;"/></Map>"#;
    assert_eq!(decode(text), json!({"aAB": "<>&'\"\n\t\u{1f600}é\u{a0}"}));
    assert_eq!(
        value_of("<String>&lt;&gt;&amp;&apos;&quot;&#xA;&#x1F600;</String>"),
        json!("<>&'\"\n\u{1f600}")
    );
}

/// XML 1.0, sections 2.11 and 3.3.3.
#[test]
fn line_breaks_are_normalised_unless_referenced() {
    let text = "<Map><entry key=\"a\" value=\"1\r\n2\n3\r4\t5&#xA;6&#xD;7\"/></Map>";
    assert_eq!(decode(text), json!({"a": "1 2 3 4 5\n6\r7"}));
    assert_eq!(decode("<String>1\r\n2\r3&#xD;</String>"), json!("1\n2\n3\r"));
    assert_eq!(decode("<String><![CDATA[1\r\n2]]></String>"), json!("1\n2"));
}

#[test]
fn characters_beyond_the_basic_plane_survive() {
    let text = "<Map><entry key=\"n\u{1f511}\" value=\"\u{20bb7}\u{91ce}\u{a0}\u{20ac}\"/></Map>";
    assert_eq!(decode(text), json!({"n\u{1f511}": "\u{20bb7}\u{91ce}\u{a0}\u{20ac}"}));
    assert_eq!(value_of("<String>\u{1f468}\u{200d}\u{1f469}</String>"), json!("\u{1f468}\u{200d}\u{1f469}"));
}

#[test]
fn an_encrypted_value_is_decoded_as_it_stands() {
    let text = r#"<Map><entry key="password" value="1:ACP:qMJ3r6wCzT0LwGDXdqoF7w=="/></Map>"#;
    assert_eq!(decode(text), json!({"password": "1:ACP:qMJ3r6wCzT0LwGDXdqoF7w=="}));
}

#[test]
fn a_single_value_and_a_list_of_one_have_the_same_items() {
    let single = decode(r#"<Map><entry key="memberOf" value="cn=a"/></Map>"#);
    let list = decode(
        r#"<Map><entry key="memberOf"><value><List><String>cn=a</String></List></value></entry></Map>"#,
    );
    assert_eq!(items(&single["memberOf"]), items(&list["memberOf"]));
    assert_eq!(items(&single["memberOf"]), [json!("cn=a")]);
    assert_eq!(items(&Value::Null), [] as [Value; 0]);
}

#[test]
fn several_roots_are_an_array() {
    let one = r#"<AttributeMetaData attribute="email" source="HR:mail"/>"#;
    let first = json!({"_type": "AttributeMetaData", "attribute": "email", "source": "HR:mail"});
    assert_eq!(decode(one), first);
    let two = format!(
        "{one}\n<AttributeMetaData attribute='title' user='spadmin'><LastValue><String>x</String></LastValue></AttributeMetaData>"
    );
    let second = json!({"_type": "AttributeMetaData", "attribute": "title", "user": "spadmin",
        "children": [{"_type": "LastValue", "children": ["x"]}]});
    assert_eq!(decode(&two), json!([first, second]));
}

#[test]
fn empty_text_is_null() {
    assert_eq!(decode(""), Value::Null);
    assert_eq!(decode(" \n\t"), Value::Null);
    assert!(matches!(refusal("<?xml version='1.0'?>"), XmlError::NoElement));
    assert!(matches!(refusal("\u{feff}"), XmlError::NoElement));
}

#[test]
fn broken_text_is_refused_with_its_place() {
    for (text, expected) in [
        ("<Map><entry key='a'></Map>", 20),
        ("<Map>", 5),
        ("</Map>", 0),
        ("plain", 0),
        ("<a/>tail", 4),
        ("<a/>&lt;", 4),
        ("<a>&#xZZ;</a>", 3),
        ("<a>&#;</a>", 3),
        ("<a>&#+65;</a>", 3),
        ("<a><b c='<'/></a>", 3),
        ("<a><b c='&amp'/></a>", 3),
        ("<a><b c='1' c='2'/></a>", 3),
        ("<a><b c/></a>", 3),
        ("<a><></></a>", 3),
        ("<a><1/></a>", 3),
    ] {
        match refusal(text) {
            XmlError::NotWellFormed { position, .. } => assert_eq!(position, expected, "{text}"),
            other => panic!("{text}: {other}"),
        }
    }
    for text in ["<Map", "<a b='c>", "<a><![CDATA[x</a>", "<a>&amp</a>", "<a><!-- x</a>", "<!DOCTYPE a"] {
        assert!(matches!(refusal(text), XmlError::NotWellFormed { .. }), "{text}");
    }
}

#[test]
fn a_position_counts_the_byte_order_mark() {
    assert!(matches!(refusal("\u{feff}<a/>tail"), XmlError::NotWellFormed { position: 7, .. }));
}

#[test]
fn errors_do_not_quote_the_text() {
    for text in ["<a>&hunter2;</a>", "<a hunter2></a>", "<a></hunter2>", "</hunter2>", "<a b='hunter2"] {
        let error = refusal(text);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn characters_that_xml_forbids_are_refused() {
    for (text, expected_code, expected_position) in [
        ("<a>&#0;</a>", 0, 3),
        ("<a>&#x1F;</a>", 0x1f, 3),
        ("<a>&#xD800;</a>", 0xd800, 3),
        ("<a>&#xFFFE;</a>", 0xfffe, 3),
        ("<a>&#x110000;</a>", 0x11_0000, 3),
        ("<a b='&#0;'/>", 0, 0),
        ("<a>x\u{0}</a>", 0, 4),
        ("<a>\u{1b}</a>", 0x1b, 3),
        ("<a>\u{fffd}\u{ffff}</a>", 0xffff, 6),
    ] {
        match refusal(text) {
            XmlError::IllegalCharacter { code, position } => {
                assert_eq!((code, position), (expected_code, expected_position), "{text}");
            }
            other => panic!("{text}: {other}"),
        }
    }
    assert_eq!(decode("<String>\u{fffd}&#xFFFD;</String>"), json!("\u{fffd}\u{fffd}"));
}

#[test]
fn a_value_of_ten_megabytes_is_decoded_and_one_over_the_cap_is_not() {
    let long = "x".repeat(10 * 1024 * 1024);
    assert_eq!(decode(&format!("<Map><entry key=\"a\" value=\"{long}\"/></Map>"))["a"], json!(long));
    assert_eq!(value_of(&format!("<String>{long}</String>")), json!(long));
    let limits = Limits { bytes_max: 9, ..Limits::default() };
    assert_eq!(parse("<Map></Map>".get(..0).unwrap(), &limits).unwrap(), Value::Null);
    assert!(matches!(parse("<Map ></Map>", &limits), Err(XmlError::TooLarge { bytes: 12, bytes_max: 9 })));
    assert!(matches!(
        parse_json("[1, 2, 3, 4]", &limits),
        Err(XmlError::TooLarge { bytes: 12, bytes_max: 9 })
    ));
}

#[test]
fn nesting_is_capped() {
    let lists = |depth: usize| format!("{}{}", "<List>".repeat(depth), "</List>".repeat(depth));
    assert!(parse(&lists(JSON_LEVELS_MAX), &Limits::default()).is_ok());
    let over = parse(&lists(JSON_LEVELS_MAX + 1), &Limits::default());
    assert!(matches!(over, Err(XmlError::TooDeep { nesting_max: JSON_LEVELS_MAX, .. })));
    // The 201st start tag is the first over the cap, and stands after 200 tags of six bytes.
    let bomb = "<List>".repeat(1_000_000);
    assert!(matches!(refusal(&bomb), XmlError::TooDeep { position: 1200, nesting_max: 200 }));
    let limits = Limits { nesting_max: usize::MAX, ..Limits::default() };
    assert!(matches!(parse(&bomb, &limits), Err(XmlError::TooDeep { nesting_max: 500, .. })));
    let generic = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert!(parse(&generic(50), &Limits::default()).is_ok());
    assert!(parse(&generic(52), &Limits::default()).is_err());
}

#[test]
fn objects_are_capped_and_strings_are_not() {
    let many = |item: &str, count: usize| format!("<List>{}</List>", item.repeat(count));
    assert_eq!(items(&decode(&many("<x/>", OBJECTS_MAX))).len(), OBJECTS_MAX);
    // `<List>` has six bytes, each element four.
    assert!(matches!(
        refusal(&many("<x/>", OBJECTS_MAX + 1)),
        XmlError::TooManyObjects { position: 1_000_006 }
    ));
    assert!(matches!(refusal(&many("<entry key='a'/>", OBJECTS_MAX + 1)), XmlError::TooManyObjects { .. }));
    assert_eq!(items(&decode(&many("<String/>", OBJECTS_MAX * 2))).len(), OBJECTS_MAX * 2);
    let json = |count: usize| format!("[{}0]", "{},".repeat(count));
    assert!(parse_json(&json(OBJECTS_MAX), &Limits::default()).is_ok());
    let over = parse_json(&json(OBJECTS_MAX + 1), &Limits::default());
    assert!(matches!(over, Err(XmlError::TooManyObjects { position: 750_001 })));
}

#[test]
fn whatever_is_decoded_can_be_read_back() {
    let deepest = decode(&format!("{}{}", "<List>".repeat(100), "</List>".repeat(100)));
    assert_eq!(serde_json::from_str::<Value>(&deepest.to_string()).unwrap(), deepest);
}
