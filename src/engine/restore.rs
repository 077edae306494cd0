//! A snapshot takes the place of an empty database: its archive comes in pieces, and the storage is opened anew over its files.
//!
//! From the first piece to the end nobody else may write, so that the database stays empty. Handles of series stay good.

use super::answer::{LeftOutRecord, RestoreRecord};
use super::restoring::{self, Restoring};
use super::{Answer, Phase, Shared};
use crate::archive::plan::LeftOut;
use crate::error::{Error, Result};
use crate::runtime::Context;
use crate::storage::Storage;
use crate::storage::prometheus::PrometheusData;
use crate::storage::restore::{Prepared, PreparedFiles, Restoration, clear_staging};
use bytes::Bytes;
use std::rc::Rc;

impl Shared {
    /// Refuses what would write while a snapshot is being restored.
    pub(super) fn check_not_restoring(&self) -> Result<()> {
        if matches!(&*self.restoring.borrow(), Restoring::No) { Ok(()) } else { Err(restoring::refusal()) }
    }

    /// Begins to restore.
    pub(super) async fn restore_begin(&self, storage: &Storage) -> Result<Answer> {
        self.check_not_restoring()?;
        self.gives_up_restore.set(false);
        self.restoring.replace(Restoring::Busy);
        let begun = self.begin(storage).await;
        self.restoring.replace(match begun {
            Ok(restoration) => Restoring::Between(Box::new(restoration)),
            Err(error) => {
                self.restoring.replace(Restoring::No);
                return Err(error);
            }
        });
        Ok(Answer::Done)
    }

    async fn begin(&self, storage: &Storage) -> Result<Restoration> {
        // Whoever has begun to write before ends first. Who begins from here on is refused. Reads do no harm: others may begin at any time.
        self.tickets.wait_for_earlier_writers(storage.context()).await;
        storage.check_empty()?;
        Restoration::begin(storage.context()).await
    }

    /// Takes a piece of the archive. After an error all that came is forgotten.
    pub(super) async fn restore_feed(&self, storage: &Storage, bytes: Bytes) -> Result<Answer> {
        let mut restoration = self.take_restoration()?;
        match restoration.feed(bytes).await {
            Ok(()) => {
                self.restoring.replace(Restoring::Between(restoration));
                Ok(Answer::Done)
            }
            Err(error) => self.give_up_restoring(storage, error).await,
        }
    }

    /// Puts what has come in the place of the database.
    pub(super) async fn restore_end(&self, storage: Rc<Storage>) -> Result<Answer> {
        let restoration = self.take_restoration()?;
        let prepared = match restoration.finish(&storage).await {
            Ok(prepared) => prepared,
            Err(error) => return self.give_up_restoring(&storage, error).await,
        };
        // Nobody may close the database from here on before it is open again.
        if !matches!(&*self.phase.borrow(), Phase::Open(_)) {
            return self.give_up_restoring(&storage, super::closed()).await;
        }
        self.phase.replace(Phase::Opening);
        let (opened, answer) = match prepared {
            Prepared::Files(files) => self.replace_storage(&storage, files).await,
            Prepared::Prometheus(data) => self.import_prometheus(&storage, data).await,
        };
        let phase = match opened {
            Ok(storage) => Phase::Open(storage),
            Err(error) => Phase::Failed(error),
        };
        self.restoring.replace(Restoring::No);
        self.enter(phase);
        answer
    }

    /// Forgets what has come.
    pub(super) async fn restore_abort(&self, storage: &Storage) -> Result<Answer> {
        // A piece that comes meanwhile, or another snapshot, would go among the files that are being removed.
        match self.restoring.replace(Restoring::Busy) {
            Restoring::Between(_) => {}
            Restoring::Busy => {
                return Err(Error::invalid("a piece of the snapshot is still being taken; wait for it, then give up"));
            }
            Restoring::No => {
                self.restoring.replace(Restoring::No);
                return Ok(Answer::Done);
            }
        }
        let cleared = clear_staging(storage.context()).await;
        self.restoring.replace(Restoring::No);
        cleared.map(|()| Answer::Done)
    }

