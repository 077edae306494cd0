//! A query's trace in the server's form: a duration, a message and the steps below.

use crate::executor::{Trace, TraceKind};
use crate::http::prometheus::ServedTrace;
use std::fmt::Write;

/// What `trace=1` adds to a reply.
pub(super) fn served(trace: &Trace) -> ServedTrace {
    ServedTrace {
        duration_msec: (trace.milliseconds * 1e3).round() / 1e3,
        message: message(trace),
        children: trace.children.iter().map(served).collect(),
    }
}

fn message(trace: &Trace) -> String {
    let what = match trace.kind {
        TraceKind::Query => "query",
        TraceKind::Parse => "parse the expression",
        TraceKind::Flush => "make searchable what waits",
        TraceKind::Expression => "compute",
        TraceKind::Find => "find the series of",
        TraceKind::Read => "read their samples",
        TraceKind::Roll => "roll their windows by",
        TraceKind::Finish => "put the rows in order",
    };
    let figures = trace.figures;
    let named = [
        ("series", figures.series),
        ("parts", figures.parts),
        ("blocks", figures.blocks),
        ("samples", figures.samples),
        ("bytes", figures.bytes),
        ("rows", figures.rows),
        ("points", figures.points),
    ];
    let mut message = what.to_owned();
    if !trace.text.is_empty() {
        message.push(' ');
        message.push_str(&trace.text);
    }
    let mut between = ": ";
    for (name, count) in named {
        if let Some(count) = count {
            // Writing to a string can't fail.
            let _ = write!(message, "{between}{name}={count}");
            between = ", ";
        }
    }
    message
}
