//! Samples and databases in memory for the tests of this layer.

use super::schema::MIGRATIONS;
use crate::model::{Channel, ChannelId, ChannelState, Htlcs, Msat, Opener, PeerId, Ppm, Scid};
use rusqlite::Connection;

/// An empty database of the newest schema.
pub fn memory() -> Connection {
    let mut conn = Connection::open_in_memory().expect("in memory");
    conn.pragma_update(None, "foreign_keys", true).expect("a pragma");
    MIGRATIONS.to_latest(&mut conn).expect("valid migrations");
    conn
}

/// The peer number `n`.
pub fn peer(n: u8) -> PeerId {
    let mut bytes = [n; 33];
    bytes[0] = 2;
    PeerId(bytes)
}

/// The channel id number `n`.
pub fn channel_id(n: u8) -> ChannelId {
    ChannelId([n; 32])
}

/// A short channel id in block `n`.
pub fn scid(n: u32) -> Scid {
    Scid { block: n, transaction: 1, output: 0 }
}

/// Channel number `n`, named `scid(n)`, open and usable, with `100 * n` ppm.
pub fn channel(n: u8) -> Channel {
    Channel {
        channel_id: channel_id(n),
        scid: Some(scid(u32::from(n))),
        alias_local: None,
        peer_id: peer(n),
        peer_connected: true,
        state: ChannelState::Normal,
        opener: Opener::Local,
        private: false,
        total: Msat(2_000_000_000),
        to_us: Msat(1_000_000_000),
        spendable: Msat(900_000_000),
        receivable: Msat(900_000_000),
        fee_base: Msat(0),
        fee_ppm: Ppm(100 * u32::from(n)),
        htlc_min: Msat(0),
        htlc_max: Msat(1_900_000_000),
        peer_fee_ppm: None,
        htlcs: Htlcs { incoming: 0, outgoing: 0, slots: 483 },
        funding_txid: None,
    }
}
