//! Lists of records in the bytes in which a guest holds them.
//!
//! A call is about thousands of records of some forty fields. As typed values each field would be
//! written four times: into a record, into the worker's frame, out of it, and into the guest's memory.
//! Packed, it is written once; the rest is copying whole lists.
//!
//! This is the one place that knows the canonical ABI. It enters it by the traits that the engine's own
//! derives implement, since those can lower a list only record by record.

use serde::{Deserialize, Serialize};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use wasmtime::component::__internal::{InstanceType, InterfaceType, LowerContext};
use wasmtime::component::{ComponentType, Lower};
use wasmtime::{Result, ValRaw};

/// A record that can be packed: one without lists and texts.
pub trait Pack: ComponentType + Sized {
    /// Appends the record as its `SIZE32` bytes.
    fn pack(&self, out: &mut Vec<u8>);
}

/// A list of records, packed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Packed<T>(Vec<u8>, PhantomData<fn() -> T>);

impl<T: Pack> Packed<T> {
    pub(super) fn with_capacity(records: usize) -> Packed<T> {
        Packed(Vec::with_capacity(records * T::SIZE32), PhantomData)
    }

    pub(super) fn push(&mut self, record: &T) {
        record.pack(&mut self.0);
    }

    /// How many records there are.
    pub(super) fn len(&self) -> usize {
        self.0.len() / T::SIZE32
    }

    /// The records' bytes.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    /// Puts the records into the guest's memory: where they begin.
    fn place<U>(&self, guest: &mut LowerContext<'_, U>) -> Result<usize> {
        let begin = guest.realloc(0, 0, T::ALIGN32, self.0.len())?;
        guest.as_slice_mut()[begin..][..self.0.len()].copy_from_slice(&self.0);
        Ok(begin)
    }
}

// SAFETY: to the guest it is `[T]`, in layout and type.
unsafe impl<T: Pack> ComponentType for Packed<T> {
    type Lower = <[T] as ComponentType>::Lower;
    const ABI: wasmtime::component::__internal::CanonicalAbiInfo = <[T] as ComponentType>::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        <[T] as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: what is written is a pointer to records in the guest's memory and their number, as for `[T]`.
unsafe impl<T: Pack> Lower for Packed<T> {
    fn linear_lower_to_flat<U>(
        &self,
        guest: &mut LowerContext<'_, U>,
        _: InterfaceType,
        to: &mut MaybeUninit<[ValRaw; 2]>,
    ) -> Result<()> {
        let begin = self.place(guest)?;
        to.write([ValRaw::i64(begin as i64), ValRaw::i64(self.len() as i64)]);
        Ok(())
    }

    fn linear_lower_to_memory<U>(
        &self,
        guest: &mut LowerContext<'_, U>,
        _: InterfaceType,
        to: usize,
    ) -> Result<()> {
        let begin = self.place(guest)?;
        *guest.get(to) = u32::try_from(begin)?.to_le_bytes();
        *guest.get(to + 4) = u32::try_from(self.len())?.to_le_bytes();
        Ok(())
    }
}

/// A record of `N` bytes that is being written.
pub(super) struct Record<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Record<N> {
    #[inline(always)]
    pub(super) const fn new() -> Record<N> {
        Record { bytes: [0; N], at: 0 }
    }

    /// A number, at the next multiple of its width.
    #[inline(always)]
    fn number<const W: usize>(&mut self, number: [u8; W]) {
        self.at = self.at.next_multiple_of(W);
        self.bytes[self.at..self.at + W].copy_from_slice(&number);
        self.at += W;
    }

    #[inline(always)]
    pub(super) fn put(&mut self, field: impl Flat) {
        field.put(self);
    }

    /// The whole record; fields of `align` bytes follow each other in it.
    #[inline(always)]
    pub(super) fn end(&self, align: u32) -> &[u8; N] {
        assert!(self.at.next_multiple_of(align as usize) == N, "every field is written");
        &self.bytes
    }
}

/// A field of a record that can be packed.
pub(super) trait Flat {
    fn put<const N: usize>(self, record: &mut Record<N>);
}

macro_rules! flat_numbers {
    ($($number:ty)*) => {
        $(impl Flat for $number {
            #[inline(always)]
            fn put<const N: usize>(self, record: &mut Record<N>) {
                record.number(self.to_le_bytes());
            }
        }

        impl Flat for Option<$number> {
            #[inline(always)]
            fn put<const N: usize>(self, record: &mut Record<N>) {
                const WIDTH: usize = size_of::<$number>();
                // What tells whether it is there takes the room of the number.
                let mut is_there = [0; WIDTH];
                is_there[0] = u8::from(self.is_some());
                record.number(is_there);
                record.number(self.unwrap_or_default().to_le_bytes());
            }
        })*
    };
}

flat_numbers! { u8 u32 u64 f64 }

impl Flat for bool {
    #[inline(always)]
    fn put<const N: usize>(self, record: &mut Record<N>) {
        record.put(u8::from(self));
    }
}

/// Enumerations of up to 256 cases.
macro_rules! flat_enums {
    ($($enumeration:ty)*) => {
        $(impl $crate::engine::v1::packed::Flat for $enumeration {
            #[inline(always)]
            fn put<const N: usize>(self, record: &mut $crate::engine::v1::packed::Record<N>) {
                record.put(self as u8);
            }
        })*
    };
}
pub(super) use flat_enums;

/// Records that can be packed, with all fields in the contract's order.
macro_rules! pack {
    ($($record:ty { $($field:ident)* })*) => {
        $(impl $crate::engine::v1::packed::Pack for $record {
            #[inline]
            fn pack(&self, out: &mut Vec<u8>) {
                type Itself = $record;
                const BYTES: usize = <$record as wasmtime::component::ComponentType>::SIZE32;
                const ALIGN: u32 = <$record as wasmtime::component::ComponentType>::ALIGN32;
                let Itself { $($field),* } = *self;
                let mut record = $crate::engine::v1::packed::Record::<BYTES>::new();
                $(record.put($field);)*
                out.extend_from_slice(record.end(ALIGN));
            }
        })*
    };
}
pub(super) use pack;

#[cfg(test)]
mod tests;
