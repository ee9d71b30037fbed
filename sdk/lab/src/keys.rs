//! Keys of simulated nodes, and messages signed with them as lightningd signs them.

use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, SECP256K1, SecretKey};
use sha2::{Digest, Sha256};

use crate::rng::Rng;

/// The value of each character of zbase32 is its place.
const ALPHABET: &[u8; 32] = b"ybndrfg8ejkmcpqxot1uwisza345h769";
/// The first byte of a signature with recovery id 0.
const FIRST: u8 = 31;

/// A node's secret key. Simulated nodes have nothing to lose: it is made from a seed.
#[derive(Debug, Clone)]
pub struct NodeKey(SecretKey);

/// What `signmessage` answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedMessage {
    /// r and s in hex.
    pub signature: String,
    /// The recovery id, two hex digits.
    pub recid: String,
    /// 31 + recovery id, r and s in zbase32.
    pub zbase: String,
}

impl NodeKey {
    /// The key made from these draws.
    pub fn draw(rng: &mut Rng) -> Self {
        loop {
            let mut bytes = [0; 32];
            bytes.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&rng.next_u64().to_be_bytes()));
            // Hardly ever is it 0, or beyond the order of the curve.
            if let Ok(secret) = SecretKey::from_slice(&bytes) {
                return Self(secret);
            }
        }
    }

    /// The key number `n`, for a signer that is no node of a lab.
    pub fn of_seed(n: u64) -> Self {
        Self::draw(&mut Rng::stream(n, u64::MAX - 1))
    }

    /// The node id: the compressed public key in hex.
    pub fn id(&self) -> String {
        hex(&self.0.public_key(SECP256K1).serialize())
    }

    /// Signs a message. lightningd signs it as it is spelt in the request, so that what JSON escapes is
    /// signed with its backslashes.
    pub fn sign(&self, message: &str) -> SignedMessage {
        let signature = SECP256K1.sign_ecdsa_recoverable(&digest(message), &self.0);
        let (recovery, compact) = signature.serialize_compact();
        let recid = recovery.to_i32() as u8;
        let zbase = encode(&[&[FIRST + recid], &compact[..]].concat());
        SignedMessage { signature: hex(&compact), recid: hex(&[recid]), zbase }
    }
}

/// The node id whose key signed `message`: none if no key did; else lightningd's complaint about `zbase`.
pub fn signer(message: &str, zbase: &str) -> Result<Option<String>, &'static str> {
    let bytes = decode(zbase).ok_or("zbase is not valid zbase32")?;
    match bytes.len() {
        ..65 => return Err("zbase is too short"),
        65 => {}
        _ => return Err("zbase is too long"),
    }
    let recovery = RecoveryId::from_i32(i32::from(bytes[0]) - i32::from(FIRST));
    let signature = recovery.and_then(|recovery| RecoverableSignature::from_compact(&bytes[1..], recovery));
    let signature = signature.map_err(|_| "cannot parse zbase signature")?;
    let key = SECP256K1.recover_ecdsa(&digest(message), &signature);
    Ok(key.ok().map(|key| hex(&key.serialize())))
}

fn digest(message: &str) -> Message {
    let quoted = serde_json::Value::from(message).to_string();
    let spelt = &quoted[1..quoted.len() - 1];
    let once = Sha256::digest(format!("Lightning Signed Message:{spelt}"));
    Message::from_digest(Sha256::digest(once).into())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// zbase32 of whole groups of five bytes.
fn encode(bytes: &[u8]) -> String {
    let bit = |at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
    let value = |at: usize| (0..5).fold(0, |value, next| value << 1 | bit(5 * at + next));
    (0..bytes.len() * 8 / 5).map(|at| char::from(ALPHABET[usize::from(value(at))])).collect()
}

fn decode(zbase: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for character in zbase.bytes() {
        bits = bits << 5 | ALPHABET.iter().position(|known| *known == character)? as u32;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    (held < 5 && bits == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_recorded_signature_has_its_recorded_signer() {
        for (zbase, id) in [
            (
                "rdfc4rbtubp7mjpgbd1xf65n43a8wtq5e81xc3r6dnnnhcosq9k7w4egok8713394dqakq6o9aaxpyzt7hs6p3uji4xwmy8c67myj85a",
                "02ab454f0880947c14759070bd7026a567fb034acea9866d604f7cb264fdd77ad5",
            ),
            (
                "d6e476y4fgwc1jmg893p3ezucrcwi1ab6edubxa6pwt5iaf5f8ez46ypdscnsn9ni1oeapjksqyqw371jtqggcdrrhgkueenhtpdswgr",
                "037bea3f992b4e34b0e3cdfe524c624d077cce76971b8107ea5419261b764f1109",
            ),
        ] {
            assert_eq!(signer("revenue-ops", zbase), Ok(Some(id.to_owned())));
            assert_ne!(signer("revenue-op", zbase), Ok(Some(id.to_owned())));
        }
    }

    #[test]
    fn a_line_break_is_signed_as_json_spells_it() {
        // What lightningd v26.06 signed when it was asked to sign "x", line break, "y".
        let zbase = "d77ej6r56p84tpwo55dok7zkq49ghqapeftus1xsz7w44cie18wjkbj7h3zzbt9carypq9ykdnmtk3ijne34m94d5hyzgc9g9y7a4xiu";
        let id = "02825a2c107875ee79c1b282a5f22267c709caca6c7167e8509da43648dcc5c22a";
        assert_eq!(signer("x\ny", zbase), Ok(Some(id.to_owned())));
    }

    #[test]
    fn what_it_signs_is_its_own_and_complaints_are_lightningds() {
        let key = NodeKey::of_seed(1);
        let zbase = key.sign("m").zbase;
        assert_eq!(zbase.len(), 104);
        assert_eq!(signer("m", &zbase), Ok(Some(key.id())));
        assert_ne!(NodeKey::of_seed(2).id(), key.id());
        for (bad, complaint) in [
            ("", "zbase is too short"),
            ("y", "zbase is not valid zbase32"),
            ("!!", "zbase is not valid zbase32"),
            (&zbase[1..], "zbase is not valid zbase32"),
            (&format!("{zbase}yyyyyyyy"), "zbase is too long"),
            (&"y".repeat(104), "cannot parse zbase signature"),
        ] {
            assert_eq!(signer("m", bad), Err(complaint), "{bad}");
        }
    }
}
