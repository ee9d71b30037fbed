//! Signatures of messages by node keys, as lightningd's `signmessage` makes them and `checkmessage`
//! verifies them.
//!
//! A signature is the zbase32 of 65 bytes: 31 + recovery id, then r and s of an ECDSA signature over
//! SHA-256(SHA-256("Lightning Signed Message:" + message)). As `checkmessage` does, this takes a high
//! s. Unlike it, this has no answer but "this key signed" or not: from any well-formed signature and any
//! message some key can be recovered, so that a recovered key alone says nothing. It is done here and not
//! by the node, since lightningd v26.06 ends with a failed assertion when the first byte is out of range.

use crate::model::PeerId;
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, PublicKey, SECP256K1};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// What is signed begins with this.
const PREFIX: &[u8] = b"Lightning Signed Message:";
/// The value of each character of zbase32 is its place.
const ALPHABET: &[u8; 32] = b"ybndrfg8ejkmcpqxot1uwisza345h769";
/// Characters of a signature: 65 bytes of 8 bits, 5 bits each, nothing over.
const CHARACTERS: usize = 104;
/// The first byte of a signature with recovery id 0.
const FIRST: u8 = 31;

/// Why a signature does not show that its signer signed the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadSignature {
    /// Another number of characters.
    Length(usize),
    /// A character that zbase32 does not have.
    Alphabet(char),
    /// 65 bytes that are no signature.
    Malformed,
    /// A signature by another key, or of another text.
    NotTheirs,
}

impl fmt::Display for BadSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadSignature::Length(found) => {
                write!(f, "has {found} characters; the zbase of signmessage has {CHARACTERS}")
            }
            BadSignature::Alphabet(found) => write!(f, "has the character {found:?}, which zbase32 does not"),
            BadSignature::Malformed => f.write_str("is 65 bytes that are no recoverable signature"),
            BadSignature::NotTheirs => {
                f.write_str("is by another key, or of another text: exactly the manifest must be signed")
            }
        }
    }
}

/// Whether `zbase` shows that the key `signer` signed `text`.
///
/// # Errors
/// When it does not.
pub fn verify(text: &str, zbase: &str, signer: &PeerId) -> Result<(), BadSignature> {
    let bytes = decode(zbase)?;
    let recovery = bytes[0].checked_sub(FIRST).map(i32::from).ok_or(BadSignature::Malformed)?;
    let recovery = RecoveryId::from_i32(recovery).map_err(|_| BadSignature::Malformed)?;
    let signature = RecoverableSignature::from_compact(&bytes[1..], recovery);
    let signature = signature.map_err(|_| BadSignature::Malformed)?;
    let message = Message::from_digest(hash(text));
    let key = SECP256K1.recover_ecdsa(&message, &signature).map_err(|_| BadSignature::NotTheirs)?;
    if key.serialize() == signer.0 { Ok(()) } else { Err(BadSignature::NotTheirs) }
}

/// Whether the bytes are a point of the curve: no other key ever signed anything.
pub fn is_key(signer: &PeerId) -> bool {
    PublicKey::from_slice(&signer.0).is_ok()
}

fn hash(text: &str) -> [u8; 32] {
    let once = Sha256::new().chain_update(PREFIX).chain_update(text).finalize();
    Sha256::digest(once).into()
}

fn decode(zbase: &str) -> Result<[u8; 65], BadSignature> {
    let length = zbase.chars().count();
    if length != CHARACTERS {
        return Err(BadSignature::Length(length));
    }
    let (mut bytes, mut filled, mut bits, mut held) = ([0; 65], 0, 0_u32, 0);
    for character in zbase.chars() {
        let value = ALPHABET.iter().position(|known| char::from(*known) == character);
        bits = bits << 5 | value.ok_or(BadSignature::Alphabet(character))? as u32;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes[filled] = (bits >> held) as u8;
            filled += 1;
            bits &= (1 << held) - 1;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
