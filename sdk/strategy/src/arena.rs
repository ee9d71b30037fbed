//! Memory for a component whose instances live for one call.
//!
//! The host makes an instance for each call and drops it with all its memory, so there is no use in
//! finding room among pieces that were freed. `Arena` hands memory out upwards and takes back the
//! topmost piece alone: less code, which is checked, compiled and loaded before the first call, and less
//! work in each.
//!
//! It is for strategies whose pieces of memory are few: a temporary text for each of 10,000 channels
//! stays until the call ends, and counts against the module's limit of memory.

/// Makes an `Arena` the component's allocator. Once per crate, at its root.
///
/// Expands to nothing unless the target is `wasm32-unknown-unknown`: on WASI the C library takes the same
/// memory.
///
/// ```
/// revenue_strategy::arena!();
/// ```
#[macro_export]
macro_rules! arena {
    () => {
        #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
        #[global_allocator]
        static ARENA: $crate::arena::Arena = $crate::arena::Arena::new();
    };
}

/// Where the next piece may begin, and where memory ends: addresses.
#[cfg(any(all(target_arch = "wasm32", target_os = "unknown"), test))]
#[derive(Debug)]
struct Top {
    next: usize,
    end: usize,
}

#[cfg(any(all(target_arch = "wasm32", target_os = "unknown"), test))]
impl Top {
    /// Where a new piece begins. `grow` adds at least so many bytes at the end of memory and says how
    /// many, if there may be more.
    fn take(
        &mut self,
        size: usize,
        align: usize,
        grow: impl FnOnce(usize) -> Option<usize>,
    ) -> Option<usize> {
        let begin = self.next.checked_next_multiple_of(align)?;
        self.reach(begin.checked_add(size)?, grow)?;
        Some(begin)
    }

    /// Ends the topmost piece at `next`.
    fn reach(&mut self, next: usize, grow: impl FnOnce(usize) -> Option<usize>) -> Option<()> {
        if next > self.end {
            // The very end of the address space stays unused: nothing ends there.
            self.end = self.end.saturating_add(grow(next - self.end)?);
        }
        self.next = next;
        Some(())
    }

    fn is_topmost(&self, begin: usize, size: usize) -> bool {
        begin + size == self.next
    }
}

#[cfg(any(all(target_arch = "wasm32", target_os = "unknown"), test))]
const PAGE: usize = 64 << 10;

/// Bytes by which memory of so many pages grew for `need` more; `add` adds pages, unless it is refused.
///
/// A call that outgrows its memory is likely to do so again: a quarter is added, or a stride of 8 pages. More
/// would cost the host more to clear than it saves to ask seldom. From 24 MiB on nothing is added beyond the
/// need: a host may end a call that asks for more than its limit, which is 32 MiB at least, rather than refuse.
#[cfg(any(all(target_arch = "wasm32", target_os = "unknown"), test))]
fn grown(pages: usize, need: usize, add: impl Fn(usize) -> bool) -> Option<usize> {
    const STRIDE: usize = 8;
    const SPARING: usize = (24 << 20) / PAGE;
    let needed = need.div_ceil(PAGE);
    let spare = if pages < SPARING { (pages / 4).min(STRIDE) } else { 0 };
    let more = [needed.max(spare), needed].into_iter().find(|more| add(*more))?;
    Some(more * PAGE)
}

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
pub use wasm::Arena;

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
mod wasm {
    use super::{PAGE, Top, grown};
    use std::alloc::{GlobalAlloc, Layout};
    use std::arch::wasm32::{memory_grow, memory_size};
    use std::cell::UnsafeCell;
    use std::ptr;

    unsafe extern "C" {
        /// Where the linker's own data ends.
        static __heap_base: u8;
    }

    /// Hands memory out upwards; see the module.
    #[derive(Debug)]
    pub struct Arena(UnsafeCell<Top>);

    // SAFETY: without shared memory, which no host of strategies allows, an instance has one thread.
    unsafe impl Sync for Arena {}

    impl Arena {
        /// An arena that has not begun.
        #[must_use]
        pub const fn new() -> Arena {
            Arena(UnsafeCell::new(Top { next: 0, end: 0 }))
        }

        #[allow(clippy::mut_from_ref)]
        fn top(&self) -> &mut Top {
            // SAFETY: there is one thread, and no method below calls another while it holds the borrow.
            let top = unsafe { &mut *self.0.get() };
            if top.end == 0 {
                *top = Top {
                    next: &raw const __heap_base as usize,
                    end: memory_size::<0>().saturating_mul(PAGE),
                };
            }
            top
        }
    }

