use super::*;
use proptest::prelude::*;

const TEXT: &str = "cl-revenue-ops strategy 1; network regtest; name night-rate; version 1.0.0; \
                    abi revenue-ops:strategy/fee@1.0.0; \
                    sha256 7ffdbc33792958ca85c612e622ae164b83d696bc130d087f02e56469a998a697; size 61234; \
                    not-after 1830297600";

#[test]
fn a_manifest_prints_as_it_parses() {
    let manifest: Manifest = TEXT.parse().expect("well formed");
    assert_eq!(manifest.to_string(), TEXT);
    assert_eq!((manifest.network.as_str(), manifest.name.as_str()), ("regtest", "night-rate"));
    assert_eq!((manifest.version, manifest.bytes), (Version([1, 0, 0]), 61_234));
    assert_eq!(manifest.not_after, UnixTime(1_830_297_600));
    assert!(TEXT.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')));
}

#[test]
fn each_other_spelling_is_refused() {
    for (from, to, why) in [
        ("cl-revenue-ops strategy 1; ", "", "begin with"),
        ("strategy 1", "strategy 2", "begin with"),
        ("network regtest; name night-rate", "name night-rate; network regtest", "'network ...' must stand"),
        ("network regtest; ", "network regtest; network regtest; ", "'name ...' must stand"),
        ("; size 61234", "", "'size ...' must stand"),
        ("; not-after 1830297600", "", "no field 'not-after'"),
        ("1830297600", "1830297600; ", "goes on"),
        ("1830297600", "1830297600; note x", "goes on"),
        ("1830297600", "1830297600\n", "not-after"),
        ("1830297600", " 1830297600", "not-after"),
        ("1830297600", "+1830297600", "not-after"),
        ("1830297600", "01830297600", "not-after"),
        ("1830297600", "9223372036854775808", "not-after"),
        ("61234", "0x61", "size"),
        ("61234", "-1", "size"),
        ("1.0.0", "1.0", "three numbers"),
        ("1.0.0", "01.0.0", "three numbers"),
        ("1.0.0", "1.0.0-rc", "three numbers"),
        ("1.0.0", "1.0.4294967296", "three numbers"),
        ("7ffdbc", "7FFDBC", "another spelling"),
        ("7ffdbc", "7ffdb", "64 hexadecimal digits"),
        ("regtest", "RegTest", "lower-case"),
        ("regtest", "", "lower-case"),
        ("night-rate", "night rate", "strategy's name"),
        ("night-rate", "../night", "strategy's name"),
        ("night-rate", "Dynamic", "another spelling"),
        ("fee@1.0.0", "fee@1.0.0\"", "abi"),
        ("; ", ";", "begin with"),
        ("; ", ";  ", "must stand"),
        ("; ", "\n", "begin with"),
    ] {
        let text = TEXT.replace(from, to);
        assert_ne!(text, TEXT, "{from}");
        let error = text.parse::<Manifest>().expect_err(&text).to_string();
        assert!(error.contains(why) && error.lines().count() == 1, "{from} -> {to}: {error}");
    }
    let error = TEXT.replace("regtest", &"x".repeat(600)).parse::<Manifest>().expect_err("long").to_string();
    assert!(error.contains("at most 512"), "{error}");
}

#[test]
fn versions_are_compared_as_numbers() {
    let version = |text: &str| text.parse::<Version>().expect(text);
    assert!(version("1.10.0") > version("1.9.9"));
    assert!(version("2.0.0") > version("1.4294967295.4294967295"));
    assert_eq!(version("1.2.3").to_string(), "1.2.3");
}

proptest! {
    #[test]
    fn no_text_breaks_the_parser(text in "\\PC*") {
        let _ = text.parse::<Manifest>();
        let _ = text.parse::<Version>();
    }

    /// What parses is spelt as it prints, whatever was done to it.
    #[test]
    fn one_changed_byte_is_refused_or_means_something_else(at in 0..TEXT.len(), byte in b' '..=b'~') {
        let mut bytes = TEXT.as_bytes().to_vec();
        bytes[at] = byte;
        let text = String::from_utf8(bytes).expect("ASCII");
        if let Ok(manifest) = text.parse::<Manifest>() {
            prop_assert_eq!(manifest.to_string(), text.as_str());
            prop_assert_eq!(text == TEXT, manifest == TEXT.parse::<Manifest>().expect("well formed"));
        }
    }
}
