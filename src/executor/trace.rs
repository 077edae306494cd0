//! What was done for a query, step by step, for those who ask where its time went.
//!
//! A step's time is read off a stopwatch that the edge hands in. Nothing depends on it but the figures of a trace, and when a query has taken
//! too long (`deadline.rs`).

use serde::Serialize;
use std::rc::Rc;

/// Levels of steps below a step, beyond which only their times are kept: a chain of additions may have ten thousands.
const MAX_LEVELS: usize = 100;
/// Steps of one query, beyond which only their times are kept.
const MAX_STEPS: usize = 10_000;

/// Tells how much time has passed.
pub trait Stopwatch {
    /// Milliseconds since some instant, always the same one.
    fn milliseconds(&self) -> f64;
}

/// For engines that nobody gave a stopwatch: all takes no time, and nothing takes too long.
pub struct StandingStill;

impl Stopwatch for StandingStill {
    fn milliseconds(&self) -> f64 {
        0.0
    }
}

/// What one step was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TraceKind {
    /// The whole query.
    Query,
    /// The text became an expression.
    Parse,
    /// What waited was made searchable.
    Flush,
    /// A part of the expression was computed.
    Expression,
    /// The index was asked for the series of a selector.
    Find,
    /// Their blocks were read and decoded.
    Read,
    /// The samples of each window became one value.
    Roll,
    /// Names were dropped and the rows were put in order.
    Finish,
}

/// What a step has read or made; each step has those that say something of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TraceFigures {
    /// Series found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<u64>,
    /// Parts that have samples in the range that was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<u64>,
    /// Blocks decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks: Option<u64>,
    /// Stored bytes of these blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Samples decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
    /// Rows that were made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Instants of each row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<u64>,
}

/// One step of a query, with the steps it needed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trace {
    /// What it was about.
    pub kind: TraceKind,
    /// The part of the expression, the selector, or the rollup; empty where there is none.
    pub text: String,
    /// How long it took, with the steps it needed, waiting for storage and for other work included.
    pub milliseconds: f64,
    /// What it has read or made.
    #[serde(flatten)]
    pub figures: TraceFigures,
    /// The steps it needed, in the order in which they were done.
    pub children: Vec<Trace>,
    /// Of how many levels its children are.
    #[serde(skip)]
    levels: usize,
}

impl Trace {
    /// The whole query, of all its steps.
    pub(super) fn of_query(text: String, milliseconds: f64, figures: TraceFigures, children: Vec<Self>) -> Self {
        Self { kind: TraceKind::Query, text, milliseconds, figures, children, levels: 0 }
    }
}

/// Where a step begins.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Beginning {
    at_ms: f64,
    /// How many steps without a parent are not its children.
    before: usize,
    /// What those of its children took that were done before it began.
    earlier_ms: f64,
}

/// Takes down steps as they end. While nobody asks it does nothing.
pub(super) struct Tracer(Option<Recording>);

struct Recording {
    stopwatch: Rc<dyn Stopwatch>,
    /// Steps that have ended and have no parent yet.
    ended: Vec<Trace>,
    steps: usize,
}

impl Tracer {
    /// Takes steps down if there is a stopwatch.
    pub(super) fn new(stopwatch: Option<Rc<dyn Stopwatch>>) -> Self {
        Self(stopwatch.map(|stopwatch| Recording { stopwatch, ended: Vec::new(), steps: 0 }))
    }

    /// Whether somebody asks.
    pub(super) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// A step begins, whose children all end behind this.
    pub(super) fn begin(&self) -> Beginning {
        self.begin_behind(self.ended())
    }

    /// A step begins, whose children are all steps but so many.
    pub(super) fn begin_behind(&self, before: usize) -> Beginning {
        let Some(recording) = &self.0 else { return Beginning::default() };
        let earlier = recording.ended.iter().skip(before);
        let earlier_ms = earlier.map(|step| step.milliseconds).sum();
        Beginning { at_ms: recording.stopwatch.milliseconds(), before, earlier_ms }
    }

    /// How many steps have ended and have no parent yet.
    pub(super) fn ended(&self) -> usize {
        self.0.as_ref().map_or(0, |recording| recording.ended.len())
    }

    /// Milliseconds since a step began.
    pub(super) fn since(&self, beginning: Beginning) -> f64 {
        self.0.as_ref().map_or(0.0, |recording| recording.stopwatch.milliseconds() - beginning.at_ms)
    }

    /// A step ends.
    pub(super) fn end(
        &mut self,
        beginning: Beginning,
        kind: TraceKind,
        text: impl FnOnce() -> String,
        figures: TraceFigures,
    ) {
        let milliseconds = beginning.earlier_ms + self.since(beginning);
        let Some(recording) = &mut self.0 else { return };
        let mut children = recording.ended.split_off(beginning.before.min(recording.ended.len()));
        let mut levels = children.iter().map(|step| step.levels + 1).max().unwrap_or(0);
        if recording.steps >= MAX_STEPS || levels > MAX_LEVELS {
            children.clear();
            levels = 0;
        }
        recording.steps += 1;
        recording.ended.push(Trace { kind, text: text(), milliseconds, figures, children, levels });
    }

    /// A step that took so long, in several pieces perhaps.
    pub(super) fn note(
        &mut self,
        milliseconds: f64,
        kind: TraceKind,
        text: impl FnOnce() -> String,
        figures: TraceFigures,
    ) {
        let Some(recording) = &mut self.0 else { return };
        recording.steps += 1;
        recording.ended.push(Trace { kind, text: text(), milliseconds, figures, children: Vec::new(), levels: 0 });
    }

    /// The steps, if somebody asked.
    pub(super) fn into_steps(self) -> Option<Vec<Trace>> {
        self.0.map(|recording| recording.ended)
    }
}
