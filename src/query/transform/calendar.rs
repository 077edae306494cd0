//! Dates of instants that are values: unix seconds in UTC.

use super::{Call, Function, Known, Names};
use crate::error::{Error, Result};
use crate::query::series::row::Row;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::row_by_row("minute", Known::Both, (0, 1), Names::Drop, |call| {
        each(call, |date| date.second_of_day / 60 % 60)
    }),
    Function::row_by_row("hour", Known::Both, (0, 1), Names::Drop, |call| each(call, |date| date.second_of_day / 3600)),
    Function::row_by_row("day_of_month", Known::Both, (0, 1), Names::Drop, |call| each(call, |date| date.day)),
    Function::row_by_row("day_of_week", Known::Both, (0, 1), Names::Drop, |call| {
        each(call, |date| (date.days + 4).rem_euclid(7))
    }),
    Function::row_by_row("day_of_year", Known::Both, (0, 1), Names::Drop, |call| {
        each(call, |date| date.days - days_before(date.year, 1) + 1)
    }),
    Function::row_by_row("days_in_month", Known::Both, (0, 1), Names::Drop, |call| {
        each(call, |date| days_before(date.year, date.month + 1) - days_before(date.year, date.month))
    }),
    Function::row_by_row("month", Known::Both, (0, 1), Names::Drop, |call| each(call, |date| date.month)),
    Function::row_by_row("year", Known::Both, (0, 1), Names::Drop, |call| each(call, |date| date.year)),
    Function::row_by_row("timestamp", Known::PromQl, (1, 1), Names::Drop, timestamp),
    Function::rows("timezone_offset", Known::MetricsQl, (1, 1), Names::Drop, timezone_offset),
];

const DAY_S: i64 = 86_400;
/// Instants beyond it are taken as it; some 30 million years.
const MAX_SECONDS: f64 = 1e15;

struct Date {
    /// Since the epoch.
    days: i64,
    second_of_day: i64,
    year: i64,
    month: i64,
    day: i64,
}

/// Days from the epoch to the first day of a month; the month may be 13.
fn days_before(year: i64, month: i64) -> i64 {
    // Years begin in March, so that the leap day is a year's last.
    let months = year * 12 + month - 3;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12));
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 - 719_468
}

impl Date {
    fn of(seconds: f64) -> Self {
        let seconds = seconds.clamp(-MAX_SECONDS, MAX_SECONDS) as i64;
        let days = seconds.div_euclid(DAY_S);
        // A first guess is at most one year off.
        let mut year = 1970 + (days as f64 / 365.2425).floor() as i64;
        while days_before(year, 1) > days {
            year -= 1;
        }
        while days_before(year + 1, 1) <= days {
            year += 1;
        }
        let month = (2..=12).take_while(|month| days_before(year, *month) <= days).last().unwrap_or(1);
        Self { days, second_of_day: seconds.rem_euclid(DAY_S), year, month, day: days - days_before(year, month) + 1 }
    }
}

fn each(call: &mut Call, of: fn(&Date) -> i64) -> Result<Vec<Row>> {
    let mut rows = match call.arguments.left() {
        0 => vec![call.context.time()],
        _ => call.arguments.rows()?,
    };
    for row in &mut rows {
        call.drop_name(row);
        call.map(row, |_, value| if value.is_nan() { value } else { of(&Date::of(value)) as f64 });
    }
    Ok(rows)
}

/// When values were computed. Of a selector's samples the rollup of this name tells it.
fn timestamp(call: &mut Call) -> Result<Vec<Row>> {
    let grid = call.context.grid;
    call.map_rows(|position, _| grid.at(position) as f64 / 1e3)
}

fn timezone_offset(call: &mut Call) -> Result<Vec<Row>> {
    let zone = call.arguments.text()?;
    let context = call.context;
    let offsets = context.grid.instants().map(|at_ms| {
        let offset = context.zones.offset_seconds(&zone, at_ms);
        offset.map(|seconds| seconds as f64).ok_or_else(|| {
            Error::invalid(format!(
                "cannot load timezone {zone:?}: unknown time zone; use a name such as Europe/Berlin"
            ))
        })
    });
    Ok(vec![context.column(offsets.collect::<Result<_>>()?)])
}
