//! Writing.

use super::Problem;
use serde::ser::{self, Serialize};

/// Appends `value` to `out`.
pub(in super::super) fn encode(value: &impl Serialize, out: &mut Vec<u8>) -> Result<(), Problem> {
    value.serialize(&mut Encoder(out))
}

struct Encoder<'a>(&'a mut Vec<u8>);

impl Encoder<'_> {
    fn length(&mut self, length: usize) -> Result<(), Problem> {
        let length = u32::try_from(length).map_err(|_| Problem::new("a list of more than 4 G entries"))?;
        self.0.extend_from_slice(&length.to_le_bytes());
        Ok(())
    }
}

/// Numbers of one width each.
macro_rules! numbers {
    ($($method:ident: $type:ty,)*) => {
        $(#[inline]
        fn $method(self, value: $type) -> Result<(), Problem> {
            self.0.extend_from_slice(&value.to_le_bytes());
            Ok(())
        })*
    };
}

impl ser::Serializer for &mut Encoder<'_> {
    type Ok = ();
    type Error = Problem;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = ser::Impossible<(), Problem>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    numbers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_f32: f32, serialize_f64: f64,
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<(), Problem> {
        self.serialize_u8(u8::from(value))
    }

    fn serialize_char(self, value: char) -> Result<(), Problem> {
        self.serialize_u32(value.into())
    }

    fn serialize_str(self, value: &str) -> Result<(), Problem> {
        self.serialize_bytes(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Problem> {
        self.length(value.len())?;
        self.0.extend_from_slice(value);
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Result<(), Problem> {
        self.serialize_u8(0)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Problem> {
        self.0.push(1);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Problem> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Problem> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(self, _: &'static str, at: u32, _: &'static str) -> Result<(), Problem> {
        self.serialize_u32(at)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Problem> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        at: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Problem> {
        self.0.extend_from_slice(&at.to_le_bytes());
        value.serialize(self)
    }

    #[inline]
    fn serialize_seq(self, length: Option<usize>) -> Result<Self, Problem> {
        self.length(length.ok_or_else(|| Problem::new("a list of unknown length"))?)?;
        Ok(self)
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Self, Problem> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Problem> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        at: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Problem> {
        self.0.extend_from_slice(&at.to_le_bytes());
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Problem> {
        Err(Problem::new("a map, which the contract does not have"))
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Problem> {
        Ok(self)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        _: &'static str,
        at: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Problem> {
        self.0.extend_from_slice(&at.to_le_bytes());
        Ok(self)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// Parts follow each other.
macro_rules! in_a_row {
    ($($trait:ident: $method:ident($($key:ty)?);)*) => {
        $(impl ser::$trait for &mut Encoder<'_> {
            type Ok = ();
            type Error = Problem;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, $(_: $key,)? part: &T) -> Result<(), Problem> {
                part.serialize(&mut **self)
            }

            #[inline]
            fn end(self) -> Result<(), Problem> {
                Ok(())
            }
        })*
    };
}

in_a_row! {
    SerializeSeq: serialize_element();
    SerializeTuple: serialize_element();
    SerializeTupleStruct: serialize_field();
    SerializeTupleVariant: serialize_field();
    SerializeStruct: serialize_field(&'static str);
    SerializeStructVariant: serialize_field(&'static str);
}
