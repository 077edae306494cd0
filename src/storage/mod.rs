//! The storage: table of partitions, index, ingestion, search, snapshots, retention.
