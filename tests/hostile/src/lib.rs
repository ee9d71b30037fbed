//! A strategy that does whatever its mode says, in both worlds. The mode is a
//! text in the data of the component, so that tests make all attacks from one
//! build.

mod attack;
mod decision;
mod describe;
mod evaluation;

mod bindings {
    wit_bindgen::generate!({
        inline: "
            package tests:hostile;
            world guest {
                include revenue-ops:strategy/fee-strategy@1.0.0;
                include revenue-ops:strategy/rebalance-strategy@1.0.0;
            }",
        path: "../../wit/v1",
        world: "tests:hostile/guest",
        generate_all,
    });
}

use bindings::exports::revenue_ops::strategy::{fee, rebalance};
use bindings::revenue_ops::strategy::types::Description;

const MARK: &str = "hostile-mode:";

/// The mark, the mode and zeros; tests write another mode over it.
#[unsafe(no_mangle)]
#[used]
static MODE: [u8; 48] = *b"hostile-mode:honest\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

fn mode() -> String {
    // SAFETY: a static can be read. Volatile, since the tests change it behind
    // the compiler's back.
    let bytes = unsafe { (&raw const MODE).read_volatile() };
    let text = bytes[MARK.len()..].iter().take_while(|byte| **byte != 0);
    text.map(|byte| char::from(*byte)).collect()
}

struct Hostile;

impl fee::Guest for Hostile {
    fn describe() -> Description {
        describe::describe(&mode())
    }

    fn decide(input: fee::FeeInput) -> Result<fee::FeeDecision, String> {
        let mode = mode();
        attack::run(&mode);
        decision::decide(&mode, &input)
    }
}

impl rebalance::Guest for Hostile {
    fn describe() -> Description {
        describe::describe(&mode())
    }

    fn decide(input: rebalance::RebalanceInput) -> Result<rebalance::RebalanceDecision, String> {
        let mode = mode();
        attack::run(&mode);
        evaluation::decide(&mode, &input)
    }
}

bindings::export!(Hostile with_types_in bindings);
