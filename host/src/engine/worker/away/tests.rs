use super::*;

fn fault(kind: FaultKind, detail: &str, fuel: Option<u64>) -> StrategyFault {
    StrategyFault { kind, detail: detail.to_owned(), fuel }
}

#[test]
fn only_faults_of_a_call_are_believed() {
    for kind in FaultKind::ALL {
        let believed = believable(fault(kind, "text", Some(10)), 10);
        assert_eq!(
            believed.is_ok(),
            !matches!(kind, FaultKind::WorkerDied | FaultKind::NoWorker),
            "{kind:?}"
        );
    }
    assert!(
        believable(fault(FaultKind::Trap, "text", Some(11)), 10).is_err(),
        "more fuel than the tank holds"
    );
}

#[test]
fn a_workers_text_is_as_safe_as_our_own() {
    let told = believable(fault(FaultKind::Trap, "a\n\u{1b}[2Jb", None), 10).map(|fault| fault.detail);
    assert_eq!(told, Ok("a\\n\\u{1b}[2Jb".to_owned()));
    let long = believable(fault(FaultKind::Trap, &"x".repeat(100_000), None), 10);
    assert!(long.is_ok_and(|fault| fault.detail.len() <= 1_000));
}
