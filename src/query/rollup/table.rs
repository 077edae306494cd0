//! All rollups of both languages.

use super::window::Window;
use super::{change, counter, over_time as over, rate, regression};
use crate::query::dialect::Dialect;

/// How the windows of a rollup are computed.
#[derive(Clone, Copy)]
pub(super) enum Kernel {
    /// Each window by itself.
    Each(fn(&Window) -> f64),
    /// The last value of the window, which is what a selector by itself asks for.
    Last,
    /// [`counter::slope`], which dashboards ask for most.
    Slope,
    Sum,
    SquareSum,
    Average,
    CompensatedSum,
    CompensatedAverage,
    Minimum,
    Maximum,
    Variance,
    Deviation,
    /// Of values in order; the parameter says which.
    Quantile,
    Median,
    MedianDeviation,
    Outlier,
    InterquartileRange,
    Distinct,
    Mode,
    /// Several rows: `min`, `max` and `avg` of what the samples were made into.
    Three,
    Candlestick,
    Quantiles,
    Several,
    Histogram,
    CountValues,
}

/// What is done to the samples of a series first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Preparation {
    #[default]
    Nothing,
    RemoveResets,
    Differences,
    GrowthDifferences,
    Slopes,
    GrowthSlopes,
    Intervals,
}

/// How a function is called; the window's expression is an argument of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arguments {
    /// The expression alone.
    Plain,
    /// The expression, then so many numbers.
    NumbersAfter(usize),
    /// A number, then the expression.
    NumberBefore,
    /// The expression, then perhaps a text that picks one row.
    PickAfter,
    /// A text for the label, numbers, then the expression.
    Quantiles,
    /// Texts with names of rollups, then the expression.
    Names,
    /// A text for the label, then the expression.
    LabelBefore,
}

pub(super) struct Entry {
    pub name: &'static str,
    pub kernel: Kernel,
    pub preparation: Preparation,
    pub arguments: Arguments,
    pub keeps_name: bool,
    pub widens: bool,
    pub keeps_stale: bool,
    /// With fewer samples in its window an instant has no value.
    pub least_samples: usize,
}

/// A rollup of one of the languages.
#[derive(Clone, Copy)]
pub struct Rollup {
    pub(super) entry: &'static Entry,
    pub(super) dialect: Dialect,
}

impl std::fmt::Debug for Rollup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {:?}", self.entry.name, self.dialect)
    }
}

impl Rollup {
    /// The rollup of a name in lower case. `default_rollup` is what a selector by itself means, in PromQL as well.
    pub fn by_name(name: &str, dialect: Dialect) -> Option<Self> {
        let entry = entries(dialect).iter().find(|entry| entry.name == name)?;
        Some(Self { entry, dialect })
    }

    /// All rollups of a language.
    pub fn all(dialect: Dialect) -> impl Iterator<Item = Self> {
        entries(dialect).iter().map(move |entry| Self { entry, dialect })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.entry.name
    }

    /// How it is called.
    pub fn arguments(&self) -> Arguments {
        self.entry.arguments
    }

    /// Whether its rows keep the metric's name.
    pub fn keeps_name(&self) -> bool {
        self.entry.keeps_name
    }
}

fn entries(dialect: Dialect) -> &'static [Entry] {
    match dialect {
        Dialect::MetricsQl => METRICSQL,
        Dialect::PromQl => PROMQL,
    }
}

const fn plain(name: &'static str, kernel: Kernel) -> Entry {
    Entry {
        name,
        kernel,
        preparation: Preparation::Nothing,
        arguments: Arguments::Plain,
        keeps_name: false,
        widens: false,
        keeps_stale: false,
        least_samples: 1,
    }
}

const fn each(name: &'static str, kernel: fn(&Window) -> f64) -> Entry {
    plain(name, Kernel::Each(kernel))
}

