//! Which queries are being answered, and which were lately.

use super::Shared;
use crate::error::Result;
use crate::executor::{self, Query, QueryResult, Times};
use crate::http::HttpResponse;
use crate::http::status::{QueryRecord, TopQueries, active_queries};
use crate::runtime::Context;
use crate::storage::Storage;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// How many queries are remembered, and bytes of their texts.
const REMEMBERED: usize = 2_000;
const REMEMBERED_BYTES: usize = 512 << 10;

/// The queries of one engine.
#[derive(Default)]
pub(super) struct QueryLog(RefCell<Queries>);

#[derive(Default)]
struct Queries {
    active: BTreeMap<u64, QueryRecord>,
    last_number: u64,
    /// The oldest first.
    ended: VecDeque<QueryRecord>,
    ended_bytes: usize,
}

impl QueryLog {
    /// Those that are being answered.
    pub(super) fn active(&self, now_ms: i64) -> HttpResponse {
        let queries = self.0.borrow();
        let active = queries.active.iter().map(|(number, query)| {
            let took_ms = (now_ms - query.began_ms).max(0);
            (*number, QueryRecord { took_ms, ..query.clone() })
        });
        active_queries(&active.collect::<Vec<_>>())
    }

    /// Those that were answered not longer than `max_lifetime_ms` ago.
    pub(super) fn top(&self, top: usize, max_lifetime: (&str, i64), now_ms: i64) -> HttpResponse {
        let (max_lifetime, max_lifetime_ms) = max_lifetime;
        let began_from_ms = now_ms.saturating_sub(max_lifetime_ms);
        let asked = TopQueries { top, began_from_ms, max_lifetime, remembered: REMEMBERED };
        asked.reply(self.0.borrow().ended.iter())
    }
}

impl Queries {
    fn end(&mut self, number: u64, now_ms: i64) {
        let Some(mut query) = self.active.remove(&number) else { return };
        query.took_ms = (now_ms - query.began_ms).max(0);
        self.ended_bytes += query.text.len();
        self.ended.push_back(query);
        while self.ended.len() > REMEMBERED || self.ended_bytes > REMEMBERED_BYTES {
            let Some(oldest) = self.ended.pop_front() else { break };
            self.ended_bytes -= oldest.text.len();
        }
    }
}

/// A query under way; one that is given up ends, too.
struct UnderWay<'a> {
    log: &'a QueryLog,
    context: &'a Context,
    number: u64,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.log.0.borrow_mut().end(self.number, self.context.now());
    }
}

/// Answers a query and notes that.
pub(super) async fn query(storage: &Rc<Storage>, shared: &Shared, query: &Query) -> Result<QueryResult> {
    let (start_ms, end_ms, step_ms) = match query.times {
        Times::Instant { time_ms, step_ms } => (time_ms, time_ms, step_ms.unwrap_or(executor::INSTANT_STEP_MS)),
        Times::Range { start_ms, end_ms, step_ms } => (start_ms, end_ms, step_ms),
    };
    let context = storage.context();
    let record =
        QueryRecord { text: query.text.clone(), start_ms, end_ms, step_ms, began_ms: context.now(), took_ms: 0 };
    let number = {
        let mut queries = shared.queries.0.borrow_mut();
        queries.last_number += 1;
        let number = queries.last_number;
        queries.active.insert(number, record);
        number
    };
    let _under_way = UnderWay { log: &shared.queries, context, number };
    let surroundings = shared.surroundings.borrow().clone();
    executor::query(storage, query, surroundings).await
}
