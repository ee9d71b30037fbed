use super::*;
use proptest::prelude::*;
use secp256k1::SecretKey;

/// What real nodes answered: lightningd v23.05, v24.11 and v26.06 (tests/fixtures/recordings), and one
/// that signed a manifest.
const REAL: [(&str, &str, &str); 4] = [
    (
        "revenue-ops",
        "rdfc4rbtubp7mjpgbd1xf65n43a8wtq5e81xc3r6dnnnhcosq9k7w4egok8713394dqakq6o9aaxpyzt7hs6p3uji4xwmy8c67myj85a",
        "02ab454f0880947c14759070bd7026a567fb034acea9866d604f7cb264fdd77ad5",
    ),
    (
        "revenue-ops",
        "dhyrof7p89k6t5u767c7pzi6p3nzp1xf3ypcax3miip8ek6nq5bcyuhb9ma9m3h54cx9cr6hj41nwiixaxfff8qy161uk3d6xac6oq94",
        "0247ccd1e7a5163882eb84e072f5c6ea65438b5a3d264eb9cdce5cb1741d0c8b45",
    ),
    (
        "revenue-ops",
        "d6e476y4fgwc1jmg893p3ezucrcwi1ab6edubxa6pwt5iaf5f8ez46ypdscnsn9ni1oeapjksqyqw371jtqggcdrrhgkueenhtpdswgr",
        "037bea3f992b4e34b0e3cdfe524c624d077cce76971b8107ea5419261b764f1109",
    ),
    (
        "cl-revenue-ops strategy 1; network regtest; name night-rate; version 1.0.0; abi \
         revenue-ops:strategy/fee@1.0.0; sha256 7ffdbc33792958ca85c612e622ae164b83d696bc130d087f02e56469a998a697; \
         size 61234; not-after 1830297600",
        "rd9s7r1ch47zqxorrbg44mkertf4jy8qm5qe3pwc9epniudiiowws38oz1i7n4pbtbd8kncj3g31dpeztnphapq399ecpu765n8bbwpe",
        "035d62e91da24af418c0a90d301c4859befff2cb1ac0dc4738283ea49a2fc9db37",
    ),
];

fn key(text: &str) -> PeerId {
    text.parse().expect("a key")
}

#[test]
fn signatures_of_real_nodes_are_good_for_their_text_and_key_only() {
    for (text, zbase, signer) in REAL {
        assert_eq!(verify(text, zbase, &key(signer)), Ok(()), "{signer}");
        assert_eq!(verify(&format!("{text} "), zbase, &key(signer)), Err(BadSignature::NotTheirs));
        for (_, _, other) in REAL.iter().filter(|(_, _, other)| *other != signer) {
            assert_eq!(verify(text, zbase, &key(other)), Err(BadSignature::NotTheirs));
        }
    }
}

#[test]
fn what_is_no_signature_is_refused_for_what_it_is() {
    let (text, zbase, signer) = REAL[0];
    let upper = zbase.to_ascii_uppercase();
    let (short, long, strange) = (&zbase[1..], format!("{zbase}y"), zbase.replacen('r', "l", 1));
    for (bad, why) in [
        ("", BadSignature::Length(0)),
        (short, BadSignature::Length(103)),
        (&long, BadSignature::Length(105)),
        (&upper, BadSignature::Alphabet('R')),
        (&strange, BadSignature::Alphabet('l')),
        // First bytes of 0 (below every recovery id) and 255.
        (&"y".repeat(104), BadSignature::Malformed),
        (&"9".repeat(104), BadSignature::Malformed),
        // r and s of 0: no key signs so.
        (&format!("d{}", "y".repeat(103)), BadSignature::Malformed),
    ] {
        assert_eq!(verify(text, bad, &key(signer)), Err(why), "{bad}");
    }
}

#[test]
fn a_high_s_is_taken_as_checkmessage_takes_it() {
    let secret = SecretKey::from_slice(&[7; 32]).expect("a key");
    let (text, signer) = ("a text", PeerId(secret.public_key(SECP256K1).serialize()));
    let signature = SECP256K1.sign_ecdsa_recoverable(&Message::from_digest(hash(text)), &secret);
    let (recovery, compact) = signature.serialize_compact();
    let negated = SecretKey::from_slice(&compact[32..]).expect("a scalar").negate();
    let high: Vec<u8> = [&[FIRST + (recovery.to_i32() ^ 1) as u8], &compact[..32], &negated[..]].concat();
    assert_eq!(verify(text, &encode(&high), &signer), Ok(()));
}

#[test]
fn keys_are_points_of_the_curve() {
    assert!(REAL.iter().all(|(_, _, signer)| is_key(&key(signer))));
    // x = 5 has no point.
    assert!(!is_key(&key(&format!("02{:064x}", 5))));
}

fn encode(bytes: &[u8]) -> String {
    let bit = |at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
    let value = |at: usize| (0..5).fold(0, |value, next| value << 1 | bit(5 * at + next));
    (0..bytes.len() * 8 / 5).map(|at| char::from(ALPHABET[usize::from(value(at))])).collect()
}

proptest! {
    #[test]
    fn any_changed_character_is_refused(which in 0..REAL.len(), at in 0..CHARACTERS, to in 0..32_usize) {
        let (text, zbase, signer) = REAL[which];
        let mut changed: Vec<u8> = zbase.bytes().collect();
        changed[at] = ALPHABET[to];
        let changed = String::from_utf8(changed).expect("ASCII");
        prop_assert_eq!(verify(text, &changed, &key(signer)).is_ok(), changed == zbase);
    }

    #[test]
    fn no_text_breaks_the_reader(zbase in "\\PC{0,120}|[a-z0-9]{104}", text in "\\PC*") {
        prop_assert!(verify(&text, &zbase, &key(REAL[0].2)).is_err());
    }

    #[test]
    fn zbase32_comes_back(bytes in proptest::collection::vec(any::<u8>(), 65)) {
        prop_assert_eq!(decode(&encode(&bytes)).map(|back| back.to_vec()), Ok(bytes));
    }
}