impl Entry {
    const fn named(mut self) -> Self {
        self.keeps_name = true;
        self
    }
    const fn widened(mut self) -> Self {
        self.widens = true;
        self
    }
    const fn stale(mut self) -> Self {
        self.keeps_stale = true;
        self
    }
    const fn with(mut self, arguments: Arguments) -> Self {
        self.arguments = arguments;
        self
    }
    const fn after(mut self, preparation: Preparation) -> Self {
        self.preparation = preparation;
        self
    }
    const fn of_two(mut self) -> Self {
        self.least_samples = 2;
        self
    }
}

use Arguments::{LabelBefore, Names, NumberBefore, NumbersAfter, PickAfter, Quantiles};
use Preparation::{Differences, GrowthDifferences, GrowthSlopes, Intervals, RemoveResets, Slopes};

static METRICSQL: &[Entry] = &[
    each("absent_over_time", over::absent),
    plain("aggr_over_time", Kernel::Several).with(Names),
    each("ascent_over_time", change::ascent),
    plain("avg_over_time", Kernel::Average).named(),
    each("changes", change::changes),
    each("changes_prometheus", change::inner_changes),
    each("count_eq_over_time", over::count_equal).with(NumbersAfter(1)),
    each("count_gt_over_time", over::count_greater).with(NumbersAfter(1)),
    each("count_le_over_time", over::count_less_or_equal).with(NumbersAfter(1)),
    each("count_ne_over_time", over::count_not_equal).with(NumbersAfter(1)),
    each("count_over_time", over::count),
    plain("count_values_over_time", Kernel::CountValues).with(LabelBefore),
    each("decreases_over_time", change::decreases),
    plain("default_rollup", Kernel::Last).named().widened().stale(),
    each("delta", counter::difference),
    each("delta_prometheus", counter::inner_difference),
    each("deriv", regression::slope).widened(),
    plain("deriv_fast", Kernel::Slope).widened(),
    each("descent_over_time", change::descent),
    plain("distinct_over_time", Kernel::Distinct),
    each("double_exponential_smoothing", regression::smoothed).named().with(NumbersAfter(2)),
    each("duration_over_time", over::duration).with(NumbersAfter(1)),
    each("first_over_time", over::first).named(),
    each("geomean_over_time", over::geometric_mean).named(),
    plain("histogram_over_time", Kernel::Histogram),
    each("hoeffding_bound_lower", over::hoeffding_lower).named().with(NumberBefore),
    each("hoeffding_bound_upper", over::hoeffding_upper).named().with(NumberBefore),
    each("holt_winters", regression::smoothed).named().with(NumbersAfter(2)),
    each("idelta", counter::last_difference),
    each("ideriv", counter::last_slope).widened(),
    each("increase", counter::difference).after(RemoveResets),
    each("increase_prometheus", counter::inner_difference).after(RemoveResets),
    each("increase_pure", counter::pure_increase).after(RemoveResets),
    each("increases_over_time", change::increases),
    each("integrate", over::integral),
    plain("iqr_over_time", Kernel::InterquartileRange).named(),
    each("irate", counter::last_slope).widened().after(RemoveResets),
    each("lag", over::lag),
    plain("last_over_time", Kernel::Last).named(),
    each("lifetime", over::lifetime),
    plain("mad_over_time", Kernel::MedianDeviation),
    plain("max_over_time", Kernel::Maximum).named(),
    plain("median_over_time", Kernel::Median).named(),
    plain("min_over_time", Kernel::Minimum).named(),
    plain("mode_over_time", Kernel::Mode).named(),
    plain("outlier_iqr_over_time", Kernel::Outlier),
    each("predict_linear", regression::prediction).named().with(NumbersAfter(1)),
    each("present_over_time", over::present),
    plain("quantile_over_time", Kernel::Quantile).named().with(NumberBefore),
    plain("quantiles_over_time", Kernel::Quantiles).named().with(Quantiles),
    each("range_over_time", over::range),
    plain("rate", Kernel::Slope).widened().after(RemoveResets),
    each("rate_over_sum", over::rate_over_sum).widened(),
    each("rate_prometheus", counter::inner_rate).after(RemoveResets),
    each("resets", change::decreases),
    plain("rollup", Kernel::Three).named().widened().with(PickAfter),
    plain("rollup_candlestick", Kernel::Candlestick).named().widened().with(PickAfter),
    plain("rollup_delta", Kernel::Three).with(PickAfter).after(Differences),
    plain("rollup_deriv", Kernel::Three).widened().with(PickAfter).after(Slopes),
    plain("rollup_increase", Kernel::Three).with(PickAfter).after(GrowthDifferences),
    plain("rollup_rate", Kernel::Three).widened().with(PickAfter).after(GrowthSlopes),
    plain("rollup_scrape_interval", Kernel::Three).widened().with(PickAfter).after(Intervals),
    each("scrape_interval", over::scrape_interval).widened(),
    each("share_eq_over_time", over::share_equal).with(NumbersAfter(1)),
    each("share_gt_over_time", over::share_greater).with(NumbersAfter(1)),
    each("share_le_over_time", over::share_less_or_equal).with(NumbersAfter(1)),
    each("stale_samples_over_time", over::stale_samples).stale(),
    plain("stddev_over_time", Kernel::Deviation),
    plain("stdvar_over_time", Kernel::Variance),
    plain("sum2_over_time", Kernel::SquareSum),
    each("sum_eq_over_time", over::sum_equal).with(NumbersAfter(1)),
    each("sum_gt_over_time", over::sum_greater).with(NumbersAfter(1)),
    each("sum_le_over_time", over::sum_less_or_equal).with(NumbersAfter(1)),
    plain("sum_over_time", Kernel::Sum),
    each("tfirst_over_time", over::time_of_first),
    each("timestamp", over::time_of_last).widened(),
    each("timestamp_with_name", over::time_of_last).named(),
    each("tlast_change_over_time", over::time_of_last_change),
    each("tlast_over_time", over::time_of_last),
    each("tmax_over_time", over::time_of_maximum),
    each("tmin_over_time", over::time_of_minimum),
    each("zscore_over_time", over::z_score),
];

