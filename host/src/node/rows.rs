//! Lists of which only some rows are kept: the others are dropped while the answer is read.

use serde::de::{DeserializeOwned, DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::marker::PhantomData;

/// Reads an answer `{"<list>": [row, ...]}`, and of each row what `keep` makes of it.
pub(super) struct Rows<Row, Keep> {
    list: &'static str,
    keep: Keep,
    row: PhantomData<fn() -> Row>,
}

impl<Row, T, Keep: FnMut(Row) -> Option<T>> Rows<Row, Keep> {
    pub fn of(list: &'static str, keep: Keep) -> Rows<Row, Keep> {
        Rows { list, keep, row: PhantomData }
    }
}

impl<'de, Row, T, Keep> DeserializeSeed<'de> for Rows<Row, Keep>
where
    Row: DeserializeOwned,
    Keep: FnMut(Row) -> Option<T>,
{
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, Row, T, Keep> Visitor<'de> for Rows<Row, Keep>
where
    Row: DeserializeOwned,
    Keep: FnMut(Row) -> Option<T>,
{
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an answer with {}", self.list)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<Vec<T>, A::Error> {
        let mut kept = None;
        while let Some(field) = fields.next_key::<String>()? {
            if field == self.list {
                kept = Some(fields.next_value_seed(Each { keep: &mut self.keep, row: self.row })?);
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        kept.ok_or_else(|| A::Error::missing_field(self.list))
    }
}

/// Reads the list itself.
struct Each<'keep, Row, Keep> {
    keep: &'keep mut Keep,
    row: PhantomData<fn() -> Row>,
}

impl<'de, Row, T, Keep> DeserializeSeed<'de> for Each<'_, Row, Keep>
where
    Row: Deserialize<'de>,
    Keep: FnMut(Row) -> Option<T>,
{
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, Row, T, Keep> Visitor<'de> for Each<'_, Row, Keep>
where
    Row: Deserialize<'de>,
    Keep: FnMut(Row) -> Option<T>,
{
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Vec<T>, A::Error> {
        let mut kept = Vec::new();
        while let Some(row) = rows.next_element()? {
            kept.extend((self.keep)(row));
        }
        Ok(kept)
    }
}