    /// What the snapshot is that is looked at where it lies.
    pub(super) async fn origin(&self, storage: &Storage) -> Result<Answer> {
        let origin = self.config.origin.as_ref();
        let origin = origin.ok_or_else(|| Error::invalid("this is a database, and no snapshot that is looked at"))?;
        let mut record = RestoreRecord::of(storage, origin.format).await?;
        let before = origin.left_out.iter().cloned();
        let at_opening = storage.context().left_out().into_iter();
        let at_opening = at_opening.map(|(dir, error)| (dir.as_str().to_owned(), error.message().to_owned()));
        record.left_out = before.chain(at_opening).map(|(path, message)| LeftOutRecord { path, message }).collect();
        Ok(Answer::Restored(record))
    }

    fn take_restoration(&self) -> Result<Box<Restoration>> {
        match self.restoring.replace(Restoring::Busy) {
            Restoring::Between(restoration) => Ok(restoration),
            other => {
                self.restoring.replace(other);
                Err(Error::invalid("no piece of a snapshot is expected: begin, then hand in one piece after the other"))
            }
        }
    }

    async fn give_up_restoring(&self, storage: &Storage, error: Error) -> Result<Answer> {
        // What can't be removed now is removed by the next attempt.
        let _ = clear_staging(storage.context()).await;
        self.restoring.replace(Restoring::No);
        Err(error)
    }

    /// The storage that is open afterwards, and what is answered.
    async fn replace_storage(
        &self,
        storage: &Rc<Storage>,
        prepared: PreparedFiles,
    ) -> (Result<Rc<Storage>>, Result<Answer>) {
        let context = storage.context();
        let PreparedFiles { changes, format, left_out } = prepared;
        let committed = async {
            storage.retire().await?;
            let mut commit = Storage::removals(context).await?;
            commit.extend(changes);
            context.commit(commit).await
        };
        let committed = committed.await;
        storage.leave();
        if let Err(error) = committed {
            let _ = clear_staging(context).await;
            return (self.open_again(context, storage).await, Err(error));
        }
        let failed = match self.open_again(context, storage).await {
            Ok(opened) => match RestoreRecord::of(&opened, format.text()).await {
                Ok(mut record) => {
                    let left_out = left_out.into_iter();
                    record.left_out =
                        left_out.map(|one| LeftOutRecord { path: one.path, message: one.message }).collect();
                    return (Ok(opened), Ok(Answer::Restored(record)));
                }
                Err(error) => {
                    // It can go on only without what it has opened.
                    let retired = opened.retire().await;
                    opened.leave();
                    retired.err().unwrap_or(error)
                }
            },
            Err(error) => error,
        };
        self.empty_again(context, storage, failed).await
    }

    /// The samples of a Prometheus are written as all samples are.
    async fn import_prometheus(
        &self,
        storage: &Rc<Storage>,
        data: PrometheusData,
    ) -> (Result<Rc<Storage>>, Result<Answer>) {
        let context = storage.context();
        let imported = match data.import(storage, &self.gives_up_restore).await {
            Ok(left_out) => RestoreRecord::of(storage, "Prometheus")
                .await
                .map(|record| RestoreRecord { left_out: records(left_out), ..record }),
            Err(error) => Err(error),
        };
        // What can't be removed now is removed by the next attempt.
        let _ = clear_staging(context).await;
        match imported {
            Ok(record) => (Ok(storage.clone()), Ok(Answer::Restored(record))),
            Err(error) => {
                let retired = storage.retire().await;
                storage.leave();
                self.empty_again(context, storage, retired.err().unwrap_or(error)).await
            }
        }
    }

    /// Takes away what was restored in vain.
    async fn empty_again(
        &self,
        context: &Context,
        storage: &Rc<Storage>,
        failed: Error,
    ) -> (Result<Rc<Storage>>, Result<Answer>) {
        let emptied = match Storage::remove_restored(context).await {
            Ok(()) => self.open_again(context, storage).await,
            Err(error) => Err(error),
        };
        (emptied, Err(failed))
    }

    async fn open_again(&self, context: &Context, before: &Storage) -> Result<Rc<Storage>> {
        let opened = super::follow::open(context, &self.following).await?;
        opened.adopt_handles(before)?;
        Ok(opened)
    }
}

fn records(left_out: Vec<LeftOut>) -> Vec<LeftOutRecord> {
    left_out.into_iter().map(|LeftOut { path, message }| LeftOutRecord { path, message }).collect()
}
