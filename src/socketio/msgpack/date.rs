//! Points in time of MessagePack, as text.

use alloc::vec::Vec;
use core::fmt::Write as _;

use crate::http::Text;

/// The greatest number of milliseconds that a `Date` of JavaScript can be from 1970.
const MILLIS_MAX: u64 = 8_640_000_000_000_000;
const DAY: i64 = 86_400_000;

/// Appends a point in time as `JSON.stringify` writes a `Date`: in ISO 8601, or `null` where it is none.
pub(super) fn write(millis: i64, out: &mut Vec<u8>) {
    let out = &mut Text(out);
    // Writing to a vector does not fail.
    if millis.unsigned_abs() > MILLIS_MAX {
        let _ = write!(out, "null");
        return;
    }
    let (day, time) = (millis.div_euclid(DAY), millis.rem_euclid(DAY));
    let (year, month, day) = civil(day);
    let (hour, minute, second, milli) = (time / 3_600_000, time / 60_000 % 60, time / 1000 % 60, time % 1000);
    let _ = match year {
        0..=9999 => write!(out, "\"{year:04}"),
        _ => write!(out, "\"{year:+07}"),
    };
    let _ = write!(out, "-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z\"");
}

/// Year, month and day of the Gregorian calendar, for days since 1970-01-01.
///
/// Years begin in March here, so that the leap day is the last of its year; 400 of them are 146,097 days.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(719_468);
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    // One day of four years, all but one of a hundred years, and the last of the era are leap days.
    let leaps = (of_era / 1460).saturating_sub(of_era / 36_524).saturating_add(of_era / 146_096);
    let year = of_era.saturating_sub(leaps) / 365;
    let before = year.saturating_mul(365).saturating_add(year / 4).saturating_sub(year / 100);
    let of_year = of_era.saturating_sub(before);
    // From March, the months have 31, 30, 31, 30, 31 days and so again: 153 in five.
    let month = of_year.saturating_mul(5).saturating_add(2) / 153;
    let day = of_year.saturating_sub(month.saturating_mul(153).saturating_add(2) / 5).saturating_add(1);
    let january = month >= 10;
    let month = if january { month.saturating_sub(9) } else { month.saturating_add(3) };
    let year = year.saturating_add(era.saturating_mul(400)).saturating_add(january.into());
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn text(millis: i64) -> String {
        let mut out = Vec::new();
        write(millis, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// Each as Node writes it.
    #[test]
    fn dates() {
        for (millis, expected) in [
            (0, "\"1970-01-01T00:00:00.000Z\""),
            (-1, "\"1969-12-31T23:59:59.999Z\""),
            (951_782_400_000, "\"2000-02-29T00:00:00.000Z\""),
            (951_868_800_000, "\"2000-03-01T00:00:00.000Z\""),
            (4_107_542_400_000, "\"2100-03-01T00:00:00.000Z\""),
            (4_107_456_000_000, "\"2100-02-28T00:00:00.000Z\""),
            (1_763_773_201_007, "\"2025-11-22T01:00:01.007Z\""),
            (1_704_067_199_999, "\"2023-12-31T23:59:59.999Z\""),
            (253_402_300_799_999, "\"9999-12-31T23:59:59.999Z\""),
            (253_402_300_800_000, "\"+010000-01-01T00:00:00.000Z\""),
            (-62_167_219_200_000, "\"0000-01-01T00:00:00.000Z\""),
            (-62_167_219_200_001, "\"-000001-12-31T23:59:59.999Z\""),
            (8_640_000_000_000_000, "\"+275760-09-13T00:00:00.000Z\""),
            (-8_640_000_000_000_000, "\"-271821-04-20T00:00:00.000Z\""),
            (8_640_000_000_000_001, "null"),
            (i64::MIN, "null"),
        ] {
            assert_eq!(text(millis), expected, "{millis}");
        }
    }

    /// The calendar goes on day by day, through all leap years of two eras.
    #[test]
    fn every_day_follows_the_one_before() {
        let mut date = civil(-200_000);
        for days in -199_999..200_000 {
            let (year, month, day) = date;
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 => 28 + i64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            date = match (month, day == last) {
                (_, false) => (year, month, day + 1),
                (12, true) => (year + 1, 1, 1),
                (_, true) => (year, month + 1, 1),
            };
            assert_eq!(civil(days), date, "{days}");
        }
        assert_eq!(civil(0), (1970, 1, 1));
    }
}
