//! Dates as lightningd prints them.

use crate::market::Micros;

/// ISO 8601 in UTC with milliseconds, such as `2026-11-23T04:18:52.556Z`.
pub(crate) fn iso8601(at: Micros) -> String {
    let millis = at / 1000;
    let (days, of_day) = (millis / 86_400_000, millis % 86_400_000);
    let (year, month, day) = civil(days as i64);
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, milli) = (of_day / 1000 % 60, of_day % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// The unix time, in seconds, of a date as [`iso8601`] prints it.
pub(crate) fn unix_seconds(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut time = time.split(['.', ':']).map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let days = u64::try_from(days_since_1970(year, month, day)).ok()?;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

/// The inverse of [`civil`].
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    era * 146_097 + of_era - 719_468
}

/// Year, month and day of a number of days since 1970 (Gregorian, eras of 400 years).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::{iso8601, unix_seconds};

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(iso8601(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso8601(1_795_407_532_556_000), "2026-11-23T04:18:52.556Z");
        assert_eq!(iso8601(1_709_164_800_000_000), "2024-02-29T00:00:00.000Z");
    }

    #[test]
    fn dates_are_read_as_they_are_printed() {
        for at in (0..4_000_000_000).step_by(9_999_999) {
            assert_eq!(unix_seconds(&iso8601(at * 1_000_000 + 999_000)), Some(at));
        }
        for bad in ["", "2024-02-29", "2024-02-29T00:00:00.000", "2024-xx-29T00:00:00.000Z"] {
            assert_eq!(unix_seconds(bad), None, "{bad}");
        }
    }
}
