//! The worst schedule.

use super::*;

impl World {
    /// The worst that sling can do with one source, at the highest rate: payments settle late until
    /// the source is just above its level, then as many hang as it puts up with, one settles
    /// before its eyes, and one more goes out before it sees that.
    fn drain_to_the_last(&mut self, id: JobId, from: u8) {
        let job = &self.jobs[&id];
        let (level, cost) = (job.level, PAYMENT + PAYMENT * u64::from(job.ppm) / 1_000_000);
        let late = |world: &mut World, stale: bool| {
            let sent = world.send(id, from, 100, true, stale);
            world.time_out(id);
            sent
        };
        while self.balances[&from] > level + cost && late(self, false) {
            self.end(self.sent.len() - 1, true);
        }
        while self.under_way(from).count() < self.htlcs as usize && late(self, false) {}
        if self.send(id, from, 100, true, false) {
            self.end(self.sent.len() - 1, true);
        }
        late(self, true);
        assert!(!late(self, true), "sling stops by itself");
        let hanging: Vec<usize> = (0..self.sent.len()).filter(|n| self.sent[*n].fate == Fate::Late).collect();
        hanging.into_iter().for_each(|n| self.end(n, true));
    }
}

/// A dead plugin and a sling that does the worst it can spend all that is reserved, and no more.
#[test]
fn the_worst_that_sling_can_do_is_what_is_reserved() {
    for (n, (payments, from)) in
        [(2, &[2][..]), (5, &[2]), (8, &[2]), (3, &[2, 3]), (4, &[2, 3]), (6, &[2, 3]), (4, &[2, 3, 4])]
            .into_iter()
            .enumerate()
    {
        let mut world = World::new(true);
        world.htlcs = [3, 0, 1][n % 3];
        for n in 1..=CHANNELS {
            world.balances.insert(n, if n == 1 { 0 } else { 1_950_000_000 });
        }
        let id = world.wish(&Wish { to: 1, from, payments, ppm: 300 }, Handing::Taken).expect("room");
        let reserved = jobs::get(&world.conn, id).expect("books").expect("there").reserved;
        world.up = false;
        for source in world.jobs[&id].from.clone() {
            world.drain_to_the_last(id, source);
            world.check().expect("within the budget");
        }
        assert_eq!(world.truly_spent(), reserved.0, "{payments} payments from {from:?}");
        world.wind_up().expect("within the budget");
        let settled = jobs::get(&world.conn, id).expect("books").expect("there");
        assert_eq!((settled.fee, settled.held()), (reserved, Msat::ZERO));
    }
}
