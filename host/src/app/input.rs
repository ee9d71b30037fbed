//! Standard input, and the word that it has ended.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::sync::CancellationToken;

/// Reads like `inner`, and cancels a token at the end of it. cln-plugin tells of that end only those
/// who wait for it already: where lightningd dies right after `init`, nobody does yet.
pub struct UntilEnd<R> {
    inner: R,
    ended: CancellationToken,
}

impl<R> UntilEnd<R> {
    /// Cancels `ended` when `inner` has ended or failed.
    pub fn new(inner: R, ended: CancellationToken) -> UntilEnd<R> {
        UntilEnd { inner, ended }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for UntilEnd<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, room) = (into.filled().len(), into.remaining());
        let read = Pin::new(&mut self.inner).poll_read(context, into);
        match &read {
            Poll::Ready(Ok(())) if into.filled().len() > before || room == 0 => {}
            Poll::Ready(_) => self.ended.cancel(),
            Poll::Pending => {}
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn the_end_is_told_and_nothing_before_it() {
        let ended = CancellationToken::new();
        let mut input = UntilEnd::new(&b"ab"[..], ended.clone());
        let mut letter = [0; 1];
        for expect in [b"a", b"b"] {
            input.read_exact(&mut letter).await.expect("a letter");
            assert_eq!((&letter, ended.is_cancelled()), (expect, false));
        }
        assert!(input.read_exact(&mut letter).await.is_err());
        assert!(ended.is_cancelled());
    }
}
