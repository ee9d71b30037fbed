use super::*;
use proptest::prelude::*;
use secp256k1::{Message, SECP256K1, SecretKey};
use sha2::{Digest as _, Sha256};

const NOW: UnixTime = UnixTime(1_800_000_000);
const FEE: &str = "revenue-ops:strategy/fee@1.0.0";
const MODULE: &[u8] = b"the module";

fn secret(n: u8) -> SecretKey {
    SecretKey::from_slice(&[n; 32]).expect("a key")
}

fn id(n: u8) -> PeerId {
    PeerId(secret(n).public_key(SECP256K1).serialize())
}

/// Signs as `signmessage` does, with a writer of zbase32 that the code under test does not use.
fn sign(n: u8, text: &str) -> Signature {
    let once = Sha256::digest(format!("Lightning Signed Message:{text}"));
    let message = Message::from_digest(Sha256::digest(once).into());
    let (recovery, compact) = SECP256K1.sign_ecdsa_recoverable(&message, &secret(n)).serialize_compact();
    let bytes = [&[31 + recovery.to_i32() as u8], &compact[..]].concat();
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let digit = |bits: &[u8]| {
        let value = bits.iter().fold(0, |value, bit| value * 2 + usize::from(bit - b'0'));
        char::from(b"ybndrfg8ejkmcpqxot1uwisza345h769"[value])
    };
    Signature { signer: id(n), zbase: bits.as_bytes().chunks(5).map(digit).collect() }
}

fn manifest() -> Manifest {
    Manifest {
        network: "bitcoin".to_owned(),
        name: "mine".parse().expect("a name"),
        version: Version([1, 2, 0]),
        abi: FEE.to_owned(),
        digest: Digest::of(MODULE),
        bytes: MODULE.len() as u64,
        not_after: NOW.plus(UnixTime::DAY),
    }
}

fn terms(needed: usize) -> Terms {
    Terms {
        network: "bitcoin".to_owned(),
        trusted: BTreeSet::from([id(1), id(2)]),
        needed,
        now: NOW,
        interfaces: vec![FEE.to_owned(), "revenue-ops:strategy/rebalance@1.0.0".to_owned()],
        most_bytes: 1_000,
    }
}

fn signed_by(manifest: &Manifest, signers: &[u8]) -> Vec<Signature> {
    signers.iter().map(|n| sign(*n, &manifest.to_string())).collect()
}

/// Admits a manifest signed by `signers`.
fn try_in(
    manifest: &Manifest,
    signers: &[u8],
    needed: usize,
    accepted: Option<Accepted>,
) -> Result<Admission, AdmissionRefusal> {
    admit(manifest, &signed_by(manifest, signers), &terms(needed), accepted)
}

fn last(version: [u32; 3], digest: Digest) -> Option<Accepted> {
    Some(Accepted { version: Version(version), digest, at: NOW })
}

#[test]
fn enough_trusted_signers_open_the_door() {
    for (signers, needed) in [(&[1][..], 1), (&[2], 1), (&[1, 2], 1), (&[1, 2], 2), (&[9, 2, 1], 2)] {
        let Ok(Admission::New(signed)) = try_in(&manifest(), signers, needed, None) else {
            panic!("{signers:?} of {needed}")
        };
        let mut counted: Vec<PeerId> = signers.iter().filter(|n| **n < 9).map(|n| id(*n)).collect();
        counted.sort();
        assert_eq!((signed.manifest, signed.signers), (manifest(), counted));
    }
}

#[test]
fn each_reason_to_stay_out_has_its_sentence() {
    type Change = fn(&mut Manifest);
    let cases: [(Change, &str, &str); 7] = [
        (|m| m.name = StrategyName::dynamic(), "built_in", "'dynamic' is built in"),
        (|m| m.network = "testnet".to_owned(), "network", "for network testnet, and this node is on bitcoin"),
        (
            |m| m.abi = "revenue-ops:strategy/fee@2.0.0".to_owned(),
            "unknown_abi",
            "speaks revenue-ops:strategy/fee@1.0.0, ",
        ),
        (|m| m.bytes = 1_001, "too_large", "1001 bytes, and at most 1000"),
        (|m| m.not_after = NOW.minus(1), "expired", "ended at 1799999999"),
        (|m| m.not_after = NOW.plus(MAX_LIFE_S + 1), "not_after_too_far", "1831622400 is the latest allowed"),
        (|m| m.version = Version([1, 1, 9]), "not_newer", "version 1.1.9 of 'mine' is not above 1.2.0"),
    ];
    for (change, code, part) in cases {
        let mut manifest = manifest();
        change(&mut manifest);
        let refusal = try_in(&manifest, &[1], 1, last([1, 2, 0], Digest([0; 32]))).expect_err(code);
        assert_eq!(refusal.code(), code);
        assert!(refusal.to_string().contains(part), "{refusal}");
    }
    for (not_after, allowed) in [(NOW, true), (NOW.plus(MAX_LIFE_S), true)] {
        assert_eq!(try_in(&Manifest { not_after, ..manifest() }, &[1], 1, None).is_ok(), allowed);
    }
}

