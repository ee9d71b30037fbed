//! JSON values in a row on a byte stream, as lightningd and its plugins exchange them.

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Reads JSON values one after another, whatever space is between them.
pub(crate) struct JsonReader<R> {
    source: R,
    buffer: Vec<u8>,
    /// Bytes at the front of the buffer already handed over.
    consumed: usize,
}

impl<R: AsyncRead + Unpin> JsonReader<R> {
    pub fn new(source: R) -> Self {
        Self { source, buffer: Vec::new(), consumed: 0 }
    }

    /// The next value; none at the end of the stream.
    pub async fn next(&mut self) -> Result<Option<Value>> {
        loop {
            if self.may_be_whole()
                && let Some(value) = self.parse()?
            {
                return Ok(Some(value));
            }
            self.buffer.drain(..std::mem::take(&mut self.consumed));
            self.buffer.reserve(64 * 1024);
            if self.source.read_buf(&mut self.buffer).await.context("the stream broke")? == 0 {
                return Ok(None);
            }
        }
    }

    /// Cheap test that spares parsing a large value again for each piece of it that arrives.
    fn may_be_whole(&self) -> bool {
        let rest = &self.buffer[self.consumed..];
        let last = rest.iter().rposition(|byte| !byte.is_ascii_whitespace());
        last.is_some_and(|last| {
            let tail = last.saturating_sub(64 * 1024);
            rest[last] == b'}' || rest[tail..].windows(2).any(|pair| pair == b"\n\n")
        })
    }

    fn parse(&mut self) -> Result<Option<Value>> {
        let rest = &self.buffer[self.consumed..];
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => {
                self.consumed += values.byte_offset();
                Ok(Some(value))
            }
            Some(Err(error)) if !error.is_eof() => Err(error).context("not JSON"),
            _ => Ok(None),
        }
    }
}

/// A value as bytes with the blank line that ends a message.
pub(crate) fn message(value: &Value) -> Vec<u8> {
    let mut bytes = value.to_string().into_bytes();
    bytes.extend_from_slice(b"\n\n");
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn values_are_found_in_any_slicing() {
        let text = "{\"a\": \"x\\n\\ny}\"}\n\n  {\"b\":[1,2]}{\"c\":{}}\n";
        let (mut to, from) = tokio::io::duplex(1);
        let feed = tokio::spawn(async move {
            tokio::io::AsyncWriteExt::write_all(&mut to, text.as_bytes()).await.unwrap();
        });
        let mut reader = JsonReader::new(from);
        assert_eq!(reader.next().await.unwrap(), Some(json!({"a": "x\n\ny}"})));
        assert_eq!(reader.next().await.unwrap(), Some(json!({"b": [1, 2]})));
        assert_eq!(reader.next().await.unwrap(), Some(json!({"c": {}})));
        assert_eq!(reader.next().await.unwrap(), None);
        feed.await.unwrap();
    }

    #[tokio::test]
    async fn nonsense_is_an_error() {
        let mut reader = JsonReader::new(&b"{\"a\" 1}"[..]);
        assert!(reader.next().await.is_err());
    }
}
