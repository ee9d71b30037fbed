//! Answers as tables for people.

use serde_json::Value;

/// A summary with a line per row, or the statistics of one channel with a line per field.
pub(super) fn render(answer: &Value) -> String {
    match answer {
        Value::Array(rows) => rows.iter().map(row).collect::<Vec<_>>().join("\n"),
        Value::Object(parts) => {
            let part = |(name, value): (&String, &Value)| match value.as_object() {
                Some(fields) => {
                    let lines = fields.iter().map(|(name, value)| format!("| {name} | {} |", plain(value)));
                    format!("{name}\n{}", lines.collect::<Vec<_>>().join("\n"))
                }
                None => String::new(),
            };
            parts.iter().map(part).collect::<Vec<_>>().join("\n")
        }
        other => plain(other),
    }
}

fn row(row: &Value) -> String {
    let cells = row.as_object().into_iter().flatten().map(|(_, value)| plain(value));
    format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// A number with a comma after every three digits from the right.
pub(super) fn with_commas(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::with_commas;

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(with_commas(number), text);
        }
    }
}
