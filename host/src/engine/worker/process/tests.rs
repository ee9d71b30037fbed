#![allow(clippy::unwrap_used)]
use super::*;
use std::thread;

/// A process that is no worker, behind whose socket is this test.
fn puppet() -> (Process, UnixStream) {
    let (stream, theirs) = UnixStream::pair().unwrap();
    let child = Command::new("sleep").arg("600").stdout(Stdio::null()).spawn().unwrap();
    (Process { child, stream, out: Outgoing::default(), frame: Vec::new() }, theirs)
}

const SOON: Duration = Duration::from_millis(300);
/// Far longer than anything here takes on a busy machine.
const GENEROUS: Duration = Duration::from_secs(60);

fn nothing(_: &mut Outgoing) -> io::Result<()> {
    Ok(())
}

#[test]
fn an_answer_comes_back_and_the_process_stays() {
    let (mut puppet, mut theirs) = puppet();
    theirs.write_all(&[2, 0, 0, 0, 0, 0, 0, 0, 7, 9]).unwrap();
    assert_eq!(puppet.exchange(nothing, 2, GENEROUS).unwrap(), [7, 9]);
    assert_eq!(puppet.died(), None);
}

#[test]
fn a_message_beyond_its_size_is_not_read() {
    let (mut puppet, mut theirs) = puppet();
    theirs.write_all(&(1_u64 << 60).to_le_bytes()).unwrap();
    let lost = puppet.exchange(nothing, 100, GENEROUS).unwrap_err();
    let told = "sent a message of 1152921504606846976 bytes; at most 100 are allowed, and was ended";
    assert_eq!(lost, Lost::Dead(told.to_owned()));
    assert!(puppet.died().is_some());
}

#[test]
fn bytes_that_trickle_do_not_move_the_deadline() {
    let (mut puppet, mut theirs) = puppet();
    thread::spawn(move || {
        theirs.write_all(&1_000_000_u64.to_le_bytes()).unwrap();
        // Until the other end is gone.
        while theirs.write_all(&[0]).is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let start = Instant::now();
    assert_eq!(puppet.exchange(nothing, 1_000_000, SOON).unwrap_err(), Lost::Late);
    assert!(start.elapsed() < GENEROUS);
    assert!(puppet.died().is_some());
}

#[test]
fn who_does_not_listen_is_not_waited_for() {
    let (mut puppet, _theirs) = puppet();
    let long = vec![0; 8 << 20];
    let write = |out: &mut Outgoing| {
        out.bytes(&long);
        Ok(())
    };
    assert_eq!(puppet.exchange(write, 100, SOON).unwrap_err(), Lost::Late);
}

#[test]
fn a_closed_socket_is_a_death() {
    let (mut puppet, theirs) = puppet();
    drop(theirs);
    assert_eq!(puppet.exchange(nothing, 100, GENEROUS).unwrap_err(), Lost::Dead("was killed".to_owned()));
}
