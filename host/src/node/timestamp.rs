//! Instants that lightningd writes as text: `2026-11-23T04:25:16.799Z`.

/// Milliseconds since 1970 UTC; none when the text is no such instant.
pub(super) fn unix_ms(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = numbers(date, '-')?;
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(clock, ':')?;
    let in_range =
        (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    if !(1970..=9999).contains(&year) || !in_range {
        return None;
    }
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    let milliseconds: u64 = digits.parse().ok()?;
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(seconds * 1_000 + milliseconds)
}

fn numbers(text: &str, separator: char) -> Option<[u64; 3]> {
    let parts: Vec<u64> = text.split(separator).map(|part| part.parse().ok()).collect::<Option<_>>()?;
    parts.try_into().ok()
}

/// Counts in years that begin with March, so that a leap day is the last day of its year.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    const DAYS_BEFORE_1970: u64 = 719_468;
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - DAYS_BEFORE_1970
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_to_the_millisecond() {
        for (text, ms) in [
            ("1970-01-01T00:00:00.000Z", 0),
            ("1970-03-01T00:00:00Z", 5_097_600_000),
            ("2000-02-29T12:00:00.5Z", 951_825_600_500),
            ("2026-11-23T04:25:16.799Z", 1_795_407_916_799),
            ("2026-12-31T23:59:59.123456Z", 1_798_761_599_123),
        ] {
            assert_eq!(unix_ms(text), Some(ms), "{text}");
        }
    }

    #[test]
    fn other_texts_are_none() {
        for text in
            ["", "2026-11-23", "2026-11-23T04:25Z", "2026-13-01T00:00:00Z", "1969-12-31T00:00:00Z", "Z"]
        {
            assert_eq!(unix_ms(text), None, "{text}");
        }
    }
}
