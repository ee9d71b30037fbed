//! Calls and their answers. Those that grow with the node are parsed while they come in, so that what is
//! not kept is never in memory; short ones and pages are parsed at once, which is faster.

use super::{CallError, Group, Node, lock};
use serde::de::{DeserializeOwned, DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use std::fmt;
use std::io::{self, BufReader, Read};
use std::marker::PhantomData;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// Bytes read from the socket at once.
const CHUNK: usize = 64 << 10;

/// lightningd's answer: either of the two is there.
struct Answer<T> {
    result: Option<T>,
    error: Option<Refusal>,
}

/// Reads an answer whose result the seed reads.
struct AnswerOf<S>(S);

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for AnswerOf<S> {
    type Value = Answer<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON-RPC answer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let (mut seed, mut answer) = (Some(self.0), Answer { result: None, error: None });
        while let Some(field) = fields.next_key::<String>()? {
            match field.as_str() {
                "result" => {
                    let seed = seed.take().ok_or_else(|| A::Error::duplicate_field("result"))?;
                    answer.result = Some(fields.next_value_seed(seed)?);
                }
                "error" => answer.error = fields.next_value()?,
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        Ok(answer)
    }
}

#[derive(Deserialize)]
struct Refusal {
    code: Option<i32>,
    message: String,
}

/// Ends the reading of a call that is given up.
struct HangUp(UnixStream);

impl Drop for HangUp {
    fn drop(&mut self) {
        // It fails when lightningd was faster, which is as good.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Node {
    /// Sends one call and reads its answer while it comes in, with a seed that knows what to keep of it.
    pub(super) async fn call_streamed<T, S>(
        &self,
        seed: S,
        group: Group,
        method: &str,
        params: impl Serialize,
    ) -> Result<T, CallError>
    where
        T: Send + 'static,
        S: for<'de> DeserializeSeed<'de, Value = T> + Send + 'static,
    {
        let timeout = lock(&self.shared.patience).timeout;
        self.call_streamed_within(timeout, seed, group, method, params).await
    }

    /// The same with a patience of its own, for lists that are known to be long.
    pub(super) async fn call_streamed_within<T, S>(
        &self,
        timeout: Duration,
        seed: S,
        group: Group,
        method: &str,
        params: impl Serialize,
    ) -> Result<T, CallError>
    where
        T: Send + 'static,
        S: for<'de> DeserializeSeed<'de, Value = T> + Send + 'static,
    {
        let read = |socket| read_streamed(seed, socket);
        self.guarded(timeout, group, self.ask_and_read(method, params, read)).await
    }

    /// Sends one call and reads its answer, which is short or a page.
    pub(super) async fn exchange<T>(&self, method: &str, params: impl Serialize) -> Result<T, CallError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.ask_and_read(method, params, read_whole).await
    }

    async fn ask_and_read<T: Send + 'static>(
        &self,
        method: &str,
        params: impl Serialize,
        read: impl FnOnce(UnixStream) -> serde_json::Result<Answer<T>> + Send + 'static,
    ) -> Result<T, CallError> {
        let socket = self.ask(method, params).await.map_err(broken)?;
        read_answer(method, socket, read).await
    }

    /// Sends one call whose answer may take long, and waits no longer than `patience` from when it is sent:
    /// it is carried out all the same. It goes out though its group rests.
    pub(super) async fn tell(
        &self,
        patience: Duration,
        method: &str,
        params: impl Serialize,
    ) -> Result<(), CallError> {
        let socket = self.ask(method, params).await.map_err(broken)?;
        match tokio::time::timeout(patience, read_answer(method, socket, read_whole::<Value>)).await {
            Ok(answer) => answer.map(|_| ()),
            Err(_) => Ok(()),
        }
    }

    /// Sends the request, on a connection of its own.
    async fn ask(&self, method: &str, params: impl Serialize) -> io::Result<UnixStream> {
        let mut socket = tokio::net::UnixStream::connect(&self.shared.socket).await?;
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        socket.write_all(format!("{request}\n\n").as_bytes()).await?;
        let socket = socket.into_std()?;
        socket.set_nonblocking(false)?;
        Ok(socket)
    }
}

fn broken(error: io::Error) -> CallError {
    CallError::Broken(error.to_string())
}

/// Reads the answer to a call that was sent on this socket. Given up, it hangs up.
async fn read_answer<T: Send + 'static>(
    method: &str,
    socket: UnixStream,
    read: impl FnOnce(UnixStream) -> serde_json::Result<Answer<T>> + Send + 'static,
) -> Result<T, CallError> {
    let _hang_up = HangUp(socket.try_clone().map_err(broken)?);
    let reading = tokio::task::spawn_blocking(move || read(socket));
    let answer: Answer<T> = match reading.await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) if error.is_data() => {
            return Err(CallError::Broken(format!("{method} answered in an unknown shape: {error}")));
        }
        Ok(Err(error)) => return Err(CallError::Broken(format!("reading the answer: {error}"))),
        Err(error) => return Err(CallError::Broken(format!("reading the answer did not end: {error}"))),
    };
    match answer {
        Answer { result: Some(result), .. } => Ok(result),
        Answer { error: Some(Refusal { code, message }), .. } => Err(CallError::Refused { code, message }),
        Answer { .. } => Err(CallError::Broken(format!("{method} was answered with nothing"))),
    }
}

