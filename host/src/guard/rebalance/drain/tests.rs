use super::*;
use crate::guard::rebalance::tests::channel;
use proptest::prelude::*;

const P: Payments = Payments { size: Msat::from_sats(100_000), max_fee: Ppm(1_000), htlcs: 5 };

#[test]
fn one_source_keeps_all_but_what_the_amount_takes() {
    let source = channel(2, 1_800_000);
    // Two payments and their fees may have left before the third goes out.
    let drain = P.drain(&[&source], Msat::from_sats(400_000), 3);
    assert_eq!((drain.level.sats(), drain.makes, drain.most), (1_599_799, 3, 3 + 5 + 1));
}

#[test]
fn several_sources_are_drained_to_one_level() {
    let (rich, poor) = (channel(2, 1_800_000), channel(3, 1_700_000));
    let drain = P.drain(&[&rich, &poor], Msat::ZERO, 3);
    assert_eq!((drain.makes, drain.most), (3, 3 + 2 * 6));
    assert!(drain.level.sats() < 1_700_000 && drain.level.sats() > 1_690_000, "{drain:?}");
}

#[test]
fn nothing_goes_below_the_lowest_level() {
    let source = channel(2, 500_000);
    let drain = P.drain(&[&source], Msat::from_sats(400_000), 9);
    assert_eq!((drain.level.sats(), drain.makes), (400_000, 1));
    assert_eq!(P.drain(&[&source], Msat::from_sats(500_000), 9).makes, 0);
}

#[test]
fn few_payments_come_from_few_sources() {
    for (count, makes, expect) in [
        (1, vec![9, 9, 9], 1),
        (8, vec![9, 9, 9], 2),
        (20, vec![99; 9], 5),
        (8, vec![3, 3, 3, 3], 3),
        (8, vec![1; 4], 4),
    ] {
        assert_eq!(P.sources_for(count, &makes), expect, "{count} payments of {makes:?}");
    }
}

proptest! {
    /// At the level that is chosen, enough is made or no lower one would do, and a higher one would not.
    #[test]
    fn the_level_is_the_highest_that_does(
        locals in proptest::collection::vec(0u64..2_000_000, 1..5), lowest in 0u64..2_000_000, count in 1u64..40,
        size in 1u64..500_000, ppm in 0u32..5_000,
    ) {
        let sources: Vec<Channel> = (2..).zip(&locals).map(|(n, local)| channel(n, *local)).collect();
        let sources: Vec<&Channel> = sources.iter().collect();
        let payments = Payments { size: Msat::from_sats(size), max_fee: Ppm(ppm), htlcs: 5 };
        let drain = payments.drain(&sources, Msat::from_sats(lowest), count);
        let made = |level: Msat| sources.iter().map(|source| payments.made_by(source, level)).sum::<u64>();
        prop_assert!(drain.level >= Msat::from_sats(lowest));
        prop_assert_eq!(drain.makes, made(drain.level));
        prop_assert!(drain.makes <= drain.most);
        if drain.level > Msat::from_sats(lowest) {
            prop_assert!(drain.makes >= count);
        }
        prop_assert!(made(drain.level + Msat(1_000)) < count || drain.makes == 0);
    }
}
