//! Dates and times of the proleptic Gregorian calendar, in this machine's time zone.

/// A moment by the calendar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    pub millisecond: i64,
}

const DAY_MS: i64 = 86_400_000;

impl Moment {
    /// The moment that many milliseconds after 1970 in UTC.
    pub fn of_utc(timestamp_ms: i64) -> Self {
        let (days, rest) = (timestamp_ms.div_euclid(DAY_MS), timestamp_ms.rem_euclid(DAY_MS));
        let (year, month, day) = civil(days);
        Self {
            year,
            month,
            day,
            hour: rest / 3_600_000,
            minute: rest / 60_000 % 60,
            second: rest / 1000 % 60,
            millisecond: rest % 1000,
        }
    }

    /// The same in the time zone of this machine.
    pub fn of_local(timestamp_ms: i64) -> Self {
        Self::of_utc(timestamp_ms + local_offset_ms(timestamp_ms))
    }

    /// Milliseconds since 1970, reading this as UTC.
    pub fn as_utc(self) -> i64 {
        days(self.year, self.month, self.day) * DAY_MS
            + ((self.hour * 60 + self.minute) * 60 + self.second) * 1000
            + self.millisecond
    }

    /// `2026-01-02 03:04:05:006`, as `SimpleDateFormat` writes Kafka's `yyyy-MM-dd HH:mm:ss:SSS`, or any other pattern of
    /// these letters.
    pub fn format(self, pattern: &str) -> String {
        let mut text = String::new();
        let mut letters = pattern.chars().peekable();
        while let Some(letter) = letters.next() {
            let mut width = 1;
            while letters.next_if_eq(&letter).is_some() {
                width += 1;
            }
            let number = match letter {
                'y' => self.year,
                'M' => self.month,
                'd' => self.day,
                'H' => self.hour,
                'm' => self.minute,
                's' => self.second,
                'S' => self.millisecond,
                other => {
                    text.extend(std::iter::repeat_n(other, width));
                    continue;
                }
            };
            text += &format!("{number:0width$}");
        }
        text
    }
}

/// Milliseconds since 1970, by this machine's clock.
pub fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// How far this machine's clocks on the wall are ahead of UTC at a moment, ms.
fn local_offset_ms(timestamp_ms: i64) -> i64 {
    let seconds = timestamp_ms.div_euclid(1000);
    // SAFETY: both point to values of this frame, and localtime_r keeps neither.
    unsafe {
        let mut parts = std::mem::zeroed::<libc::tm>();
        if libc::localtime_r(&seconds, &mut parts).is_null() { 0 } else { parts.tm_gmtoff * 1000 }
    }
}

/// Days since 1970 of a date (Howard Hinnant's algorithm: years begin in March).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

/// Reads Kafka's `yyyy-MM-ddTHH:mm[:ss[.SSS]][Z|±hh:mm|±hhmm]`; without a zone it is UTC, as in Kafka's tools.
pub fn parse_date_time(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T')?;
    let (time, offset_minutes) = match time.find(['Z', '+', '-']) {
        Some(index) => (&time[..index], zone(&time[index..])?),
        None => (time, 0),
    };
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (clock, millisecond) = match time.split_once('.') {
        Some((clock, fraction)) => (clock, format!("{fraction:0<3}").get(..3)?.parse::<i64>().ok()?),
        None => (time, 0),
    };
    let mut clock = clock.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (hour, minute) = (clock.next()??, clock.next()??);
    let second = clock.next().unwrap_or(Some(0))?;
    let is_valid = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..60).contains(&second);
    let moment = Moment { year, month, day, hour, minute, second, millisecond };
    is_valid.then(|| moment.as_utc() - offset_minutes * 60_000)
}

fn zone(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits: String = text[1..].chars().filter(|letter| *letter != ':').collect();
    let hours: i64 = digits.get(..2)?.parse().ok()?;
    let minutes: i64 = digits.get(2..4).map_or(Some(0), |text| text.parse().ok())?;
    Some(sign * (hours * 60 + minutes))
}

/// Reads an ISO 8601 duration of days and time (`P1DT2H3M4.5S`), as `java.time.Duration` does; ms.
pub fn parse_duration(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text),
    };
    let upper = text.to_ascii_uppercase();
    let rest = upper.strip_prefix('P')?;
    let (days, time) = match rest.split_once('T') {
        Some((days, time)) if !time.is_empty() => (days, time),
        Some(_) => return None,
        None => (rest, ""),
    };
    let mut milliseconds = 0.0;
    let mut parts = 0;
    if !days.is_empty() {
        milliseconds += days.strip_suffix('D')?.parse::<f64>().ok()? * DAY_MS as f64;
        parts += 1;
    }
    let mut number = String::new();
    for letter in time.chars() {
        let unit = match letter {
            'H' => 3_600_000.0,
            'M' => 60_000.0,
            'S' => 1000.0,
            other => {
                number.push(other);
                continue;
            }
        };
        milliseconds += std::mem::take(&mut number).parse::<f64>().ok()? * unit;
        parts += 1;
    }
    (parts > 0 && number.is_empty()).then_some((sign * milliseconds) as i64)
}

#[cfg(test)]
mod tests {
    use super::{Moment, parse_date_time, parse_duration};

    #[test]
    fn dates_go_both_ways() {
        for timestamp in [0, 951_782_400_000, 1_700_000_000_123, -1, 4_102_444_799_999] {
            assert_eq!(Moment::of_utc(timestamp).as_utc(), timestamp);
        }
        assert_eq!(
            Moment::of_utc(951_782_400_007).format("yyyy-MM-dd HH:mm:ss:SSS"),
            "2000-02-29 00:00:00:007"
        );
    }

    #[test]
    fn kafkas_forms_are_read() {
        assert_eq!(parse_date_time("2000-01-01T00:00:00.000"), Some(946_684_800_000));
        assert_eq!(parse_date_time("2000-01-01T05:30:00.000+05:30"), Some(946_684_800_000));
        assert_eq!(parse_date_time("2000-01-01T00:00:00Z"), Some(946_684_800_000));
        assert_eq!(parse_date_time("yesterday"), None);
        assert_eq!(parse_duration("P1DT2H"), Some(93_600_000));
        assert_eq!(parse_duration("PT0.5S"), Some(500));
        assert_eq!(parse_duration("P"), None);
        assert_eq!(parse_duration("nonsense"), None);
    }
}
