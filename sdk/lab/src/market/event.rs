//! What happens in a market: forwards, from offer to end.

/// Simulated unix time in microseconds.
pub type Micros = u64;

/// Microseconds of a number of seconds.
pub fn micros(seconds: f64) -> Micros {
    (seconds * 1e6) as Micros
}

/// Seconds of a number of microseconds.
pub fn seconds(micros: Micros) -> f64 {
    micros as f64 / 1e6
}

/// State of a forward, in lightningd's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Under way.
    Offered,
    /// Paid.
    Settled,
    /// Failed further down the route.
    Failed,
    /// Refused by our own node.
    LocalFailed,
}

impl Status {
    /// lightningd's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Settled => "settled",
            Self::Failed => "failed",
            Self::LocalFailed => "local_failed",
        }
    }
}

/// Why our node refused a forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No liquidity, no slot, too large, or the peer is away.
    TemporaryChannelFailure,
    /// Smaller than the channel's minimum.
    AmountBelowMinimum,
    /// The sender used an older, lower fee.
    FeeInsufficient,
}

impl Refusal {
    /// BOLT 4's failure code.
    pub fn code(self) -> u32 {
        match self {
            Self::TemporaryChannelFailure => 0x1007,
            Self::AmountBelowMinimum => 0x100b,
            Self::FeeInsufficient => 0x100c,
        }
    }

    /// BOLT 4's name as lightningd prints it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::TemporaryChannelFailure => "WIRE_TEMPORARY_CHANNEL_FAILURE",
            Self::AmountBelowMinimum => "WIRE_AMOUNT_BELOW_MINIMUM",
            Self::FeeInsufficient => "WIRE_FEE_INSUFFICIENT",
        }
    }
}

/// One forward at one moment. It is reported when offered and again when it ends; a refused one
/// is reported once. `(in_channel, in_htlc_id)` is its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Forward {
    /// Index of the channel it came in by.
    pub in_channel: usize,
    /// The incoming HTLC's id in that channel.
    pub in_htlc_id: u64,
    /// Index of the channel it leaves by.
    pub out_channel: usize,
    /// The outgoing HTLC's id; none if it was refused.
    pub out_htlc_id: Option<u64>,
    /// Amount received, msat.
    pub in_msat: u64,
    /// Amount sent on, msat.
    pub out_msat: u64,
    /// State at this moment.
    pub status: Status,
    /// Why our node refused it.
    pub refusal: Option<Refusal>,
    /// When it came in.
    pub received_us: Micros,
    /// When it ended.
    pub resolved_us: Option<Micros>,
}

impl Forward {
    /// What we earn if it settles, msat.
    pub fn fee_msat(&self) -> u64 {
        self.in_msat - self.out_msat
    }
}
