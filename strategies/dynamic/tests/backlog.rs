//! After a pause all windows are due at once.

use revenue_strategy::testing::{ChannelBuilder, InputBuilder, NOW_S, decide, interval};
use strategy_dynamic::Dynamic;

const CHANNELS: usize = 160;

#[test]
fn windows_that_do_not_fit_a_cycle_close_in_the_next_ones() {
    let mut builder = InputBuilder::new();
    for _ in 0..CHANNELS {
        let silent = interval(NOW_S - 200 * 3600, NOW_S, 1000);
        builder = builder.channel(ChannelBuilder::new().fee_ppm(1000).interval(silent));
    }
    let mut input = builder.build();
    let mut moved = [false; CHANNELS];
    for cycle in 0..12 {
        let decided = decide::<Dynamic>(&input).expect("an answer");
        assert!(decided.proposals.len() <= 14, "cycle {cycle}: {}", decided.proposals.len());
        for proposal in &decided.proposals {
            let row = proposal.channel as usize;
            assert!(proposal.fee_ppm < 1000, "nothing sold at 1000 ppm");
            assert!(!moved[row], "one window closes once");
            moved[row] = true;
            input.channels[row].fee_ppm = u32::try_from(proposal.fee_ppm).expect("a rate");
            input.channels[row].last_change_s = input.now_s;
        }
        input.states = decided.states;
        input.now_s += 1800;
    }
    assert!(moved.iter().all(|moved| *moved), "everybody had a turn");
}
