//! The standard terms of a fee.

use crate::{Channel, FeeInterval};

/// Price of scarcity: 1 where our share of the channel is at or above
/// `threshold`, rising exponentially to 3 where nothing is left.
///
/// Both arguments are shares, 0 to 1. Apply it to a base price that does not
/// contain it already, or it compounds.
pub fn scarcity(local_share: f64, threshold: f64) -> f64 {
    3f64.powf(scarcity_depth(local_share, threshold))
}

/// How far below `threshold` our share is: 0 at or above it, 1 when empty.
/// [`scarcity`] is 3 to the power of it.
pub fn scarcity_depth(local_share: f64, threshold: f64) -> f64 {
    // Written so that a NaN on either side gives 0.
    if local_share < threshold && threshold > 0.0 { 1.0 - (local_share / threshold).max(0.0) } else { 0.0 }
}

/// The fuller direction's share of HTLC slots in use, 0 to 1; 0 for a channel
/// without slots.
pub fn congestion(channel: &Channel) -> f64 {
    if channel.htlc_slots == 0 {
        return 0.0;
    }
    let fuller = channel.htlcs_out.max(channel.htlcs_in);
    (f64::from(fuller) / f64::from(channel.htlc_slots)).min(1.0)
}

/// Whether a change from one rate, ppm, to another is larger than `gate` (a
/// share of the old rate), so that the host gossips it.
pub fn passes_gate(from_ppm: u32, to_ppm: u64, gate: f64) -> bool {
    let from = u64::from(from_ppm);
    let change = from.abs_diff(to_ppm);
    change > 0 && change as f64 > gate * from as f64
}

/// What is left after `elapsed` of something that halves every `half_life`, as
/// a share. Both in one unit; 1 for a half-life that is not positive.
pub fn decay(elapsed: f64, half_life: f64) -> f64 {
    if half_life > 0.0 { 0.5f64.powf(elapsed.max(0.0) / half_life) } else { 1.0 }
}

/// Sums over stretches of constant rate.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Window {
    /// Seconds in which the channel could be used.
    pub live_s: u64,
    /// Settled forwards out.
    pub settled: u64,
    /// Sum forwarded out, msat.
    pub out_msat: u64,
    /// Fees earned, msat.
    pub fee_msat: u64,
}

impl Window {
    /// Adds up intervals.
    pub fn of<'a>(intervals: impl IntoIterator<Item = &'a FeeInterval>) -> Self {
        let mut window = Self::default();
        for interval in intervals {
            window.live_s += u64::from(interval.live_s);
            window.settled += u64::from(interval.settled);
            window.out_msat = window.out_msat.saturating_add(interval.out_msat);
            window.fee_msat = window.fee_msat.saturating_add(interval.fee_msat);
        }
        window
    }

    /// Fees earned per hour of use, msat; none without any use.
    pub fn fee_msat_per_hour(&self) -> Option<f64> {
        (self.live_s > 0).then(|| self.fee_msat as f64 * 3600.0 / self.live_s as f64)
    }

    /// Relative standard error of the revenue, taking forwards as independent
    /// arrivals whose sizes have the squared coefficient of variation `cv2`
    /// (about 3 for payments). Infinite without a forward.
    pub fn relative_error(&self, cv2: f64) -> f64 {
        ((1.0 + cv2) / self.settled as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ChannelBuilder, interval};

    #[test]
    fn scarcity_runs_from_one_to_three() {
        for (share, expected) in [(1.0, 1.0), (0.35, 1.0), (0.175, 3f64.sqrt()), (0.0, 3.0)] {
            let got = scarcity(share, 0.35);
            assert!((got - expected).abs() < 1e-12, "{share}: {got}");
        }
    }

    #[test]
    fn scarcity_is_one_where_its_arguments_make_no_sense() {
        for (share, threshold) in [(f64::NAN, 0.35), (0.2, f64::NAN), (0.0, 0.0), (0.2, -1.0)] {
            assert!((scarcity(share, threshold) - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn congestion_looks_at_each_direction() {
        let share = |incoming, outgoing| {
            congestion(&ChannelBuilder::new().htlcs(incoming, outgoing).htlc_slots(100).channel())
        };
        assert!((share(80, 10) - 0.8).abs() < 1e-12);
        assert!((share(10, 80) - 0.8).abs() < 1e-12);
        assert!((share(45, 45) - 0.45).abs() < 1e-12);
        assert!((share(300, 0) - 1.0).abs() < 1e-12);
        let none = ChannelBuilder::new().htlcs(5, 5).htlc_slots(0).channel();
        assert!(congestion(&none).abs() < 1e-12);
    }

    #[test]
    fn the_gate_is_strict_and_always_open_from_zero() {
        assert!(!passes_gate(1000, 1050, 0.05));
        assert!(passes_gate(1000, 1051, 0.05));
        assert!(passes_gate(1000, 949, 0.05));
        assert!(passes_gate(0, 1, 0.05));
        assert!(!passes_gate(0, 0, 0.05));
    }

    #[test]
    fn decay_halves() {
        assert!((decay(30.0, 30.0) - 0.5).abs() < 1e-12);
        assert!((decay(60.0, 30.0) - 0.25).abs() < 1e-12);
        assert!((decay(-5.0, 30.0) - 1.0).abs() < 1e-12);
        assert!((decay(5.0, 0.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn windows_add_up_and_rate() {
        let mut early = interval(0, 3600, 100);
        early.settled = 3;
        early.fee_msat = 500;
        let mut late = interval(3600, 7200, 100);
        late.settled = 1;
        late.fee_msat = 1500;
        let window = Window::of([&early, &late]);
        assert_eq!(window.live_s, 7200);
        assert!((window.fee_msat_per_hour().unwrap_or_default() - 1000.0).abs() < 1e-9);
        assert!((window.relative_error(3.0) - 1.0).abs() < 1e-12);
        assert_eq!(Window::default().fee_msat_per_hour(), None);
    }
}
