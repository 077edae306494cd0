//! Functions of rows, by their labels.

use super::signature::{Argument, Dialects, Family, Function, Kind, Names, any, functions, many, one};

const MANY_ROWS: &[Argument] = &[many("rows", Kind::Series)];
const ROWS_AND_NAME: &[Argument] = &[one("rows", Kind::Series), one("name", Kind::Text)];
const ROWS_AND_LABEL: &[Argument] = &[one("rows", Kind::Series), one("label", Kind::Text)];
const ROWS_AND_LABELS: &[Argument] = &[one("rows", Kind::Series), any("label", Kind::Text)];
const ROWS_AND_SOME_LABELS: &[Argument] = &[one("rows", Kind::Series), many("label", Kind::Text)];
const ROWS_AND_PAIRS: &[Argument] = &[one("rows", Kind::Series), any("label, value", Kind::Text)];
const MAPPING: &[Argument] = &[one("rows", Kind::Series), one("label", Kind::Text), any("from, to", Kind::Text)];
const ROWS_AND_GROUPS: &[Argument] = &[one("rows", Kind::Series), many("group", Kind::Scalar)];
const MATCH: &[Argument] =
    &[one("rows", Kind::Series), one("label", Kind::Text), one("regular expression", Kind::Text)];
const TRANSFORM: &[Argument] = &[
    one("rows", Kind::Series),
    one("label", Kind::Text),
    one("regular expression", Kind::Text),
    one("replacement", Kind::Text),
];
const REPLACE: &[Argument] = &[
    one("rows", Kind::Series),
    one("target", Kind::Text),
    one("replacement", Kind::Text),
    one("source", Kind::Text),
    one("regular expression", Kind::Text),
];
const JOIN: &[Argument] =
    &[one("rows", Kind::Series), one("target", Kind::Text), one("separator", Kind::Text), any("source", Kind::Text)];

pub(super) const LABELS: &[Function] = functions! { Label,
    "alias"                   MetricsQl Keep Series ROWS_AND_NAME "Rows under another name"
    "drop_common_labels"      MetricsQl Keep Series MANY_ROWS "Rows without the labels that all of them share"
    "label_copy"              MetricsQl Keep Series ROWS_AND_PAIRS "Labels copied to others, in pairs of source and target"
    "label_del"               MetricsQl Keep Series ROWS_AND_LABELS "Rows without these labels"
    "label_graphite_group"    MetricsQl Keep Series ROWS_AND_GROUPS "Names made of these parts of Graphite names"
    "label_join"              Both      Keep Series JOIN "A label made of others"
    "label_keep"              MetricsQl Keep Series ROWS_AND_LABELS "Rows with these labels alone"
    "label_lowercase"         MetricsQl Keep Series ROWS_AND_LABELS "Labels in lower case"
    "label_map"               MetricsQl Keep Series MAPPING "A label's values replaced, in pairs"
    "label_match"             MetricsQl Keep Series MATCH "Rows of which a label matches"
    "label_mismatch"          MetricsQl Keep Series MATCH "Rows of which a label does not match"
    "label_move"              MetricsQl Keep Series ROWS_AND_PAIRS "Labels moved to others, in pairs of source and target"
    "label_replace"           Both      Keep Series REPLACE "A label made of another one that matches"
    "label_set"               MetricsQl Keep Series ROWS_AND_PAIRS "Labels with these values"
    "label_transform"         MetricsQl Keep Series TRANSFORM "All matches inside a label replaced"
    "label_uppercase"         MetricsQl Keep Series ROWS_AND_LABELS "Labels in upper case"
    "label_value"             MetricsQl Drop Series ROWS_AND_LABEL "The number that is a label's value"
    "labels_equal"            MetricsQl Keep Series ROWS_AND_SOME_LABELS "Rows of which these labels have one value"
    "sort_by_label"           Both      Keep Series ROWS_AND_SOME_LABELS "Rows in the order of labels"
    "sort_by_label_desc"      Both      Keep Series ROWS_AND_SOME_LABELS "Rows in the opposite order of labels"
    "sort_by_label_numeric"   MetricsQl Keep Series ROWS_AND_SOME_LABELS "Rows in the order of the numbers in labels"
    "sort_by_label_numeric_desc" MetricsQl Keep Series ROWS_AND_SOME_LABELS "Rows in the opposite order of the numbers in labels"
};