    fn grow(need: usize) -> Option<usize> {
        grown(memory_size::<0>(), need, |more| memory_grow::<0>(more) != usize::MAX)
    }

    // SAFETY: pieces are within memory, aligned, and overlap none that is still held: a new one begins at
    // `next`, which lies above all of them, and only giving the topmost back lowers it.
    unsafe impl GlobalAlloc for Arena {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            match self.top().take(layout.size(), layout.align(), grow) {
                Some(begin) => ptr::with_exposed_provenance_mut(begin),
                None => ptr::null_mut(),
            }
        }

        unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
            let (top, begin) = (self.top(), piece.expose_provenance());
            if top.is_topmost(begin, layout.size()) {
                top.next = begin;
            }
        }

        unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            let (top, begin) = (self.top(), piece.expose_provenance());
            if top.is_topmost(begin, layout.size()) {
                let reached = begin.checked_add(size).and_then(|next| top.reach(next, grow));
                return if reached.is_some() { piece } else { ptr::null_mut() };
            }
            if size <= layout.size() {
                return piece;
            }
            let Some(moved) = top.take(size, layout.align(), grow) else { return ptr::null_mut() };
            let moved = ptr::with_exposed_provenance_mut(moved);
            // SAFETY: both are held, and the old piece is the smaller one.
            unsafe { ptr::copy_nonoverlapping(piece, moved, layout.size()) };
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Grows by what is needed, up to `most` bytes in all.
    fn within(most: usize, end: usize) -> impl FnOnce(usize) -> Option<usize> {
        move |need| (end + need <= most).then_some(need)
    }

    #[test]
    fn the_topmost_piece_alone_is_given_back_or_resized() {
        let mut top = Top { next: 100, end: 200 };
        let none = |_| -> Option<usize> { panic!("there is room") };
        assert_eq!(top.take(10, 8, none), Some(104));
        assert_eq!(top.take(20, 1, none), Some(114));
        assert!(!top.is_topmost(104, 10) && top.is_topmost(114, 20));
        assert_eq!(top.reach(190, none), Some(()));
        assert!(top.is_topmost(114, 76));
    }

    #[test]
    fn what_there_is_no_memory_for_changes_nothing() {
        let mut top = Top { next: 100, end: 200 };
        assert_eq!(top.take(101, 1, |_| None), None);
        assert_eq!(top.take(usize::MAX, 1, |_| panic!("no address is that high")), None);
        assert_eq!((top.next, top.end), (100, 200));
        assert_eq!(top.take(101, 1, |need| Some(need + 7)), Some(100));
        assert_eq!((top.next, top.end), (201, 208));
    }

    #[test]
    fn memory_grows_by_more_than_the_need_only_where_there_is_room() {
        for (pages, need, most, grows) in [
            (2, 1, 512, Some(1)),
            (16, 1, 512, Some(4)),
            (16, 5 * PAGE + 1, 512, Some(6)),
            (200, PAGE, 512, Some(8)),
            (383, 1, 512, Some(8)),
            (384, 1, 512, Some(1)),
            (511, PAGE, 512, Some(1)),
            (511, PAGE + 1, 512, None),
            // Another host refuses sooner.
            (16, 2 * PAGE, 18, Some(2)),
            (16, 2 * PAGE, 17, None),
        ] {
            let grown = grown(pages, need, |more| pages + more <= most);
            assert_eq!(grown, grows.map(|pages: usize| pages * PAGE), "{need} more than {pages} pages");
        }
    }

    proptest! {
        #[test]
        fn pieces_are_aligned_within_memory_and_apart(
            wanted in prop::collection::vec((0..500_usize, 0..7_u32, any::<bool>()), 1..60),
        ) {
            const MOST: usize = 10_000;
            let mut top = Top { next: 1_000, end: 2_000 };
            let mut held: Vec<(usize, usize)> = Vec::new();
            for (size, align, gives_back) in wanted {
                let end = top.end;
                let Some(begin) = top.take(size, 1 << align, within(MOST, end)) else { continue };
                prop_assert!(begin % (1 << align) == 0 && begin >= 1_000 && begin + size <= top.end);
                prop_assert!(top.end <= MOST);
                prop_assert!(held.iter().all(|(other, len)| begin >= other + len));
                if gives_back && top.is_topmost(begin, size) {
                    top.next = begin;
                } else {
                    held.push((begin, size));
                }
            }
        }
    }
}