static PROMQL: &[Entry] = &[
    each("absent_over_time", over::absent),
    plain("avg_over_time", Kernel::CompensatedAverage),
    each("changes", change::inner_changes),
    each("count_over_time", over::count),
    plain("default_rollup", Kernel::Last).named().stale(),
    each("delta", rate::delta).of_two(),
    each("deriv", regression::compensated_slope).of_two(),
    each("double_exponential_smoothing", regression::inner_smoothed).of_two().with(NumbersAfter(2)),
    each("first_over_time", over::first).named(),
    each("holt_winters", regression::inner_smoothed).of_two().with(NumbersAfter(2)),
    each("idelta", rate::last_delta).of_two(),
    each("increase", rate::increase).of_two(),
    each("irate", rate::last_rate).of_two(),
    plain("last_over_time", Kernel::Last).named(),
    plain("mad_over_time", Kernel::MedianDeviation),
    plain("max_over_time", Kernel::Maximum),
    plain("min_over_time", Kernel::Minimum),
    each("predict_linear", regression::compensated_prediction).of_two().with(NumbersAfter(1)),
    each("present_over_time", over::present),
    plain("quantile_over_time", Kernel::Quantile).with(NumberBefore),
    each("rate", rate::rate).of_two(),
    each("resets", change::inner_decreases),
    plain("stddev_over_time", Kernel::Deviation),
    plain("stdvar_over_time", Kernel::Variance),
    plain("sum_over_time", Kernel::CompensatedSum),
    each("timestamp", over::time_of_living).stale(),
    each("ts_of_first_over_time", over::time_of_first),
    each("ts_of_last_over_time", over::time_of_last),
    each("ts_of_max_over_time", over::time_of_maximum),
    each("ts_of_min_over_time", over::time_of_minimum),
];
