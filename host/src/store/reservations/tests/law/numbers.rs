//! The node's numbers for its payments.

use super::*;

impl World {
    pub(super) fn next_number(&mut self) -> Option<u64> {
        self.counter += u64::from(self.numbers);
        self.numbers.then_some(self.counter)
    }

    /// The node is put back to a copy, as far as the books can see that, and starts again: what they did
    /// not take in yet is numbered from 1 on.
    pub(super) fn begin_anew(&mut self) {
        let is_listed = |sent: &&mut Sent| !sent.booked && sent.fate != Fate::Failed;
        let listed = self.sent.iter_mut().filter(is_listed).count() as u64;
        let reach = lists::reach(&self.conn, List::Payments, ListIndex::Created).expect("books");
        if reach.is_none_or(|reach| reach <= listed) {
            return;
        }
        self.counter = listed;
        self.sent.iter_mut().filter(is_listed).zip(1..).for_each(|(sent, number)| sent.number = Some(number));
        self.jobs.values_mut().for_each(|job| job.alive = false);
        self.up = false;
        self.start();
    }

    /// What every reading of the list begins with.
    pub(super) fn look_at_list(&mut self) {
        let (counters, now) = ([self.counter; 2], self.now());
        in_tx(&mut self.conn, |tx| lists::begin_anew(tx, List::Payments, counters, now));
    }
}
