//! What seeds came to, for the figures at the end.

use sandglass::fs::sim::SimFileSystem;

/// What one seed came to, for the figures at the end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    pub seeds: u64,
    pub lives: u64,
    pub crashes: u64,
    pub crashes_while_opening: u64,
    pub commands: u64,
    pub operations: u64,
    pub events: u64,
    pub samples_checked: u64,
    pub snapshots_opened: u64,
    pub failed_operations: u64,
    pub out_of_room: u64,
    pub fenced: u64,
    pub damaged_reads: u64,
    pub short_reads: u64,
    pub readers: u64,
    pub reader_answers: u64,
    pub damaged_files: u64,
    pub lost_commits: u64,
    pub zombies: u64,
    pub frames_read_back: u64,
}

impl Figures {
    pub fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.lives += other.lives;
        self.crashes += other.crashes;
        self.crashes_while_opening += other.crashes_while_opening;
        self.commands += other.commands;
        self.operations += other.operations;
        self.events += other.events;
        self.samples_checked += other.samples_checked;
        self.snapshots_opened += other.snapshots_opened;
        self.failed_operations += other.failed_operations;
        self.out_of_room += other.out_of_room;
        self.fenced += other.fenced;
        self.damaged_reads += other.damaged_reads;
        self.short_reads += other.short_reads;
        self.readers += other.readers;
        self.reader_answers += other.reader_answers;
        self.damaged_files += other.damaged_files;
        self.lost_commits += other.lost_commits;
        self.zombies += other.zombies;
        self.frames_read_back += other.frames_read_back;
    }

    pub fn add_faults(&mut self, files: &SimFileSystem) {
        let faults = files.faults();
        self.operations += files.operations();
        self.failed_operations += faults.failed;
        self.out_of_room += faults.out_of_room;
        self.fenced += faults.fenced;
        self.damaged_reads += faults.damaged;
        self.short_reads += faults.cut_short;
    }
}

pub fn all_faults(files: &SimFileSystem) -> u64 {
    let faults = files.faults();
    faults.failed + faults.out_of_room + faults.fenced + faults.damaged + faults.cut_short
}
