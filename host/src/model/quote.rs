//! What someone typed, as a sentence shows it.

/// `text` on one line, cut to a length fit for a sentence.
pub fn quote(text: &str) -> String {
    const MOST: usize = 80;
    let mut letters = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let mut shown: String = letters.by_ref().take(MOST).collect();
    if letters.next().is_some() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn a_quote_is_one_short_line() {
        for (text, shown) in [
            ("", String::new()),
            ("hive-fee-ppm", "hive-fee-ppm".to_owned()),
            ("one\r\ntwo\tthree\u{1b}[0m", "one  two three [0m".to_owned()),
            (&"ä".repeat(80), "ä".repeat(80)),
            (&"ä".repeat(81), format!("{}...", "ä".repeat(80))),
        ] {
            assert_eq!(quote(text), shown);
        }
    }
}