#[test]
fn signatures_that_do_not_suffice_are_told_apart() {
    let (manifest, other) = (manifest(), Manifest { bytes: 11, ..manifest() });
    let foreign = Signature { signer: id(1), ..sign(9, &manifest.to_string()) };
    let many: Vec<u8> = (1..=17).collect();
    for (signatures, needed, code, part) in [
        (vec![], 1, "too_few_signers", "of 1 trusted signer are needed, and there are 0"),
        (
            signed_by(&manifest, &[1]),
            2,
            "too_few_signers",
            "of 2 trusted signers are needed, and there are 1",
        ),
        (signed_by(&manifest, &[9]), 1, "too_few_signers", "is not trusted"),
        (signed_by(&manifest, &[]), 0, "too_few_signers", "of 1 trusted"),
        (signed_by(&manifest, &[1, 1]), 2, "duplicate_signer", "has signed twice"),
        (signed_by(&other, &[1]), 1, "bad_signature", "by another key, or of another text"),
        (vec![foreign], 1, "bad_signature", "by another key"),
        (
            vec![Signature { signer: id(1), zbase: "short".to_owned() }],
            1,
            "bad_signature",
            "has 5 characters",
        ),
        (signed_by(&manifest, &many), 1, "too_many_signatures", "17 signatures"),
        // A bad one beside enough good ones says that something was meddled with.
        ([signed_by(&manifest, &[1]), signed_by(&other, &[9])].concat(), 1, "bad_signature", "another text"),
    ] {
        let refusal = admit(&manifest, &signatures, &terms(needed), None).expect_err(code);
        assert_eq!(refusal.code(), code, "{refusal}");
        assert!(refusal.to_string().contains(part), "{refusal}");
    }
}

#[test]
fn a_version_never_comes_back() {
    let own = manifest().digest;
    for (accepted, expect) in [
        (None, "new"),
        (last([1, 1, 9], own), "new"),
        (last([1, 2, 0], own), "again"),
        (last([1, 2, 0], Digest([9; 32])), "not_newer"),
        (last([1, 2, 1], own), "not_newer"),
        (last([2, 0, 0], own), "not_newer"),
    ] {
        let found = match try_in(&manifest(), &[1], 1, accepted) {
            Ok(Admission::New(_)) => "new",
            Ok(Admission::Again(_, last)) => {
                assert_eq!(Some(last), accepted);
                "again"
            }
            Err(refusal) => refusal.code(),
        };
        assert_eq!(found, expect, "{accepted:?}");
    }
}

fn facts(module: &[u8], exports: &'static [String]) -> ModuleFacts<'static> {
    ModuleFacts { digest: Digest::of(module), bytes: module.len() as u64, exports }
}

#[test]
fn a_module_is_the_one_that_was_signed() {
    let exports: &'static [String] = vec!["other".to_owned(), FEE.to_owned()].leak();
    let (mine, yours): (StrategyName, StrategyName) =
        ("mine".parse().expect("a name"), "yours".parse().expect("a name"));
    assert_eq!(fits(&manifest(), &facts(MODULE, exports), None), Ok(()));
    assert_eq!(fits(&manifest(), &facts(MODULE, exports), Some(&mine)), Ok(()));
    for (module, exports, asked, code, part) in [
        (MODULE, exports, Some(&yours), "name", "for the name 'mine', and 'yours'"),
        (b"the modul", exports, None, "size", "9 bytes, and the manifest says 10"),
        (b"the Module", exports, None, "digest", "the manifest is for"),
        (MODULE, &exports[..1], None, "abi", "the module exports other"),
        (MODULE, &[], None, "abi", "the module exports nothing"),
    ] {
        let refusal = fits(&manifest(), &facts(module, exports), asked).expect_err(code);
        assert_eq!(refusal.code(), code);
        assert!(refusal.to_string().contains(part), "{refusal}");
    }
}

#[test]
fn a_module_calls_itself_by_the_version_that_was_signed() {
    let version = manifest().version.to_string();
    assert_eq!(same_version(&manifest(), &version), Ok(()));
    for own in ["0.0.0".to_owned(), format!("{version}-rc.1"), format!("{version}+b7"), String::new()] {
        let refusal = same_version(&manifest(), &own).expect_err("another version");
        assert_eq!(refusal.code(), "version");
        let told = format!("says version {version}, and the module says of itself that it is {own}");
        assert!(refusal.to_string().contains(&told), "{refusal}");
    }
}

proptest! {
    /// One changed byte anywhere, of what is signed, of the signature or of the module, keeps it out.
    #[test]
    fn any_changed_byte_is_refused(part in 0..3_u8, place in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let original = manifest();
        let (mut text, mut signature) = (original.to_string().into_bytes(), sign(1, &original.to_string()));
        let mut module = MODULE.to_vec();
        match part {
            0 => *place.get_mut(&mut text) ^= flip,
            1 => {
                let mut zbase = signature.zbase.clone().into_bytes();
                *place.get_mut(&mut zbase) ^= flip;
                signature.zbase = String::from_utf8_lossy(&zbase).into_owned();
            }
            _ => *place.get_mut(&mut module) ^= flip,
        }
        let exports: &'static [String] = vec![FEE.to_owned()].leak();
        let is_in = String::from_utf8_lossy(&text).parse::<Manifest>().is_ok_and(|manifest| {
            admit(&manifest, &[signature], &terms(1), None).is_ok()
                && fits(&manifest, &facts(&module, exports), None).is_ok()
        });
        prop_assert!(!is_in);
    }
}