fn read_streamed<T, S>(seed: S, socket: UnixStream) -> serde_json::Result<Answer<T>>
where
    S: for<'de> DeserializeSeed<'de, Value = T>,
{
    let reader = BufReader::with_capacity(CHUNK, socket);
    serde_json::Deserializer::from_reader(reader).deserialize_map(AnswerOf(seed))
}

fn read_whole<T: DeserializeOwned>(mut socket: UnixStream) -> serde_json::Result<Answer<T>> {
    let mut bytes = Vec::new();
    // lightningd ends each answer with an empty line, and waits for the next call.
    while !bytes.ends_with(b"\n\n") {
        let held = bytes.len();
        bytes.resize(held + CHUNK, 0);
        let read = match socket.read(&mut bytes[held..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(serde_json::Error::io(error)),
            Ok(0) => {
                bytes.truncate(held);
                break;
            }
            Ok(read) => read,
        };
        bytes.truncate(held + read);
    }
    serde_json::Deserializer::from_slice(&bytes).deserialize_map(AnswerOf(PhantomData::<T>))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Patience;
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;

    /// A peer that answers nothing, and reads nothing either before this much time has passed.
    fn mute(listener: UnixListener, reads_after: Duration) -> std::thread::JoinHandle<Vec<u8>> {
        std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().expect("a connection");
            std::thread::sleep(reads_after);
            let mut heard = Vec::new();
            socket.read_to_end(&mut heard).expect("it hangs up in the end");
            heard
        })
    }

    fn node(path: PathBuf) -> Node {
        Node::new(path, Patience { timeout: Duration::from_secs(1), rest: Duration::ZERO })
    }

    #[tokio::test]
    async fn what_is_told_goes_out_whole_however_long_that_takes() {
        let path = std::env::temp_dir().join(format!("revops-told-{}", std::process::id()));
        let patience = Duration::from_millis(20);
        let peer = mute(UnixListener::bind(&path).expect("a socket"), 5 * patience);
        // More than a socket takes unread.
        let word = "x".repeat(4 << 20);
        node(path.clone()).tell(patience, "sling-stop", [&word]).await.expect("it was sent");
        let heard = peer.join().expect("it heard something");
        std::fs::remove_file(path).expect("the socket's file");
        assert!(heard.len() > word.len() && heard.ends_with(b"\n\n"), "{} bytes", heard.len());
    }

    #[tokio::test]
    async fn what_nobody_hears_is_an_error() {
        let told =
            node("/nonexistent/rpc".into()).tell(Duration::from_secs(1), "sling-stop", ["1x1x1"]).await;
        assert!(told.is_err_and(|error| error.leaves_doubt()));
    }
}
